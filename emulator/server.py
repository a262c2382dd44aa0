"""The HTTP server in front of the CDN and of every front door: bytes in, bytes out, nothing tidied on the way."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict

from .http import BrokenOff, Request, Response, Stream
from .ports import port_of

Handler = Callable[[Request], Awaitable[Response]]

# Above every front door's limit on a body (10 MB at most), so that the door itself refuses what is too large; what a
# client sends beyond this is read and dropped, so that it hears the door's answer instead of a broken connection.
_KEPT_BODY = 16 * 1024 * 1024
# The same for the request line and one header (10,240 bytes for all of them on API Gateway).
_LONGEST_LINE = 64 * 1024
# They belong to one connection, and this server frames its own.
_FRAMING = frozenset({"connection", "keep-alive", "transfer-encoding"})
_NO_BODY = frozenset({204, 304})


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record is about this server: what is no HTTP is the client's mistake, and is answered with 400."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_logger = logging.getLogger(__name__)
_logger.addFilter(_is_ours)


class _Connections(web.Server):
    """Tells of each connection that is lost: aiohttp itself notices when it next has something to send."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        lost: Callable[[web.RequestHandler], None],
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._lost = lost

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self._lost(handler)
        super().connection_lost(handler, exc)


class Server:
    """Serves ``handler`` on the listening socket ``sock`` from `start` to `stop`."""

    def __init__(self, handler: Handler, sock: socket.socket, scheme: str = "http") -> None:
        self._handler = handler
        self._sock = sock
        self._scheme = scheme
        self._port = port_of(sock)
        self._server: asyncio.Server | None = None
        self._connections: _Connections | None = None
        self._streams: dict[web.RequestHandler, Stream] = {}

    async def start(self) -> None:
        self._connections = _Connections(
            self._handle,
            self._lost,
            access_log=None,
            logger=_logger,
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=1000,
        )
        self._server = await asyncio.get_running_loop().create_server(self._connections, sock=self._sock)

    async def stop(self) -> None:
        """Stops listening, and ends what is still open after a moment."""
        if self._server is None or self._connections is None:
            self._sock.close()
            return
        self._server.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(0.2)

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        target = _origin_form(incoming.raw_path)
        if target is None:
            return _Exact(Response(400, [("Content-Type", "text/plain")], b"The request target must be a path.\n"))
        path, _, query = target.partition("?")
        if incoming.headers.get("Expect", "").lower() == "100-continue":
            await incoming.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # aiohttp takes any output for the beginning of the final answer.
            incoming.writer.output_size = 0
        body = await _read_body(incoming) if incoming.body_exists else b""
        request = Request(
            method=incoming.method,
            path=path,
            query=query,
            headers=tuple((name.decode("latin-1"), _text(value)) for name, value in incoming.raw_headers),
            body=body,
            client=incoming.remote or "",
            scheme=self._scheme,
            port=self._port,
            protocol=f"HTTP/{incoming.version.major}.{incoming.version.minor}",
            received=time.time(),
        )
        response = await self._handler(request)
        if response.stream is None:
            return _Exact(response)
        self._streams[incoming.protocol] = response.stream
        if incoming.transport is None:
            response.stream.close()
        exact = _Exact(response)
        try:
            await exact.stream(incoming, response.stream)
        finally:
            self._streams.pop(incoming.protocol).close()
        return exact

    def _lost(self, connection: web.RequestHandler) -> None:
        if connection in self._streams:
            self._streams[connection].close()


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


async def _read_body(incoming: web.BaseRequest) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in incoming.content.iter_any():
        if size <= _KEPT_BODY:
            parts.append(chunk)
            size += len(chunk)
    return b"".join(parts)


class _Exact(web.StreamResponse):
    """Writes a `Response` as it is: aiohttp's own would add a Content-Type and a Server of its choice."""

    def __init__(self, response: Response) -> None:
        super().__init__(status=response.status)
        self._response = response
        self._open = True
        self._writer: AbstractStreamWriter | None = None
        self._sent = False

    @property
    def keep_alive(self) -> bool:
        return self._open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        if self._writer is not None:
            return self._writer
        writer = self._writer = request.writer
        response = self._response
        self._open = request.keep_alive
        self._content = b"" if request.method == "HEAD" or response.status in _NO_BODY else response.body
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in response.headers:
            if name.lower() not in _FRAMING:
                headers.add(name, value)
        if response.stream is not None:
            self._frame_stream(request, writer, headers)
        elif request.method == "HEAD":
            # The length a GET would have: the function knows it, the empty body here does not.
            if "Content-Length" not in headers and response.body:
                headers["Content-Length"] = str(len(response.body))
        elif response.status not in _NO_BODY and headers.getall("Content-Length", []) != [str(len(response.body))]:
            headers.popall("Content-Length", None)
            headers["Content-Length"] = str(len(response.body))
        headers.setdefault("Date", email.utils.formatdate(usegmt=True))
        if not self._open:
            headers["Connection"] = "close"
        elif request.version < (1, 1):
            headers["Connection"] = "keep-alive"
        await writer.write_headers(f"HTTP/1.1 {response.status} {_reason(response.status)}", headers)
        return writer

    def _frame_stream(self, request: web.BaseRequest, writer: AbstractStreamWriter, headers: CIMultiDict[str]) -> None:
        if request.method == "HEAD" or self._response.status in _NO_BODY:
            return
        headers.popall("Content-Length", None)
        if request.version < (1, 1):
            self._open = False  # its end is the connection's
        else:
            headers["Transfer-Encoding"] = "chunked"
            writer.enable_chunking()

    async def stream(self, request: web.BaseRequest, stream: Stream) -> None:
        """Sends everything, each piece as soon as it is there, for as long as the client stays."""
        bodiless = request.method == "HEAD" or self._response.status in _NO_BODY
        writer = await self.prepare(request)
        # From here on there is nothing that aiohttp could do for this response.
        self._sent = True
        try:
            writer.send_headers()
            while data := await stream.read():
                if not bodiless:
                    await writer.write(data)
            await writer.write_eof()
        except (BrokenOff, ConnectionError):
            # Without the last chunk the body does not look whole; the connection is closed by aiohttp.
            self._open = False

    async def write_eof(self, _data: bytes | bytearray | memoryview = b"") -> None:
        if self._writer is not None and not self._sent:
            self._sent = True
            await self._writer.write_eof(self._content)


def _reason(status: int) -> str:
    with contextlib.suppress(ValueError):
        return http.HTTPStatus(status).phrase
    return ""
