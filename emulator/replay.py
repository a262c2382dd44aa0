"""An invocation once more: the event of an earlier one goes to the function as it is now."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

from .exceptions import EmulatorError
from .function.invocation import FunctionFailed
from .gateway import Gateway
from .records import LONGEST_PART, Record, Recorder


class Replay:
    """Gives the id of the new record, at once; raises KeyError where the old one is no longer kept.

    Raises `EmulatorError` where it can't be replayed. ``invoke`` is for events that came by none of ``gateways``.
    """

    def __init__(
        self,
        recorder: Recorder,
        gateways: Sequence[Gateway],
        invoke: Callable[[str, bytes, Record], Awaitable[bytes]],
    ) -> None:
        self._recorder = recorder
        self._gateways = {(gateway.door.name, gateway.name): gateway for gateway in gateways}
        self._invoke = invoke
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, identifier: str) -> str:
        original = self._recorder.get(identifier)
        if original is None:
            raise KeyError(identifier)
        if not original.event:
            raise EmulatorError("The front door answered this by itself: there is no event to replay.")
        if len(original.event) >= LONGEST_PART:
            raise EmulatorError(f"Of events over {LONGEST_PART:,} bytes only the beginning is kept: send it anew.")
        record = Record(
            str(uuid.uuid4()),
            original.source,
            original.origin,
            original.function,
            original.title,
            original.target,
            original.event,
            replay_of=original.id,
        )
        via_door = original.source == "http"  # an authorizer's record has its door's name, too
        gateway = self._gateways.get((original.origin, original.function)) if via_door else None
        self._recorder.add(record)
        task = asyncio.create_task(self._again(record) if gateway is None else gateway.replay(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return record.id

    async def _again(self, record: Record) -> None:
        started = time.perf_counter()
        try:
            record.answer = await self._invoke(record.function, record.event, record)
        except FunctionFailed as failed:
            record.error = str(failed)
        finally:
            record.total = time.perf_counter() - started
            self._recorder.end(record)
