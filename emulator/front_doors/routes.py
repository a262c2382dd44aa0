"""Which route takes a request; an HTTP API and a REST API choose by different rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..blueprint import Route
from ..exceptions import EmulatorError

DEFAULT = "$default"

_LITERAL, _VARIABLE, _GREEDY = range(3)
_PART = re.compile(r"\{([\w.:-]+)(\+)?\}|[^{}]*")


class InvalidRoute(EmulatorError):
    """A route that no API could have, or one of a front door that knows no routes; says what to write."""


@dataclass(frozen=True, slots=True)
class Match:
    """The route that takes a request: its ``key`` (method and path), its ``path``, and what its variables stand for."""

    key: str
    path: str
    parameters: dict[str, str]


EVERYTHING = Match(DEFAULT, DEFAULT, {})
"""What takes every request where there are no routes."""

_Part = tuple[int, str]
"""What kind of segment it is, and its text or its variable's name."""


@dataclass(frozen=True, slots=True)
class _Template:
    route: Route
    parts: tuple[_Part, ...]

    def parameters(self, segments: Sequence[str], *, empty_rest: bool) -> dict[str, str] | None:
        """What the variables stand for in a path of these segments; None where it is not this template's."""
        last = len(self.parts) - 1
        if self.parts[last][0] == _GREEDY and len(segments) > last:
            segments = [*segments[:last], "/".join(segments[last:])]
        if len(segments) != len(self.parts):
            return None
        found: dict[str, str] = {}
        for (kind, name), text in zip(self.parts, segments, strict=True):
            if kind == _LITERAL:
                if name != text:
                    return None
            elif text or (kind == _GREEDY and empty_rest):
                found[name] = text
            else:
                return None
        return found

    def match(self, parameters: dict[str, str]) -> Match:
        return Match(f"{self.route.method} {self.route.path}", self.route.path, parameters)


class HttpApiRoutes:
    """An HTTP API's: a full match for path and method, then one with a greedy variable, then ``$default``.

    Where there are none, `$default` takes every request.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html

    Documented are those three steps. That within a step literal segments win over variables from left to right, and
    a method over ``ANY`` last, is unproven. A trailing slash begins a segment of its own, and a greedy variable may
    stand for nothing, as AWS's own test tool has it:
    https://github.com/aws/aws-lambda-dotnet/tree/master/Tools/LambdaTestTool-v2 (ApiGatewayRouteConfigService).
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        routes = tuple(routes)
        self._default = EVERYTHING if not routes or any(route.path == DEFAULT for route in routes) else None
        self._templates = sorted(
            (_template(route) for route in routes if route.path != DEFAULT),
            key=lambda template: (template.parts[-1][0] == _GREEDY, *_order(template)),
        )

    def match(self, method: str, path: str) -> Match | None:
        """The route for ``path``, decoded and without the stage; None: not found."""
        if self._templates:
            segments = path[1:].split("/")
            for template in self._templates:
                if template.route.method in (method, "ANY"):
                    parameters = template.parameters(segments, empty_rest=True)
                    if parameters is not None:
                        return template.match(parameters)
        return self._default


class Resources:
    """A REST API's: the resource is chosen by the path alone, and then has the method (or ``ANY``) or has not.

    A last slash does not count: https://github.com/localstack/localstack/blob/main/localstack-core/localstack/services/
    apigateway/next_gen/execute_api/handlers/resource_router.py. That literal segments win over variables, and these
    over greedy ones, from left to right, is unproven.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._templates = sorted(map(_template, routes), key=_order)

    def match(self, method: str, path: str) -> Match | None:
        """The resource for ``path``, encoded as sent and without the stage; None: no such resource or method."""
        best: str | None = None
        for template, parameters in self._candidates(path[1:].removesuffix("/").split("/")):
            if best not in (None, template.route.path):
                break
            best = template.route.path
            if template.route.method in (method, "ANY"):
                return template.match(parameters)
        return None

    def _candidates(self, segments: Sequence[str]) -> Iterator[tuple[_Template, dict[str, str]]]:
        for template in self._templates:
            parameters = template.parameters(segments, empty_rest=False)
            if parameters is not None:
                yield template, parameters


def _order(template: _Template) -> tuple[tuple[int, ...], str, bool]:
    """The most specific first; the methods of one path stay together, ``ANY`` last."""
    return tuple(kind for kind, _ in template.parts), template.route.path, template.route.method == "ANY"


def _template(route: Route) -> _Template:
    parts: list[_Part] = []
    for segment in route.path[1:].split("/"):
        found = _PART.fullmatch(segment)
        greedy_before = bool(parts) and parts[-1][0] == _GREEDY
        if found is None or greedy_before or not route.path.startswith("/"):
            raise InvalidRoute(
                f"{route.method} {route.path} can't be a route. Write the path from its first slash, with variables "
                "that are whole segments, and a greedy one last: /items/{id}, /files/{proxy+}; or $default alone, on "
                "an HTTP API"
            )
        name, greedy = found.groups()
        parts.append((_LITERAL, segment) if name is None else (_GREEDY if greedy else _VARIABLE, name))
    return _Template(replace(route, method=route.method.upper()), tuple(parts))
