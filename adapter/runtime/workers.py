"""Several processes an environment, for a service that hands out several invocations at once.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-python-runtime.html

Everything is loaded once, before the workers are forked, so that they share its memory.
"""

from __future__ import annotations

import ctypes
import json
import logging
import mmap
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

from .. import snapshots
from ..exceptions import RuntimeAPIError
from .client import Invocation, RuntimeClient
from .immortal import immortalise
from .loop import serve, stop
from .report import Report, tell

logger = logging.getLogger("adapter.workers")

Handler = Callable[[Any, Any], Any]

# A worker that ends within so many seconds of its start is replaced only after as many more.
_TOO_SOON = 1.0
# Seconds that workers get to end when the environment does; the platform allows two in all.
_PATIENCE = 1.5
_LOOK_UP = 0.1
_END = {signal.SIGTERM}
_ID_LENGTH = 64
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def run(address: str, handler: Handler, count: int) -> NoReturn:
    """Keep ``count`` workers serving ``handler`` until the process is told to stop.

    Exit status 1 where the Runtime API at ``address`` is gone, or one of the project's hooks fails.
    """
    snapshots.register()
    try:
        _call(handler, "close")
        snapshots.run_before()
    except Exception as error:
        with closing(RuntimeClient(address)) as client:
            _fail_init(client, error)
    _name_threads()
    # The first one makes Python load a megabyte: once here, not in each worker.
    socket.getaddrinfo(address.rpartition(":")[0], None)
    immortalise()
    pool = _Pool(address, handler, count)
    try:
        pool.keep()
    finally:
        pool.end()


class _Pool:
    """The workers of an environment. Each has a number, which the one that takes its place has after it."""

    def __init__(self, address: str, handler: Handler, count: int) -> None:
        self._address = address
        self._handler = handler
        self._workers: dict[int, tuple[int, float]] = {}  # process id: number, time of its start
        self._due = dict.fromkeys(range(count), 0.0)  # number: time to start
        self._at_hand = mmap.mmap(-1, count * _ID_LENGTH)  # what each worker serves, for when it can't say any more
        self._folder = tempfile.mkdtemp(prefix="workers-")

    def keep(self) -> NoReturn:
        """Start workers, and others in the places of those that end."""
        # The end may come while nothing is done, and only then: elsewhere it would find a worker that is not noted yet.
        signal.pthread_sigmask(signal.SIG_BLOCK, _END)
        while True:
            now = time.monotonic()
            for number in [number for number, due in self._due.items() if due <= now]:
                del self._due[number]
                self._start(number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _END)
            time.sleep(_LOOK_UP)
            signal.pthread_sigmask(signal.SIG_BLOCK, _END)
            for pid in list(self._workers):
                # Only these: the project may have started processes of its own.
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._replace(pid, os.waitstatus_to_exitcode(status))

    def end(self) -> None:
        """End all workers."""
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        while self._workers and time.monotonic() < until:
            time.sleep(0.01)
            for pid in list(self._workers):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del self._workers[pid]
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, number: int) -> None:
        # What is in these buffers, the worker would write too.
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._work(number, parent)
        self._workers[pid] = number, time.monotonic()

    def _replace(self, pid: int, status: int) -> None:
        number, started = self._workers.pop(pid)
        now = time.monotonic()
        too_soon = now - started < _TOO_SOON
        self._due[number] = now + too_soon * _TOO_SOON
        # In the words of the platform, as it says this of a process that it has started itself.
        ending = f"signal: {signal.strsignal(-status)}".lower() if status < 0 else f"exit status {status}"
        tell("ERROR", f"Worker {number} ended ({ending}), and is replaced.")
        invocation = self._at_hand[number * _ID_LENGTH :][:_ID_LENGTH].rstrip(b"\0").decode()
        if invocation:
            self._fail(invocation, ending)
        if status == os.EX_UNAVAILABLE and too_soon:
            sys.exit(1)

    def _fail(self, invocation: str, ending: str) -> None:
        """Nobody else will say that ``invocation`` has come to nothing, and its client would wait."""
        message = f"RequestId: {invocation} Error: Runtime exited with error: {ending}"
        payload = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()
        failed = Invocation({"lambda-runtime-aws-request-id": invocation}, b"")
        # Refused where the worker had answered before it ended.
        with suppress(RuntimeAPIError), closing(RuntimeClient(self._address)) as client:
            client.fail(failed, "Runtime.ExitError", payload, "{}")

    def _work(self, number: int, parent: int) -> NoReturn:
        """Be worker ``number``. Never returns: what is on the stack belongs to the parent."""
        status = 1
        try:
            signal.signal(signal.SIGTERM, stop)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _END)
            _end_with(parent)
            _claim_output()
            _claim_temporary_folder(Path(self._folder, str(number)))
            with closing(_Client(self._address, self._at_hand, number * _ID_LENGTH)) as client:
                try:
                    snapshots.run_after()
                    _call(self._handler, "open")
                except Exception as error:
                    _fail_init(client, error)
                serve(client, self._handler)
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
            if isinstance(ending.code, str):
                tell("ERROR", ending.code)
        except RuntimeAPIError as error:
            tell("ERROR", f"Worker {number}: {error}")
            status = os.EX_UNAVAILABLE
        except BaseException as error:
            Report(error)
        finally:
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(status)


class _Client(RuntimeClient):
    """Notes the id of the invocation at hand where the parent finds it."""

    def __init__(self, address: str, notes: mmap.mmap, offset: int) -> None:
        super().__init__(address)
        self._notes = notes
        self._offset = offset

    def next(self) -> Invocation:
        self._note("")
        invocation = super().next()
        self._note(invocation.request_id)
        return invocation

    def _note(self, request_id: str) -> None:
        note = request_id.encode().ljust(_ID_LENGTH, b"\0")[:_ID_LENGTH]
        self._notes[self._offset : self._offset + _ID_LENGTH] = note


def _call(handler: Handler, name: str) -> None:
    method = getattr(handler, name, None)
    if method is not None:
        method()


def _fail_init(client: RuntimeClient, error: Exception) -> NoReturn:
    report = Report(error)
    # Refused where another worker has said so already, or serves.
    with suppress(RuntimeAPIError):
        client.fail_init(report.error_type, report.payload)
    sys.exit(1)


def _name_threads() -> None:
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        logger.warning(
            "Threads that were started in INIT are not there in the workers: %s. Start them when they are first "
            "needed, or in a function registered with os.register_at_fork(after_in_child=...).", ", ".join(others),
        )  # fmt: skip


def _end_with(parent: int) -> None:
    """Be told to end when ``parent`` is gone, be it killed; on Lambda the environment goes with it, elsewhere not."""
    with suppress(AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


def _claim_output() -> None:
    """A stream of log lines of the worker's own, where the service offers one."""
    path = os.environ.get("_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET")
    if path:
        try:
            for descriptor in (1, 2):
                with socket.socket(socket.AF_UNIX) as provider:
                    provider.connect(path)
                    os.dup2(provider.fileno(), descriptor)
        except OSError as error:
            tell("ERROR", f"This worker's log lines go where those of all go, as there is nobody at {path}: {error}")


def _claim_temporary_folder(folder: Path) -> None:
    """``/tmp`` is shared by all workers; names that a project chooses in it must not meet."""
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
