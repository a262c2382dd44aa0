from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from emulator.event_loop import EventLoop, when_idle


def test_what_comes_while_it_is_awake_is_seen() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            sender = threading.Timer(0.05, there.sendall, (b"news",))
            sender.start()
            loop.stay_awake(10)
            started = time.process_time()
            news = await asyncio.wait_for(loop.sock_recv(here, 10), 5)
            assert time.process_time() - started > 0.01  # it did not sleep
            sender.join()
            loop.stay_awake(0)
            return news

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(main()) == b"news"


def test_it_falls_asleep_when_its_time_is_over() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        loop.stay_awake(0.01)
        started = time.process_time()
        await asyncio.sleep(1)
        return time.process_time() - started

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(main()) < 0.3


def test_programs_are_started_and_waited_for() -> None:
    async def main() -> int:
        process = await asyncio.create_subprocess_exec("true")
        return await process.wait()

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(main()) == 0


def test_what_can_wait_comes_after_what_is_there() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: list[str] = []
        over = loop.create_future()
        here, there = socket.socketpair()
        with here, there:

            def request() -> None:
                done.append(here.recv(10).decode())
                if done[-1] == "first":
                    there.sendall(b"second")

            loop.add_reader(here, request)
            when_idle(lambda: done.append("told"))
            when_idle(lambda: over.set_result(None))
            there.sendall(b"first")
            loop.call_soon(done.append, "soon")
            await asyncio.wait_for(over, 5)
            loop.remove_reader(here)
        return done

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(main()) == ["soon", "first", "second", "told"]


def test_what_can_wait_does_not_wait_for_ever() -> None:
    async def main() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        done: list[None] = []
        busy = True

        def again() -> None:
            if busy:
                loop.call_soon(again)

        again()
        for _ in range(1000):
            when_idle(lambda: done.append(None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        in_between = len(done)
        busy = False
        await asyncio.sleep(0.01)
        return in_between, len(done)

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(main()) == (1000, 1000)


@pytest.mark.parametrize("make", [EventLoop, asyncio.new_event_loop])
def test_what_can_wait_is_done_by_any_loop(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        done = asyncio.get_running_loop().create_future()
        when_idle(lambda: done.set_result(None))
        await asyncio.wait_for(done, 5)

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(main())
