"""What is recorded of an invocation: figures, and the log as AWS writes it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from emulator.function import memory, report
from emulator.records import Record
from tests.emulator.function.small_function import Function, failure, run


def test_a_cold_and_a_warm_invocation(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function(do="print", n=1)
        cold = await function.recorded()
        await function(do="print", n=2)
        warm = await function.recorded()
        records.extend([cold, warm])

    records: list[Record] = []
    terminal = run(tmp_path, scenario, memory=512).log.text
    cold, warm = records
    assert (cold.environment, warm.environment) == ("fn-1", "fn-1")
    assert cold.init is not None
    assert 0.005 < cold.init < 5
    assert warm.init is None
    for record, init in ((cold, cold.init), (warm, 0.0)):
        assert record.duration is not None
        assert record.billed is not None
        assert record.queued is not None
        assert 0 < record.duration < 1
        assert 0 <= record.billed - record.duration - init < 0.001
        assert round(record.billed * 1000) == pytest.approx(record.billed * 1000)
        assert 0 <= record.queued < 1
        assert 3 < (record.memory or 0) < 100
    assert re.fullmatch(
        r"INIT_START Runtime Version: python:3\.\d+\.v\d+\t"
        r"Runtime Version ARN: arn:aws:lambda:eu-west-1::runtime:[0-9a-f]{64}",
        cold.log[0],
    )
    assert cold.log[1:-1] == [
        "booted",
        "START RequestId: id-1 Version: $LATEST",
        "to standard output 1",
        "to standard error 1",
        "END RequestId: id-1",
    ]
    assert re.fullmatch(
        r"REPORT RequestId: id-1\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t",
        cold.log[-1],
    )
    assert warm.log[:-1] == [
        "START RequestId: id-2 Version: $LATEST",
        "to standard output 2",
        "to standard error 2",
        "END RequestId: id-2",
    ]
    assert re.fullmatch(
        r"REPORT RequestId: id-2\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\t"
        r"Max Memory Used: \d+ MB\t",
        warm.log[-1],
    )
    # The terminal has what the function wrote, and nothing else.
    assert terminal.splitlines() == [
        f"fn-1 | {line}"
        for line in (
            "booted",
            "to standard output 1",
            "to standard error 1",
            "to standard output 2",
            "to standard error 2",
        )
    ]


def test_each_line_is_in_the_log_of_its_own_invocation(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        for n in range(100):
            await function(do="print", n=n)
        await function.recorded()
        for n, record in enumerate(function.records):
            start = record.log.index(f"START RequestId: {record.id} Version: $LATEST")
            assert record.log[start + 1 : -1] == [
                f"to standard output {n}",
                f"to standard error {n}",
                f"END RequestId: {record.id}",
            ]

    run(tmp_path, scenario, freeze=False)


def test_an_environment_that_was_warm_before_its_first_request(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function.service.settled()
        await function()
        record = await function.recorded()
        # On AWS the first invocation of an environment reports INIT, whether it waited for it or not.
        assert record.init is not None
        assert f"\tInit Duration: {record.init * 1000:.2f} ms\t" in record.log[-1]
        assert record.queued is not None
        assert record.queued < 0.1

    run(tmp_path, scenario)


def test_a_timeout(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function()
        await failure(function(do="hang"))
        record = await function.recorded()
        start, stamp, blank, end, last = record.log
        assert start == "START RequestId: id-2 Version: $LATEST"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z id-2 Task timed out after 0\.50 seconds", stamp)
        assert (blank, end) == ("", "END RequestId: id-2")
        assert re.fullmatch(
            r"REPORT RequestId: id-2\tDuration: 500\.00 ms\tBilled Duration: 500 ms\tMemory Size: 1024 MB\t"
            r"Max Memory Used: \d+ MB\tStatus: timeout",
            last,
        )
        assert (record.duration, record.billed) == (0.5, 0.5)

    run(tmp_path, scenario, timeout=0.5)


def test_a_crash(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await failure(function(do="crash", code=-11))
        record = await function.recorded()
        assert record.log[-5:-1] == [
            "about to crash",
            "RequestId: id-1 Error: Runtime exited with error: signal: segmentation fault",
            "Runtime.ExitError",
            "END RequestId: id-1",
        ]
        assert record.log[-1].endswith(" ms\tStatus: error\tError Type: Runtime.ExitError")

    run(tmp_path, scenario)


def test_a_start_that_fails(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("report")

    async def scenario(function: Function) -> None:
        await function.service.settled()
        await failure(function())
        first = await function.recorded()
        await failure(function())
        second = await function.recorded()

        def shape(record: Record) -> list[str]:
            return [re.sub(r"\d+\.\d\d ms|\d+ ms|\d+ MB", "N", line) for line in record.log]

        again = [
            "the last words",
            "INIT_REPORT Init Duration: N\tPhase: invoke\tStatus: error\tError Type: Runtime.Unknown",
            "START RequestId: id-1 Version: $LATEST",
            "END RequestId: id-1",
            (
                "REPORT RequestId: id-1\tDuration: N\tBilled Duration: N\tMemory Size: N\tStatus: error\t"
                "Error Type: Runtime.Unknown"
            ),
        ]
        assert shape(first)[1:] == [
            "the last words",
            "INIT_REPORT Init Duration: N\tPhase: init\tStatus: error\tError Type: Runtime.Unknown",
            *again,
        ]
        assert shape(second) == [line.replace("id-1", "id-2") for line in again]

    run(tmp_path, scenario)


def test_an_answer_is_recorded_before_the_work_after_it_is_done(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        await function(do="linger", seconds=0.3)
        record = function.records[-1]
        assert record.duration is not None
        assert record.duration < 0.3
        assert record.billed is not None
        assert record not in function.changed
        await function.recorded()
        assert record.duration >= 0.3

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("line", "figures"),
    [
        # As found in logs of AWS.
        (
            (
                "REPORT RequestId: id\tDuration: 2.37 ms\tBilled Duration: 427 ms\tMemory Size: 1024 MB\t"
                "Max Memory Used: 95 MB\tInit Duration: 423.98 ms\t"
            ),
            (0.00237, 0.42398, 1024, 95, None),
        ),
        (
            (
                "REPORT RequestId: id\tDuration: 600000.00 ms\tBilled Duration: 600517 ms\tMemory Size: 1024 MB\t"
                "Max Memory Used: 1024 MB\tInit Duration: 516.31 ms\tStatus: timeout"
            ),
            (600.0, 0.51631, 1024, 1024, "timeout"),
        ),
        (
            (
                "REPORT RequestId: id\tDuration: 600000.00 ms\tBilled Duration: 600000 ms\tMemory Size: 1024 MB\t"
                "Max Memory Used: 1024 MB\tStatus: timeout"
            ),
            (600.0, None, 1024, 1024, "timeout"),
        ),
        (
            (
                "REPORT RequestId: id\tDuration: 10935.70 ms\tBilled Duration: 10936 ms\tMemory Size: 1024 MB\t"
                "Max Memory Used: 1024 MB\tStatus: error\tError Type: Runtime.OutOfMemory"
            ),
            (10.9357, None, 1024, 1024, "Runtime.OutOfMemory"),
        ),
    ],
)
def test_report_lines_as_aws_writes_them(line: str, figures: tuple[float, float | None, int, int, str | None]) -> None:
    assert report.report("id", *figures) == line


def test_init_report_lines_as_aws_writes_them() -> None:
    assert report.init_report(9.99979, "init", None) == (
        "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout"
    )
    assert report.init_report(0.08049, "invoke", "Runtime.ImportModuleError: No module named 'search'") == (
        "INIT_REPORT Init Duration: 80.49 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError"
    )


def test_memory_of_a_process_and_what_it_started(tmp_path: Path) -> None:
    async def scenario(function: Function) -> None:
        alone = memory.resident((await function())["pid"])
        answer = await function(do="spawn")
        await asyncio.sleep(0.3)
        function.pids.add(answer["child"])
        child = memory.resident(answer["child"])
        together = memory.resident(answer["pid"])
        assert alone is not None
        assert child is not None
        assert together is not None
        assert together - alone == pytest.approx(child, abs=3)
        assert (memory.peak(answer["pid"]) or 0) >= together - 1

    run(tmp_path, scenario, freeze=False)
    assert memory.peak(2**22 + 1) is None
    assert memory.resident(2**22 + 1) is None
