"""One execution environment: a process that boots once, then answers one event at a time until it is stopped.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from ..exceptions import EmulatorError
from ..front_doors.contract import Failure
from .invocation import Invocation
from .runtime_api import RuntimeAPI

HANDLER = "adapter.entrypoint.handler"
INIT_LIMIT = 10.0
"""Seconds AWS gives INIT before it stops it and runs it again as part of the first invocation."""
_STOP_PATIENCE = 2.0  # what AWS gives a runtime between SIGTERM and SIGKILL
_LAST_BREATH = 0.3  # how much later than its broken connection the end of a process may be noticed
_ACCOUNT, _NAME = "123456789012", "django-faas"

_RUNTIMES = {
    "own": ("-m", "adapter.runtime"),
    "awslambdaric": ("-m", "awslambdaric", HANDLER),
}


@dataclass(frozen=True)
class FunctionSpec:
    """What every environment of the function is started with; times in seconds, memory in MB."""

    folder: Path
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """The process's whole environment, save what differs from one process to the next."""
    timeout: float = 28.0
    freeze: bool = True
    """Processes are stopped while there is no event for them, as the cloud does it."""

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.variables.get('AWS_REGION', 'us-east-1')}:{_ACCOUNT}:function:{_NAME}"


def command_for(runtime: str) -> tuple[str, ...]:
    """The command line of a runtime: ``own`` (ours) or ``awslambdaric`` (AWS's).

    Raises `EmulatorError` where it is not installed.
    """
    if runtime == "awslambdaric" and importlib.util.find_spec("awslambdaric") is None:
        raise EmulatorError(
            "--runtime awslambdaric needs AWS's runtime client: pip install awslambdaric (not on Windows)"
        )
    return (sys.executable, *_RUNTIMES[runtime])


def lambda_variables(folder: Path, region: str, memory: int = 1024) -> dict[str, str]:
    """The variables the service sets for a function, save the address of its Runtime API.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    python = f"python{sys.version_info.major}.{max(sys.version_info.minor, 12)}"
    return {
        # AWS's client writes non-ASCII text as it is from 3.12 on, and as \u escapes (twice the bytes) before.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
        "AWS_LAMBDA_FUNCTION_NAME": _NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{_NAME}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "_HANDLER": HANDLER,
        "LAMBDA_TASK_ROOT": str(folder),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        # The service's pipes are line-buffered; ours would hold a traceback back until the buffer is full.
        "PYTHONUNBUFFERED": "1",
    }


class State(enum.Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"


class Owner(Protocol):
    """What an environment tells the pool it belongs to."""

    def environment_idle(self, environment: Environment) -> None:
        """It has booted, or has answered, and can take an invocation."""
        ...

    def environment_busy(self, environment: Environment) -> None:
        """It can take no invocation after all: its runtime waits no more."""
        ...

    def environment_stopped(self, environment: Environment, init_error: str | None) -> None:
        """Its process is gone; ``init_error`` says why it never came as far as its first event."""
        ...

    def process_started(self, group: int) -> None:
        """A process group exists that must not outlive the emulator."""
        ...

    def process_ended(self, group: int) -> None:
        """The process group is gone."""
        ...


class Environment:
    """One process of the function, its Runtime API, its time limit and its output."""

    def __init__(self, spec: FunctionSpec, name: str, owner: Owner, output: Callable[[str, str], None]) -> None:
        self.name = name
        self.state = State.STARTING
        self.served = 0
        self.init_seconds = 0.0
        self.retiring = False
        """Stop as soon as the current invocation is answered."""
        self._spec = spec
        self._owner = owner
        self._output = output
        self._api = RuntimeAPI(self, snapstart=spec.variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start")
        self._transport: asyncio.SubprocessTransport | None = None
        self._launched = asyncio.Event()
        self._exited = asyncio.Event()
        self._invocation: Invocation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._init_error: str | None = None
        self._stopping = False
        self._frozen = False
        self._started = 0.0

    @property
    def finishing(self) -> bool:
        """It has answered, and will ask for the next event in a moment, or when its work after the answer is done."""
        return self.state is State.BUSY and self._invocation is None

    async def start(self) -> None:
        """Starts the process; `Owner.environment_idle` tells when it has booted."""
        loop = asyncio.get_running_loop()
        try:
            await self._launch(loop)
        finally:
            self._launched.set()

    async def _launch(self, loop: asyncio.AbstractEventLoop) -> None:
        address = await self._api.start()
        if self._stopping:
            self._gone(None)
            return
        self._started = time.perf_counter()
        self._timer = loop.call_later(INIT_LIMIT, self._init_is_late)
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: _Process(self),
                *self._spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                cwd=self._spec.folder,
                env={
                    **self._spec.variables,
                    "AWS_LAMBDA_RUNTIME_API": address,
                    "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{self.name}",
                },
                start_new_session=True,
            )
        except OSError as error:
            self._gone(f"{self._spec.command[0]} could not be started: {error}")
            return
        self._transport = transport
        self._owner.process_started(self._transport.get_pid())

    def invoke(self, invocation: Invocation) -> None:
        """Gives the idle environment an event; the invocation's outcome tells the rest."""
        self.state = State.BUSY
        self._invocation = invocation
        invocation.arn = self._spec.arn
        invocation.deadline = time.time() + self._spec.timeout
        self.served += 1
        self._limit_time()
        self._thaw()
        self._api.deliver(invocation)

    async def stop(self) -> None:
        """Ends the process and all it started: SIGTERM, and SIGKILL when it takes too long."""
        self._stopping = True
        await self._launched.wait()
        self._signal(signal.SIGTERM)
        # What is stopped hears of no signal but this one and SIGKILL.
        self._thaw()
        try:
            async with asyncio.timeout(_STOP_PATIENCE):
                await self._exited.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._exited.wait()

    # What the Runtime API tells

    def asks_for_next(self) -> None:
        if self.state is State.STOPPED or self._stopping:
            return
        self._cancel_timer()
        if self._invocation is not None:
            self._truncated(self._invocation)
        if self.state is State.STARTING:
            self.init_seconds = time.perf_counter() - self._started
        self.state = State.IDLE
        self._owner.environment_idle(self)
        if self.state is State.IDLE and self._spec.freeze:
            self._frozen = True
            self._signal(signal.SIGSTOP)

    def asks_for_restore(self) -> None:
        self._api.restored()

    def waits_no_more(self) -> None:
        # As a rule its process has just ended, which takes longer to be noticed; it may also connect again.
        if self.state is State.IDLE and not self._stopping:
            self.state = State.BUSY
            self._limit_time()
            self._thaw()
            self._owner.environment_busy(self)

    def answered(self, payload: bytes) -> None:
        # The time limit goes on: what a function does between its answer and its next request counts as well.
        if self._invocation is not None:
            self._invocation.succeed(payload)
            self._invocation = None

    def failed(self, failure: Failure, message: str) -> None:
        if self._invocation is not None:
            self._invocation.fail(failure, message)
            self._invocation = None

    def broke_off(self) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        if invocation.stream is not None and invocation.stream.closed:
            self._invocation = None
        else:
            # Where the process has ended, how it ended is the better reason, and follows in a moment.
            asyncio.get_running_loop().call_later(_LAST_BREATH, self._truncated, invocation)

    def init_failed(self, message: str) -> None:
        self._init_error = message

    # What the process tells

    def wrote(self, text: str) -> None:
        self._output(self.name, text)

    def leader_exited(self) -> None:
        # Whatever it had started goes with it, as the whole sandbox does on AWS.
        self._signal(signal.SIGKILL)

    def exited(self, code: int) -> None:
        if self._transport is not None:
            self._owner.process_ended(self._transport.get_pid())
        how = f"Runtime.ExitError: Runtime exited {_manner(code)}"
        error = None
        if self.state is State.STARTING and not self._stopping:
            error = self._init_error or f"{how}, before it asked for an event"
        self._gone(error, f"{how}, before it had answered")

    def _gone(self, init_error: str | None, message: str = "") -> None:
        self._cancel_timer()
        self.state = State.STOPPED
        self._api.close()
        self._exited.set()
        if self._invocation is not None:
            self._invocation.fail(Failure.FUNCTION, message)
            self._invocation = None
        self._owner.environment_stopped(self, init_error)

    def _truncated(self, invocation: Invocation) -> None:
        if self._invocation is invocation:
            self.failed(
                Failure.FUNCTION,
                "Runtime.TruncatedResponse: the runtime's connection broke in the middle of an answer",
            )

    def _limit_time(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._spec.timeout, self._timed_out)

    def _timed_out(self) -> None:
        message = (
            f"Sandbox.Timedout: Task timed out after {self._spec.timeout:.2f} seconds, the function's time limit "
            "(--timeout); its process is ended"
        )
        if self._invocation is not None:
            self._invocation.fail(Failure.FUNCTION, message)
            self._invocation = None
        else:
            self.wrote(f"{message}, in the middle of what it did after its answer")
        self._stopping = True
        self._signal(signal.SIGKILL)

    def _init_is_late(self) -> None:
        self.wrote(f"INIT takes more than {INIT_LIMIT:.0f} s: AWS would stop it and start again in the first request.")
        self._timer = asyncio.get_running_loop().call_later(self._spec.timeout, self._init_timed_out)

    def _init_timed_out(self) -> None:
        self._init_error = (
            f"Sandbox.Timedout: INIT took more than {INIT_LIMIT + self._spec.timeout:.0f} seconds; look for what waits "
            "(a network call, a lock) while the settings, apps.py or urls.py are imported"
        )
        self._signal(signal.SIGKILL)

    def _thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._transport is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), number)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _manner(code: int) -> str:
    """How a process ended, in the words of the service's log."""
    if code < 0:
        return f"with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"with error: exit status {code}" if code else "without providing a reason"


class _Process(asyncio.SubprocessProtocol):
    """Cuts the process's output into lines, and reports its end."""

    _LONGEST = 64 * 1024
    _LAST_WORDS = 0.3

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = {1: b"", 2: b""}
        self._straggler: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, rest = (self._rest[fd] + data).split(b"\n")
        if len(rest) > self._LONGEST:
            lines.append(rest)
            rest = b""
        self._rest[fd] = rest
        for line in lines:
            self._write(line)

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        rest = self._rest.get(fd)
        if rest:
            self._rest[fd] = b""
            self._write(rest)

    def process_exited(self) -> None:
        self._environment.leader_exited()
        # Its last words are still in the pipes; a child that left the process group may hold these open for ever.
        self._straggler = asyncio.get_running_loop().call_later(self._LAST_WORDS, self._close)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._straggler is not None:
            self._straggler.cancel()
        self._close()
        code = self._transport.get_returncode() if self._transport is not None else None
        self._environment.exited(code or 0)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _write(self, line: bytes) -> None:
        # AWS's client writes the lines of one traceback with a carriage return and no-break spaces, to keep them one
        # record of the log: https://github.com/aws/aws-lambda-python-runtime-interface-client
        for part in line.decode(errors="replace").replace("\xa0", " ").split("\r"):
            if part:
                self._environment.wrote(part)
