"""Breakpoints: the function has the terminal, and all the time it wants."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import socket
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.blueprint import Function
from emulator.exceptions import EmulatorError
from emulator.function.service import FunctionService
from emulator.function.spec import command_for, lambda_variables, specify
from tests.emulator.helpers import ROOT, Heard, descendants, until

APP = """
def handler(event, context):
    answer = 1
    breakpoint()
    return {"answer": answer, "left": context.get_remaining_time_in_millis()}
"""
EMULATOR = """
import asyncio, contextlib, os, signal, sys
from pathlib import Path
from emulator.blueprint import Function
from emulator.function.service import FunctionService
from emulator.function.spec import lambda_variables, specify
from emulator.log import Log

async def main():
    folder = Path.cwd()
    function = Function("f", "app.handler", timeout=0.5, concurrency=3)
    variables = {**os.environ, **lambda_variables(folder, "eu-west-1")}
    service = FunctionService({"f": specify(function, folder, variables, debug=True)}, 4, Log())
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGINT, main.cancel)
    try:
        service.start("f")
        answers = await asyncio.gather(*(service.invoke("f", b"{}", "id", 0.5) for _ in range(2)))
        print("answers", [answer.outcome.result().decode() for answer in answers], flush=True)
        service.replace()
        print("third", (await service.invoke("f", b"{}", "id", 0.5)).outcome.result().decode(), flush=True)
    finally:
        await service.stop()

with contextlib.suppress(asyncio.CancelledError):
    asyncio.run(main())
"""


class Terminal:
    """An emulator on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text(APP)
        path = os.pathsep.join([str(folder), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-c", EMULATOR], environment)
        os.set_blocking(self.fd, False)
        self.text = ""

    def expect(self, words: str) -> None:
        """Reads on until it has come to the end of ``words``."""
        end = time.monotonic() + 15
        while words not in self.text:
            assert time.monotonic() < end, self.text
            try:
                self.text += os.read(self.fd, 65536).decode()
            except BlockingIOError:
                time.sleep(0.02)
        self.text = self.text.partition(words)[2]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())


@contextlib.contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    found = Terminal(folder)
    try:
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)
        os.close(found.fd)
        os.waitpid(found.pid, 0)


def test_a_breakpoint_has_the_terminal_and_time(tmp_path: Path) -> None:
    with terminal(tmp_path) as screen:
        screen.expect("(Pdb) ")
        time.sleep(0.8)  # longer than the function and its front door would have
        screen.type("answer = 6 * 7\n")
        screen.expect("(Pdb) ")
        screen.type("c\n")
        # The second request waited for the one environment.
        screen.expect("(Pdb) ")
        screen.type("c\n")
        screen.expect("answers")
        screen.expect('"answer":42')
        screen.expect('"answer":1')
        # After a change of the code the new process gets the terminal when the old one has left it.
        screen.expect("(Pdb) ")
        screen.type("answer = 'third'\n")
        screen.expect("(Pdb) ")
        screen.type("c\n")
        screen.expect('third {"answer":"third","left":86')


def test_ctrl_c_at_a_breakpoint_ends_everything(tmp_path: Path) -> None:
    with terminal(tmp_path) as screen:
        screen.expect("(Pdb) ")
        assert descendants(screen.pid)
        screen.type("\x03")
        assert until(lambda: not descendants(screen.pid), 5)
        # readline had taken echo away.
        assert termios.tcgetattr(screen.fd)[3] & termios.ECHO


def test_an_editor_attaches(tmp_path: Path) -> None:
    pytest.importorskip("debugpy", reason="debugpy is not installed")
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return 'fine'\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, **lambda_variables(tmp_path, "eu-west-1"), "PYTHONPATH": path}
    spec = specify(Function("f", "app.handler"), tmp_path, variables, debug_port=port)

    async def main() -> None:
        before = descendants(os.getpid())
        service = FunctionService({"f": spec}, 1, Heard())
        for _ in range(2):
            assert (await service.invoke("f", b"{}", "id", 0.1)).outcome.result() == b'"fine"'
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await reader.readline()).startswith(b"Content-Length:")  # the debug adapter protocol
            writer.close()
            service.replace()
        await service.stop()
        assert not descendants(os.getpid()) - before

    asyncio.run(main())


def test_debugging_from_an_editor_needs_the_debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmulatorError, match="pip install debugpy"):
        command_for("own", debug_port=5678)


def test_what_a_function_of_a_blueprint_is_started_with(tmp_path: Path) -> None:
    function = Function("worker", "app.work", {"QUEUE": "q"}, timeout=60, memory=2048, concurrency=2)
    spec = specify(function, tmp_path, {"AWS_REGION": "eu-west-1", "QUEUE": "other"})
    assert spec.command == (sys.executable, "-m", "adapter.runtime")
    assert spec.arn == "arn:aws:lambda:eu-west-1:123456789012:function:worker"
    assert (spec.timeout, spec.memory, spec.concurrency, spec.freeze, spec.init_limit) == (60, 2048, 2, True, 10)
    assert spec.variables == {
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "worker",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/worker",
        "_HANDLER": "app.work",
        "QUEUE": "q",
    }
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    assert specify(Function("f", snapstart=True), tmp_path, {}).init_limit == 130
    assert specify(Function("f", snapstart=True, timeout=900), tmp_path, {}).init_limit == 900
