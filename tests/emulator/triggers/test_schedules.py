from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from emulator.blueprint import Schedule
from emulator.triggers.asynchronous import Asynchronous
from emulator.triggers.cron import InvalidSchedule
from emulator.triggers.schedules import Schedules, event_of
from tests.emulator.triggers.helpers import Around, Functions, until

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC).timestamp()


class Clock:
    """Time goes by while somebody sleeps, up to ``end``; then it stands still."""

    def __init__(self, hours: float) -> None:
        self.now = NOON
        self.end = NOON + hours * 3600

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        while until > self.end:
            await asyncio.sleep(0.005)
        self.now = max(self.now, until)
        await asyncio.sleep(0)


def schedules(around: Around, clock: Clock, *found: Schedule) -> Schedules:
    asynchronous = Asynchronous(around.postman, around.log, delays=())
    return Schedules(
        found, asynchronous, around.log, region="eu-west-1", account="123456789012", clock=clock, sleep=clock.sleep
    )


def test_each_fires_when_it_is_due() -> None:
    async def main() -> None:
        functions = Functions()
        around, clock = Around(functions), Clock(hours=3.01)
        running = schedules(
            around,
            clock,
            Schedule("hourly", "rate(1 hour)", "worker", '{"manage": ["clearsessions"]}'),
            Schedule("off", "rate(1 minute)", "worker", enabled=False),
            Schedule("late", "cron(30 13 * * ? *)", "reports", source="rule"),
            Schedule("over", "at(2026-11-03T11:59:59)", "worker"),
            Schedule("once", "at(2026-11-03T14:59:00)", "once"),
        )
        running.start()
        await until(lambda: len(functions.calls) >= 5)
        await asyncio.sleep(0.05)
        await running.stop()
        assert sorted(function for function, _ in functions.calls) == ["once", "reports", "worker", "worker", "worker"]
        late = next(event for function, event in functions.calls if function == "reports")
        assert late["time"] == "2026-11-03T13:30:00Z"
        assert "over is never due: at(2026-11-03T11:59:59) is in the past" in around.log.text
        [record] = [record for record in around.records if record.function == "reports"]
        assert (record.source, record.origin, record.title) == ("schedule", "late", "late")
        assert record.target == "cron(30 13 * * ? *)"

    asyncio.run(main())


def test_what_was_missed_in_a_sleep_is_made_up_for_once() -> None:
    async def main() -> None:
        functions = Functions()
        around, clock = Around(functions), Clock(hours=0.3)
        running = schedules(around, clock, Schedule("often", "rate(10 minutes)", "worker"))
        running.start()
        await until(lambda: len(functions.calls) == 1)
        clock.now = clock.end = NOON + 8.05 * 3600  # the lid was closed
        await until(lambda: len(functions.calls) == 2)
        clock.end = NOON + 8.55 * 3600
        await until(lambda: len(functions.calls) == 5)  # at 20:10, 20:20 and 20:30
        await asyncio.sleep(0.05)
        await running.stop()
        assert [event["time"] for event in functions.events] == [
            f"2026-11-03T{at}:00Z" for at in ("12:10", "12:20", "20:10", "20:20", "20:30")
        ]

    asyncio.run(main())


def test_one_can_be_fired_by_hand() -> None:
    async def main() -> None:
        functions = Functions()
        around = Around(functions)
        running = schedules(around, Clock(hours=1), Schedule("nightly", "cron(0 3 * * ? *)", "worker", enabled=False))
        assert await running.fire("nightly")
        with pytest.raises(KeyError):
            running.fire("daily")
        [event] = functions.events
        assert event["time"] == "2026-11-03T12:00:00Z"

    asyncio.run(main())


def test_both_forms_of_the_event() -> None:
    due = datetime(2026, 11, 3, 12, tzinfo=UTC)
    rule = json.loads(event_of(Schedule("r", "rate(1 day)", "f", source="rule"), due, "eu-west-1", "123456789012"))
    identifier = rule.pop("id")
    assert identifier.count("-") == 4
    assert rule == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-03T12:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/r"],
        "detail": {},
    }
    scheduled = json.loads(event_of(Schedule("s", "rate(1 day)", "f"), due, "eu-west-1", "123456789012"))
    del scheduled["id"]
    arn = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s"
    assert scheduled == rule | {"source": "aws.scheduler", "resources": [arn], "detail": "{}"}


def test_an_input_is_the_event_and_the_scheduler_fills_it_in() -> None:
    due = datetime(2026, 11, 3, 12, tzinfo=UTC)
    payload = (
        '{"arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>", '
        '"id": "<aws.scheduler.execution-id>", "attempt": <aws.scheduler.attempt-number>}'
    )
    quoted = payload.replace("<aws.scheduler.attempt-number>", '"<aws.scheduler.attempt-number>"')
    event = json.loads(event_of(Schedule("s", "rate(1 day)", "f", quoted), due, "eu-west-1", "123456789012"))
    assert event["arn"] == "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/s"
    assert (event["at"], event["attempt"]) == ("2026-11-03T12:00:00Z", "1")
    assert len(event["id"]) == 16
    rule = Schedule("s", "rate(1 day)", "f", quoted, source="rule")
    assert event_of(rule, due, "eu-west-1", "123456789012").decode() == quoted


def test_a_schedule_that_aws_would_refuse_is_named() -> None:
    around, clock = Around(Functions()), Clock(hours=1)
    with pytest.raises(InvalidSchedule, match=r"nightly can't be used: cron\(0 3 \* \* \*\)"):
        schedules(around, clock, Schedule("nightly", "cron(0 3 * * *)", "worker"))
    with pytest.raises(InvalidSchedule, match="nightly has to be JSON"):
        schedules(around, clock, Schedule("nightly", "cron(0 3 * * ? *)", "worker", "clearsessions"))
