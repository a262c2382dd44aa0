"""How many requests are in flight when the service asks to slow down."""

from __future__ import annotations

import math
import threading
import time

import pytest

from static_sync.stores.s3 import throttle as throttle_module
from static_sync.stores.s3.throttle import LEAST, Throttle


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the throttle sees, to be changed."""
    seconds = [100.0]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return seconds[0]

    monkeypatch.setattr(throttle_module, "time", Clock)
    return seconds


def test_there_is_no_limit_until_a_refusal(now: list[float]) -> None:
    throttle = Throttle()
    throttle.served()
    assert throttle.limit == math.inf


def test_a_burst_of_refusals_halves_once_and_each_further_one_again(now: list[float]) -> None:
    throttle = Throttle()
    for _ in range(39):
        throttle.__enter__()
    throttle.refused()  # by one more, which has left
    assert throttle.limit == 20
    for _ in range(10):
        throttle.refused()
    assert throttle.limit == 20
    for expected in (10, 5, LEAST, LEAST):
        now[0] += 1
        throttle.refused()
        assert throttle.limit == expected


def test_it_recovers_by_one_for_each_round(now: list[float]) -> None:
    throttle = Throttle()
    throttle.refused()
    assert throttle.limit == LEAST
    for limit in range(LEAST, 40):
        for _ in range(limit + 1):
            throttle.served()
        assert throttle.limit >= limit + 1
    assert throttle.limit < 50


def test_no_more_than_the_limit_are_in_flight() -> None:
    throttle, lock, running, most = Throttle(), threading.Lock(), [0], [0]
    throttle.refused()
    assert throttle.limit == LEAST

    def work() -> None:
        for _ in range(5):
            with throttle:
                with lock:
                    running[0] += 1
                    most[0] = max(most[0], running[0])
                time.sleep(0.001)
                with lock:
                    running[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert most == [LEAST]


def test_those_that_wait_are_let_in_as_it_recovers() -> None:
    throttle, entered = Throttle(), threading.Semaphore(0)
    throttle.refused()
    leave = threading.Event()

    def work() -> None:
        with throttle:
            entered.release()
            leave.wait(10)

    threads = [threading.Thread(target=work) for _ in range(LEAST + 1)]
    for thread in threads:
        thread.start()
    for _ in range(LEAST):
        assert entered.acquire(timeout=5)
    assert not entered.acquire(timeout=0.02)
    for _ in range(LEAST + 1):
        throttle.served()
    assert entered.acquire(timeout=5)
    leave.set()
    for thread in threads:
        thread.join(10)
