"""What a call costs, where there is nothing to be counted."""

from __future__ import annotations

import time
from collections.abc import Callable


def processor_seconds(call: Callable[[], object]) -> float:
    """The least of five calls: in any one of them all the suite's objects may be looked through for garbage."""

    def once() -> float:
        started = time.process_time()
        call()
        return time.process_time() - started

    return min(once() for _ in range(5))
