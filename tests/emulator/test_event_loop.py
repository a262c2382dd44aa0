from __future__ import annotations

import asyncio
import socket
import threading
import time

from emulator.event_loop import EventLoop


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
