"""One event on its way to the function, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from ..front_doors.contract import Failure
from ..records import Record

# Bytes that may lie ready for a slow client before the function has to wait: the little that keeps both sides busy.
_ENOUGH = 256 * 1024


class FunctionFailed(Exception):
    """The function gave no answer; ``failure`` is what the front door is told, the text what a person is told."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Source(Protocol):
    """The connection that a runtime sends its answer over."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class ResponseStream:
    """An answer while it is being made: the Runtime API puts bytes in, the front door takes them out.

    A reader that is slower than the function slows the function down. One that closes the stream before its end breaks
    the function's connection, by which the runtime learns that nobody is there any more.
    """

    def __init__(self) -> None:
        self.content_type = ""
        """The Content-Type the runtime posted its answer with."""
        self.error: str | None = None
        """What the runtime reported as going wrong when it had sent some of its answer; known at the end."""
        self.closed = False
        self._source: Source | None = None
        self._parts: list[bytes | bytearray] = []
        self._size = 0
        self._ended = False
        self._failure: FunctionFailed | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, content_type: str, source: Source) -> None:
        """The answer begins; its bytes come from ``source``."""
        self.content_type = content_type
        self._source = source
        if self.closed:
            source.abort()

    def feed(self, data: bytes | bytearray) -> None:
        if self.closed:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH and self._source is not None:
            self._source.pause_reading()
        self._wake()

    def end(self, error: str | None = None) -> None:
        self._ended, self.error = True, error
        if self._source is not None:
            self._source.resume_reading()  # what comes next is another request's
        self._wake()

    def break_off(self, failure: FunctionFailed) -> None:
        """There will be no end; the reader gets what has come so far, and then ``failure``."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self._wake()

    async def read(self) -> bytes:
        """What has come since the last time, as soon as there is anything; b"" at the end.

        Raises `FunctionFailed` where the answer breaks off.
        """
        while not (self._parts or self._ended or self.closed):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            if self._source is not None and not self._ended:
                self._source.resume_reading()
            return data
        if self._failure is not None and not self.closed:
            raise self._failure
        return b""

    def close(self) -> None:
        """Nobody reads any more; may be called again."""
        if self.closed:
            return
        self.closed = True
        self._parts.clear()
        if self._source is not None and not self._ended:
            self._source.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(slots=True)
class Invocation:
    """One event on its way to the function; ``outcome`` becomes its answer, or a `FunctionFailed`.

    With a ``stream`` the outcome is empty, and there as soon as the answer begins; its bytes are read from the stream.
    """

    request_id: str
    event: bytes
    outcome: asyncio.Future[bytes]
    arn: str = ""
    deadline: float = 0.0
    """Seconds since the epoch."""
    cold: float | None = None
    """The INIT seconds this invocation had to wait for, where it had to."""
    stream: ResponseStream | None = None
    record: Record | None = None
    arrived: float = field(default_factory=time.perf_counter)

    def succeed(self, payload: bytes) -> None:
        if not self.outcome.done():
            self.outcome.set_result(payload)

    def fail(self, failure: Failure, message: str) -> None:
        error = FunctionFailed(failure, message)
        if not self.outcome.done():
            self.outcome.set_exception(error)
        elif self.stream is not None:
            self.stream.break_off(error)
