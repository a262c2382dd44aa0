"""A store in memory that keeps to the contract to the letter, and can be stopped before and after any request."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from static_sync.exceptions import ConflictError
from static_sync.stores.contract import ABSENT, Body, Headers, RemoteObject


@dataclass(frozen=True)
class Held:
    data: bytes
    headers: Headers
    etag: str
    written: datetime


class MemoryStore:
    """``before`` and ``after`` are called with the method and the key of each request that is made.

    Where ``heeds`` is False, conditions are accepted and ignored. With ``opaque``, ETags are no MD5s, as with KMS:
    another one for each write.
    """

    conditional = True
    heeds = True
    clock_offset = 0.0

    def __init__(self, *, opaque: bool = False) -> None:
        self.objects: dict[str, Held] = {}
        self.requests: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda _method, _key: None
        self.after: Callable[[str, str], None] = lambda _method, _key: None
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._opaque = opaque
        self._writes = 0
        self._lock = threading.RLock()

    def made(self) -> dict[str, int]:
        """How many requests of each kind were made since the last call; those for release records say so."""
        kinds = [f"{method} record" if ".static-sync/" in key else method for method, key in self.requests]
        self.requests.clear()
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def contents(self) -> dict[str, bytes]:
        """What visitors can see."""
        return {key: held.data for key, held in self.objects.items() if ".static-sync/" not in key}

    def listing(self, expected: Sequence[str] = ()) -> dict[str, RemoteObject]:
        with self._request("LIST", ""):
            return {
                key: RemoteObject(held.etag, len(held.data), held.written.isoformat())
                for key, held in self.objects.items()
            }

    def get(self, key: str) -> bytes | None:
        with self._request("GET", key):
            held = self.objects.get(key)
            return held.data if held else None

    def put(self, key: str, body: Body, headers: Headers, condition: str | None = None) -> str:
        data = body.data if body.data is not None else Path(body.path).read_bytes()
        assert (len(data), hashlib.md5(data).hexdigest()) == (body.size, body.md5)
        with self._request("PUT", key):
            there = self.objects.get(key)
            if not self.heeds:
                pass
            elif (condition == ABSENT and there) or (condition not in (None, ABSENT) and not _is(there, condition)):
                raise ConflictError(key)
            return self._write(key, data, headers)

    def rewrite(self, key: str, headers: Headers, etag: str) -> str:
        with self._request("COPY", key):
            there = self.objects.get(key)
            if there is None or there.etag != etag:
                raise ConflictError(key)
            return self._write(key, there.data, headers)

    def delete(self, keys: Sequence[str], may_go_on: Callable[[], bool] = lambda: True) -> list[str]:
        gone: list[str] = []
        for start in range(0, len(keys), 1000):
            if not may_go_on():
                break
            batch = keys[start : start + 1000]
            with self._request("DELETE", batch[0]):
                for key in batch:
                    self.objects.pop(key, None)
            gone += batch
        return gone

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _write(self, key: str, data: bytes, headers: Headers) -> str:
        self._writes += 1
        md5 = hashlib.md5(data).hexdigest()
        etag = f"opaque-{self._writes}" if self._opaque else md5
        self.objects[key] = Held(data, headers, etag, self.now())
        return etag

    def _request(self, method: str, key: str) -> _Request:
        return _Request(self, method, key, self._lock)


def _is(there: Held | None, etag: str | None) -> bool:
    return there is not None and there.etag == etag


class _Request:
    def __init__(self, store: MemoryStore, method: str, key: str, lock: threading.RLock) -> None:
        self._store, self._method, self._key, self._lock = store, method, key, lock

    def __enter__(self) -> None:
        self._store.before(self._method, self._key)
        self._lock.acquire()
        self._store.requests.append((self._method, self._key))

    def __exit__(self, *exception: object) -> None:
        self._lock.release()
        if exception[0] is None:
            self._store.after(self._method, self._key)
