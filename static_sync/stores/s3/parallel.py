"""A few jobs at a time in threads; concurrent.futures takes longer to import than a listing takes to come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_T = TypeVar("_T")


def in_parallel(jobs: Iterable[Callable[[], _T]], workers: int) -> list[_T]:
    """Run the jobs, up to ``workers`` at a time, one of them in the calling thread; returns their results in order.

    ``jobs`` is asked for the next one by one thread at a time: it may be a generator that prepares each. After an
    exception, in ``jobs`` too, no further job begins; it is raised when those that have begun are over.
    """
    lock = threading.Lock()
    numbered = enumerate(jobs)
    results: dict[int, _T] = {}
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                with lock:
                    item = None if errors else next(numbered, None)
                if item is None:
                    return
                results[item[0]] = item[1]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, name="static-sync-s3", daemon=True) for _ in range(workers - 1)]
    try:
        for thread in threads:
            thread.start()
        work()
        for thread in threads:
            thread.join()
    except BaseException as interruption:
        errors.append(interruption)
        raise
    if errors:
        raise errors.pop(0)
    return [results[number] for number in sorted(results)]
