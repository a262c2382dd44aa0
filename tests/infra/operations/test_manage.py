"""Management commands: what goes to the function, and what comes back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.operations import calling
from tests.infra.functions import Lambda
from tests.infra.operations.conftest import Run


def test_prints_what_the_command_prints_and_exits_as_it_does(run: Run, functions: Lambda) -> None:
    done = run("manage", "check")
    assert (done.exit_code, done.stdout) == (0, "System check identified no issues (0 silenced).\n")
    assert "check exits with 0" in done.stderr
    assert functions.calls[0][:2] == ("shop-production-console", "live")


@pytest.mark.parametrize(("code", "exit_code"), [("raise SystemExit(3)", 3), ("raise ValueError('no')", 1)])
def test_exits_with_the_commands_own_code(run: Run, functions: Lambda, code: str, exit_code: int) -> None:
    done = run("manage", "shell", "-c", f"print('begun'); {code}")
    assert done.exit_code == exit_code
    assert "begun\n" in done.stdout
    assert ("ValueError: no" in done.stdout) == (exit_code == 1)


def test_a_command_that_is_not_there_is_named(run: Run, functions: Lambda) -> None:
    done = run("manage", "migrat")
    assert done.exit_code == 1
    assert "Unknown command: 'migrat'" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["shell", "--command", "print('a  b', \"c\\n\")"],
        ["check", "-h"],
        ["check", "--help", "--stage", "x", "--environment", "y"],
        ["loaddata", "--", "-", ""],
        ["dumpdata", "auth.user", "--indent=2", "-o", "ä ö.json", "*"],
    ],
)
def test_what_follows_the_command_is_the_commands_own(run: Run, functions: Lambda, arguments: list[str]) -> None:
    run("manage", *arguments)
    assert functions.calls[0][2] == {"manage": arguments, "environment": {}}


def test_an_unknown_option_before_the_command_is_refused(run: Run, functions: Lambda) -> None:
    done = run("manage", "--noinput", "migrate")
    assert done.exit_code == 2
    assert "No such option" in done.stderr
    assert not functions.calls


def test_creates_a_superuser_whose_password_stays_unseen(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "planted-password")
    assert run("manage", "migrate", "--verbosity", "0").exit_code == 0
    done = run(
        "manage", "--environment", "DJANGO_SUPERUSER_PASSWORD", "createsuperuser",
        "--noinput", "--username", "ada", "--email", "ada@example.com",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "Superuser created successfully.\n")
    assert "planted" not in done.output + "".join(functions.logs)
    left = run("manage", "shell", "-c", "import os; print(os.environ.get('DJANGO_SUPERUSER_PASSWORD'))")
    assert left.stdout.splitlines()[-1] == "None"
    with_it = "from django.contrib.auth import authenticate as a; print(a(username='ada', password='planted-password'))"
    assert run("manage", "shell", "-c", with_it).stdout.splitlines()[-1] == "ada"


@pytest.mark.parametrize(("name", "said"), [("MISSING", "no variable MISSING"), ("PASSWORD=x1y2", "the name alone")])
def test_a_variable_to_hand_on_has_to_be_there(run: Run, functions: Lambda, name: str, said: str) -> None:
    done = run("manage", "--environment", name, "check")
    assert done.exit_code == 1
    assert said in done.stderr
    assert "x1y2" not in done.stderr
    assert not functions.calls


def test_a_function_that_fails_is_quoted(run: Run, functions: Lambda) -> None:
    functions.failure = {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Error: Task timed out after 900.00 seconds",
    }
    done = run("manage", "migrate")
    assert done.exit_code == 1
    assert "Sandbox.Timedout" in done.stderr
    assert "Task timed out after 900.00 seconds" in done.stderr
    assert "django-faas logs --request " in done.stderr


def test_a_function_that_fails_without_a_traceback_shows_its_log(run: Run, functions: Lambda) -> None:
    functions.failure = {"errorType": "Runtime.ExitError", "errorMessage": "exit status 1\x1b[2J"}
    functions.log = '{"level":"ERROR","message":"no memory","logger":"shop"}\nSTART RequestId: x\nprinted\n'
    done = run("manage", "migrate")
    assert (
        "Runtime.ExitError: exit status 1\\x1b[2J\nThe end of its log:\n  shop: no memory\n  printed\n" in done.stderr
    )


def test_ctrl_c_ends_the_wait_and_says_that_the_command_goes_on(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calling, "_keeping_alive", interrupted)
    done = run("manage", "migrate")
    assert done.exit_code == 130
    assert "goes on" in done.stderr


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("429 Too Many Requests", "TooManyRequestsException", "reserved concurrency"),
        ("404 Not Found", "ResourceNotFoundException", "behind the alias live"),
        ("413 Request Entity Too Large", "RequestTooLargeException", "6 MB"),
        ("403 Forbidden", "AccessDeniedException", "lack a permission for Invoke"),
        ("500 Internal Server Error", "ServiceException", "ServiceException"),
    ],
)
def test_what_lambda_refuses_is_explained_and_not_tried_again(
    run: Run, functions: Lambda, status: str, code: str, said: str
) -> None:
    functions.refusal = (status, code, "No.")
    done = run("manage", "migrate")
    assert done.exit_code == 1
    assert said in done.stderr
    assert len(functions.calls) == 1


def test_an_answer_to_another_question_is_told_from_a_commands(run: Run, functions: Lambda) -> None:
    functions.answer = {"statusCode": 200}
    done = run("manage", "migrate")
    assert done.exit_code == 1
    assert "statusCode" in done.stderr
    assert "adapter.entrypoint.handler" in done.stderr


def test_a_connection_that_breaks_is_not_made_again(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            listening.settimeout(10)
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                accepted.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{listening.getsockname()[1]}")
        done = run("manage", "migrate")
        thread.join()
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert len(accepted) == 1
    assert done.exit_code == 1
    assert "may still run" in done.stderr


def test_the_connection_is_probed_while_the_command_runs(
    run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []
    original = socket.socket.setsockopt

    def noted(self: socket.socket, *option: Any) -> None:
        chosen.append(option)
        original(self, *option)

    monkeypatch.setattr(socket.socket, "setsockopt", noted)
    run("manage", "check")
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in chosen
    idle = [value for level, name, value in chosen if (level, name) == (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)]
    assert idle
    assert idle[0] < 350


def test_waits_for_longer_than_a_function_can_run(run: Run, functions: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.httpsession

    waits = []
    made = botocore.httpsession.URLLib3Session.__init__

    def noted(self: Any, *positional: Any, **named: Any) -> None:
        waits.append(named["timeout"])
        made(self, *positional, **named)

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "__init__", noted)
    run("manage", "check")
    assert waits[-1][1] > calling.LONGEST == 900


def test_without_a_stack_it_says_how_to_get_one(run: Run, aws: Any) -> None:
    done = run("manage", "--stage", "staging", "migrate")
    assert done.exit_code == 1
    assert "There is no stack shop-staging in eu-central-1" in done.stderr
    assert "django-faas deploy" in done.stderr


def test_as_a_command_of_the_shell(functions: Lambda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code and output through the whole command line; the password is in no list of processes."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("PLANTED", "planted-in-environment")
    code = "import os, sys, time; time.sleep(1); print(len(os.environ['PLANTED'])); sys.exit(7)"
    command = [sys.executable, "-m", "infra", "manage", "--environment", "PLANTED", "shell", "-c", code]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        seen = b""
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen += path.read_bytes()
                except OSError:
                    continue
            time.sleep(0.1)
        assert process.stdout is not None
        assert process.stdout.read().splitlines()[-1] == b"22"
    assert process.returncode == 7
    assert b"--environment" in seen
    assert b"planted-in-environment" not in seen
    assert functions.calls[0][2]["manage"] == ["shell", "-c", code]
