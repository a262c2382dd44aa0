"""An ASGI project's synchronous code, and what belongs to the thread it runs in."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async

from adapter import database, request_thread


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    request_thread.end(lambda: None)


def call(function: Any) -> Any:
    """What a synchronous view returns, called as Django calls it by ASGI."""

    async def application() -> Any:
        async with ThreadSensitiveContext():
            return await sync_to_async(function)()

    context = contextvars.copy_context()
    context.run(request_thread.keep)
    with asyncio.Runner() as runner:
        return runner.run(application(), context=context)


def test_requests_share_a_thread_of_their_own() -> None:
    threads = {call(threading.get_ident) for _ in range(3)} | {request_thread.run(threading.get_ident)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_the_thread_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        request_thread.run(lambda: 1 // 0)


def test_the_last_call_is_made_in_the_thread_before_it_ends() -> None:
    first = call(threading.current_thread)
    last: list[threading.Thread] = []
    request_thread.end(lambda: last.append(threading.current_thread()))
    assert last == [first]
    assert not first.is_alive()
    assert call(threading.current_thread) is not first


def test_an_abandoned_view_keeps_its_thread_and_the_next_request_does_not_wait() -> None:
    release = threading.Event()
    stuck: list[threading.Thread] = []

    def view() -> None:
        stuck.append(threading.current_thread())
        release.wait(10)

    waiting = threading.Thread(target=request_thread.run, args=(view,))
    waiting.start()
    while not stuck:
        time.sleep(0.001)
    database.abandon_request()
    assert call(threading.current_thread) is not stuck[0]
    release.set()
    waiting.join()
    stuck[0].join(10)
    assert not stuck[0].is_alive()
