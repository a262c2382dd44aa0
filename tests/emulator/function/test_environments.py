"""What an environment keeps and loses, what a function's limits do, and who may be at work at the same time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from emulator.exceptions import EmulatorError
from emulator.front_doors import Failure
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from tests.emulator.function.small_function import COMMAND, Function, failure, run
from tests.emulator.helpers import ROOT, Heard, alive, until


@pytest.mark.parametrize("end", [{"do": "hang"}, {"do": "crash", "code": 3}])
def test_after_a_timeout_or_a_crash_its_folder_is_there_and_its_memory_is_not(tmp_path: Path, end: object) -> None:
    async def scenario(function: Function) -> None:
        first = await function(do="keep", text="one")
        assert first["notes"] is None
        assert Path(first["folder"]).stat().st_mode & 0o777 == 0o700
        await failure(function(**end))  # type: ignore[arg-type]
        again = await function(do="keep", text="two")
        assert (again["folder"], again["notes"]) == (first["folder"], "one")
        assert again["pid"] != first["pid"]
        assert (first["served"], again["served"]) == (1, 1)
        assert {record.environment for record in function.records} == {"fn-1"}
        folders.append(Path(first["folder"]))

    folders: list[Path] = []
    run(tmp_path, scenario, timeout=1.0)
    assert not folders[0].exists()
    assert not folders[0].parent.exists()


def test_new_processes_have_a_new_folder_and_the_old_one_goes(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        first = await function(do="keep", text="one")
        function.service.replace()
        again = await function(do="keep", text="two")
        assert again["notes"] is None
        assert await asyncio.to_thread(until, lambda: not Path(first["folder"]).exists(), 3)

    run(tmp_path, scenario)


def test_an_environment_without_requests_ends(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        first = await function(do="keep", text="one")
        await asyncio.sleep(0.6)
        assert (await function())["pid"] == first["pid"]  # it counts from the last request
        assert await asyncio.to_thread(until, lambda: not alive(first["pid"]), 3)
        assert await asyncio.to_thread(until, lambda: not Path(first["folder"]).exists(), 3)
        again = await function()
        assert (again["served"], function.records[-1].environment) == (1, "fn-2")

    run(tmp_path, scenario, idle_limit=1.0)


def test_an_init_that_takes_too_long_runs_again_in_the_first_invocation(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text("60")
    (tmp_path / "once").touch()

    async def scenario(function: Function) -> None:
        answer = await function()
        assert answer["served"] == 1
        record = await function.recorded()
        start = record.log.index("START RequestId: id-1 Version: $LATEST")
        assert record.log[0].startswith("INIT_START Runtime Version: python:3.")
        assert record.log[1:start] == [
            "waiting",
            "INIT_REPORT Init Duration: 400.00 ms\tPhase: init\tStatus: timeout",
            "booted",
        ]
        assert "Init Duration" not in record.log[-1]
        assert record.init is not None
        assert record.duration is not None
        assert record.billed is not None
        assert record.queued is not None
        assert f"Duration: {(record.init + record.duration) * 1000:.2f} ms" in record.log[-1]
        assert 0 <= record.billed - record.init - record.duration < 0.001
        assert 0.2 < record.queued < 2

    log = run(tmp_path, scenario, init_limit=0.4).log.text
    assert "INIT took more than 0.4 s and was stopped, as AWS does it" in log


def test_an_init_within_an_invocation_has_the_functions_time(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text("60")

    async def scenario(function: Function) -> None:
        await function.service.settled()
        error = await failure(function())
        assert "Task timed out after 1.00 seconds" in str(error)
        record = await function.recorded()
        assert record.init is None
        assert record.duration == 1.0
        lines = [line.partition("\tDuration")[0] for line in record.log if "Z id-1" not in line]
        assert "INIT_REPORT Init Duration: 300.00 ms\tPhase: init\tStatus: timeout" in lines
        assert lines[-4:] == [
            "START RequestId: id-1 Version: $LATEST",
            "",
            "END RequestId: id-1",
            "REPORT RequestId: id-1",
        ]
        assert record.log[-1].endswith("\tStatus: timeout")
        assert "Billed Duration: 1000 ms" in record.log[-1]
        (tmp_path / "slow").unlink()
        assert (await function())["served"] == 1

    run(tmp_path, scenario, init_limit=0.3, timeout=1.0)


def test_a_process_that_takes_too_much_memory_is_killed(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        first = await function(do="take", megabytes=8)
        record = await function.recorded()
        assert record.memory is not None
        assert 8 < record.memory < 64
        error = await failure(function(do="take", megabytes=100, seconds=5))
        assert error.failure is Failure.FUNCTION
        assert str(error).startswith("Runtime.OutOfMemory: Runtime exited with error: signal: killed")
        record = await function.recorded()
        assert record.memory == 64
        assert record.log[1:3] == [
            "RequestId: id-2 Error: Runtime exited with error: signal: killed",
            "Runtime.ExitError",
        ]
        assert record.log[-1].endswith(
            "Memory Size: 64 MB\tMax Memory Used: 64 MB\tStatus: error\tError Type: Runtime.OutOfMemory"
        )
        assert (await function())["pid"] != first["pid"]

    run(tmp_path, scenario, memory=64, enforce_memory=True)


def test_memory_is_only_reported_where_nobody_asked_for_more(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function(do="take", megabytes=100, seconds=0.1)
        record = await function.recorded()
        assert record.memory is not None
        assert record.memory > 100
        assert f"Memory Size: 64 MB\tMax Memory Used: {record.memory} MB" in record.log[-1]

    run(tmp_path, scenario, memory=64)


Play = Callable[[FunctionService], Awaitable[None]]


def play(folder: Path, scenario: Play, concurrency: int, **reserved: int | None) -> Heard:
    """A service with functions of these names."""
    variables = {**lambda_variables(folder, "eu-west-1"), "PATH": os.environ["PATH"]}
    specs = {
        name: FunctionSpec(folder, COMMAND, variables, name=name, concurrency=number)
        for name, number in reserved.items()
    }

    async def main() -> Heard:
        service = FunctionService(specs, concurrency, log := Heard())
        try:
            await scenario(service)
        finally:
            await service.stop()
        return log

    return asyncio.run(main())


def call(service: FunctionService, name: str, **event: object) -> Awaitable[object]:
    return service.invoke(name, json.dumps(event).encode(), "id", 10)


def test_functions_share_one_limit(tmp_path: Path) -> None:
    async def scenario(service: FunctionService) -> None:
        # Both have an environment that is idle.
        await call(service, "web")
        await call(service, "work")
        busy = asyncio.ensure_future(call(service, "work", do="wait"))
        assert await asyncio.to_thread(until, (tmp_path / "waiting").exists)
        error = await failure(call(service, "web"))
        assert error.failure is Failure.THROTTLED
        (tmp_path / "go").touch()
        await busy
        # Its process has not asked for the next event yet; one request after another is never throttled.
        for _ in range(20):
            await call(service, "web")
            await call(service, "work")

    log = play(tmp_path, scenario, 1, web=None, work=None)
    assert "web-1 | booted" in log.text
    assert "work-1 | booted" in log.text


def test_what_is_reserved_is_apart_from_what_is_shared(tmp_path: Path) -> None:
    async def scenario(service: FunctionService) -> None:
        busy = asyncio.ensure_future(call(service, "work", do="wait"))
        assert await asyncio.to_thread(until, (tmp_path / "waiting").exists)
        await call(service, "web")
        error = await failure(call(service, "work"))
        assert error.failure is Failure.THROTTLED
        assert "raise ReservedConcurrentExecutions of the function work" in str(error)
        (tmp_path / "go").touch()
        await busy
        assert (await failure(call(service, "none"))).failure is Failure.THROTTLED

    play(tmp_path, scenario, 1, web=None, work=1, none=0)


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    async def scenario(service: FunctionService) -> None:
        with pytest.raises(EmulatorError, match=r"There is no function 'wbe'; there are: web, work\."):
            await call(service, "wbe")

    play(tmp_path, scenario, 1, web=None, work=None)


def test_nothing_is_left_when_the_emulator_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio, json, os
from pathlib import Path
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec
from emulator.log import Log

async def main():
    service = FunctionService({{"f": FunctionSpec(Path({str(tmp_path)!r}), {COMMAND!r}, dict(os.environ))}}, 1, Log())
    invocation = await service.invoke("f", b'{{"do": "keep", "text": "x"}}', "id", None)
    print("answer", invocation.outcome.result().decode(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    emulator = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with emulator:
        assert emulator.stdout is not None
        line = next(line for line in emulator.stdout if line.startswith("answer"))
        answer = json.loads(line.removeprefix("answer"))
        assert Path(answer["folder"], "notes").read_text() == "x"
        emulator.send_signal(signal.SIGKILL)
    assert until(lambda: not alive(answer["pid"]), 3)
    assert until(lambda: not Path(answer["folder"]).parent.exists(), 3)


def test_a_request_is_not_kept_waiting_by_work_after_an_answer(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        first = await function(do="linger", seconds=3)
        started = time.perf_counter()
        assert (await function())["pid"] != first["pid"]
        assert time.perf_counter() - started < 2

    run(tmp_path, scenario)


def test_requests_in_a_row_meet_the_same_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.function.environments._MOMENT", 5)
    monkeypatch.setattr("emulator.function.environment._AT_ONCE", 5)  # a busy machine's runtimes take their time

    async def scenario(function: Function) -> None:
        await asyncio.gather(*(function(do="sleep", seconds=0.1) for _ in range(3)))
        await asyncio.sleep(0.1)
        assert len({(await function())["pid"] for _ in range(100)}) == 1

    run(tmp_path, scenario, concurrency=3)


def test_an_environment_that_has_more_to_do_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await asyncio.gather(*(function(do="sleep", seconds=0.1) for _ in range(3)))
        lingering = await function(do="linger", seconds=5)
        started = time.perf_counter()
        assert lingering["pid"] not in {(await function())["pid"] for _ in range(10)}
        assert time.perf_counter() - started < 4

    run(tmp_path, scenario, concurrency=3)


def test_work_after_an_answer_holds_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.function.environments._LONGER_GRACE", 0.1)

    async def scenario(function: Function) -> None:
        await function(do="linger", seconds=0.5)
        assert (await failure(function())).failure is Failure.THROTTLED
        function.records.pop()
        await function.recorded()
        assert (await function())["served"] == 2

    run(tmp_path, scenario, concurrency=1)
