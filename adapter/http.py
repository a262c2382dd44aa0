"""The neutral pair that every front door and both legs speak."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from .exceptions import outline


@dataclass(slots=True, eq=False, repr=False)
class HTTPRequest:
    """One HTTP request, whatever front door it came through.

    ``path`` holds the percent-decoded bytes below ``script_name``; ``raw_path`` is the whole path as it was sent,
    percent-encoded, or None where the front door hands over only the decoded one. ``query`` is raw and without its
    ``?``. ``headers`` has one value a name, in whatever case the name came, repeats joined; ``repeated`` tells apart
    the values of those that a front door still lists. Query and values are native strings as in PEP 3333: a character
    stands for a byte. ``client`` is an IP address, empty when the front door names none. ``user`` is whom the front
    door's authorizer found, None where it found nobody or is not asked.
    """

    method: str
    path: bytes
    raw_path: str | None
    script_name: str
    query: str
    headers: dict[str, str]
    repeated: dict[str, list[str]]
    body: bytes
    client: str
    event: dict[str, Any]
    context: Any
    user: str | None = None

    @property
    def title(self) -> str:
        """Method and path, for a line of the log."""
        return f"{self.method} {printable(self.path.decode('utf-8', 'backslashreplace'))}"

    def take(self, header: str) -> list[str]:
        """Take the header called ``header`` (lower case) out, however it is spelt; the values it had."""
        found = [name for name in self.headers if name.lower() == header]
        values = [value for name in found for value in self.repeated.get(name, [self.headers[name]])]
        if found:
            # The event's own map may serve as the request's; it is the application's to look into.
            self.headers = {name: value for name, value in self.headers.items() if name not in found}
        return values


@dataclass(slots=True, eq=False, repr=False)
class HTTPResponse:
    """One HTTP response, whole. ``headers`` are pairs in the order sent, values as native strings."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True, eq=False, repr=False)
class StreamedResponse:
    """One HTTP response of which only the ``first`` bytes are made; the request ends when ``rest`` is closed."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    first: bytes
    rest: Generator[bytes] | None


def printable(path: str) -> str:
    """``path`` for a line of the log: a client chooses it, and must not be able to write lines of its own."""
    return path if path.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)


class Event(Mapping[str, Any]):
    """An event as the application gets to see it: every key can be read, no report shows what is in it.

    Django prints each dict that it finds in ``META`` into its error pages and mails, with the cookies and passwords
    that it takes such care to hide elsewhere; of anything else it prints the ``repr``.
    """

    __slots__ = ("_event",)

    def __init__(self, event: dict[str, Any]) -> None:
        self._event = event

    def __getitem__(self, key: str) -> Any:
        return self._event[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._event)

    def __len__(self) -> int:
        return len(self._event)

    def __repr__(self) -> str:
        return f"Event({outline(self._event)})"


@lru_cache(maxsize=64)
def reason_phrase(status: int) -> str:
    """The phrase that goes with a status, empty for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
