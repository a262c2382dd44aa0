"""Scheduled commands: the log has what they wrote, and one that fails, fails the invocation."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from adapter import LambdaHandler, MalformedEventError, UnknownEventError
from adapter.exceptions import CommandFailed

from .events import Context

pytestmark = pytest.mark.usefixtures("as_function")


def scheduled(*argv: str, **fields: Any) -> dict[str, Any]:
    return {"manage": list(argv), "schedule": "nightly", **fields}


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "adapter.triggers"]


def test_what_a_command_writes_goes_to_the_log(handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    code = "import os; print(os.environ['SHOP'])"
    event = scheduled("shell", "--no-imports", "-c", code, environment={"SHOP": "two books\nfor Ada"})
    assert handler(event, Context()) == {"exit": 0}
    (_, status), output = told(caplog)
    assert status.startswith("manage.py shell: exit status 0 after")
    assert output == (logging.INFO, "two books\nfor Ada")


def test_a_command_that_fails_fails_the_invocation(handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandFailed, match="migrate of the schedule nightly has ended with exit status 1; its output"):
        handler(scheduled("migrate", "nosuchapp"), Context())
    assert (logging.ERROR, "CommandError: No installed app with label 'nosuchapp'.") in told(caplog)


def test_one_that_takes_too_long_fails_as_well(handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(CommandFailed, match="exit status 124"):
        handler(scheduled("shell", "--no-imports", "-c", "import time; time.sleep(60)"), Context(1.5))
    assert "shell was ended after" in caplog.text


@pytest.mark.parametrize(
    "event",
    [
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
        {
            "version": "0",
            "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": "2015-10-08T16:53:06Z",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],
            "detail": {},
        },
        {"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"},
    ],
)
def test_a_schedule_without_input_is_told_what_to_set(handler: LambdaHandler, event: dict[str, Any]) -> None:
    with pytest.raises(
        UnknownEventError, match=r'set its Input to \{"manage": \["COMMAND", "ARGUMENT", \.\.\.\], "sch'
    ):
        handler(event, Context())


@pytest.mark.parametrize("name", [None, 7, ["nightly"]])
def test_a_schedules_name_is_text(handler: LambdaHandler, name: Any) -> None:
    with pytest.raises(MalformedEventError, match="a schedule, but schedule is not text"):
        handler(scheduled("check", schedule=name), Context())


def test_a_key_that_is_not_known_is_named(handler: LambdaHandler) -> None:
    with pytest.raises(MalformedEventError, match="nothing is known of enviroment"):
        handler(scheduled("check", enviroment={}), Context())
