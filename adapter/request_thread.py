"""The one thread in which an ASGI project's synchronous code runs, request after request.

Django gives each ASGI request a thread of its own, which ends with it. A database connection belongs to a thread: each
request opens its own, and with CONN_MAX_AGE leaves it open in a thread to which nobody returns
(https://code.djangoproject.com/ticket/33497). An environment answers one request at a time, so one thread can be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

T = TypeVar("T")

# Django's own, entered inside of this one, changes nothing:
# https://github.com/django/asgiref/blob/main/asgiref/sync.py (ThreadSensitiveContext.__aenter__)
_context = ThreadSensitiveContext()


def keep() -> None:
    """Run the synchronous code of the current context, and of all that is started in it, in the one thread."""
    SyncToAsync.thread_sensitive_context.set(_context)


def run(function: Callable[[], T]) -> T:
    """What ``function`` returns or raises when called in the thread."""
    executor = _executor()
    if executor is None:
        executor = ThreadPoolExecutor(max_workers=1)
        SyncToAsync.context_to_thread_executor[_context] = executor
    return executor.submit(function).result()


def end(last: Callable[[], None], wait: bool = True) -> None:
    """Have the thread call ``last`` when it is done with what it does, and end; what comes next gets a new one."""
    executor = _executor()
    if executor is not None:
        del SyncToAsync.context_to_thread_executor[_context]
        executor.submit(last)
        executor.shutdown(wait=wait)


def _executor() -> ThreadPoolExecutor | None:
    return cast("ThreadPoolExecutor | None", SyncToAsync.context_to_thread_executor.get(_context))
