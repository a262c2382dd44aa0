"""LambdaHandler: one event in, one response out."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from . import database, front_doors, invocation, limits, logs, origin
from .afterwards import afterwards
from .exceptions import AnswerError, ConfigurationError, UnknownEventError
from .http import HTTPRequest, HTTPResponse, StreamedResponse
from .options import Options
from .streaming import Stream
from .wsgi import WSGILeg

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from .asgi import ASGIApplication
    from .front_doors import FrontDoor

Interface = Literal["wsgi", "asgi"]

logger = logging.getLogger("adapter")

_BODILESS = frozenset({204, 304})


Response = TypeVar("Response", HTTPResponse, StreamedResponse)


class Leg(Protocol):
    """An application behind one of the two interfaces."""

    def respond(self, request: HTTPRequest, seconds: float | None) -> HTTPResponse:
        """The application's whole answer; `DeadlineExceeded` where it takes longer than ``seconds``."""

    def stream(self, request: HTTPRequest, seconds: float | None) -> StreamedResponse:
        """The application's answer once its first bytes are there; raises as `respond` does, also while it flows."""

    def open(self) -> None:
        """Begin again after `close`."""

    def close(self) -> None:
        """Let go of what the leg keeps from one request to the next."""


class LambdaHandler:
    """A Lambda handler for a WSGI or ASGI application.

    ``handler(event, context)`` reads the event of whichever front door sent it, calls the application once and returns
    the answer in that front door's form. Only an event of no front door is tried as a trigger's: messages of a queue,
    a management command, a schedule, a deployment. An event that can't be read raises `EventError`: the invocation
    fails and its message says what arrived. An exception that escapes the application becomes a 500, logged once.

    ``interface`` is needed only for an application that is neither an ``async def`` nor an object whose ``__call__``
    is one, yet speaks ASGI. ``options`` are read from the environment where none are given.
    """

    def __init__(
        self, application: Callable[..., Any], *, interface: Interface | None = None, options: Options | None = None
    ) -> None:
        self._options = Options.from_environment(os.environ) if options is None else options
        given = self._options
        self._guarded = bool(given.origin_secrets or given.trusted_proxies or given.origin_path or given.remote_user)
        self._leg = _leg(application, interface)
        if self._options.streams and not isinstance(self._leg, WSGILeg):
            from . import iteration

            iteration.install()

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:
        door: FrontDoor | None
        try:
            door = front_doors.recognise(event)
        except UnknownEventError:
            door = None
        if door is None:  # out of the except clause, or all that goes wrong there would be told with its error
            from . import triggers

            return triggers.answer(event, context)
        request = front_doors.read(door, event, context)
        at_hand = invocation.begin(context, request)
        if self._options.streams and door.STREAMS and getattr(context, "streams", False):
            # Only a runtime that says it can take one gets it: whoever else calls is promised a dict.
            return self._stream(door, request, at_hand)  # type: ignore[return-value]
        response = self._answer(door, request, self._leg.respond)
        if request.method == "HEAD" or response.status in _BODILESS:
            response.body = b""
        answer = self._write(door, request, response)
        logs.access(at_hand, answer["statusCode"], len(response.body))
        return answer

    def _stream(self, door: FrontDoor, request: HTTPRequest, at_hand: invocation.Invocation) -> Stream:
        """The answer for a front door that takes it chunk by chunk."""
        response = self._answer(door, request, self._leg.stream)
        if isinstance(response, HTTPResponse):
            response = StreamedResponse(response.status, response.reason, response.headers, response.body, None)
        prelude = self._write(door, request, HTTPResponse(response.status, response.reason, response.headers, b""))
        refusal, _ = prelude.pop("body").encode(), prelude.pop("isBase64Encoded")
        access = partial(logs.access, at_hand, prelude["statusCode"])
        bodiless = request.method == "HEAD" or prelude["statusCode"] in _BODILESS
        if not (refusal or bodiless):
            return Stream(prelude, response.first, response.rest, access)
        if response.rest is not None:
            response.rest.close()
        return Stream(prelude, b"" if bodiless else refusal, None, access)

    def open(self) -> None:
        """Begin again after `close`, in a process forked from the one that did."""
        self._leg.open()

    def close(self) -> None:
        """End what lives as long as the process: an ASGI application's lifespan and loop, connections to databases."""
        self._leg.close()
        database.close_all()

    def _answer(
        self, door: FrontDoor, request: HTTPRequest, call: Callable[[HTTPRequest, float | None], Response]
    ) -> Response | HTTPResponse:
        """The application's answer, or ours in its place."""
        if self._guarded or not request.client:
            settled = self._before(door, request)
            if settled is not None:
                return settled
        seconds = limits.seconds_left(request.context, self._options.deadline_margin)
        afterwards.open = True
        try:
            return call(request, seconds)
        except Exception as error:
            return self._failed(request, error)
        except limits.DeadlineExceeded as error:
            return self._given_up(request, seconds, error)

    def _before(self, door: FrontDoor, request: HTTPRequest) -> HTTPResponse | None:
        """What is settled without the application: an answer, or the request made ready for it."""
        options = self._options
        # A balancer's own checks are the only requests that it forwards for nobody; unless it is set to leave
        # X-Forwarded-For alone, so that a client may pass for it here, and must get no further than this.
        if (
            not request.client
            and front_doors.alb.is_health_check(request)
            and (not options.health_check_path or request.path == options.health_check_path.encode())
        ):
            return limits.explained(options.health_check_status, "healthy\n")
        if self._guarded:
            verified = bool(options.origin_secrets) and origin.take_secret(request, options.origin_secrets)
            if options.origin_secrets and not verified:
                logger.warning("%s refused: it did not come through the CDN", request.title)
                return limits.explained(403, "This site is reached through its own address only.\n")
            request.client = origin.viewer_address(request, options.trusted_proxies, verified)
            if options.origin_path:
                origin.leave_out(request, options.origin_path)
            if options.remote_user:
                request.user = door.user(request.event)
                request.take("remote-user")
        return None

    def _failed(self, request: HTTPRequest, error: Exception) -> HTTPResponse:
        """The answer in place of ``error``, which escaped the application."""
        request_id = getattr(request.context, "aws_request_id", None)
        logger.error(
            "%s failed outside the application (request %s)", request.title, request_id,
            exc_info=error,
        )  # fmt: skip
        named = f" (request {request_id})" if request_id else ""
        return limits.explained(500, f"Internal Server Error{named}\n{_shown(error)}")

    def _given_up(self, request: HTTPRequest, seconds: float | None, error: limits.DeadlineExceeded) -> HTTPResponse:
        """The answer in place of one that did not come in time."""
        request_id = getattr(request.context, "aws_request_id", None)
        logger.error(
            "%s was given up after %.1f s, %.1f s before the function's time limit (request %s). Raise the "
            "function's timeout, or move the work to a queue.",
            request.title, seconds, self._options.deadline_margin, request_id,
            exc_info=error,
        )  # fmt: skip
        return limits.explained(504, f"The page took too long (request {request_id}).\n")

    def _write(self, door: FrontDoor, request: HTTPRequest, response: HTTPResponse) -> dict[str, Any]:
        """The answer in the front door's form, or one that says why it can't be sent."""
        if self._options.request_id_header:
            logs.add_request_id(response, self._options.request_id_header)
        try:
            answer = door.write(response, request.event)
            if len(answer["body"]) > limits.SURELY_SMALL:
                limits.check_size(answer, door.NAME, door.RESPONSE_LIMIT)
        except AnswerError as error:
            logger.error(  # noqa: TRY400 - the error says it all
                "%s answered %d, but the answer can't be sent: %s",
                request.title, response.status, error,
            )  # fmt: skip
            explanation = limits.explained(500, f"The answer can't be sent: {error.problem}.\n")
            answer = door.write(explanation, request.event)
        return answer


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


def _shown(error: Exception) -> str:
    """What a page may say of an error that Django's own page for it could not be made of: all, with DEBUG alone.

    A syntax error in the URLconf is one, as that page looks for the view.
    """
    from django.conf import settings

    if not (settings.configured and settings.DEBUG):
        return ""
    import traceback

    return "\n" + "".join(traceback.format_exception(error))
