"""One module a front door, all of one shape: does it send this event, read the event, write the answer."""

from __future__ import annotations

from typing import Any, Protocol

from ..exceptions import MalformedEventError, UnknownEventError
from ..http import HTTPRequest, HTTPResponse
from . import alb, function_url, http_api, http_api_1, rest_api, vpc_lattice
from .fields import Fields, first_mismatch

__all__ = ["FRONT_DOORS", "FrontDoor", "read", "recognise"]


class FrontDoor(Protocol):
    """What each module of this package offers."""

    NAME: str
    FIELDS: Fields
    RESPONSE_LIMIT: int
    """Bytes that an answer may have, as JSON."""
    STREAMS: bool
    """Whether it can be set to take answers chunk by chunk."""

    def recognises(self, event: dict[str, Any]) -> bool:
        """Whether the event carries this front door's own mark; TypeError or AttributeError where no event does."""

    def read(self, event: dict[str, Any], context: Any) -> HTTPRequest:
        """The request inside the event; KeyError, TypeError, ValueError or AttributeError where it is malformed."""

    def user(self, event: dict[str, Any]) -> str | None:
        """Whom the front door's own authorizer found the caller to be."""

    def write(self, response: HTTPResponse, event: dict[str, Any]) -> dict[str, Any]:
        """The answer in the form this front door expects for this event; `AnswerError` where its headers can't pass."""


# Only payload 1.0's mark is a narrower form of another's (REST's), so it is asked first.
_WITH_METHOD: tuple[FrontDoor, ...] = (alb, http_api_1, rest_api)
_WITHOUT_METHOD: tuple[FrontDoor, ...] = (http_api, function_url, vpc_lattice)
FRONT_DOORS = _WITH_METHOD + _WITHOUT_METHOD


def recognise(event: Any) -> FrontDoor:
    """The front door that sent ``event``; `UnknownEventError` when none did."""
    try:
        for door in _WITH_METHOD if "httpMethod" in event else _WITHOUT_METHOD:
            if door.recognises(event):
                return door
    except (TypeError, AttributeError):
        pass  # neither the event nor what should be a map in it is one
    raise UnknownEventError(event)


def read(door: FrontDoor, event: dict[str, Any], context: Any) -> HTTPRequest:
    """The request inside the event; `MalformedEventError` naming the field at fault when it can't be read.

    Nothing is checked beforehand, so a sound event pays nothing for it: the fields are gone through only after a
    reader has stumbled.
    """
    try:
        return door.read(event, context)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = first_mismatch(event, door.FIELDS) or f"it can't be read ({type(error).__name__}: {error})"
        raise MalformedEventError(f"the front door {door.NAME}", problem, event) from error
