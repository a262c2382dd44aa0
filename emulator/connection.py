"""One client's connection to the HTTP server: llhttp reads the requests, the answers go out in the same order.

The serving around the parser is our own because it is part of every request the emulator serves: a general HTTP server
costs as much here as the front door, the function service and the log together.
"""

from __future__ import annotations

import asyncio
import email.utils
import functools
import http
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import httptools

from .http import BrokenOff, Request, Response, Stream

Handler = Callable[[Request], Awaitable[Response]]

# Above every front door's limit on a body (10 MB at most), so that the door itself refuses what is too large; what a
# client sends beyond this is read and dropped, so that it hears the door's answer instead of a broken connection.
_KEPT_BODY = 16 * 1024 * 1024
# The same for the request line and the headers (64 KB for a load balancer's, the largest).
_LONGEST_HEAD = 256 * 1024
_WAITING = 16
"""Requests that may wait on one connection, sent without waiting for the answers before them."""
_JOINED = 64 * 1024
"""A body up to this many bytes goes out in one piece with its head; for a larger one the copy would cost more."""
# They belong to one connection, and this server frames its own.
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding"})
_BODY_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_NO_BODY = frozenset({204, 304})
_OLD = "1.0"
_UNKNOWN = "unknown"
"""A body's length, where it is sent while it comes into being."""
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Turn:
    """A request that waits for its answer, or (``asked`` is a response) what is to be said to a client."""

    asked: Request | Response
    method: str = ""
    is_old: bool = False
    """HTTP/1.0: knows no chunks, and says where its connection may stay open."""
    keep_alive: bool = False


class Connection(asyncio.Protocol):
    """Has ``handler`` answer what comes over one connection; ``open_ones`` holds it from its beginning to its end."""

    def __init__(self, handler: Handler, port: int, open_ones: set[Connection]) -> None:
        self._handler = handler
        self._port = port
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._parser = httptools.HttpRequestParser(self)
        self._reading_head = True
        self._head_size = 0
        self._told_to_go_on = False
        self._upgrading: bytes | None = None
        """The head by which the body of a request for another protocol is read, while it is."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._hosts = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self._turns: deque[_Turn] = deque()
        self._ended = False
        """No more requests are taken from this client."""
        self.task: asyncio.Task[None] | None = None
        """Answers what waits; None while nothing does."""
        self._stream: Stream | None = None
        self._room: asyncio.Future[None] | None = None
        """Done when the client has taken what was sent, or has left; None while there is room for more."""

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if peer else ""
        self._open_ones.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._ended = True
        self.resume_writing()
        if self._stream is not None:
            self._stream.close()
        if self.task is None:
            self._open_ones.discard(self)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def data_received(self, data: bytes) -> None:
        while data and not self._ended:
            self._head_size += len(data)
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._stay_with_http(data[upgrade.args[0] :])
            except httptools.HttpParserCallbackError:
                raise
            except httptools.HttpParserError as error:
                self._refuse(400, f"This is no HTTP request: {error}")
            else:
                break
        if not self._reading_head:
            if not self._told_to_go_on:
                self._go_on()
        elif self._head_size > _LONGEST_HEAD and not self._ended:
            self._refuse(431, f"The request line and the headers are larger than {_LONGEST_HEAD:,} bytes.")

    # What the parser tells

    def on_url(self, url: bytes) -> None:
        if self._reading_head:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading_head:  # trailers come here as well
            self._headers.append((name, value.rstrip(b" \t")))
            if len(name) == 4 and name.lower() == b"host":
                self._hosts += 1

    def on_headers_complete(self) -> None:
        self._reading_head = False
        if self._parser.should_upgrade() and self._upgrading is None:
            framing = [b"%b: %b\r\n" % header for header in self._headers if header[0].lower() in _BODY_FRAMING]
            if framing:
                self._upgrading = b"%b / HTTP/1.1\r\n%b\r\n" % (self._parser.get_method(), b"".join(framing))
        self._told_to_go_on = False

    def on_body(self, body: bytes) -> None:
        if self._body_size <= _KEPT_BODY:
            self._body.append(body)
            self._body_size += len(body)

    def on_message_complete(self) -> None:
        if self._upgrading is not None and self._parser.should_upgrade():
            return  # the body is still to come
        self._upgrading = None
        parser = self._parser
        method, version = parser.get_method().decode(), parser.get_http_version()
        self._put(_Turn(self._request(method, version), method, version == _OLD, parser.should_keep_alive()))
        self._reading_head = True
        self._head_size = 0
        self._target = b""
        self._headers = []
        self._hosts = 0
        self._body = []
        self._body_size = 0

    def _go_on(self) -> None:
        """Tells a client to send its body if it waits for that; one that has sent other requests before does not."""
        self._told_to_go_on = True
        if self.task is None and any(
            name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in self._headers
        ):
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _stay_with_http(self, rest: bytes) -> bytes:
        """What is to be read after a request for another protocol, which a server need not speak.

        llhttp takes all that follows for that protocol, even the request's own body.

        https://www.rfc-editor.org/rfc/rfc9110#section-7.8
        """
        self._parser = httptools.HttpRequestParser(self)
        return (self._upgrading or b"") + rest

    def _request(self, method: str, version: str) -> Request | Response:
        target = _origin_form(self._target.decode("latin-1"))
        if target is None:
            return _refusal(400, "The request target must be a path.")
        # https://www.rfc-editor.org/rfc/rfc9112#section-3.2
        if self._hosts != 1 and (self._hosts or version != _OLD):
            return _refusal(400, "A request names its host, once: a Host header is needed.")
        path, _, query = target.partition("?")
        return Request(
            method=method,
            path=path,
            query=query,
            headers=tuple(
                [
                    (name.decode("latin-1"), value.decode("latin-1") if value.isascii() else _text(value))
                    for name, value in self._headers
                ]
            ),
            body=b"".join(self._body),
            client=self._client,
            scheme="http",
            port=self._port,
            protocol=f"HTTP/{version}",
            received=time.time(),
        )

    # The answers

    def finish(self) -> None:
        """Takes no more requests, and closes the connection once those that are here have their answers."""
        self._ended = True
        if self.task is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, status: int, text: str) -> None:
        """Answers what is no request, and takes no more of this client."""
        self._ended = True
        self._put(_Turn(_refusal(status, text)))

    def _put(self, turn: _Turn) -> None:
        self._turns.append(turn)
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._serve())
        elif len(self._turns) >= _WAITING and self._transport is not None:
            self._transport.pause_reading()

    async def _serve(self) -> None:
        try:
            while self._turns and self._transport is not None:
                turn = self._turns.popleft()
                if not self._transport.is_reading():
                    self._transport.resume_reading()
                asked = turn.asked
                response = asked if isinstance(asked, Response) else await self._answer(asked)
                try:
                    goes_on = await self._send(turn, response)
                except Exception:
                    _logger.exception("An answer could not be sent as it is")
                    goes_on = False
                if not goes_on and self._transport is not None:
                    self._turns.clear()
                    self._transport.close()
        finally:
            self.task = None
            if self._transport is None:
                self._open_ones.discard(self)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Exception:
            _logger.exception("%s %s could not be answered", request.method, request.path)
            return _refusal(500, "The emulator itself has failed; its log says where.")

    async def _send(self, turn: _Turn, response: Response) -> bool:
        """Sends all of it, a stream piece by piece as it comes; False where nothing can follow on this connection."""
        stream = response.stream
        bodiless = turn.method == "HEAD" or response.status in _NO_BODY
        keep_alive = turn.keep_alive and not (self._ended and not self._turns)
        if stream is None:
            body = b"" if bodiless else response.body
            head = _head(turn, response, None if bodiless else str(len(body)), keep_alive=keep_alive)
            if len(body) <= _JOINED:
                self._write(head + body)
            else:
                self._write(head)
                self._write(body)
        else:
            # For a client that knows no chunks the end of the connection is the body's.
            keep_alive = keep_alive and (bodiless or not turn.is_old)
            self._stream = stream
            try:
                if self._transport is None:
                    stream.close()
                self._write(_head(turn, response, None if bodiless else _UNKNOWN, keep_alive=keep_alive))
                await self._pass_on(stream, bodiless=bodiless, chunked=not turn.is_old)
            except BrokenOff:
                keep_alive = False  # without the last chunk the body does not look whole
            finally:
                self._stream = None
                stream.close()
        if self._room is not None:
            await self._room
        return keep_alive

    async def _pass_on(self, stream: Stream, *, bodiless: bool, chunked: bool) -> None:
        while data := await stream.read():
            if not bodiless:
                self._write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if self._room is not None:
                await self._room
        if chunked and not bodiless:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _refusal(status: int, text: str) -> Response:
    return Response(status, [("Content-Type", "text/plain")], f"{text}\n".encode())


def _head(turn: _Turn, response: Response, length: str | None, *, keep_alive: bool) -> bytes:
    """The status line and the headers; ``length`` is the body's where there is one to come, else the function's counts.

    Raises `ValueError` for a header that would break out of its line.
    """
    status = response.status
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
    has_length = has_date = False
    for name, value in response.headers:
        lower = name.lower()
        if lower == "content-length":
            if has_length or (length is not None and value != length):
                continue
            has_length = True
        elif lower in _FRAMING:
            continue
        elif lower == "date":
            has_date = True
        lines.append(f"{name}: {value}")
    if length == _UNKNOWN:
        if not turn.is_old:
            lines.append("Transfer-Encoding: chunked")
    elif not has_length:
        if length is not None:
            lines.append(f"Content-Length: {length}")
        elif turn.method == "HEAD" and response.body and status not in _NO_BODY:
            # The length a GET would have: the door knows it, the empty body does not.
            lines.append(f"Content-Length: {len(response.body)}")
    if not has_date:
        lines.append(f"Date: {_date(int(time.time()))}")
    if not keep_alive:
        lines.append("Connection: close")
    elif turn.is_old:
        lines.append("Connection: keep-alive")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError(f"a header with a line break: {response.headers!r}")
    return f"{head}\r\n\r\n".encode()


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return email.utils.formatdate(second, usegmt=True)


def _origin_form(target: str) -> str | None:
    """The path and query of a request target, also where the client sent a whole URL; None for ``*`` and the like.

    https://www.rfc-editor.org/rfc/rfc9112#section-3.2
    """
    if target.startswith("/"):
        return target
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        return None
    cut = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    return rest[cut:] if rest[cut : cut + 1] == "/" else f"/{rest[cut:]}"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
