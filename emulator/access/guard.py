"""The guard of one front door: asks whoever is to be asked before a request becomes an event."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import blueprint
from ..front_doors import build
from ..front_doors.contract import ANYBODY, Admitted, Event, Refused, Rejected
from ..front_doors.routes import DEFAULT
from ..http import Request, Response
from .api_keys import ApiKeys
from .cors import FunctionUrlCors, HttpApiCors, is_preflight
from .errors import InvalidAccess
from .jwt import JwtAuthorizing
from .lambda_authorizers import Ask, LambdaAuthorizing

_HTTP_APIS = ("http_api", "http_api_1")
_REST_API = "rest_api"
_APIS = (*_HTTP_APIS, _REST_API)
_NOT_FOUND = 404
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
_PREFLIGHT = (
    "this is a browser's preflight, which carries no token. On AWS, too, it goes to the authorizer of an ANY or "
    "$default route: add a route OPTIONS /{proxy+} without an authorizer, or name the methods of the others"
)


class Guard:
    """Made by `guard`. For a door without any rule it does nothing, and costs next to nothing."""

    def __init__(self, door: blueprint.Door, ask: Ask, *, check_signatures: bool, clock: Callable[[], float]) -> None:
        self._kind = door.kind
        # $default has no method of its own.
        methods = ("ANY" if route.path == DEFAULT else route.method.upper() for route in door.routes)
        self._public = {(method, route.path): route.public for method, route in zip(methods, door.routes, strict=True)}
        self._cors: HttpApiCors | FunctionUrlCors | None = None
        if door.cors is not None:
            self._cors = FunctionUrlCors(door.cors) if door.kind == "function_url" else HttpApiCors(door.cors)
        self._keys = ApiKeys(door.api_keys) if door.api_keys else None
        self._jwt: JwtAuthorizing | None = None
        self._lambda: LambdaAuthorizing | None = None
        if isinstance(door.authorizer, blueprint.JwtAuthorizer):
            self._jwt = JwtAuthorizing(door.authorizer, check_signatures=check_signatures, clock=clock)
        elif door.authorizer is not None:
            self._lambda = LambdaAuthorizing(door.authorizer, ask, rest=door.kind == _REST_API, clock=clock)
        self._asks = door.authorizer is not None or self._keys is not None
        # A door of its own tells which route takes a request, and makes what a Lambda authorizer is sent.
        self._door = build(replace(door, kind=_event_kind(door))) if door.kind in _APIS else None

    async def admit(self, request: Request, request_id: str) -> Admitted:
        """What the event is to say of the request's authorizer and key.

        Raises `Refused` where the request may not pass, and `Rejected` with the answer to a preflight, or where the
        door has no place for the request, which comes before anybody is asked.
        """
        cors = self._cors if self._cors is not None and is_preflight(request) else None
        if cors is not None and self._door is None:
            raise Rejected(cors.preflight(request, request_id))
        if self._door is None or (cors is None and not self._asks):
            return ANYBODY
        # An authorizer is told of the key, though it is asked before the key counts:
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
        identity = self._keys.identity(request) if self._keys is not None else {}
        try:
            event = self._door.event(request, request_id, Admitted(identity=identity))
        except Rejected as rejected:
            if cors is not None and rejected.response.status == _NOT_FOUND:
                raise Rejected(cors.preflight(request, request_id)) from None
            raise
        if not self._asks or self._is_public(event):
            return ANYBODY
        try:
            authorizer = await self._authorized(request, event)
        except Refused as refused:
            if cors is None:
                raise
            raise Refused(refused.refusal, f"{refused}; {_PREFLIGHT}", refused.headers) from None
        # The authorizer comes first: https://github.com/localstack/localstack/issues/10636
        if self._keys is not None and not identity:
            raise self._keys.refused(request)
        return Admitted(authorizer, identity)

    def finish(self, request: Request, response: Response) -> None:
        """Puts CORS headers onto an answer; to be called once for each, whoever gave it."""
        if self._cors is not None:
            self._cors.finish(request, response)

    def _is_public(self, event: Event) -> bool:
        """Whether the route that takes the request asks nobody; its exact method goes before ``ANY``."""
        if event.get("version") == "2.0":
            method, path = event["requestContext"]["http"]["method"], event["routeKey"].rpartition(" ")[2]
        else:
            method, path = event["httpMethod"], event["resource"]
        return self._public.get((method, path), self._public.get(("ANY", path), False))

    async def _authorized(self, request: Request, event: Event) -> dict[str, Any] | None:
        """``requestContext.authorizer``, which every kind of API has in a form of its own.

        Captured: https://github.com/aws-powertools/powertools-lambda-typescript/tree/main/packages/parser/tests/events
        and, for format 1.0, https://github.com/awsdocs/amazon-api-gateway-developer-guide/issues/113; that a Lambda
        authorizer's context is flat there too is unproven.
        """
        if self._jwt is not None:
            token = await self._jwt.admit(request, event)
            return {"jwt": token} if self._kind == "http_api" else token
        if self._lambda is None:
            return None
        verdict = await self._lambda.admit(request, event)
        if self._kind == "http_api":
            return {"lambda": verdict.context}
        context = verdict.context or {}
        if self._kind == _REST_API:
            latency = {"integrationLatency": verdict.latency}
            return {"principalId": verdict.principal, **latency, **{name: _text(context[name]) for name in context}}
        return context if verdict.principal is None else {"principalId": verdict.principal, **context}


def guard(
    door: blueprint.Door, ask: Ask, *, check_signatures: bool = True, clock: Callable[[], float] = time.time
) -> Guard:
    """The guard that the rules of ``door`` ask for.

    ``ask`` invokes a Lambda authorizer's function. ``clock`` gives seconds since the epoch. Raises `InvalidAccess`
    where a rule is not for this kind of door.
    """
    door = replace(door, kind=door.kind.replace("-", "_"))
    _check("CORS rules", door.cors, door.kind, (*_HTTP_APIS, "function_url"), "let the project answer preflights")
    _check("API keys", door.api_keys, door.kind, (_REST_API,), "use an authorizer")
    authorizer = door.authorizer
    if isinstance(authorizer, blueprint.JwtAuthorizer):
        _check("a JWT authorizer", authorizer, door.kind, _HTTP_APIS, "check tokens in the project")
    elif authorizer is not None:
        _check("a Lambda authorizer", authorizer, door.kind, _APIS, "check tokens in the project")
        if authorizer.simple and (door.kind == _REST_API or authorizer.payload == "1.0"):
            raise InvalidAccess(
                f"The authorizer {authorizer.name} has simple responses enabled, which only an HTTP API knows, and "
                "with payload format 2.0 alone: let its function return a policy"
            )
        if authorizer.kind == "token" and door.kind != _REST_API:
            raise InvalidAccess(
                f"The authorizer {authorizer.name} is of the kind TOKEN, which only a REST API knows: an HTTP API's is "
                "of the kind REQUEST, with $request.header.Authorization as its identity source"
            )
    return Guard(door, ask, check_signatures=check_signatures, clock=clock)


def _check(what: str, rule: object, kind: str, kinds: tuple[str, ...], instead: str) -> None:
    if rule and kind not in kinds:
        raise InvalidAccess(
            f"The front door {kind} can't have {what}, only {', '.join(kinds)} can. Instead, {instead}."
        )


def _event_kind(door: blueprint.Door) -> str:
    """The kind whose event a Lambda authorizer gets, whatever payload format the door's own function has."""
    if door.kind == _REST_API or not isinstance(door.authorizer, blueprint.LambdaAuthorizer):
        return door.kind
    return "http_api" if door.authorizer.payload == "2.0" else "http_api_1"


def _text(value: object) -> str:
    """A value of a REST API's context, all of which become text; null as JSON writes it, which is unproven."""
    return value if isinstance(value, str) else json.dumps(value)
