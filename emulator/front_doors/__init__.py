"""Front doors: what turns an HTTP request into the event AWS would send, and the function's answer into HTTP.

Pure: no socket, clock or random number is touched, so the same request and id give the same event.
"""

from __future__ import annotations

from collections.abc import Callable

from ..blueprint import Door
from ..exceptions import EmulatorError
from .alb import LoadBalancer
from .contract import Event, Failure, FrontDoor, Rejected
from .function_url import FunctionUrl
from .http_api import HttpApi
from .http_api_1 import HttpApi1
from .limits import serialise
from .rest_api import RestApi
from .routes import InvalidRoute
from .stages import InvalidStage
from .vpc_lattice import VpcLattice

__all__ = [
    "FRONT_DOORS",
    "Event",
    "Failure",
    "FrontDoor",
    "FunctionUrl",
    "HttpApi",
    "HttpApi1",
    "InvalidRoute",
    "InvalidStage",
    "LoadBalancer",
    "Rejected",
    "RestApi",
    "UnknownFrontDoor",
    "VpcLattice",
    "build",
    "create",
    "serialise",
]


class UnknownFrontDoor(EmulatorError):
    """No front door has this name; lists those there are."""


FRONT_DOORS: dict[str, Callable[[Door], FrontDoor]] = {
    "http_api": lambda door: HttpApi(door.stage, routes=door.routes),
    "http_api_1": lambda door: HttpApi1(door.stage, routes=door.routes),
    "function_url": lambda door: FunctionUrl(streaming=door.streaming),
    "rest_api": lambda door: RestApi(
        door.stage, routes=door.routes, streaming=door.streaming, binary_media_types=door.binary_media_types
    ),
    "alb": lambda _door: LoadBalancer(),
    "alb_multi_value": lambda _door: LoadBalancer(multi_value=True),
    "vpc_lattice": lambda _door: VpcLattice(),
    "vpc_lattice_1": lambda _door: VpcLattice(1),
}
"""How each front door is made, by name; a door that knows no stages or binary media types, or can't stream, pays that
no heed."""

_WITH_ROUTES = ("http_api", "http_api_1", "rest_api")


def build(door: Door) -> FrontDoor:
    """The front door that ``door`` describes (hyphens in its kind count as underscores).

    Raises `UnknownFrontDoor`, `InvalidStage` where the door has stages and can't have this one, or `InvalidRoute`.
    """
    kind = door.kind.replace("-", "_")
    factory = FRONT_DOORS.get(kind)
    if factory is None:
        raise UnknownFrontDoor(f"There is no front door called {door.kind!r}. Choose one of: {', '.join(FRONT_DOORS)}")
    if door.routes and kind not in _WITH_ROUTES:
        raise InvalidRoute(
            f"{door.kind} has no routes, it takes every path. Leave them out, or choose one of: "
            f"{', '.join(_WITH_ROUTES)}"
        )
    made = factory(door)
    if door.timeout is not None:
        made.timeout = door.timeout
    return made


def create(name: str, *, stage: str | None = None, streaming: bool = False) -> FrontDoor:
    """The front door called ``name`` with one route for all, ``streaming`` where it can; raises as `build` does."""
    return build(Door(name, function="", stage=stage, streaming=streaming))
