"""The neutral pair that the servers, the CDN and every front door pass along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it came off the wire.

    ``path`` is percent-encoded exactly as the client sent it and begins with ``/``; ``query`` is raw, without its
    ``?``. Header names keep the case, and headers the order, they were sent in; values are text (UTF-8 where the bytes
    are UTF-8, else Latin-1). ``received`` is in seconds since the epoch.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    client: str = "127.0.0.1"
    scheme: str = "http"
    port: int = 80
    protocol: str = "HTTP/1.1"
    received: float = 0.0

    def header(self, name: str) -> str | None:
        """The last value of the header called ``name`` (lower case), or None."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name), None)

    def header_values(self, name: str) -> list[str]:
        """Every value of the header called ``name`` (lower case), in the order sent."""
        return [value for key, value in self.headers if key.lower() == name]


class BrokenOff(Exception):
    """A body that was being sent ends before it is whole; the client has to learn so by its broken connection."""


class Stream(Protocol):
    """A body that is sent while it comes into being."""

    async def read(self) -> bytes:
        """The next bytes as soon as there are any, b"" at the end; raises `BrokenOff` where there will be no end."""
        ...

    def close(self) -> None:
        """Nothing more will be read, be it at the end or because the client has left; may be called again."""
        ...


@dataclass(slots=True)
class Response:
    """One HTTP response as it goes onto the wire; the server adds ``Date`` and the body's length.

    With a ``stream`` the body comes from there, in chunks, and ``body`` is not looked at.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    stream: Stream | None = None
