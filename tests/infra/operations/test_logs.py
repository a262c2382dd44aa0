"""The functions' logs: what is there, what is said of one request, what comes while following."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from infra.clients import Clients
from infra.configuration import Stage
from infra.operations import logs
from tests.infra.aws import Aws
from tests.infra.functions import Lambda
from tests.infra.operations.conftest import Run

WEB, WORKER = "shop-production-web", "shop-production-worker"
GROUP = "/aws/lambda/shop-production"
ONE, OTHER = "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "0c8f9d7e-1111-4aaa-8bbb-2dfe598c3fcd"
_streams = count(1)


@pytest.fixture(autouse=True)
def _empty(aws: Aws) -> None:
    """Logs without a line in them."""
    client = aws.client("logs")
    for there in client.describe_log_groups()["logGroups"]:
        client.delete_log_group(logGroupName=there["logGroupName"])
    for name in (GROUP, f"/aws/lambda/{WEB}", f"/aws/lambda/{WORKER}"):
        client.create_log_group(logGroupName=name)


class Log:
    """A stream of a function's; as Lambda calls it, which is by the function's name, save in its own ``group``."""

    def __init__(self, aws: Aws, function: str, group: str = GROUP) -> None:
        self._client = aws.client("logs")
        writer = "" if group == f"/aws/lambda/{function}" else function
        self._place = {"logGroupName": group, "logStreamName": f"2026/11/23/{writer}[1]{next(_streams)}"}
        self._client.create_log_stream(**self._place)

    def write(self, *lines: str, ago: float = 5, spread: int = 1) -> None:
        """Each ``spread`` milliseconds later than the one before."""
        start = int((time.time() - ago) * 1000)
        events = [{"timestamp": start + number * spread, "message": line} for number, line in enumerate(lines)]
        self._client.put_log_events(**self._place, logEvents=events)


def record(message: str, request_id: str = ONE, level: str = "INFO", **more: Any) -> str:
    return json.dumps({"level": level, "message": message, "logger": "shop", "requestId": request_id, **more})


def texts(output: str) -> list[str]:
    """The lines without the day's, times and spaces."""
    return [" ".join(re.sub(r"^\d\d:\d\d:\d\d\.\d{3}", "", line).split()) for line in output.splitlines()[1:]]


def test_lines_of_all_functions_by_their_times(run: Run, aws: Aws) -> None:
    Log(aws, WEB).write(record("sold", basket="b 7"), record("paid"), spread=1000)
    Log(aws, WORKER).write("START RequestId: x", record("mailed", OTHER, "WARNING"), ago=4.5)
    done = run("logs")
    assert done.exit_code == 0, done.output
    assert texts(done.stdout) == [
        'web INFO shop: sold basket="b 7" 8476a536',
        "worker WARNING shop: mailed 0c8f9d7e",
        "web INFO shop: paid 8476a536",
    ]
    assert texts(run("logs", "--function", "worker").stdout) == ["worker WARNING shop: mailed 0c8f9d7e"]


def test_what_the_function_itself_has_logged(run: Run, aws: Aws, functions: Lambda) -> None:
    """From the adapter's own log to the terminal."""
    run("invoke", "--function", "worker", "--path", "/admin/")  # which has no origin secret in its configuration
    Log(aws, WORKER).write(*functions.logs[0].splitlines())
    out = texts(run("logs").stdout)
    assert out[0].startswith("worker WARNING adapter: GET ")
    assert "refused: it did not come through the CDN" in out[0]


def test_a_traceback_stands_below_its_line(run: Run, aws: Aws) -> None:
    stack = ["Traceback (most recent call last):\n", '  File "a.py", line 1\n', "ValueError: no"]
    Log(aws, WEB).write(record("broken", level="ERROR", stackTrace=stack, errorType="ValueError"))
    assert run("logs").stdout.splitlines()[2:] == [
        "    Traceback (most recent call last):", '      File "a.py", line 1', "    ValueError: no",
    ]  # fmt: skip


def test_nothing_logged_can_draw_on_the_terminal(run: Run, aws: Aws) -> None:
    nasty = "\x1b[2J\x9b1m\r\b"
    Log(aws, WEB).write(record(nasty, nasty, nasty, stackTrace=[nasty], **{nasty: nasty}), nasty)
    out = run("logs", color=True).stdout
    assert re.sub(r"\x1b\[\d+m", "", out).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("since", "shown"), [("90s", ["new"]), ("10m", ["old", "new"]), ("1d", ["older", "old", "new"])]
)
def test_since_when(run: Run, aws: Aws, since: str, shown: list[str]) -> None:
    log = Log(aws, WEB)
    log.write("older", ago=7200)
    log.write("old", ago=300)
    log.write("new", ago=10)
    out = [line.split()[-1] for line in run("logs", "--since", since).stdout.splitlines() if "web" in line]
    assert out == shown


def test_since_a_time(run: Run, aws: Aws) -> None:
    Log(aws, WEB).write("old", ago=3600)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 3700))
    assert "old" in run("logs", "--since", moment).stdout
    for wrong in ("yesterday", "10", "99999999999d"):
        assert run("logs", "--since", wrong).exit_code == 2


def test_errors_alone(run: Run, aws: Aws) -> None:
    report = {"type": "platform.report", "record": {"requestId": ONE, "status": "timeout", "metrics": {}}}
    fine = {"type": "platform.report", "record": {"requestId": ONE, "status": "success", "metrics": {"durationMs": 3}}}
    lines = [record("fine"), record("broken", level="ERROR"), "print of an error", json.dumps(report), json.dumps(fine)]
    Log(aws, WEB).write(*lines)
    assert texts(run("logs", "--errors").stdout) == ["web ERROR shop: broken 8476a536", "web report timeout 8476a536"]


def test_all_about_one_request(run: Run, aws: Aws) -> None:
    """What it printed, too, and nothing of its neighbours in time, on the same environment or beside it."""
    Log(aws, WEB).write(
        record("before", OTHER), "printed before",
        json.dumps({"type": "platform.start", "record": {"requestId": ONE}}), "printed within", record("sold"),
        record("a stray of another", OTHER),
        json.dumps({"type": "platform.report", "record": {"requestId": ONE, "metrics": {"durationMs": 3}}}),
        "printed after", ago=3000,
    )  # fmt: skip
    Log(aws, WEB).write(*(["printed elsewhere"] * 9), ago=3000)
    expected = ["web printed within", "web INFO shop: sold 8476a536", "web report 3 ms 8476a536"]
    assert texts(run("logs", "--request", ONE).stdout) == expected
    assert texts(run("logs", "--request", ONE[:8]).stdout) == expected
    assert run("logs", "--request", ONE, "--since", "1m").stdout == ""


@pytest.mark.parametrize("arguments", [["--request", "a b"], ["--request", "x"], ["--request", ONE, "--follow"]])
def test_a_request_that_can_not_be_looked_for(run: Run, aws: Aws, arguments: list[str]) -> None:
    assert run("logs", *arguments).exit_code == 2


def test_a_function_without_a_log_has_no_lines(run: Run, aws: Aws) -> None:
    aws.client("logs").delete_log_group(logGroupName=GROUP)
    assert run("logs").stdout == ""


def test_of_a_log_that_functions_share_the_chosen_ones_are_shown(run: Run, aws: Aws) -> None:
    """What a function of no name here writes there is shown by none, the lines of a request included."""
    for name in (WEB, WORKER, "shop-production-web-2", "another"):
        Log(aws, name).write(record(f"by {name}"), ago=5)
    assert texts(run("logs", "--function", "web").stdout) == [f"web INFO shop: by {WEB} 8476a536"]
    by_both = [f"web INFO shop: by {WEB} 8476a536", f"worker INFO shop: by {WORKER} 8476a536"]
    assert sorted(texts(run("logs", "--request", ONE).stdout)) == by_both
    assert sorted(texts(run("logs", "--function", "worker", "--function", "web").stdout)) == by_both


def test_functions_with_a_log_of_their_own(
    run: Run, aws: Aws, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose streams do not name them."""
    monkeypatch.setattr(functions, "group", "")
    Log(aws, WEB).write("not here")
    Log(aws, WEB, f"/aws/lambda/{WEB}").write("bought", ago=6)
    Log(aws, WORKER, f"/aws/lambda/{WORKER}").write("mailed")
    assert texts(run("logs").stdout) == ["web bought", "worker mailed"]
    assert texts(run("logs", "--function", "worker").stdout) == ["worker mailed"]


def test_a_log_of_its_own_that_another_writes_to(
    run: Run, aws: Aws, functions: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "group", f"/aws/lambda/{WEB}")
    Log(aws, WEB, f"/aws/lambda/{WEB}").write("bought", ago=6)
    Log(aws, WORKER, f"/aws/lambda/{WEB}").write("mailed")
    assert texts(run("logs").stdout) == ["web bought", "worker mailed"]


def test_more_lines_than_a_page_has(run: Run, aws: Aws) -> None:
    log = Log(aws, WEB)
    for half in range(2):
        log.write(*(f"line {half * 5010 + number}" for number in range(5010)), ago=60 - 20 * half)
    numbers = re.findall(r"line (\d+)", run("logs").stdout)
    assert numbers == [str(number) for number in range(10_020)]


@pytest.fixture
def following(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iterator[logs.Line]]:
    looks = count()

    def pause(_: float) -> None:
        assert next(looks) < 200, "a line that was awaited does not come"
        time.sleep(0.05)

    monkeypatch.setattr(logs, "time", SimpleNamespace(sleep=pause))
    with closing(Clients(Stage("production", "shop-production"))) as clients:
        found = logs.Logs(clients, {"web": WEB, "worker": WORKER}).follow(int((time.time() - 600) * 1000))
        yield found
        found.close()  # type: ignore[attr-defined]


def test_no_line_is_lost_or_shown_twice_while_following(aws: Aws, following: Iterator[logs.Line]) -> None:
    """Several writers at once, lines of one millisecond, and lines that come in late, in no order."""
    lines = {f"{writer} {number}" for writer in range(3) for number in range(40)}

    def write(writer: int) -> None:
        log = Log(aws, WEB if writer else WORKER)
        delays = (0, 20, 0, 45, 3)
        for start in range(0, 40, 4):
            late = delays[start // 4 % len(delays)]
            log.write(*(f"{writer} {number}" for number in range(start, start + 4)), ago=late, spread=0)
            time.sleep(0.01)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    shown = [next(following).message for _ in lines]
    for thread in threads:
        thread.join()
    assert sorted(shown) == sorted(lines)
    Log(aws, WEB).write("the last", ago=0)
    assert next(following).message == "the last"


def test_what_was_shown_is_not_kept_for_ever(aws: Aws, following: Any) -> None:
    log = Log(aws, WEB)
    log.write(*(f"old {number}" for number in range(50)), ago=300)
    log.write("new", ago=0)
    while next(following).message != "new":
        pass
    log.write("newer", ago=0)
    assert next(following).message == "newer"
    assert len(following.gi_frame.f_locals["seen"]) == 2


def test_following_ends_with_ctrl_c(run: Run, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(logs, "time", SimpleNamespace(sleep=interrupted))
    Log(aws, WEB).write("one")
    done = run("logs", "--follow")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "one" in done.stdout
