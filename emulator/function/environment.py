"""One execution environment: a process that boots once, then answers one event at a time until it is stopped.

An environment outlives its process: after a crash, a timeout or an INIT that failed, the next invocation begins with
another one in the same environment, where ``/tmp`` (here: the folder that ``TMPDIR`` names) is as it was.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import enum
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..event_loop import when_idle
from ..front_doors.contract import Failure
from ..records import Record
from . import memory, report
from .invocation import Invocation
from .process import Process, exit_message
from .runtime_api import RuntimeAPI
from .spec import FunctionSpec

_STOP_PATIENCE = 2.0  # what AWS gives a runtime between SIGTERM and SIGKILL
_LAST_BREATH = 0.3  # how much later than its broken connection the end of a process may be noticed
_MEMORY_CHECK = 0.05  # seconds between two looks at what a process takes
_SHORT = 0.005  # seconds in which a process can't have taken much; looking would cost as much as all the rest
_AT_ONCE = 0.001  # seconds from an answer to the next request of a runtime that has nothing else to do
_KEPT_LINES = 1000  # of what INIT writes before there is an invocation to show them with


class State(enum.Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    COLD = "without a process, until there is an invocation"
    STOPPED = "stopped"


class Owner(Protocol):
    """What an environment tells the function it belongs to."""

    def environment_idle(self, environment: Environment) -> None:
        """It has booted, or has answered, and can take an invocation."""
        ...

    def environment_busy(self, environment: Environment) -> None:
        """It can take no invocation after all: its runtime waits no more."""
        ...

    def environment_cold(self, environment: Environment, init_error: str | None) -> None:
        """Its process is gone, and it can take an invocation; ``init_error`` is for who waits for its start."""
        ...

    def environment_stopped(self, environment: Environment) -> None:
        """It is gone for good."""
        ...

    def invocation_over(self, invocation: Invocation) -> None:
        """The function is done with it: its answer, what came after the answer, or its end; the record is complete."""
        ...

    def process_started(self, group: int) -> None:
        """A process group exists that must not outlive the emulator."""
        ...

    def process_ended(self, group: int) -> None:
        """The process group is gone."""
        ...


class Environment:
    """One process of the function at a time, its Runtime API, its limits, its output and its folder.

    ``folder`` is made when it is needed; who made the environment removes it.
    """

    def __init__(
        self, spec: FunctionSpec, name: str, folder: Path, owner: Owner, output: Callable[[str, str], None]
    ) -> None:
        self.name = name
        self.folder = folder
        self.state = State.STARTING
        self.idle_since = 0.0
        """By the loop's clock; of use while it is idle or cold."""
        self.retiring = False
        """Stop as soon as the current invocation is over."""
        self.init_seconds = 0.0
        self.served = 0
        self._spec = spec
        self._owner = owner
        self._output = output
        self._log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        self._launching: asyncio.Task[None] | None = None
        self._api: RuntimeAPI | None = None
        self._process: Process | None = None
        self._exited = asyncio.Event()
        self._booting = False
        self._launched_at = 0.0
        self._init_lines = [report.init_start(spec.region)]
        self._init_error: str | None = None
        self._init: float | None = None
        """The INIT seconds that the next invocation, or the current one, has in its report."""
        self._invocation: Invocation | None = None
        self._answered = False
        """The current invocation is; what comes after the answer may go on."""
        self._answered_at = 0.0
        self._begun = 0.0
        self._inner_init = 0.0
        """The INIT seconds that are part of the current invocation's time."""
        self._record: Record | None = None
        """Whose log gets what the process writes: the current invocation's, or the last one's."""
        self._timer: asyncio.TimerHandle | None = None
        self._memory_timer: asyncio.TimerHandle | None = None
        self._peak: int | None = None
        self._noted = 0.0
        self._out_of_memory: int | None = None
        self._killed = False
        """Its process is, and it has been told why."""
        self._stopping = False
        self._frozen = False

    @property
    def finishing(self) -> bool:
        """It will be free in a moment, or when its work after the answer is done."""
        return self.state is State.BUSY and (self._invocation is None or self._answered)

    @property
    def returning(self) -> bool:
        """It has answered just now, and asks for more at once unless there is work after the answer."""
        return self.finishing and time.perf_counter() - self._answered_at < _AT_ONCE

    # What its owner wants

    def start(self) -> None:
        """INIT without an invocation; `Owner.environment_idle` tells when it is over."""
        self._limit(self._spec.init_limit, self._init_is_late)
        self._boot()

    def invoke(self, invocation: Invocation) -> None:
        """Gives the environment, idle or cold, an event; the invocation's outcome tells the rest."""
        cold = self.state is State.COLD
        self.state = State.BUSY
        self._invocation, self._answered = invocation, False
        self._begun = time.perf_counter()
        self._inner_init = 0.0
        invocation.arn = self._spec.arn
        invocation.deadline = time.time() + self._spec.timeout
        record = self._record = invocation.record
        if record is not None:
            record.environment = self.name
            waited = self._begun - invocation.arrived
            record.queued = max(0.0, waited - (invocation.cold or 0.0))
            record.log += self._init_lines
        self._init_lines.clear()
        if cold:
            self._boot()
        else:
            self._deliver(invocation)
        self._limit(self._spec.timeout, self._timed_out)

    async def stop(self) -> None:
        """Ends the process and all it started: SIGTERM, and SIGKILL when it takes too long."""
        self._stopping = True
        self._cancel_timers()
        if self._launching is not None:
            await self._launching
        if self._process is None:
            self._stopped("the emulator is stopping")
            return
        self._process.signal(signal.SIGTERM)
        # What is stopped hears of no signal but this one and SIGKILL.
        self._thaw()
        try:
            async with asyncio.timeout(_STOP_PATIENCE):
                await self._exited.wait()
        except TimeoutError:
            self._kill()
            await self._exited.wait()

    def _boot(self) -> None:
        self._booting = True
        self._killed = False
        self._init_error = self._out_of_memory = None
        self._exited.clear()
        self._launching = asyncio.get_running_loop().create_task(self._launch())

    async def _launch(self) -> None:
        self._launched_at = time.perf_counter()
        snapstart = self._spec.variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
        self._api = RuntimeAPI(self, snapstart=snapstart)
        address = await self._api.start()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            await Process.start(
                self,
                self._spec.command,
                self._spec.folder,
                {
                    **self._spec.variables,
                    "AWS_LAMBDA_RUNTIME_API": address,
                    "AWS_LAMBDA_LOG_STREAM_NAME": self._log_stream,
                    "TMPDIR": str(self.folder),
                },
                terminal=self._spec.debug,
            )
        except (OSError, ValueError) as error:
            self._init_error = f"Runtime.InvalidEntrypoint: {self._spec.command[0]} could not be started: {error}"
            self._gone(self._init_error)

    def _deliver(self, invocation: Invocation) -> None:
        self.served += 1
        if self._record is not None:
            self._record.log.append(report.start(invocation.request_id))
        if self._spec.enforce_memory:
            self._check_memory()
        if self._api is not None:
            self._api.deliver(invocation)
        # Thawed when the event is there, it wakes up once; the other way round it would look for nothing first.
        self._thaw()

    # What the Runtime API tells

    def asks_for_next(self) -> None:
        if self._stopping or self._killed:
            return
        if self._process is not None and (self._booting or self._record is not None):
            self._process.read_on()
        invocation = self._invocation
        if self._booting:
            self._booting = False
            self.init_seconds = time.perf_counter() - self._launched_at
            self._note_memory()
            if invocation is not None:
                invocation.cold = self._inner_init = self.init_seconds
                self._deliver(invocation)
                return
            self._init = self.init_seconds
        elif invocation is not None:
            self._truncated(invocation)
            self._over()
        self._cancel_timers()
        self.state = State.IDLE
        self._owner.environment_idle(self)
        if self.state is State.IDLE and self._spec.freeze:
            when_idle(self._freeze)

    def asks_for_restore(self) -> None:
        if self._api is not None:
            self._api.restored()

    def waits_no_more(self) -> None:
        # As a rule its process has just ended, which takes longer to be noticed; it may also connect again.
        if self.state is State.IDLE and not self._stopping:
            self.state = State.BUSY
            self._limit(self._spec.timeout, self._timed_out)
            self._thaw()
            self._owner.environment_busy(self)

    def answered(self, payload: bytes) -> None:
        # The time limit goes on: what a function does between its answer and its next request counts as well.
        if self._invocation is not None and not self._answered:
            self._answered = True
            self._answered_at = time.perf_counter()
            self._measure(self._answered_at - self._begun)
            self._invocation.succeed(payload)

    def failed(self, failure: Failure, message: str) -> None:
        if self._invocation is not None and not self._answered:
            self._answered = True
            self._measure(time.perf_counter() - self._begun)
            self._invocation.fail(failure, message)

    def broke_off(self) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        if invocation.stream is not None and invocation.stream.closed:
            self._answered = True
        else:
            # Where the process has ended, how it ended is the better reason, and follows in a moment.
            asyncio.get_running_loop().call_later(_LAST_BREATH, self._truncated, invocation)

    def init_failed(self, message: str) -> None:
        self._init_error = message

    # What the process tells

    def started(self, process: Process) -> None:
        self._process = process
        self._owner.process_started(process.pid)
        if self._killed:
            self._kill()
        elif self._spec.enforce_memory:
            self._check_memory()

    def wrote(self, text: str) -> None:
        self._output(self.name, text)
        if self._record is not None:
            self._record.wrote(text)
        elif self.served == 0 and len(self._init_lines) < _KEPT_LINES:
            self._init_lines.append(text)

    def exited(self, code: int) -> None:
        if self._process is not None:
            self._owner.process_ended(self._process.pid)
            self._process = None
        self._gone(exit_message(code))

    # Limits, and how it ends

    def _gone(self, how: str) -> None:
        """There is no process any more; ``how`` is for whom nothing better has been told yet."""
        self._cancel_timers()
        self._frozen = False
        if self._api is not None:
            self._api.close()
        kind, told = "Runtime.ExitError", how
        if self._out_of_memory is not None:
            kind = "Runtime.OutOfMemory"
            told = f"{how}, as it took {self._out_of_memory} MB and has {self._spec.memory} MB (MemorySize)"
        if self._stopping:
            self._stopped(f"{kind}: {told}, before it had answered")
            return
        init_error = None
        if self._booting and not self._killed:
            error = self._init_error or f"{kind}: {told}, before it asked for an event"
            if self._invocation is None:
                init_error = error
                self._init_lines.append(report.init_report(time.perf_counter() - self._launched_at, "init", error))
            else:
                self._fail_in_init(self._invocation, error)
                self._over(report.error_type(error))
        elif self._invocation is not None:
            if not self._answered:
                self._invocation.fail(Failure.FUNCTION, f"{kind}: {told}, before it had answered")
            self._write(*report.exited(self._invocation.request_id, how))
            self._over(kind)
        self._booting = False
        self.state = State.COLD
        self._exited.set()
        self._owner.environment_cold(self, init_error)

    def _stopped(self, message: str) -> None:
        if self.state is State.STOPPED:
            return
        self.state = State.STOPPED
        if self._invocation is not None:
            self._invocation.fail(Failure.FUNCTION, message)
            self._over("Runtime.ExitError")
        self._exited.set()
        self._owner.environment_stopped(self)

    def _truncated(self, invocation: Invocation) -> None:
        if self._invocation is invocation and not self._answered:
            self.failed(
                Failure.FUNCTION,
                "Runtime.TruncatedResponse: the runtime's connection broke in the middle of an answer",
            )

    def _timed_out(self) -> None:
        invocation, limit = self._invocation, self._spec.timeout
        message = (
            f"Sandbox.Timedout: Task timed out after {limit:.2f} seconds, the function's time limit "
            "(--timeout); its process is ended"
        )
        if self._process is not None:
            self._process.read_on()
        self._note_memory()
        if invocation is None or self._answered:
            self._output(self.name, f"{message}, in the middle of what it did after its answer")
        elif self._booting:
            self._fail_in_init(invocation, message, timeout=True)
        else:
            invocation.fail(Failure.FUNCTION, message)
        if invocation is not None:
            self._write(*report.timed_out(invocation.request_id, limit))
            self._over("timeout", limit)
        self._kill()

    def _init_is_late(self) -> None:
        limit = self._spec.init_limit
        self._output(
            self.name,
            f"INIT took more than {limit:g} s and was stopped, as AWS does it; it runs again in the next request's "
            "time. Look for what waits (a network call, a lock) while the settings, apps.py or urls.py are imported.",
        )
        self._init_lines.append(report.init_report(limit, "init", None))
        self._kill()

    def _fail_in_init(self, invocation: Invocation, error: str, *, timeout: bool = False) -> None:
        """Its process never came as far as the event."""
        invocation.fail(Failure.FUNCTION, error)
        seconds = time.perf_counter() - self._launched_at
        self._write(
            report.init_report(seconds, "invoke", None if timeout else error), report.start(invocation.request_id)
        )

    def _check_memory(self) -> None:
        """Looks again and again, until the environment is idle or its process gone."""
        if self._memory_timer is not None:
            self._memory_timer.cancel()
        self._memory_timer = asyncio.get_running_loop().call_later(_MEMORY_CHECK, self._check_memory)
        taken = memory.resident(self._process.pid) if self._process is not None else None
        if taken is not None and taken > self._spec.memory:
            self._out_of_memory = taken
            self._note_memory()
            self._signal(signal.SIGKILL)

    def _limit(self, seconds: float, late: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, late)

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._memory_timer):
            if timer is not None:
                timer.cancel()

    def _kill(self) -> None:
        self._killed = True
        self._signal(signal.SIGKILL)

    def _freeze(self) -> None:
        # By now it may have the next request, or have been asked to stop.
        if self.state is State.IDLE and not self._stopping and not self._frozen:
            self._frozen = True
            self._signal(signal.SIGSTOP)

    def _thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.signal(number)

    # The record

    def _over(self, status: str | None = None, seconds: float | None = None) -> None:
        """The function is done with the current invocation; ``status`` as in the REPORT line."""
        invocation = self._invocation
        if invocation is None:
            return
        self._cancel_timers()
        seconds = time.perf_counter() - self._begun if seconds is None else seconds
        record = self._record
        if record is not None:
            if seconds > _SHORT or time.perf_counter() - self._noted > _MEMORY_CHECK:
                self._note_memory()
            self._measure(seconds)
            self._write(
                report.end(invocation.request_id),
                report.report(invocation.request_id, seconds, self._init, self._spec.memory, record.memory, status),
            )
        self._init = None
        self._invocation = None
        self._owner.invocation_over(invocation)

    def _measure(self, seconds: float) -> None:
        """Takes down what the current invocation takes, as far as it is known."""
        record = self._record
        if record is not None:
            record.duration = seconds - self._inner_init
            record.init = self._init or self._inner_init or None
            record.billed = report.billed(seconds, self._init)
            record.memory = self._peak

    def _note_memory(self) -> None:
        self._noted = time.perf_counter()
        peak = memory.peak(self._process.pid) if self._process is not None else None
        if peak is not None:
            if self._spec.enforce_memory:
                peak = min(peak, self._spec.memory)
            self._peak = max(peak, self._peak or 0)

    def _write(self, *lines: str) -> None:
        """The service's own lines: for the record, not for the terminal."""
        if self._record is not None:
            self._record.log += lines
