"""One process of the function: the leader of a group of its own, its output read line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

_LONGEST_LINE = 64 * 1024
_LAST_WORDS = 0.3  # seconds that the pipe of a process that has ended is read on


class Watcher(Protocol):
    """What a process tells."""

    def started(self, process: Process) -> None:
        """It is there; told before `Process.start` returns, and before anything else."""
        ...

    def wrote(self, text: str) -> None:
        """One line, without its end."""
        ...

    def exited(self, code: int) -> None:
        """The process is gone, and its output read; the signal's negative number where one ended it."""
        ...


class Process(asyncio.SubprocessProtocol):
    """A process from `start` until its watcher hears that it has exited."""

    def __init__(self, watcher: Watcher, restore: Callable[[], None] | None = None) -> None:
        self.pid = 0
        self._watcher = watcher
        self._restore = restore
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = b""
        self._straggler: asyncio.TimerHandle | None = None

    @classmethod
    async def start(
        cls,
        watcher: Watcher,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        *,
        terminal: bool = False,
    ) -> None:
        """Starts it; raises `OSError`.

        With ``terminal`` it has this process's standard input and output, and its lines are not reported. It is in a
        session of its own all the same: Ctrl-C goes to the emulator alone, which then ends it.
        """
        # One pipe for both outputs keeps their lines in the order they were written in.
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        restore = None
        if terminal:
            streams = {"stdin": None, "stdout": None, "stderr": None}
            restore = _keep_terminal()
        await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(watcher, restore), *command, cwd=folder, env=variables, start_new_session=True, **streams
        )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def read_on(self) -> None:
        """Reports what is in the pipe by now: it was written before whatever the process has done since."""
        pipe = self._transport.get_pipe_transport(1) if self._transport is not None else None
        if pipe is None or pipe.is_closing():
            return
        file = pipe.get_extra_info("pipe").fileno()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(file, 65536):
                self.pipe_data_received(1, data)

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()
        self._watcher.started(self)

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._write(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        rest, self._rest = self._rest, b""
        self._write(rest)

    def process_exited(self) -> None:
        # Whatever it had started goes with it, as the whole sandbox does on AWS.
        self.signal(signal.SIGKILL)
        # Its last words are still in the pipe; a child that left the process group may hold that open for ever.
        self._straggler = asyncio.get_running_loop().call_later(_LAST_WORDS, self._close)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._straggler is not None:
            self._straggler.cancel()
        self._close()
        if self._restore is not None:
            self._restore()
        code = self._transport.get_returncode() if self._transport is not None else None
        self._watcher.exited(code or 0)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _write(self, line: bytes) -> None:
        # AWS's client writes the lines of one traceback with a carriage return and no-break spaces, to keep them one
        # record of the log: https://github.com/aws/aws-lambda-python-runtime-interface-client
        for part in line.decode(errors="replace").replace("\xa0", " ").split("\r"):
            if part:
                self._watcher.wrote(part)


def exit_message(code: int) -> str:
    """How a process ended, in the words of the service's log."""
    if code < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"


def _keep_terminal() -> Callable[[], None] | None:
    """What sets the terminal back: a debugger that is killed at its prompt leaves it without echo."""
    try:
        state = termios.tcgetattr(0)
    except (OSError, termios.error):
        return None

    def restore() -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, state)

    return restore
