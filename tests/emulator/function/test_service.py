from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from emulator.front_doors import Failure
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from tests.emulator.function.small_function import Function, failure, run
from tests.emulator.helpers import Heard, alive, until


def test_a_warm_environment_is_used_again(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        answers = [await function(n=n) for n in range(5)]
        assert len(function.pids) == 1
        assert [answer["served"] for answer in answers] == [1, 2, 3, 4, 5]

    function = run(tmp_path, scenario)
    assert "fn-1 | booted" in function.log.text


def test_the_function_finds_what_the_service_would_set(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        before = time.time()
        answer = await function(do="environment")
        variables = answer["environment"]
        assert variables["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
        assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "eu-west-1"
        assert variables["_HANDLER"] == "adapter.entrypoint.handler"
        assert variables["LAMBDA_TASK_ROOT"] == answer["folder"] == str(tmp_path)
        assert variables["TZ"] == ":UTC"
        # AWS's client writes non-ASCII as it is from this version on.
        assert int(variables["AWS_EXECUTION_ENV"].removeprefix("AWS_Lambda_python3.")) >= 12
        assert "[$LATEST]" in variables["AWS_LAMBDA_LOG_STREAM_NAME"]
        assert 6 < int(answer["deadline"]) / 1000 - before < 8
        assert answer["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:django-faas"
        assert answer["leader"]

    run(tmp_path, scenario, timeout=7)


def test_requests_at_the_same_time_get_processes_of_their_own_up_to_the_limit(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        met = asyncio.gather(*(function(20, n=n, do="meet", processes=3) for n in range(3)))
        await asyncio.sleep(0)
        started = time.perf_counter()
        error = await failure(function())
        assert time.perf_counter() - started < 2  # nobody waits for the others
        assert error.failure is Failure.THROTTLED
        assert "no more than 3 at once" in str(error)
        assert "--concurrency" in str(error)
        answers = await met
        assert len(function.pids) == 3
        assert [answer["served"] for answer in answers] == [1, 1, 1]

    run(tmp_path, scenario, concurrency=3)


def test_a_cold_start_is_told_to_whom_it_made_wait(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        cold = await function.service.invoke("small", b"{}", "id-0", 10)
        assert cold.cold is not None
        assert 0.01 < cold.cold < 5
        warm = await function.service.invoke("small", b"{}", "id-0", 10)
        assert warm.cold is None

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "Runtime.ExitError: Runtime exited without providing a reason"),
        (3, "Runtime.ExitError: Runtime exited with error: exit status 3"),
        (-9, "Runtime.ExitError: Runtime exited with error: signal: killed"),
        (-11, "Runtime.ExitError: Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_a_process_that_ends_is_noticed_at_once(tmp_path: Path, code: int, told: str) -> None:
    async def scenario(function: Function) -> None:
        first = await function()
        started = time.perf_counter()
        error = await failure(function(do="crash", code=code))
        assert time.perf_counter() - started < 2
        assert error.failure is Failure.FUNCTION
        assert str(error).startswith(told)
        assert (await function())["pid"] != first["pid"]

    assert "| about to crash" in run(tmp_path, scenario).log.text


def test_a_process_killed_between_requests_is_replaced(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        first = (await function())["pid"]
        os.kill(first, 9)
        await asyncio.to_thread(until, lambda: not alive(first))
        await asyncio.sleep(0.2)
        assert (await function())["pid"] != first

    run(tmp_path, scenario)


def test_the_functions_time_limit_ends_its_whole_process_group(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        error = await failure(function(do="hang"))
        assert error.failure is Failure.FUNCTION
        assert "Sandbox.Timedout" in str(error)
        assert "1.50 seconds" in str(error)
        pids = [int(word) for word in (tmp_path / "hanging").read_text().split()]
        assert len(pids) == 2
        assert await asyncio.to_thread(until, lambda: not any(map(alive, pids)), 3)
        await function()

    run(tmp_path, scenario, timeout=1.5)


def test_a_front_door_that_waits_no_longer_leaves_the_function_to_its_work(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        pid = (await function())["pid"]
        error = await failure(function(patience=0.1, do="wait"))
        assert error.failure is Failure.DEADLINE
        assert (await failure(function())).failure is Failure.THROTTLED
        (tmp_path / "go").touch()
        function.records.pop()
        await function.recorded()
        answer = await function(do="after")
        assert (answer["pid"], answer["served"]) == (pid, 3)

    run(tmp_path, scenario, concurrency=1)


def test_an_error_the_function_reports(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        error = await failure(function(do="fail"))
        assert (error.failure, str(error)) == (Failure.FUNCTION, "ValueError: not today")
        assert (await function())["served"] == 2

    run(tmp_path, scenario)


def test_an_answer_over_the_limit(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        error = await failure(function(do="big", size=7_000_000))
        assert error.failure is Failure.RESPONSE_TOO_LARGE
        assert "6,291,556" in str(error)
        assert len((await function(do="big", size=6_000_000))["big"]) == 6_000_000

    run(tmp_path, scenario)


def test_an_answer_that_is_not_json_is_handed_on_as_it_is(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        invocation = await function.service.invoke("small", b'{"do": "text"}', "id-0", 10)
        assert invocation.outcome.result() == b"<this is no JSON>"

    run(tmp_path, scenario)


@pytest.mark.parametrize("how", ["report", "exit"])
def test_a_function_that_cannot_start_fails_each_request_until_it_can(tmp_path: Path, how: str) -> None:
    broken = tmp_path / "broken"
    broken.write_text(how)
    told = "Boom: no such luck" if how == "report" else "exit status 1, before it asked for an event"

    async def scenario(function: Function) -> None:
        await function.service.settled()
        assert function.log.text.count("The function can't start") == 1
        errors = await asyncio.gather(*(failure(function(n=n)) for n in range(3)))
        assert {error.failure for error in errors} == {Failure.FUNCTION}
        assert all(told in str(error) for error in errors)
        broken.unlink()
        await function()

    assert "| the last words" in run(tmp_path, scenario, concurrency=3).log.text


def test_new_processes_take_over_and_busy_ones_finish(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await asyncio.gather(*(function(n=n, do="meet", processes=2) for n in range(2)))
        old = set(function.pids)
        assert len(old) == 2
        slow = asyncio.create_task(function(20, n=3, do="wait"))
        assert await asyncio.to_thread(until, (tmp_path / "waiting").exists)
        function.service.replace()
        quick = await function(n=4)
        assert quick["pid"] not in old
        assert not slow.done()
        (tmp_path / "go").touch()
        assert (await slow)["pid"] in old
        assert await asyncio.to_thread(until, lambda: not any(map(alive, old)), 3)
        assert (await function(n=5))["pid"] == quick["pid"]

    run(tmp_path, scenario)


def test_a_request_that_waits_for_a_start_survives_a_replacement(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        waiting = asyncio.create_task(function(n=1))
        await asyncio.sleep(0)
        function.service.replace()
        function.service.replace()
        assert (await waiting)["served"] == 1

    run(tmp_path, scenario)


def test_stopping_ends_busy_processes_and_fails_their_requests(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        busy = asyncio.create_task(failure(function(do="hang")))
        assert await asyncio.to_thread(until, (tmp_path / "hanging").exists)
        (tmp_path / "slow").write_text("60")
        waiting = asyncio.create_task(failure(function(n=1)))
        await asyncio.sleep(0.1)
        function.pids = {int(word) for word in (tmp_path / "hanging").read_text().split()}
        started = time.perf_counter()
        await function.service.stop()
        assert time.perf_counter() - started < 3
        assert {(await busy).failure, (await waiting).failure} == {Failure.FUNCTION}

    run(tmp_path, scenario)


def test_what_cannot_be_executed_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        service = FunctionService({"f": FunctionSpec(tmp_path, ("/no/such/program",))}, 1, log := Heard())
        service.start("f")
        for _ in range(2):
            error = await failure(service.invoke("f", b"{}", "id", 5))
            assert "/no/such/program could not be started" in str(error)
        await service.stop()
        assert "The function can't start" in log.text

    asyncio.run(main())


def test_aws_own_runtime_client(tmp_path: Path) -> None:
    pytest.importorskip("awslambdaric", reason="awslambdaric is not installed")
    (tmp_path / "app.py").write_text(
        "import sys\n"
        "def handler(event, context):\n"
        "    if event.get('exit'):\n"
        "        sys.exit(7)\n"
        "    if event.get('fail'):\n"
        "        raise LookupError('gone')\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {'text': event['text'], 'id': context.aws_request_id, 'left': left}\n"
    )

    async def main() -> None:
        variables = {**lambda_variables(tmp_path, "eu-west-1"), "PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
        spec = FunctionSpec(tmp_path, (sys.executable, "-m", "awslambdaric", "app.handler"), variables, 5)
        service = FunctionService({"f": spec}, 1, log := Heard())
        event = json.dumps({"text": "Grüße, λ"}, ensure_ascii=False).encode()
        invocation = await service.invoke("f", event, "8c7ba32d-f8d5-4dae-a2ee-4b0b9fd1f8d6", 10)
        payload = invocation.outcome.result()
        assert "Grüße, λ" in payload.decode()  # not as \u escapes
        answer = json.loads(payload)
        assert answer["id"] == "8c7ba32d-f8d5-4dae-a2ee-4b0b9fd1f8d6"
        assert 0 < answer["left"] <= 5000
        assert str(await failure(service.invoke("f", b'{"fail": 1}', "id-2", 10))) == "LookupError: gone"
        assert "exit status 7" in str(await failure(service.invoke("f", b'{"exit": 1}', "id-3", 10)))
        await service.stop()
        assert "LookupError" in log.text

    asyncio.run(main())
