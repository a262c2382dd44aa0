"""Schedules: rules of EventBridge and those of EventBridge Scheduler, each with its own form of the event."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from .. import blueprint
from ..front_doors.limits import serialise
from ..log import Log
from .asynchronous import Asynchronous
from .cron import InvalidSchedule, Timetable, parse
from .delivery import Delivery

_LONGEST_NAP = 30.0
"""Seconds: a laptop that was asleep shall notice what time it is."""


class Schedules:
    """Sends the events of ``schedules`` when they are due; raises `InvalidSchedule` for one that AWS would refuse.

    What was due while the machine slept is made up for once. ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        schedules: Iterable[blueprint.Schedule],
        asynchronous: Asynchronous,
        log: Log,
        *,
        region: str,
        account: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._timetables = {name: _timetable(schedule) for name, schedule in self._schedules.items()}
        self._asynchronous = asynchronous
        self._log = log
        self._region = region
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for name, schedule in self._schedules.items():
            if schedule.enabled:
                self._tasks.append(asyncio.create_task(self._run(schedule, self._timetables[name])))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def fire(self, name: str) -> asyncio.Task[bool]:
        """Sends the event of the schedule ``name`` now; raises KeyError. See `Asynchronous.send`."""
        return self._send(self._schedules[name], self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _run(self, schedule: blueprint.Schedule, timetable: Timetable) -> None:
        due = timetable.next(self._now())
        if due is None:
            self._log.caution(f"The schedule {schedule.name} is never due: {schedule.expression} is in the past.")
        while due is not None:
            while (left := (due - self._now()).total_seconds()) > 0:
                await self._sleep(min(left, _LONGEST_NAP))
            self._send(schedule, due)
            due = timetable.next(due)
            while due is not None and due < self._now():
                due = timetable.next(due)

    def _send(self, schedule: blueprint.Schedule, due: datetime) -> asyncio.Task[bool]:
        event = event_of(schedule, due, self._region, self._account)
        name = schedule.name
        return self._asynchronous.send(Delivery(schedule.function, event, "schedule", name, name, schedule.expression))


def _timetable(schedule: blueprint.Schedule) -> Timetable:
    if schedule.payload is not None:
        try:
            json.loads(schedule.payload)
        except ValueError as error:
            raise InvalidSchedule(f"The input of the schedule {schedule.name} has to be JSON: {error}.") from None
    try:
        return parse(schedule.expression, schedule.timezone, schedule.source)
    except InvalidSchedule as error:
        raise InvalidSchedule(f"The schedule {schedule.name} can't be used: {error}") from None


def event_of(schedule: blueprint.Schedule, due: datetime, region: str, account: str) -> bytes:
    """What the function gets: the schedule's own input, or else the scheduled event.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    That the Scheduler's own event says ``aws.scheduler``, and has its ``detail`` as text, is what functions log; AWS
    documents neither.
    """
    at = due.strftime("%Y-%m-%dT%H:%M:%SZ")
    is_rule = schedule.source == "rule"
    path = f"events:{region}:{account}:rule" if is_rule else f"scheduler:{region}:{account}:schedule/default"
    arn = f"arn:aws:{path}/{schedule.name}"
    if schedule.payload is not None:
        payload = schedule.payload
        if not is_rule:
            for name, value in {
                "schedule-arn": arn,
                "scheduled-time": at,
                "execution-id": secrets.token_hex(8),
                "attempt-number": "1",
            }.items():
                payload = payload.replace(f"<aws.scheduler.{name}>", value)
        return payload.encode()
    return serialise(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events" if is_rule else "aws.scheduler",
            "account": account,
            "time": at,
            "region": region,
            "resources": [arn],
            "detail": {} if is_rule else "{}",
        }
    )
