"""Management commands: ``{"manage": ["migrate", "--noinput"]}`` runs one, and answers its exit status and its output.

The command runs in a process of its own, as it would from a terminal: it may call sys.exit, change any state, hang, or
read other settings than this process by the ``environment`` it is given, and nothing of it stays behind for what is
served next. The price is another boot of the project.

Whoever may invoke the function may run any command; that is for IAM alone to say, as no front door can send this event.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import limits
from ..exceptions import MalformedEventError

if TYPE_CHECKING:
    import subprocess

logger = logging.getLogger("adapter.triggers")

MARGIN = 1.0
"""Seconds before the function's time limit at which a command is ended, so that its output is not lost with it."""

KEPT = 5_000_000
"""Bytes of output, as JSON, that are handed back: of 6 MB that an answer may have.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

ENDED = 124  # as timeout(1) has it
_PATIENCE = 0.3  # seconds for a command to end by itself when it is told to
_LOOK_UP = 0.2

# As to a terminal, line by line: else what goes to stderr would overtake it.
_MANAGE = """
import sys
sys.stdout.reconfigure(line_buffering=True)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""

_REMEDY = (
    'Send {"manage": ["COMMAND", "ARGUMENT", ...]}, each argument a text of its own, and variables for the command '
    'alone under "environment": {"NAME": "VALUE"}.'
)


class Outcome(NamedTuple):
    """How a command has ended; ``output`` is what it wrote to stdout and stderr, in the order in which it did."""

    exit: int
    output: str


def recognises(event: dict[str, Any]) -> bool:
    return "manage" in event


def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
    argv, environment = read(event, {"manage", "environment"})
    return run(argv, environment, limits.seconds_left(context, MARGIN))._asdict()


def read(event: dict[str, Any], known: set[str]) -> tuple[list[str], dict[str, str]]:
    """The command of ``event`` and variables for it; `MalformedEventError`, also for a key that is not ``known``."""
    argv, environment = event["manage"], event.get("environment", {})
    if not (isinstance(argv, list) and argv and all(map(_is_text, argv))):
        problem = "manage is no list of texts with a command in it"
    elif not (
        isinstance(environment, dict)
        and all(_is_text(name) and name and "=" not in name for name in environment)
        and all(map(_is_text, environment.values()))
    ):
        problem = "environment is no map of variables' names to texts"
    elif event.keys() - known:
        problem = f"nothing is known of {', '.join(sorted(event.keys() - known))}"
    else:
        return argv, environment
    raise MalformedEventError("a management command", problem, event, _REMEDY)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def run(argv: list[str], environment: dict[str, str], seconds: float | None) -> Outcome:
    """Run ``manage.py *argv`` with ``environment`` besides the function's own; ended after ``seconds`` with status 124.

    The log hears of the command's name and status alone: arguments and output may be somebody's secrets.
    """
    import subprocess

    started = monotonic()
    reading, writing = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _MANAGE, *argv],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # a runtime may have added folders to it
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
            )
        finally:
            os.close(writing)
        try:
            output, in_time = _follow(process, reading, None if seconds is None else started + seconds)
        finally:
            _end(process)
    finally:
        os.close(reading)
    status = process.returncode
    if not in_time:
        status = ENDED
        note = f"{argv[0]} was ended after {max(seconds or 0, 0):.0f} s, as the function's time limit is near.\n"
        output += note if not output or output.endswith("\n") else f"\n{note}"
    elif status < 0:
        status = 128 - status  # as a shell tells of a signal
    logger.log(
        logging.WARNING if status else logging.INFO,
        "manage.py %s: exit status %d after %.1f s", argv[0], status, monotonic() - started,
    )  # fmt: skip
    return Outcome(status, output)


def _follow(process: subprocess.Popen[bytes], pipe: int, deadline: float | None) -> tuple[str, bool]:
    """What ``process`` writes to ``pipe`` until it ends, and whether it did so before ``deadline`` (monotonic clock).

    A process that the command has left behind may hold the pipe open: nobody waits for it.
    """
    import select

    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    kept = _End(KEPT)
    while deadline is None or monotonic() < deadline:
        wait = _LOOK_UP if deadline is None else max(0.0, min(_LOOK_UP, deadline - monotonic()))
        ended = process.poll() is not None
        if poll.poll(wait * 1000):
            written = os.read(pipe, 65_536)
            if not written:
                return kept.text(), _ends(process, deadline)
            kept.add(written)
        elif ended:
            return kept.text(), True
    return kept.text(), False


def _ends(process: subprocess.Popen[bytes], deadline: float | None) -> bool:
    """Whether ``process``, which has closed its output, ends in time."""
    import subprocess

    try:
        process.wait(None if deadline is None else deadline - monotonic())
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    import subprocess

    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _End:
    """Keeps the end of what is added: at most ``size`` bytes as JSON."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = bytearray()
        self._dropped = 0

    def add(self, written: bytes) -> None:
        self._kept += written
        if len(self._kept) > 2 * self._size:  # not each time, as what is left has to be moved
            self._drop(len(self._kept) - self._size)

    def text(self) -> str:
        # A character takes up to six bytes as JSON: how much is too much shows only when it is made.
        while (size := len(json.dumps(self._kept.decode("utf-8", "replace")))) > self._size:
            self._drop(max(1, len(self._kept) - len(self._kept) * self._size // size))
        said = self._kept.decode("utf-8", "replace")
        return f"[... {self._dropped:,} bytes left out ...]\n{said}" if self._dropped else said

    def _drop(self, count: int) -> None:
        del self._kept[:count]
        self._dropped += count
