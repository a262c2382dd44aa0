"""The environments of one function: warm ones are used again, more are started when all are busy, up to a limit."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Coroutine
from pathlib import Path

from ..front_doors.contract import Failure
from ..log import Log
from .environment import Environment, FunctionSpec, State
from .invocation import FunctionFailed, Invocation, ResponseStream

_GRACE = 0.05
"""Seconds a request waits for a process that has just answered. In the cloud the next request of the same client takes
longer than that to arrive; here it would be there before the runtime has asked for it, and be given a cold start."""
_REAPER = Path(__file__).with_name("reaper.py")


class Pool:
    """Up to ``concurrency`` environments of ``spec``; each request gets one of its own while it lasts."""

    def __init__(self, spec: FunctionSpec, concurrency: int, log: Log) -> None:
        self._spec = spec
        self._concurrency = concurrency
        self._log = log
        self._environments: list[Environment] = []
        """Those that may take new requests; the others only finish what they have."""
        self._retiring: set[Environment] = set()
        self._idle: list[Environment] = []
        self._waiting: deque[Invocation] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._reaper: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()
        self._stopped = False

    async def start(self) -> None:
        """Starts one environment, so that the first request finds it warm or nearly so."""
        self._reaper = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(_REAPER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._start_one()

    async def settled(self) -> None:
        """Waits until the first environment has booted, or has failed to."""
        while self._environments and all(environment.state is State.STARTING for environment in self._environments):
            self._changed.clear()
            await self._changed.wait()

    async def invoke(
        self, event: bytes, request_id: str, patience: float | None, *, streaming: bool = False
    ) -> Invocation:
        """Has the function answer ``event``; returns the invocation with its outcome in place.

        With ``streaming`` it returns as soon as the answer begins; the invocation has a `ResponseStream` to read it
        from, which the caller has to close.

        ``patience`` is the front door's time limit in seconds, waiting for an environment included; None for no limit.
        Raises `FunctionFailed`. When patience runs out the function itself goes on, as behind a real front door.
        """
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        invocation = Invocation(request_id, event, outcome, stream=ResponseStream() if streaming else None)
        if self._stopped:
            raise FunctionFailed(Failure.FUNCTION, "the emulator is stopping")
        if self._idle:
            # The one used last: the others come to rest, and would be the first to expire.
            self._idle.pop().invoke(invocation)
        else:
            self._waiting.append(invocation)
            finishing = sum(environment.finishing for environment in self._environments)
            if finishing:
                asyncio.get_running_loop().call_later(_GRACE, self._grow_for, invocation)
            self._grow(finishing)
        try:
            async with asyncio.timeout(patience):
                await invocation.outcome
        except TimeoutError:
            if invocation in self._waiting:
                self._waiting.remove(invocation)
            if invocation.stream is not None:
                invocation.stream.close()
            raise FunctionFailed(
                Failure.DEADLINE, f"the front door waits {patience:.0f} seconds and no more; the function goes on"
            ) from None
        return invocation

    def replace(self) -> None:
        """Has new processes take over: idle ones end now, busy ones after their answer, and a new one starts."""
        for environment in tuple(self._environments):
            self._environments.remove(environment)
            self._retiring.add(environment)
            if environment.state is State.BUSY:
                environment.retiring = True
            else:
                self._spawn(environment.stop())
        self._idle.clear()
        self._start_one()
        self._grow()

    async def stop(self) -> None:
        """Ends every process; requests still waiting fail."""
        self._stopped = True
        for invocation in self._waiting:
            invocation.fail(Failure.FUNCTION, "the emulator is stopping")
        self._waiting.clear()
        await asyncio.gather(*(environment.stop() for environment in (*self._environments, *self._retiring)))
        while self._tasks:
            # Taken out here: awaiting what is done need not let the loop run, and with it the tasks' own callbacks.
            tasks = tuple(self._tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            await self._reaper.wait()

    # What the environments tell

    def environment_idle(self, environment: Environment) -> None:
        self._changed.set()
        if environment.retiring or self._stopped:
            self._spawn(environment.stop())
        elif self._waiting:
            invocation = self._waiting.popleft()
            if environment.served == 0:
                invocation.cold = environment.init_seconds
            environment.invoke(invocation)
        else:
            self._idle.append(environment)

    def environment_busy(self, environment: Environment) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(environment)

    def environment_stopped(self, environment: Environment, init_error: str | None) -> None:
        self._changed.set()
        with contextlib.suppress(ValueError):
            self._idle.remove(environment)
        self._retiring.discard(environment)
        if environment in self._environments:
            self._environments.remove(environment)
        if init_error is not None:
            self._log.error(f"The function can't start: {init_error}")
            if self._waiting:
                # One failed start answers one request, as on AWS, where each request has a start of its own.
                self._waiting.popleft().fail(Failure.FUNCTION, init_error)
        if not self._stopped:
            self._grow()

    def process_started(self, group: int) -> None:
        self._tell_reaper(f"+{group}\n")

    def process_ended(self, group: int) -> None:
        self._tell_reaper(f"-{group}\n")

    def _tell_reaper(self, line: str) -> None:
        if self._reaper is not None and self._reaper.stdin is not None and not self._reaper.stdin.is_closing():
            self._reaper.stdin.write(line.encode())

    def _grow_for(self, invocation: Invocation) -> None:
        if invocation in self._waiting:
            self._grow()

    def _grow(self, expected: int = 0) -> None:
        """Starts as many environments as requests wait for, and no more than are allowed.

        ``expected`` are those that will be free in a moment.
        """
        expected += sum(environment.state is State.STARTING for environment in self._environments)
        wanted = min(len(self._waiting) - expected, self._concurrency - len(self._environments))
        for _ in range(wanted):
            self._start_one()

    def _start_one(self) -> None:
        self._count += 1
        environment = Environment(self._spec, f"fn-{self._count}", self, self._log.function)
        self._environments.append(environment)
        self._spawn(environment.start())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
