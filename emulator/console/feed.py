"""What is new, as server-sent events for as long as the page listens.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..records import Record, Recorder
from .reading import row

# The least time between two messages, in seconds: at a thousand invocations a second, one message tells of many.
_PAUSE = 0.2


class Feed:
    """The stream of one page; begins with ``greeting``, then gives the rows that changed after the serial ``after``.

    A message's id is ``run`` and the serial up to which it tells, as in ``3f2a.17``: serials begin anew with each start
    of the emulator, and a page that was open before must not take them for its own.
    """

    def __init__(self, recorder: Recorder, run: str, after: int, greeting: dict[str, Any]) -> None:
        self._changes = recorder.follow(after)
        self._run = run
        self._greeting: dict[str, Any] | None = greeting
        self._pause = 0.0
        self._waiting: asyncio.Task[list[Record]] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def read(self) -> bytes:
        if self._greeting is not None:
            told, self._greeting = self._greeting, None
            return f"retry: 1000\nevent: hello\ndata: {json.dumps(told)}\n\n".encode()
        if self._ending is not None:
            return b""
        waiting = self._waiting = asyncio.ensure_future(self._next())
        await asyncio.wait({waiting})
        if waiting.cancelled():
            return b""
        records = waiting.result()
        self._pause = _PAUSE
        rows = json.dumps([row(record) for record in records], separators=(",", ":"))
        return f"id: {self._run}.{records[-1].serial}\ndata: {rows}\n\n".encode()

    def close(self) -> None:
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())

    async def _next(self) -> list[Record]:
        await asyncio.sleep(self._pause)
        return await anext(self._changes)

    async def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        await self._changes.aclose()
