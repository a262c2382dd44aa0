"""One event on its way to one function, recorded for the console; tried again while there is no environment for it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..front_doors.contract import Failure
from ..function.invocation import FunctionFailed
from ..log import Log
from ..records import Record, Recorder, Source

Invoke = Callable[[str, bytes, Record], Awaitable[bytes]]
"""Has the function of that name answer the event; raises `FunctionFailed`."""


@dataclass(frozen=True)
class Delivery:
    """An event and where it goes; ``source``, ``origin``, ``title`` and ``target`` are those of its `Record`."""

    function: str
    event: bytes
    source: Source
    origin: str
    title: str
    target: str

    def __str__(self) -> str:
        return f"{self.title}: {self.target}" if self.target else self.title


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, a throttled event is tried again, and after which waits: each is twice the one before."""

    total: float
    first: float
    longest: float


class Postman:
    """Takes events to functions."""

    def __init__(self, invoke: Invoke, recorder: Recorder, log: Log) -> None:
        self._invoke = invoke
        self._recorder = recorder
        self._log = log

    async def deliver(self, delivery: Delivery, patience: Patience) -> bytes:
        """The function's answer; raises `FunctionFailed`, for throttling when ``patience`` is at its end.

        All attempts are one record, as the function sees one event alone.
        """
        record = Record(
            str(uuid.uuid4()),
            delivery.source,
            delivery.origin,
            delivery.function,
            delivery.title,
            delivery.target,
            delivery.event,
        )
        self._recorder.add(record)
        started = time.monotonic()
        wait = patience.first
        try:
            while True:
                try:
                    record.answer = await self._invoke(delivery.function, delivery.event, record)
                except FunctionFailed as failed:
                    left = patience.total - (time.monotonic() - started)
                    if failed.failure is not Failure.THROTTLED or left < wait:
                        record.error = str(failed)
                        raise
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, patience.longest)
                    continue
                seconds = time.monotonic() - started
                self._log.note(f"{delivery}  {delivery.function}, {seconds * 1000:.0f} ms")
                return record.answer
        except asyncio.CancelledError:
            record.error = "The emulator stopped before the function had answered."
            raise
        finally:
            record.total = time.monotonic() - started
            self._recorder.end(record)
