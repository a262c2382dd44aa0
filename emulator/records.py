"""What happened lately, for the console: a record of each invocation, the oldest forgotten first."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal

_KEPT = 1000
_KEPT_BYTES = 64 << 20
LONGEST_PART = 1 << 20
_LONGEST_LOG = 2000

Source = Literal["http", "queue", "schedule", "bucket", "authorizer"]


@dataclass(slots=True, eq=False)
class Record:
    """One invocation; times in seconds, ``started`` since the epoch, ``memory`` in MB. None is what is not known (yet).

    ``source`` says what kind of thing led here, ``origin`` which one: a front door, a queue. ``title`` and ``target``
    are what a person knows it by: method and path, or the queue's name and how many messages. ``status`` is that of the
    HTTP answer; ``error`` what a person is told where the function gave none. ``event`` and ``answer`` are JSON as it
    travelled (the answer's metadata where it was streamed), cut off beyond a megabyte. ``queued`` is the time spent in
    waiting for an environment, ``init`` that of a cold start, ``cold`` the same where the request had to wait for it,
    and ``duration`` the function's own.
    """

    id: str
    source: Source
    origin: str
    function: str
    title: str
    target: str
    event: bytes
    started: float = field(default_factory=time.time)
    status: int | None = None
    error: str | None = None
    answer: bytes = b""
    queued: float | None = None
    init: float | None = None
    cold: float | None = None
    duration: float | None = None
    billed: float | None = None
    total: float | None = None
    memory: int | None = None
    environment: str | None = None
    replay_of: str | None = None
    log: list[str] = field(default_factory=list)
    ended: bool = False
    serial: int = 0

    @property
    def size(self) -> int:
        """Bytes it holds, roughly."""
        return len(self.event) + len(self.answer) + 1000

    def wrote(self, line: str) -> None:
        """Take down a line of the function's output."""
        if len(self.log) < _LONGEST_LOG:
            self.log.append(line)


class Recorder:
    """Keeps the last records, within a limit of bytes, and tells whoever follows of each that is new or changed."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._bytes = 0
        self._serials = itertools.count(1)
        self._followers: set[asyncio.Event] = set()

    def add(self, record: Record) -> Record:
        """Begin to keep ``record``."""
        record.event = record.event[:LONGEST_PART]
        self._records[record.id] = record
        self._bytes += record.size
        self._touch(record)
        while len(self._records) > _KEPT or (self._bytes > _KEPT_BYTES and len(self._records) > 1):
            oldest = self._records.popitem(last=False)[1]
            self._bytes -= oldest.size if oldest.ended else len(oldest.event) + 1000
        return record

    def end(self, record: Record) -> None:
        """Take down that nothing more will come of it."""
        if record.ended:
            return
        record.answer = record.answer[:LONGEST_PART]
        record.ended = True
        if record.id in self._records:
            self._bytes += len(record.answer)
        self._touch(record)

    def changed(self, record: Record) -> None:
        """Take down that there is more to say of it."""
        if record.id in self._records:
            self._touch(record)

    def get(self, identifier: str) -> Record | None:
        return self._records.get(identifier)

    def since(self, serial: int) -> list[Record]:
        """The records that are new or changed after ``serial``, by when that was."""
        found = [record for record in self._records.values() if record.serial > serial]
        return sorted(found, key=lambda record: record.serial)

    async def follow(self, serial: int = 0) -> AsyncGenerator[list[Record]]:
        """Gives what is new or changed after ``serial``, again and again, as soon as there is anything."""
        changed = asyncio.Event()
        self._followers.add(changed)
        try:
            while True:
                changed.clear()
                records = self.since(serial)
                if records:
                    serial = records[-1].serial
                    yield records
                else:
                    await changed.wait()
        finally:
            self._followers.discard(changed)

    def _touch(self, record: Record) -> None:
        record.serial = next(self._serials)
        for follower in self._followers:
            follower.set()
