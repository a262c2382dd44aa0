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
from typing import Protocol, cast

_LONGEST_LINE = 64 * 1024
_READ = 64 * 1024
# What a pipe can be made to hold by whoever has no special rights: https://man7.org/linux/man-pages/man7/pipe.7.html
_PIPE = 1024 * 1024


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

    def __init__(self, watcher: Watcher, output: int | None, restore: Callable[[], None] | None) -> None:
        self.pid = 0
        self._watcher = watcher
        self._output = output
        self._restore = restore
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = b""

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
        restore = _keep_terminal() if terminal else None
        # One pipe for both outputs keeps their lines in the order they were written in. It is not the event loop's own,
        # as `read_on` has to read it at once.
        output, theirs = (None, None) if terminal else os.pipe()
        process = cls(watcher, output, restore)
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: process,
                *command,
                stdin=None if terminal else subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=folder,
                env=variables,
                start_new_session=True,
            )
        except BaseException:
            process._close()
            raise
        finally:
            if theirs is not None:
                os.close(theirs)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def read_on(self) -> None:
        """Reports what is in the pipe by now: it was written before whatever the process has done since."""
        # No more than a pipe holds: who writes all the time must not keep the emulator from everything else.
        for _ in range(_PIPE // _READ):
            if not self._read():
                break

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()
        if self._output is not None:
            os.set_blocking(self._output, False)
            asyncio.get_running_loop().add_reader(self._output, self._read)
        self._watcher.started(self)

    def process_exited(self) -> None:
        # Whatever it had started goes with it, as the whole sandbox does on AWS; what has left the process group may
        # hold the pipe open for ever.
        self.signal(signal.SIGKILL)
        self.read_on()
        self._close()
        if self._restore is not None:
            self._restore()
        code = None
        if self._transport is not None:
            code = self._transport.get_returncode()
            self._transport.close()
        self._watcher.exited(code or 0)

    def _read(self) -> bool:
        """Reports what one read gives; whether there may be more."""
        if self._output is None:
            return False
        try:
            data = os.read(self._output, _READ)
        except BlockingIOError:
            return False
        if not data:
            self._close()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._write(line)
        return True

    def _close(self) -> None:
        """The end of the output; its last line may lack an end."""
        if self._output is not None:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = None
            rest, self._rest = self._rest, b""
            self._write(rest)

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
