"""What a stage has come to, and the way to its page."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.artifacts import Artifacts, Release
from infra.clients import Clients
from infra.configuration import Stage
from tests.emulator.helpers import until
from tests.infra.aws import ACCOUNT, Aws, package
from tests.infra.operations.conftest import Run
from tests.infra.operations.terminals import on_terminal

STACK = "shop-production"


def rows(run: Run) -> dict[str, list[str]]:
    """What the report says, by what it says it of."""
    done = run("status")
    assert done.exit_code == 0, done.output
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        found.setdefault(line[:11].strip(), []).append(line[11:])
    return found


def deploy(aws: Aws, kind: str) -> str:
    """A new version of a function, which its alias names from now on."""
    service, name = aws.client("lambda"), f"{STACK}-{kind}"
    content = package(f"print({len(service.list_versions_by_function(FunctionName=name)['Versions'])})")
    version = service.update_function_code(FunctionName=name, ZipFile=content, Publish=True)["Version"]
    service.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return str(version)


@pytest.fixture
def artifacts(aws: Aws) -> Iterator[Artifacts]:
    with closing(Clients(Stage("production", STACK))) as clients:
        made = Artifacts(clients, ACCOUNT, STACK)
        made.prepare()
        yield made


def test_a_stack_that_others_have_deployed(run: Run, aws: Aws) -> None:
    found = rows(run)
    assert found["production"] == [f"stack {STACK} in eu-central-1, CREATE_COMPLETE"]
    assert found["site"] == [aws.site.url]
    assert re.fullmatch(r"version 1 of \d{4}-\d\d-\d\d \d\d:\d\d", found["web"][0])
    assert "release" not in found
    assert "no other version has served" in found["rollback"][0]
    assert found["jobs"] == ["0 waiting, 0 at work, 0 for later"]
    assert found["dead jobs"] == ["none"]


def test_releases_and_the_way_back(run: Run, aws: Aws, artifacts: Artifacts) -> None:
    start = datetime(2026, 11, 1, 12, tzinfo=UTC)
    for days in range(6):
        artifacts.record(Release(start + timedelta(days), deploy(aws, "web"), {}))
    found = rows(run)
    assert found["web"][0].startswith("version 7 of ")
    assert len(found["release"]) == 5
    day = f"{(start + timedelta(5)).astimezone():%Y-%m-%d %H:%M}"
    assert found["release"][0] == f"version 7 from {day} on, serves"
    assert not found["release"][1].endswith(", serves")
    assert found["rollback"][0].startswith("would go to version 6, which served from 2026-11-05 ")

    aws.client("lambda").update_alias(FunctionName=f"{STACK}-web", Name="live", FunctionVersion="6")
    artifacts.record(Release(start + timedelta(6), "6", {}, withdrawn="7"))
    found = rows(run)
    assert found["web"][0].startswith("version 6 of ")
    assert found["release"][0].endswith(" on, in place of 7, serves")
    assert found["rollback"][0].startswith("would go to version 5, ")


def test_requests_on_their_way_to_another_version(run: Run, aws: Aws) -> None:
    newest = deploy(aws, "console")
    shares = {"AdditionalVersionWeights": {newest: 0.1}}
    aws.client("lambda").update_alias(
        FunctionName=f"{STACK}-console", Name="live", FunctionVersion="1", RoutingConfig=shares
    )
    assert rows(run)["console"][0].endswith(f"; 10% of the calls go to version {newest}")


def test_a_function_that_nothing_comes_to(run: Run, aws: Aws) -> None:
    aws.client("lambda").delete_alias(FunctionName=f"{STACK}-worker", Name="live")
    assert rows(run)["worker"] == ["no version serves: there is no alias live"]


def test_the_queue_and_what_was_given_up(run: Run, aws: Aws) -> None:
    outputs = aws.cloudformation.settle(STACK)
    sqs = aws.client("sqs")
    for number in range(3):
        sqs.send_message(QueueUrl=outputs["JobsQueueUrl"], MessageBody="x", DelaySeconds=600 if number == 2 else 0)
    sqs.receive_message(QueueUrl=outputs["JobsQueueUrl"], MaxNumberOfMessages=1)
    sqs.send_message(QueueUrl=outputs["DeadJobsQueueUrl"], MessageBody="x")
    found = rows(run)
    assert found["jobs"] == ["1 waiting, 1 at work, 1 for later"]
    assert found["dead jobs"][0].startswith("1 given up; see why: django-faas logs ")


def test_alarms_of_this_stack_alone(run: Run, aws: Aws) -> None:
    service = aws.client("cloudwatch")
    for name in (f"{STACK}-Errors-1A2B", f"{STACK}-Slow-3C4D", f"{STACK}-eu-Errors-5E6F"):
        service.put_metric_alarm(
            AlarmName=name, MetricName="Errors", Namespace="AWS/Lambda", Statistic="Sum", Period=60, Threshold=1,
            EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        service.set_alarm_state(AlarmName=name, StateValue="ALARM" if "Errors" in name else "OK", StateReason="3 > 1")
    stack = next(stack for stack in aws.cloudformation.stacks if stack.name == STACK)
    for logical in ("Errors-1A2B", "Slow-3C4D"):
        stack.resources[logical] = ("AWS::CloudWatch::Alarm", f"{STACK}-{logical}")
    found = rows(run)
    assert len(found["alarm"]) == 1
    assert re.fullmatch(rf"{STACK}-Errors-1A2B since \d{{4}}-\S+ \d\d:\d\d: 3 > 1", found["alarm"][0])
    assert found["alarms"] == ["1 quiet"]


@pytest.mark.parametrize(
    ("command", "arguments"), [("status", []), ("open", []), ("logs", []), ("invoke", []), ("manage", ["check"])]
)
def test_where_nothing_was_deployed(run: Run, aws: Aws, command: str, arguments: list[str]) -> None:
    done = run(command, "--stage", "staging", *arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: There is no stack shop-staging in eu-central-1. Deploy it first")


def test_where_nobody_is_signed_in(run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    done = run("status")
    assert done.exit_code == 1
    assert "aws sso login" in done.stderr


def test_the_address_alone_where_there_is_no_terminal(
    run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = browser(tmp_path, monkeypatch)
    assert run("open").stdout == f"{aws.site.url}\n"
    assert not opened.exists()


def test_opens_the_browser(aws: Aws, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened = browser(tmp_path, monkeypatch)
    code, screen = on_terminal(["open"], tmp_path / "shop", os.environ)
    assert code == 0, screen
    assert screen == f"{aws.site.url}\r\n"
    assert until(opened.exists)
    assert opened.read_text() == aws.site.url


def browser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A browser that writes down what it is to show, and where."""
    shown, program = folder / "shown", folder / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" >{shown}.part && mv {shown}.part {shown}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", str(program))
    return shown


def test_colours_for_a_terminal_that_wants_them(aws: Aws, run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    _, screen = on_terminal(["status"], tmp_path / "shop", os.environ)
    assert "\x1b[1m" in screen
    _, screen = on_terminal(["status"], tmp_path / "shop", {**os.environ, "NO_COLOR": "1"})
    assert "\x1b" not in screen


def test_the_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, infra.operations.cli; "
        "print([name for name in ('boto3', 'botocore', 'django', 'moto', 'aiohttp', 'asyncio') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
