"""Which processors the threads of a transfer run on."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_processor() -> Iterator[None]:
    """Threads that are started in the block stay on the processor that it begins on, where the system lets us say so.

    They take turns at the interpreter's lock. With several processors each answer that arrives wakes a thread on
    another one, only to find the lock taken: as much time goes into that as into the work.
    https://bugs.python.org/issue7946
    """
    if sys.platform != "linux" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        yield
        return
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {_current()} & allowed or allowed)
    except OSError:  # a sandbox may forbid it
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _current() -> int:
    """The number of the processor that this thread is on.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    # The name, which comes second and in brackets, may hold anything; the processor is the 39th field.
    return int(Path("/proc/thread-self/stat").read_bytes().rpartition(b")")[2].split()[36])
