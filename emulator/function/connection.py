"""HTTP/1.1 as runtime clients speak it: kept alive, bodies with a length or in chunks, with trailers.

llhttp reads them, straight from asyncio's transports: two of these requests are part of every request the emulator
serves, and no general HTTP server at hand shows a request's trailers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import httptools

from .invocation import ResponseStream

PAYLOAD_LIMIT = 6_291_556
"""Bytes of a function's whole answer: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_LONGEST_HEAD = 64 * 1024
_JSON = "application/json"
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}


@dataclass(slots=True)
class Request:
    """One request; header names are in lower case, and trailers are among the headers once the body is there."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    oversized: bool = False
    stream: ResponseStream | None = None
    """Where the body goes instead, piece by piece and without a limit."""

    def take(self, data: bytes) -> None:
        """Adds to the body; what is over the limit is counted as read and let go."""
        if self.stream is not None:
            self.stream.feed(data)
        elif self.oversized or len(self.body) + len(data) > PAYLOAD_LIMIT:
            self.oversized = True
            self.body.clear()
        else:
            self.body += data


class Application(Protocol):
    """What answers the requests of its connections."""

    def opened(self, connection: Connection) -> None: ...

    def begins(self, connection: Connection, request: Request) -> None:
        """The head is there, the body is still to come."""
        ...

    def handle(self, connection: Connection, request: Request) -> None:
        """The request is whole; `Connection.reply` may be called now or later."""
        ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One connection of a runtime; llhttp reads what comes."""

    def __init__(self, application: Application) -> None:
        self.request: Request | None = None
        """The request whose body is being read."""
        self._application = application
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio sets TCP_NODELAY by itself.
        self._transport = cast(asyncio.Transport, transport)
        self._application.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._application.lost(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserCallbackError):
            raise
        except httptools.HttpParserError as error:
            self._refuse(f"This is no HTTP request: {error}")
            return
        if self.request is None and self._head_size > _LONGEST_HEAD:
            self._refuse(f"A head of more than {_LONGEST_HEAD} bytes.")

    # What the parser tells

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").rstrip()

    def on_headers_complete(self) -> None:
        path = self._target.decode("latin-1").partition("?")[0]
        self.request = Request(self._parser.get_method().decode(), path, self._headers)
        self._application.begins(self, self.request)

    def on_body(self, body: bytes) -> None:
        if self.request is not None:
            self.request.take(body)

    def on_message_complete(self) -> None:
        request, self.request = self.request, None
        self._target, self._headers, self._head_size = b"", {}, 0
        if request is not None:
            self._application.handle(self, request)

    def _refuse(self, why: str) -> None:
        self.problem(400, "TruncatedHTTPRequest", why)
        if self._transport is not None:
            self._transport.close()

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
