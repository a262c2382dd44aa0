"""LambdaHandler: one event in, one response out."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from . import front_doors
from .exceptions import ConfigurationError
from .http import HTTPRequest, HTTPResponse
from .wsgi import WSGILeg

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from .asgi import ASGIApplication

Interface = Literal["wsgi", "asgi"]

logger = logging.getLogger("adapter")


class Leg(Protocol):
    """An application behind one of the two interfaces."""

    def __call__(self, request: HTTPRequest) -> HTTPResponse:
        """The application's whole answer."""

    def close(self) -> None:
        """Let go of what the leg keeps from one request to the next."""


class LambdaHandler:
    """A Lambda handler for a WSGI or ASGI application.

    ``handler(event, context)`` reads the event of whichever front door sent it, calls the application once and returns
    the answer in that front door's form. An event that can't be read raises `EventError`: the invocation fails and its
    message says what arrived. An exception that escapes the application becomes a 500, logged once.

    ``interface`` is needed only for an application that is neither an ``async def`` nor an object whose ``__call__``
    is one, yet speaks ASGI.
    """

    def __init__(self, application: Callable[..., Any], *, interface: Interface | None = None) -> None:
        self._leg = _leg(application, interface)

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        door = front_doors.recognise(event)
        request = front_doors.read(door, event, context)
        try:
            response = self._leg(request)
        except Exception:
            request_id = getattr(context, "aws_request_id", None)
            logger.exception(
                "%s %s failed outside the application (request %s)", request.method, request.path, request_id
            )
            response = _server_error(request_id)
        if request.method == "HEAD" or response.status in _BODILESS:
            response.body = b""
        return door.write(response, event)

    def close(self) -> None:
        """End what lives as long as the process (an ASGI application's lifespan and loop)."""
        self._leg.close()


_BODILESS = frozenset({204, 304})


def _leg(application: Callable[..., Any], interface: str | None) -> Leg:
    if interface is None:
        interface = "asgi" if _is_asynchronous(application) else "wsgi"
    if interface == "wsgi":
        return WSGILeg(cast("WSGIApplication", application))
    if interface == "asgi":
        # asyncio costs a WSGI project's cold start 50 ms it would never use.
        from .asgi import ASGILeg

        return ASGILeg(cast("ASGIApplication", application))
    raise ConfigurationError(f"The interface is {interface!r}; it can be 'wsgi' or 'asgi'.")


def _is_asynchronous(application: Callable[..., Any]) -> bool:
    call = getattr(application, "__call__", None)  # noqa: B004 - an instance's __call__ tells, callable() does not
    return inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(call)


def _server_error(request_id: str | None) -> HTTPResponse:
    body = f"Internal Server Error (request {request_id})" if request_id else "Internal Server Error"
    return HTTPResponse(500, "Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")], body.encode())
