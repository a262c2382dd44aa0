"""The event loop of the emulator's process: awake where something is about to happen, and what can wait comes last."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable

_MANY = 64
"""Calls that may wait for an idle moment; a loop that never has one makes them all the same."""


class _Selector(selectors.DefaultSelector):
    """``is_idle`` is called when nothing has happened while ``later`` holds something to do."""

    def __init__(self, is_idle: Callable[[], None]) -> None:
        super().__init__()
        self.awake_until = 0.0
        """By `time.monotonic`; until then it looks again and again instead of going to sleep."""
        self.later: deque[Callable[[], None]] = deque()
        self._is_idle = is_idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        may_wait = timeout is None or timeout > 0
        if self.later:
            found = super().select(0)
            if (may_wait and not found) or len(self.later) > _MANY:
                self._is_idle()
            return found
        if may_wait:
            while time.monotonic() < self.awake_until:
                found = super().select(0)
                if found:
                    return found
        return super().select(timeout)


class EventLoop(asyncio.SelectorEventLoop):
    """Falling asleep and waking up takes a processor longer than a quick view takes to answer: hence `stay_awake`."""

    def __init__(self) -> None:
        self._eyes = _Selector(self._make_later_calls)
        super().__init__(self._eyes)

    def stay_awake(self, seconds: float) -> None:
        """From now on, waits for that long at most without giving the processor away."""
        self._eyes.awake_until = time.monotonic() + seconds

    def when_idle(self, call: Callable[[], None]) -> None:
        """See the function of that name."""
        self._eyes.later.append(call)

    def _make_later_calls(self) -> None:
        later = self._eyes.later
        while later:
            self.call_soon(later.popleft())


def when_idle(call: Callable[[], None]) -> None:
    """Has the running loop make ``call`` as soon as it has nothing else to do: while the function is at work, mostly.

    A request that is here by then comes first. Another kind of loop makes the call at its next turn.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, EventLoop):
        loop.when_idle(call)
    else:
        loop.call_soon(call)
