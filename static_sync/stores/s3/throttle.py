"""How many requests may be in flight at once: as many as there are threads, until the service asks to slow down."""

from __future__ import annotations

import math
import time
from threading import Condition

# Fewer would gain the service nothing, as each request that it refused waits by itself besides.
LEAST = 4
# One burst of refusals, which concerns all requests in flight, shall count once.
_BETWEEN_CUTS = 0.5  # seconds


class Throttle:
    """Additive increase, multiplicative decrease, as TCP does it (https://www.rfc-editor.org/rfc/rfc5681.html).

    The first refusal halves what is in flight at that moment, further ones halve it again, at most twice a second.
    Each answer that is no refusal lets 1/limit of a request more in: one for each round of all that are in flight.
    """

    def __init__(self) -> None:
        self.limit = math.inf
        self._running = 0
        self._next_cut = 0.0
        self._condition = Condition()

    def __enter__(self) -> None:
        with self._condition:
            while self._running >= self.limit:
                self._condition.wait()
            self._running += 1

    def __exit__(self, *_exception: object) -> None:
        with self._condition:
            self._running -= 1
            if self.limit != math.inf:
                self._condition.notify()

    def refused(self) -> None:
        """The service asked to slow down."""
        with self._condition:
            now = time.monotonic()
            if now >= self._next_cut:
                self.limit = max(LEAST, min(self.limit, self._running + 1) / 2)
                self._next_cut = now + _BETWEEN_CUTS

    def served(self) -> None:
        """The service did what it was asked to."""
        if self.limit != math.inf:
            with self._condition:
                self.limit += 1 / self.limit
                self._condition.notify()
