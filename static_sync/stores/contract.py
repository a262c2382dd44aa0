"""What a store must be able to do: the whole of what the rest of the package asks of a storage service."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RemoteObject(NamedTuple):
    """What a listing tells of an object.

    ``etag``, without quotes, changes with every write of other bytes; it is the MD5 of the content in lower-case hex
    where the service says so, and anything else with KMS encryption and after an upload in parts. ``size`` in bytes;
    ``modified`` as the service wrote it, in ISO 8601 and UTC.
    """

    etag: str
    size: int
    modified: str = ""


class Headers(NamedTuple):
    """What an object is served with; None and empty are not sent."""

    content_type: str
    cache_control: str
    content_encoding: str | None = None
    cache_tag: str | None = None


class Body(NamedTuple):
    """What to put: ``size`` in bytes and ``md5`` in hex are checked by whoever reads it and by the service.

    ``data`` holds the bytes, or is None for a file too large to hold, which is read from ``path`` while it is sent.
    """

    path: str
    size: int
    md5: str
    data: bytes | None = None


ABSENT = "*"
"""The condition of a put: only where there is no object of that key. An ETag: only where it is still that object's."""


class Store(Protocol):
    """One bucket, and no key of it outside the prefix it was opened for.

    Keys are whole, the prefix included. May be used by many threads. Every method but `close` raises a `BucketError`
    whose text says what to do; what is likely to pass is tried again before.
    """

    @property
    def conditional(self) -> bool:
        """Whether the service heeds conditions, as far as is known by now; where it doesn't, puts are made without."""

    @property
    def clock_offset(self) -> float:
        """What the service's clock is ahead of this machine's, in seconds; 0 unless the service took offence at it."""

    def listing(self, expected: Sequence[str] = ()) -> dict[str, RemoteObject]:
        """Every object below the prefix by its key. ``expected``, sorted keys, lets long listings be cut up and asked
        for in parallel; it changes nothing in the result."""

    def get(self, key: str) -> bytes | None:
        """The content of an object; None when there is none."""

    def put(self, key: str, body: Body, headers: Headers, condition: str | None = None) -> str:
        """Put one object, whole or not at all, and return its ETag.

        Raises `ConflictError` when ``condition`` does not hold, and `SourceError` when a file too large to hold is no
        longer what ``body`` says.
        """

    def rewrite(self, key: str, headers: Headers, etag: str) -> str:
        """Give the object new headers where it lies, if ``etag`` is still its ETag; returns the new ETag.

        Raises `ConflictError` when it is not.
        """

    def delete(self, keys: Sequence[str], may_go_on: Callable[[], bool] = lambda: True) -> list[str]:
        """Delete objects, in as few requests as can be, and return those that are gone (or were never there).

        ``may_go_on`` is asked before each request; when it says no, the rest is left.
        """

    def interrupt(self) -> None:
        """Have requests give up where they would wait to be tried again: somebody wants to leave."""

    def close(self) -> None:
        """Close all connections."""
