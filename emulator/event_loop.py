"""The event loop of the emulator's process: it can stay awake where something is about to happen."""

from __future__ import annotations

import asyncio
import selectors
import time


class _Selector(selectors.DefaultSelector):
    awake_until = 0.0
    """By `time.monotonic`; until then it looks again and again instead of going to sleep."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            while time.monotonic() < self.awake_until:
                found = super().select(0)
                if found:
                    return found
        return super().select(timeout)


class EventLoop(asyncio.SelectorEventLoop):
    """Falling asleep and waking up takes a processor longer than a quick view takes to answer: hence `stay_awake`."""

    def __init__(self) -> None:
        self._eyes = _Selector()
        super().__init__(self._eyes)

    def stay_awake(self, seconds: float) -> None:
        """From now on, waits for that long at most without giving the processor away."""
        self._eyes.awake_until = time.monotonic() + seconds
