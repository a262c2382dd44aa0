"""The Lambda Runtime API, 2018-06-01, as one environment sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming

What the documentation leaves open (which request is allowed when, and the words with which it is refused otherwise) is
as in AWS's own emulator of this API: https://github.com/aws/aws-lambda-runtime-interface-emulator

Every environment has a port of its own: AWS's runtime client reads the address once a process, and knows of no name by
which the service could tell two processes apart.
"""

from __future__ import annotations

import asyncio
import base64
import enum
import json
from typing import Any, Protocol

from ..front_doors.contract import Failure
from .connection import PAYLOAD_LIMIT, Connection, Request
from .invocation import FunctionFailed, Invocation

__all__ = ["PAYLOAD_LIMIT", "FunctionFailed", "Invocation", "Listener", "RuntimeAPI"]

_VERSION = "/2018-06-01"
_ACCEPTED = b'{"status":"OK"}'
_MODE = "lambda-runtime-function-response-mode"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"


class Listener(Protocol):
    """What the Runtime API tells the environment it belongs to."""

    def asks_for_next(self) -> None:
        """The runtime waits for an event."""
        ...

    def asks_for_restore(self) -> None:
        """The runtime is ready for its snapshot; `RuntimeAPI.restored` lets it go on."""
        ...

    def waits_no_more(self) -> None:
        """The connection on which the runtime waited for an event is gone."""
        ...

    def answered(self, payload: bytes) -> None:
        """The runtime answered the invocation it was given; the payload is empty where it went into the stream."""
        ...

    def failed(self, failure: Failure, message: str) -> None:
        """The runtime reported an error for the invocation it was given, or answered it with too much."""
        ...

    def broke_off(self) -> None:
        """The connection was lost in the middle of an answer."""
        ...

    def init_failed(self, message: str) -> None:
        """The runtime reported that it can't start."""
        ...


class _Phase(enum.Enum):
    INIT = "starting"
    RESTORING = "at its snapshot, or just restored from it"
    WAITING = "waiting for an event"
    RUNNING = "at work on an event"
    RESPONDING = "sending a streamed answer"
    ANSWERED = "done with the event, and with whatever comes after the answer"


class RuntimeAPI:
    """One environment's end of the Runtime API, on a loopback port from `start` to `close`.

    The endpoints of SnapStart are there with ``snapstart`` only.
    """

    def __init__(self, listener: Listener, *, snapstart: bool = False) -> None:
        self._listener = listener
        self._snapstart = snapstart
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._waiting: Connection | None = None
        self._invocation: Invocation | None = None
        self._response_path = ""
        self._phase = _Phase.INIT
        self._closed = False

    async def start(self) -> str:
        """Starts to listen; returns the ``host:port`` for ``AWS_LAMBDA_RUNTIME_API``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        """Stops listening; the listener is told nothing more."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()

    def deliver(self, invocation: Invocation) -> None:
        """Answers the runtime's waiting ``next`` with ``invocation``."""
        connection = self._waiting
        if connection is None:
            raise RuntimeError("the runtime has not asked for an event")
        self._waiting = None
        self._invocation, self._phase = invocation, _Phase.RUNNING
        self._response_path = f"{_VERSION}/runtime/invocation/{invocation.request_id}/response"
        connection.reply(
            200,
            invocation.event,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
                "Lambda-Runtime-Trace-Id": _trace(invocation),
            },
        )

    def restored(self) -> None:
        """Answers the runtime's waiting ``restore/next``: it runs again, from its snapshot as far as it can tell."""
        connection, self._waiting = self._waiting, None
        if connection is not None:
            connection.reply(200, b"")

    # What the connections tell

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._closed:
            return
        if self._waiting is connection:
            self._waiting = None
            if self._phase is _Phase.WAITING:
                self._listener.waits_no_more()
        elif (
            connection.request is not None
            and connection.request.path == self._response_path
            and self._phase in {_Phase.RUNNING, _Phase.RESPONDING}
        ):
            self._phase = _Phase.ANSWERED
            self._listener.broke_off()

    def begins(self, connection: Connection, request: Request) -> None:
        """Connects an answer with the stream of an invocation that has one.

        Whoever invokes decides: with a stream every answer goes there, also one that the runtime has whole; without one
        an answer that the runtime streams is collected, under the same limit as any other.
        """
        invocation = self._invocation
        if (
            invocation is not None
            and invocation.stream is not None
            and self._phase is _Phase.RUNNING
            and request.path == self._response_path
            and request.method == "POST"
            and _mode_is_valid(request)
        ):
            self._phase = _Phase.RESPONDING
            request.stream = invocation.stream
            invocation.stream.begin(request.headers.get("content-type", ""), connection)
            invocation.succeed(b"")

    def handle(self, connection: Connection, request: Request) -> None:
        """Answers one request, at once or (for ``next``) when there is an event."""
        path = request.path
        if path == f"{_VERSION}/ping" and request.method == "GET":
            connection.reply(200, b"pong", content_type="text/plain")
        elif not path.startswith(f"{_VERSION}/runtime/"):
            connection.problem(404, "NotFound", f"There is no {path} in the Runtime API.")
        else:
            parts = path.removeprefix(f"{_VERSION}/runtime/").split("/")
            match (request.method, parts):
                case ("GET", ["invocation", "next"]):
                    self._next(connection)
                case ("POST", ["invocation", request_id, "response"]):
                    self._response(connection, request_id, request)
                case ("POST", ["invocation", request_id, "error"]):
                    self._error(connection, request_id, request)
                case ("POST", ["init", "error"]):
                    self._init_error(connection, request, _Phase.INIT)
                case ("GET", ["restore", "next"]) if self._snapstart:
                    self._restore_next(connection)
                case ("POST", ["restore", "error"]) if self._snapstart:
                    self._init_error(connection, request, _Phase.RESTORING)
                case (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]):
                    connection.problem(405, "MethodNotAllowed", f"{request.method} is not for {path}.")
                case _:
                    connection.problem(404, "NotFound", f"There is no {path} in the Runtime API.")

    def _next(self, connection: Connection) -> None:
        if self._waiting is not None or self._phase in {_Phase.RUNNING, _Phase.RESPONDING}:
            self._refuse(connection)
            return
        self._phase = _Phase.WAITING
        self._invocation = None
        self._waiting = connection
        self._listener.asks_for_next()

    def _response(self, connection: Connection, request_id: str, request: Request) -> None:
        if request.stream is not None:
            self._phase = _Phase.ANSWERED
            connection.reply(202, _ACCEPTED)
            request.stream.end(_late_error(request))
            self._listener.answered(b"")
            return
        if not self._is_current(connection, request_id):
            return
        self._phase = _Phase.ANSWERED
        error = _late_error(request)
        if not _mode_is_valid(request):
            connection.problem(400, "InvalidFunctionResponseMode", "Invalid function response mode")
            self._listener.failed(
                Failure.FUNCTION,
                f"Runtime.InvalidResponseModeHeader: {_MODE} is {request.headers[_MODE]!r}; it can only be 'streaming'",
            )
        elif request.oversized:
            connection.problem(
                413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            )
            self._listener.failed(
                Failure.RESPONSE_TOO_LARGE,
                f"Function.ResponseSizeTooLarge: the answer is larger than {PAYLOAD_LIMIT:,} bytes, the limit for a "
                "buffered response; put large files into the bucket and redirect to them",
            )
        elif error is not None:
            connection.reply(202, _ACCEPTED)
            self._listener.failed(Failure.FUNCTION, error)
        else:
            connection.reply(202, _ACCEPTED)
            self._listener.answered(bytes(request.body))

    def _error(self, connection: Connection, request_id: str, request: Request) -> None:
        if not self._is_current(connection, request_id):
            return
        self._phase = _Phase.ANSWERED
        connection.reply(202, _ACCEPTED)
        self._listener.failed(Failure.FUNCTION, _error_text(request.headers, request.body))

    def _init_error(self, connection: Connection, request: Request, phase: _Phase) -> None:
        if self._phase is not phase or self._waiting is not None:
            self._refuse(connection)
            return
        connection.reply(202, _ACCEPTED)
        self._listener.init_failed(_error_text(request.headers, request.body))

    def _restore_next(self, connection: Connection) -> None:
        if self._phase is not _Phase.INIT:
            self._refuse(connection)
            return
        self._phase = _Phase.RESTORING
        self._waiting = connection
        self._listener.asks_for_restore()

    def _is_current(self, connection: Connection, request_id: str) -> bool:
        if self._invocation is None or self._invocation.request_id != request_id:
            connection.problem(400, "InvalidRequestID", "Invalid request ID")
            return False
        if self._phase is not _Phase.RUNNING:
            self._refuse(connection)
            return False
        return True

    def _refuse(self, connection: Connection) -> None:
        connection.problem(403, "InvalidStateTransition", f"Not now: the runtime is {self._phase.value}.")


def _mode_is_valid(request: Request) -> bool:
    return request.headers.get(_MODE, "streaming") == "streaming"


def _trace(invocation: Invocation) -> str:
    """A trace header in X-Ray's form, unsampled; the request's own id makes it unique.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    digits = invocation.request_id.replace("-", "")
    return f"Root=1-{int(invocation.deadline):08x}-{digits[:24]};Parent={digits[16:32]};Sampled=0"


def _late_error(request: Request) -> str | None:
    """What went wrong in the middle of a streamed answer, from its trailers."""
    if not request.headers.get(_ERROR_TYPE):
        return None
    try:
        report = base64.b64decode(request.headers.get(_ERROR_BODY, ""))
    except ValueError:
        report = b""
    return _error_text(request.headers, report)


def _error_text(headers: dict[str, str], body: bytes | bytearray) -> str:
    """What a runtime says went wrong, in one line: from the error's JSON, else from the header beside it."""
    kind = headers.get(_ERROR_TYPE, "")
    try:
        report: Any = json.loads(bytes(body))
    except ValueError:
        report = None
    if not isinstance(report, dict):
        return kind or "the runtime reported an error without saying which"
    return f"{report.get('errorType') or kind or 'Error'}: {report.get('errorMessage') or 'no message'}"
