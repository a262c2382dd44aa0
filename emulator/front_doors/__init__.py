"""Front doors: what turns an HTTP request into the event AWS would send, and the function's answer into HTTP.

Pure: no socket, clock or random number is touched, so the same request and id give the same event.
"""

from __future__ import annotations

from collections.abc import Callable

from ..exceptions import EmulatorError
from .alb import LoadBalancer
from .contract import Event, Failure, FrontDoor, Rejected
from .function_url import FunctionUrl
from .http_api import HttpApi
from .limits import serialise
from .rest_api import RestApi
from .stages import InvalidStage

__all__ = [
    "FRONT_DOORS",
    "Event",
    "Failure",
    "FrontDoor",
    "FunctionUrl",
    "HttpApi",
    "InvalidStage",
    "LoadBalancer",
    "Rejected",
    "RestApi",
    "UnknownFrontDoor",
    "create",
    "serialise",
]


class UnknownFrontDoor(EmulatorError):
    """No front door has this name; lists those there are."""


FRONT_DOORS: dict[str, Callable[[str | None, bool], FrontDoor]] = {
    "http_api": lambda stage, _streaming: HttpApi(stage),
    "function_url": lambda _stage, streaming: FunctionUrl(streaming=streaming),
    "rest_api": lambda stage, streaming: RestApi(stage, streaming=streaming),
    "alb": lambda _stage, _streaming: LoadBalancer(),
    "alb_multi_value": lambda _stage, _streaming: LoadBalancer(multi_value=True),
}
"""How each front door is made, by name, from a stage or None and whether it streams; a door that knows no stages, or
can't stream, pays that no heed."""


def create(name: str, *, stage: str | None = None, streaming: bool = False) -> FrontDoor:
    """The front door called ``name`` (hyphens count as underscores), ``streaming`` where it can.

    Raises `UnknownFrontDoor`, or `InvalidStage` where the door has stages and can't have this one.
    """
    factory = FRONT_DOORS.get(name.replace("-", "_"))
    if factory is None:
        raise UnknownFrontDoor(f"There is no front door called {name!r}. Choose one of: {', '.join(FRONT_DOORS)}")
    return factory(stage, streaming)
