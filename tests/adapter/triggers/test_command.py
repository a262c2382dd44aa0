"""Management commands: what comes back of them, and that nothing of them stays."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import LambdaHandler, MalformedEventError
from adapter.triggers import command

from .events import Context

pytestmark = pytest.mark.usefixtures("as_function")


def manage(handler: LambdaHandler, *argv: str, seconds: float = 60, **environment: str) -> tuple[int, str]:
    event = {"manage": list(argv), "environment": environment} if environment else {"manage": list(argv)}
    answer = handler(event, Context(seconds))
    assert answer.keys() == {"exit", "output"}
    json.dumps(answer)
    return answer["exit"], answer["output"]


def shell(code: str) -> tuple[str, ...]:
    return "shell", "--no-imports", "-c", textwrap.dedent(code)


def test_output_comes_back_in_the_order_in_which_it_was_written(handler: LambdaHandler) -> None:
    code = """
        import os, sys
        for number in range(3):
            print("out", number)
            print("err", number, file=sys.stderr)
        os.system("echo a process of its own")
        print("ä€")
    """
    lines = "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\na process of its own\nä€\n"
    assert manage(handler, *shell(code)) == (0, lines)


@pytest.mark.parametrize(
    ("argv", "status", "output"),
    [
        (["--version"], 0, "."),
        (["nosuchcommand"], 1, "Unknown command: 'nosuchcommand'"),
        (["migrate", "nosuchapp"], 1, "CommandError: No installed app with label 'nosuchapp'."),
        (["migrate", "--nosuchoption"], 2, "unrecognized arguments: --nosuchoption"),
        (shell("import sys; sys.exit(3)"), 3, ""),
        (shell("1 / 0"), 1, "Traceback (most recent call last)"),
        (shell("import os; os.abort()"), 128 + signal.SIGABRT, ""),
    ],
)
def test_the_exit_status_is_that_of_a_terminal(
    handler: LambdaHandler, argv: list[str], status: int, output: str
) -> None:
    exit_status, said = manage(handler, *argv)
    assert exit_status == status, said
    assert output in said


def test_arguments_arrive_as_they_were_sent(handler: LambdaHandler) -> None:
    awkward = "two words \"quoted\" 'twice' $HOME * \\ ä\n--option"
    code = "from django.core.management import get_commands; import sys; print(ascii(sys.argv[-1]))"
    status, said = manage(handler, "shell", "--no-imports", "-c", f"{code}; {awkward!r}")
    assert (status, said) == (0, f"{f'{code}; {awkward!r}'!a}\n")


def test_the_environment_is_for_the_command_alone(handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    code = "import os; print(os.environ['DJANGO_SUPERUSER_PASSWORD'], os.environ['HOME'] == '/nowhere')"
    assert manage(handler, *shell(code), DJANGO_SUPERUSER_PASSWORD="hunter2", HOME="/nowhere") == (0, "hunter2 True\n")
    assert "DJANGO_SUPERUSER_PASSWORD" not in os.environ
    assert "hunter2" not in caplog.text
    assert "manage.py shell: exit status 0 after" in caplog.text
    assert manage(handler, *shell(code))[0] == 1


def test_settings_see_the_commands_environment(handler: LambdaHandler) -> None:
    code = "from django.conf import settings; print(settings.ROOT_URLCONF)"
    status, said = manage(handler, *shell(code), DJANGO_SETTINGS_MODULE="tests.adapter.triggers.other_settings")
    assert (status, said) == (0, "elsewhere.urls\n")


def test_nobody_answers_a_question(handler: LambdaHandler) -> None:
    status, said = manage(handler, *shell("print(input('Are you sure? '))"))
    assert status == 1
    assert "Are you sure? " in said
    assert "EOFError" in said


@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_a_command_is_ended_before_the_function_is(
    handler: LambdaHandler, stubborn: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(5)
    code = f"import os, signal, time; {stubborn}print(os.getpid()); time.sleep(60)"
    answer = handler({"manage": list(shell(code))}, context)
    assert context.get_remaining_time_in_millis() > 500
    process, note = answer["output"].splitlines()
    assert note == "shell was ended after 4 s, as the function's time limit is near."
    assert answer["exit"] == 124
    assert not Path("/proc", process).exists()
    assert "manage.py shell: exit status 124" in caplog.text


def test_where_no_time_is_left_no_command_lives_on(handler: LambdaHandler) -> None:
    status, said = manage(handler, *shell("print('begun')"), seconds=0.5)
    assert status == 124
    assert "begun" not in said


def test_what_a_command_leaves_behind_is_not_waited_for(handler: LambdaHandler) -> None:
    code = "import os; os.system('sleep 30 & echo $!')"
    started = time.monotonic()
    status, said = manage(handler, *shell(code))
    os.kill(int(said), signal.SIGKILL)
    assert status == 0
    assert time.monotonic() - started < 15


def test_a_command_that_closes_its_output_is_still_waited_for(handler: LambdaHandler) -> None:
    code = "import os, sys, time; os.close(1); os.close(2); time.sleep(0.5); os._exit(5)"
    assert manage(handler, *shell(code)) == (5, "")


def test_of_too_much_output_the_end_is_kept(handler: LambdaHandler) -> None:
    code = "for number in range(13_000): print(f'line {number:995}')"
    status, said = manage(handler, *shell(code))
    assert status == 0
    assert len(json.dumps(said)) <= 5_000_100
    first, *_, last = said.splitlines()
    assert first.startswith("[... 8,")
    assert first.endswith(" bytes left out ...]")
    assert last.split() == ["line", "12999"]


@given(st.lists(st.binary(max_size=400), max_size=20), st.integers(50, 300))
def test_what_is_kept_is_the_end_and_small_enough(pieces: list[bytes], size: int) -> None:
    kept = command._End(size)
    for piece in pieces:
        kept.add(piece)
    whole, said = b"".join(pieces).decode("utf-8", "replace"), kept.text()
    if len(json.dumps(whole)) <= size:
        assert said == whole
        return
    note, _, rest = said.partition("\n")
    assert note.startswith("[... ")
    assert len(json.dumps(rest)) <= size
    # Where it is cut, a character may be, too.
    assert whole.endswith(rest.lstrip("\N{REPLACEMENT CHARACTER}"))


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"manage": "migrate --noinput"}, "manage is no list of texts with a command in it"),
        ({"manage": []}, "manage is no list"),
        ({"manage": ["sleep", 5]}, "manage is no list"),
        ({"manage": ["a\0b"]}, "manage is no list"),
        ({"manage": None}, "manage is no list"),
        ({"manage": ["check"], "environment": ["A=b"]}, "environment is no map"),
        ({"manage": ["check"], "environment": {"A": 5}}, "environment is no map"),
        ({"manage": ["check"], "environment": {"A=B": "c"}}, "environment is no map"),
        ({"manage": ["check"], "environment": {"": "c"}}, "environment is no map"),
        ({"manage": ["check"], "environ": {}, "also": 1}, "nothing is known of also, environ"),
    ],
)
def test_an_event_of_the_wrong_form_is_named(handler: LambdaHandler, event: dict[str, Any], problem: str) -> None:
    with pytest.raises(MalformedEventError, match=f"a management command, but {problem}") as caught:
        handler(event, Context())
    assert '{"manage": ["COMMAND", "ARGUMENT", ...]}' in str(caught.value)
    assert "noinput" not in str(caught.value)


SERVE = """
import json, os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.project.settings"
import django
django.setup()
from adapter import LambdaHandler
from tests.project import wsgi
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
code = "import os, time; print(os.getpid(), file=open(" + repr(sys.argv[1]) + ", 'w'), flush=True); time.sleep(60)"
LambdaHandler(wsgi.application)({"manage": ["shell", "--no-imports", "-c", code]}, None)
"""


def test_a_command_ends_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", SERVE, str(noted)]) as process:
        end = time.monotonic() + 30
        while not (noted.exists() and noted.read_text()):
            assert time.monotonic() < end
            time.sleep(0.05)
        process.terminate()
        assert process.wait(10) == 0
    assert not Path("/proc", noted.read_text().strip()).exists()
