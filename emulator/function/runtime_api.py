"""The Lambda Runtime API, 2018-06-01, as one environment sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

Every environment has a port of its own: AWS's runtime client reads the address once a process, and knows of no name by
which the service could tell two processes apart. Written on asyncio's transports because two of these requests are
part of every request the emulator serves: a general HTTP server costs more here than all the rest of the way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from ..front_doors.contract import Failure

PAYLOAD_LIMIT = 6_291_556
"""Bytes of a function's whole answer: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_VERSION = "/2018-06-01"
_LONGEST_HEAD = 64 * 1024
_JSON = "application/json"


class FunctionFailed(Exception):
    """The function gave no answer; ``failure`` is what the front door is told, the text what a person is told."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(slots=True)
class Invocation:
    """One event on its way to the function; ``outcome`` becomes its answer, or a `FunctionFailed`."""

    request_id: str
    event: bytes
    outcome: asyncio.Future[bytes]
    arn: str = ""
    deadline: float = 0.0
    """Seconds since the epoch."""
    cold: float | None = None
    """The INIT seconds this invocation had to wait for, where it had to."""

    def succeed(self, payload: bytes) -> None:
        if not self.outcome.done():
            self.outcome.set_result(payload)

    def fail(self, failure: Failure, message: str) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(FunctionFailed(failure, message))


class Listener(Protocol):
    """What the Runtime API tells the environment it belongs to."""

    def asks_for_next(self) -> None:
        """The runtime waits for an event."""
        ...

    def answered(self, payload: bytes) -> None:
        """The runtime answered the invocation it was given."""
        ...

    def failed(self, failure: Failure, message: str) -> None:
        """The runtime reported an error for the invocation it was given, or answered it with too much."""
        ...

    def init_failed(self, message: str) -> None:
        """The runtime reported that it can't start."""
        ...


class RuntimeAPI:
    """One environment's end of the Runtime API, on a loopback port from `start` to `close`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiting: _Connection | None = None
        self._invocation: Invocation | None = None
        self._answered = False
        self._initialised = False

    async def start(self) -> str:
        """Starts to listen; returns the ``host:port`` for ``AWS_LAMBDA_RUNTIME_API``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def close(self) -> None:
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
        self._invocation, self._answered = invocation, False
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

    def opened(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def lost(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None

    def handle(self, connection: _Connection, request: _Request) -> None:
        """Answers one request, at once or (for ``next``) when there is an event."""
        path = request.target.partition("?")[0]
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
                    self._init_error(connection, request)
                case (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]):
                    connection.problem(405, "MethodNotAllowed", f"{request.method} is not for {path}.")
                case _:
                    connection.problem(404, "NotFound", f"There is no {path} in the Runtime API.")

    def _next(self, connection: _Connection) -> None:
        if self._waiting is not None or (self._invocation is not None and not self._answered):
            connection.problem(403, "InvalidStateTransition", "The invocation before has had no answer yet.")
            return
        self._initialised = True
        self._invocation = None
        self._waiting = connection
        self._listener.asks_for_next()

    def _response(self, connection: _Connection, request_id: str, request: _Request) -> None:
        if not self._is_current(connection, request_id):
            return
        self._answered = True
        if request.oversized:
            connection.problem(
                413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."
            )
            self._listener.failed(
                Failure.RESPONSE_TOO_LARGE,
                f"Function.ResponseSizeTooLarge: the answer is larger than {PAYLOAD_LIMIT:,} bytes, the limit for a "
                "buffered response; put large files into the bucket and redirect to them",
            )
            return
        connection.reply(202, b'{"status":"OK"}')
        # A streamed answer that breaks off says so after its last chunk.
        error = request.headers.get("lambda-runtime-function-error-type")
        if error:
            self._listener.failed(Failure.FUNCTION, f"{error}: the response broke off")
        else:
            self._listener.answered(bytes(request.body))

    def _error(self, connection: _Connection, request_id: str, request: _Request) -> None:
        if not self._is_current(connection, request_id):
            return
        self._answered = True
        connection.reply(202, b'{"status":"OK"}')
        self._listener.failed(Failure.FUNCTION, _error_text(request))

    def _init_error(self, connection: _Connection, request: _Request) -> None:
        if self._initialised:
            connection.problem(403, "InvalidStateTransition", "INIT is over: the runtime has asked for events.")
            return
        connection.reply(202, b'{"status":"OK"}')
        self._listener.init_failed(_error_text(request))

    def _is_current(self, connection: _Connection, request_id: str) -> bool:
        if self._invocation is None or self._invocation.request_id != request_id:
            connection.problem(400, "InvalidRequestID", "Invalid request ID")
            return False
        if self._answered:
            connection.problem(403, "InvalidStateTransition", "This invocation has been answered already.")
            return False
        return True


def _trace(invocation: Invocation) -> str:
    """A trace header in X-Ray's form, unsampled; the request's own id makes it unique.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    digits = invocation.request_id.replace("-", "")
    return f"Root=1-{int(invocation.deadline):08x}-{digits[:24]};Parent={digits[16:32]};Sampled=0"


def _error_text(request: _Request) -> str:
    """What a runtime says went wrong, in one line: from the error's JSON, else from the header beside it."""
    kind = request.headers.get("lambda-runtime-function-error-type", "")
    try:
        report: Any = json.loads(bytes(request.body))
    except ValueError:
        report = None
    if not isinstance(report, dict):
        return kind or "the runtime reported an error without saying which"
    return f"{report.get('errorType') or kind or 'Error'}: {report.get('errorMessage') or 'no message'}"


@dataclass(slots=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    oversized: bool = False

    def take(self, data: bytes | bytearray) -> None:
        """Adds to the body; what is over the limit is counted as read and let go."""
        if self.oversized or len(self.body) + len(data) > PAYLOAD_LIMIT:
            self.oversized = True
            self.body.clear()
        else:
            self.body += data


class _BadRequest(Exception):
    pass


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as runtime clients speak it: kept alive, bodies with a length or in chunks (with trailers)."""

    def __init__(self, api: RuntimeAPI) -> None:
        self._api = api
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._request: _Request | None = None
        self._missing = 0
        """Bytes of the body, or of its current chunk, that have not come yet."""
        self._chunked = False
        self._in_trailers = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio sets TCP_NODELAY by itself.
        self._transport = cast(asyncio.Transport, transport)
        self._api.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._api.lost(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._advance():
                pass
        except _BadRequest as error:
            self.problem(400, "TruncatedHTTPRequest", str(error))
            if self._transport is not None:
                self._transport.close()

    def _advance(self) -> bool:
        """Reads as much as can be read in one step; False when more bytes have to come first."""
        if self._request is None:
            head = self._cut(b"\r\n\r\n")
            if head is None:
                return False
            self._begin(head)
        elif self._missing:
            part = self._buffer[: self._missing]
            if not part:
                return False
            del self._buffer[: len(part)]
            self._missing -= len(part)
            self._request.take(part)
        elif self._chunked:
            return self._next_chunk(self._request)
        if self._request is not None and not self._missing and not self._chunked:
            request, self._request = self._request, None
            self._api.handle(self, request)
        return True

    def _begin(self, head: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        try:
            method, target, _ = line.split(" ")
            headers = _fields(fields)
            self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
            self._missing = 0 if self._chunked else int(headers.get("content-length", "0"))
        except ValueError:
            raise _BadRequest(f"This is no HTTP request: {line[:100]!r}") from None
        self._in_trailers = False
        self._request = _Request(method, target, headers)

    def _next_chunk(self, request: _Request) -> bool:
        """The next chunk's size, or after the last chunk the trailers.

        https://www.rfc-editor.org/rfc/rfc9112#section-7.1
        """
        line = self._cut(b"\r\n")
        if line is None:
            return False
        if self._in_trailers:
            if line:
                try:
                    request.headers.update(_fields([line.decode("latin-1")]))
                except ValueError:
                    raise _BadRequest(f"This is no trailer: {line[:100]!r}") from None
            else:
                self._chunked = False
                self._request = None
                self._api.handle(self, request)
        elif line:
            try:
                self._missing = int(line.partition(b";")[0], 16)
            except ValueError:
                raise _BadRequest(f"This is no chunk size: {line[:20]!r}") from None
            self._in_trailers = self._missing == 0
        # else: the line end that closes a chunk's data
        return True

    def _cut(self, end: bytes) -> bytes | None:
        position = self._buffer.find(end)
        if position < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise _BadRequest(f"A line or head of more than {_LONGEST_HEAD} bytes.")
            return None
        part = bytes(self._buffer[:position])
        del self._buffer[: position + len(end)]
        return part

    def reply(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, content_type: str = _JSON
    ) -> None:
        if self._transport is None:
            return
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        self._transport.write("\r\n".join(lines).encode("latin-1") + body)

    def problem(self, status: int, kind: str, message: str) -> None:
        self.reply(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())


_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}


def _fields(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(line)
        headers[name.strip().lower()] = value.strip()
    return headers
