"""The environments of one function: warm ones are used again, more are started when all are busy, up to a limit.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Coroutine

from ..event_loop import EventLoop
from ..front_doors.contract import Failure
from ..log import Log
from ..records import Record
from .environment import Environment, State
from .invocation import FunctionFailed, Invocation, ResponseStream
from .reaping import Reaper
from .spec import FunctionSpec

_GRACE = 0.05
"""Seconds a request waits for a process that has just answered. In the cloud the next request of the same client takes
longer than that to arrive; here it would be there before the runtime has asked for it, and be given a cold start."""
_LONGER_GRACE = 1.0
"""The same where the alternative is to be throttled: on a busy machine a runtime may take that long to come back."""
_MOMENT = 0.002
"""The same where another one idles: requests in a row meet the same environment, as in the cloud."""
_NEAR = 0.002
"""Seconds within which a quick view has answered and its client asks for more; one request alone has them spent awake.
With several at work the processors are theirs."""


class Quota:
    """How many requests may be at work at once, in one function or in several: an account's limit, or a reserved one.

    ``advice`` says how to have more.
    """

    def __init__(self, limit: int, advice: str) -> None:
        self.limit = limit
        self.advice = advice
        self.members: list[Environments] = []

    @property
    def exhausted(self) -> bool:
        at_work = 0
        for member in self.members:
            at_work += member.at_work
        return at_work >= self.limit

    @property
    def finishing(self) -> int:
        """How many will be free in a moment."""
        return sum(member.finishing for member in self.members)

    def freed(self, by: Environments) -> None:
        """One less is at work; another function may have waited for that."""
        for member in self.members:
            if member is not by:
                member.room_again()


class Environments:
    """The environments of ``spec``; each request gets one of its own while it lasts.

    They are called ``prefix-1`` and so on. One without a request for ``idle_limit`` seconds ends. ``changed`` hears of
    each record that is complete.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        prefix: str,
        quota: Quota,
        log: Log,
        reaper: Reaper,
        idle_limit: float,
        changed: Callable[[Record], None],
    ) -> None:
        self._spec = spec
        self._prefix = prefix
        self._quota = quota
        self._log = log
        self._reaper = reaper
        self._idle_limit = idle_limit
        self._changed = changed
        self._environments: list[Environment] = []
        """Those that may take new requests; the others only finish what they have."""
        self._retiring: set[Environment] = set()
        self._idle: list[Environment] = []
        self._cold: list[Environment] = []
        self._waiting: deque[Invocation] = deque()
        """For an environment that starts, or one that has just answered."""
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._settled = asyncio.Event()
        self._stopped = False
        quota.members.append(self)

    @property
    def at_work(self) -> int:
        """How many requests have an environment, or one that starts for them."""
        busy = starting = 0
        for environment in self._environments:
            busy += environment.state is State.BUSY
            starting += environment.state is State.STARTING
        return busy + min(starting, len(self._waiting))

    @property
    def finishing(self) -> int:
        return sum(environment.finishing for environment in self._environments)

    @property
    def _has_room(self) -> bool:
        return self._spec.debug or not self._quota.exhausted

    @property
    def _starting(self) -> int:
        return sum(environment.state is State.STARTING for environment in self._environments)

    def start(self) -> None:
        """Starts an environment, so that the first request finds it warm or nearly so."""
        self._count += 1
        name = f"{self._prefix}-{self._count}"
        environment = Environment(self._spec, name, self._reaper.folder / name, self, self._log.function)
        self._environments.append(environment)
        environment.start()

    async def settled(self) -> None:
        """Waits until one of the environments has booted, or has failed to."""
        while self._environments and all(environment.state is State.STARTING for environment in self._environments):
            self._settled.clear()
            await self._settled.wait()

    async def invoke(
        self, event: bytes, request_id: str, patience: float | None, streaming: bool, record: Record | None
    ) -> Invocation:
        """See `FunctionService.invoke`."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[bytes] = loop.create_future()
        stream = ResponseStream() if streaming else None
        invocation = Invocation(request_id, event, outcome, stream=stream, record=record)
        if self._stopped:
            raise FunctionFailed(Failure.FUNCTION, "the emulator is stopping")
        self._assign(invocation)
        # Where the function's own limit ends it sooner, the door's needs no timer.
        limited = invocation.deadline > 0 and patience is not None and self._spec.timeout < patience
        if patience is None or self._spec.debug or limited:
            await outcome
            return invocation
        deadline = loop.call_later(patience, self._patience_ends, invocation, patience)
        try:
            await outcome
        finally:
            deadline.cancel()
        return invocation

    def replace(self) -> None:
        """Has new processes take over: idle ones end now, busy ones after their answer, and a new one starts."""
        had = bool(self._environments)
        for environment in self._environments:
            self._retiring.add(environment)
            if environment.state is State.BUSY:
                environment.retiring = True
            else:
                self._end(environment)
        self._environments.clear()
        self._idle.clear()
        self._cold.clear()
        if self._spec.debug:
            return  # with one terminal, the new one has to wait until the old one is gone
        if had:
            self.start()
        self._serve_waiting()

    async def stop(self) -> None:
        """Ends every process; requests still waiting fail."""
        self._stopped = True
        if self._expiry is not None:
            self._expiry.cancel()
        for invocation in self._waiting:
            invocation.fail(Failure.FUNCTION, "the emulator is stopping")
        self._waiting.clear()
        await asyncio.gather(*(environment.stop() for environment in (*self._environments, *self._retiring)))
        while self._tasks:
            # Taken out here: awaiting what is done need not let the loop run, and with it the tasks' own callbacks.
            tasks = tuple(self._tasks)
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)

    # Who gets an environment

    def _patience_ends(self, invocation: Invocation, patience: float) -> None:
        """The front door has its answer in a moment, whatever becomes of the invocation."""
        with contextlib.suppress(ValueError):
            self._waiting.remove(invocation)
        if not invocation.outcome.done():
            if invocation.stream is not None:
                invocation.stream.close()
            invocation.fail(
                Failure.DEADLINE, f"the front door waits {patience:.0f} seconds and no more; the function goes on"
            )

    def _assign(self, invocation: Invocation) -> None:
        """Gives it an environment, has it wait for one, or fails it."""
        room = self._has_room
        returning = sum(environment.returning for environment in self._environments)
        if room and self._idle and returning <= len(self._waiting):
            self._place(invocation)
            return
        spare = self._starting - len(self._waiting)
        finishing = self.finishing if room else self._quota.finishing
        if self._spec.debug:
            self._waiting.append(invocation)
            self._serve_waiting()
        elif (room and spare > 0) or finishing > max(0, -spare):
            self._waiting.append(invocation)
            grace = _MOMENT if room and self._idle else _GRACE
            asyncio.get_running_loop().call_later(grace, self._grace_is_over, invocation)
        else:
            self._place(invocation)

    def _grace_is_over(self, invocation: Invocation, last: bool = False) -> None:
        if invocation not in self._waiting or (len(self._waiting) <= self._starting and not self._idle):
            return
        if not last and self._quota.finishing and not self._has_room:
            asyncio.get_running_loop().call_later(_LONGER_GRACE, self._grace_is_over, invocation, True)
        else:
            self._waiting.remove(invocation)
            self._place(invocation)

    def _place(self, invocation: Invocation) -> None:
        """Gives it an environment, or has one start for it, if one more may be at work."""
        if not self._has_room:
            invocation.fail(
                Failure.THROTTLED,
                f"TooManyRequestsException: no more than {self._quota.limit} at once may be at work; "
                f"{self._quota.advice}",
            )
        elif self._idle:
            # The one used last: the others come to rest, and expire.
            self._give(self._idle.pop(), invocation)
        elif self._cold:
            self._give(self._cold.pop(), invocation)
        else:
            self._waiting.append(invocation)
            self.start()

    def _give(self, environment: Environment, invocation: Invocation) -> None:
        environment.invoke(invocation)
        loop = asyncio.get_running_loop()
        if isinstance(loop, EventLoop) and self.at_work == 1:
            loop.stay_awake(_NEAR)

    def _serve_waiting(self) -> None:
        """Sees to those that wait for an environment which will not come."""
        for _ in range(len(self._waiting) - self._starting):
            if self._spec.debug and (self._retiring or (self._environments and not self._cold)):
                return  # there is one terminal
            self._place(self._waiting.popleft())

    def room_again(self) -> None:
        """Another function has made room."""
        if self._waiting and self._has_room:
            self._serve_waiting()

    # What the environments tell

    def environment_idle(self, environment: Environment) -> None:
        self._settled.set()
        if environment.retiring or self._stopped:
            self._end(environment)
        elif self._waiting:
            invocation = self._waiting.popleft()
            if environment.served == 0:
                invocation.cold = environment.init_seconds
            self._give(environment, invocation)
        else:
            self._rest(environment, self._idle)
            self._quota.freed(self)

    def environment_busy(self, environment: Environment) -> None:
        with contextlib.suppress(ValueError):
            self._idle.remove(environment)

    def environment_cold(self, environment: Environment, init_error: str | None) -> None:
        self._settled.set()
        self.environment_busy(environment)
        if init_error is not None:
            self._log.error(f"The function can't start: {init_error}")
            if self._waiting:
                # AWS would run INIT a second time for this request; its error would come later, and be the same.
                self._waiting.popleft().fail(Failure.FUNCTION, init_error)
        if environment in self._retiring or self._stopped:
            self._end(environment)
        else:
            self._rest(environment, self._cold)
            self._serve_waiting()
            self._quota.freed(self)

    def environment_stopped(self, environment: Environment) -> None:
        self._settled.set()
        self._retiring.discard(environment)
        with contextlib.suppress(ValueError):
            self._environments.remove(environment)
        if not self._stopped:
            self._spawn(asyncio.to_thread(shutil.rmtree, environment.folder, ignore_errors=True))
            self._serve_waiting()

    def invocation_over(self, invocation: Invocation) -> None:
        if invocation.record is not None:
            self._changed(invocation.record)

    def process_started(self, group: int) -> None:
        self._reaper.watch(group)

    def process_ended(self, group: int) -> None:
        self._reaper.forget(group)

    # Those that nobody needs

    def _rest(self, environment: Environment, among: list[Environment]) -> None:
        loop = asyncio.get_running_loop()
        environment.idle_since = loop.time()
        among.append(environment)
        if self._expiry is None:
            self._expiry = loop.call_later(self._idle_limit, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._expiry = None
        resting = [*self._idle, *self._cold]
        for environment in resting:
            if environment.idle_since + self._idle_limit <= loop.time():
                self._environments.remove(environment)
                self._retiring.add(environment)
                among = self._idle if environment in self._idle else self._cold
                among.remove(environment)
                self._end(environment)
        left = [environment.idle_since for environment in (*self._idle, *self._cold)]
        if left:
            self._expiry = loop.call_at(min(left) + self._idle_limit, self._expire)

    def _end(self, environment: Environment) -> None:
        self._spawn(environment.stop())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
