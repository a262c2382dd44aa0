"""Processes stand still while there is nothing for them to do, as they do in the cloud."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.emulator.function.small_function import Function, run
from tests.emulator.helpers import alive, stopped, until


async def stands_still(pid: int) -> bool:
    return await asyncio.to_thread(until, lambda: stopped(pid), 3)


async def gone(pid: int) -> bool:
    return await asyncio.to_thread(until, lambda: not alive(pid), 3)


def test_threads_stand_still_between_requests(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        pid = (await function(do="tick"))["pid"]
        assert await stands_still(pid)
        before = (await function(do="tick"))["ticks"]
        await asyncio.sleep(0.3)
        assert (await function(do="tick"))["ticks"] - before < 20

    run(tmp_path, scenario)


def test_they_go_on_where_that_is_asked_for(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function(do="tick")
        before = (await function(do="tick"))["ticks"]
        await asyncio.sleep(0.3)
        answer = await function(do="tick")
        assert answer["ticks"] - before > 20
        assert not stopped(answer["pid"])

    run(tmp_path, scenario, freeze=False)


def test_what_it_started_stands_still_too_and_ends_with_it(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        answer = await function(do="spawn")
        assert await stands_still(answer["pid"])
        assert await stands_still(answer["child"])
        function.pids.add(answer["child"])

    run(tmp_path, scenario)


def test_work_after_the_answer_is_not_stopped(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        started = time.perf_counter()
        pid = (await function(do="linger", seconds=1.5))["pid"]
        assert time.perf_counter() - started < 1.5
        assert not (tmp_path / "lingered").exists()
        assert await asyncio.to_thread(until, (tmp_path / "lingered").exists, 3)
        assert await stands_still(pid)
        # While it was at work it was not free for another request, which had another process.
        assert (await function())["pid"] == pid

    run(tmp_path, scenario, concurrency=1)


def test_work_after_the_answer_counts_for_the_time_limit(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        pid = (await function(do="linger", seconds=30))["pid"]
        assert await gone(pid)
        assert (await function())["pid"] != pid
        assert "Task timed out after 0.50 seconds" in function.log.text
        assert "after its answer" in function.log.text

    run(tmp_path, scenario, timeout=0.5, concurrency=1)


def test_the_next_request_does_not_notice_that_a_stopped_process_was_killed(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        for n in range(5):
            pid = (await function(n=n))["pid"]
            assert await stands_still(pid)
            os.kill(pid, signal.SIGKILL)
            # Its connection breaks at once; until its end has been waited for takes longer.
            assert await gone(pid)
            await asyncio.sleep(0.01)

    run(tmp_path, scenario)


def test_stopped_processes_end_when_new_ones_take_over_and_when_all_ends(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await asyncio.gather(*(function(n=n, do="meet", processes=2) for n in range(2)))
        pids = set(function.pids)
        for pid in pids:
            assert await stands_still(pid)
        started = time.perf_counter()
        function.service.replace()
        assert await asyncio.to_thread(until, lambda: not any(map(alive, pids)), 3)
        assert time.perf_counter() - started < 1  # they heard the request to end: no need to kill them
        assert await stands_still((await function(n=3))["pid"])
        started = time.perf_counter()
        await function.service.stop()
        assert time.perf_counter() - started < 1

    run(tmp_path, scenario)


@pytest.mark.parametrize("freeze", [True, False])
def test_one_client_after_another_needs_one_process(tmp_path: Path, freeze: bool) -> None:
    async def scenario(function: Function) -> None:
        answers = [await function(n=n) for n in range(300)]
        assert [answer["served"] for answer in answers] == list(range(1, 301))

    run(tmp_path, scenario, freeze=freeze)
