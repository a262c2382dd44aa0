"""HTTP/1.1 as runtime clients speak it: kept alive, bodies with a length or in chunks, with trailers.

Written on asyncio's transports because two of these requests are part of every request the emulator serves: a general
HTTP server costs more here than all the rest of the way, and none of those at hand shows a request's trailers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

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

    def take(self, data: bytearray) -> None:
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


class _BadRequest(Exception):
    pass


class Connection(asyncio.Protocol):
    """One connection of a runtime."""

    def __init__(self, application: Application) -> None:
        self.request: Request | None = None
        """The request whose body is being read."""
        self._application = application
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._missing = 0
        """Bytes of the body, or of its current chunk, that have not come yet."""
        self._chunked = False
        self._in_trailers = False

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
        if self.request is None:
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
            self.request.take(part)
        elif self._chunked:
            return self._next_chunk(self.request)
        if self.request is not None and not self._missing and not self._chunked:
            self._complete(self.request)
        return True

    def _begin(self, head: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        try:
            method, target, _ = line.split(" ")
            headers = _fields(fields)
            self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
            self._missing = 0 if self._chunked else _size(headers.get("content-length", "0"), 10)
        except ValueError:
            raise _BadRequest(f"This is no HTTP request: {line[:100]!r}") from None
        self._in_trailers = False
        self.request = Request(method, target.partition("?")[0], headers)
        self._application.begins(self, self.request)

    def _next_chunk(self, request: Request) -> bool:
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
                self._complete(request)
        elif line:
            try:
                self._missing = _size(line.partition(b";")[0], 16)
            except ValueError:
                raise _BadRequest(f"This is no chunk size: {line[:20]!r}") from None
            self._in_trailers = self._missing == 0
        # else: the line end that closes a chunk's data
        return True

    def _complete(self, request: Request) -> None:
        self.request = None
        self._application.handle(self, request)

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


def _size(digits: str | bytes, base: int) -> int:
    size = int(digits, base)
    if size < 0:
        raise ValueError(digits)
    return size


def _fields(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(line)
        headers[name.strip().lower()] = value.strip()
    return headers
