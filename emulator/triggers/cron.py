"""When a schedule is due: ``rate(5 minutes)``, ``cron(0 3 * * ? *)`` and ``at(2026-12-31T23:00:00)`` as AWS has them.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..exceptions import EmulatorError

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = {"JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10}
_MONTHS |= {"NOV": 11, "DEC": 12}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_EXAMPLES = "rate(5 minutes), cron(0 3 * * ? *) or at(2026-12-31T23:00:00)"


class InvalidSchedule(EmulatorError):
    """A schedule that AWS would refuse; names it, and says what is wrong and what is right."""


class Timetable(Protocol):
    def next(self, after: datetime) -> datetime | None:
        """The first time after ``after``, or None where there is none any more; both in UTC."""
        ...


def parse(expression: str, timezone: str = "UTC", source: Literal["rule", "scheduler"] = "scheduler") -> Timetable:
    """What ``expression`` says; raises `InvalidSchedule`."""
    found = re.fullmatch(r"\s*(rate|cron|at)\((.*)\)\s*", expression)
    if found is None:
        raise InvalidSchedule(f"{expression!r} is no schedule: write {_EXAMPLES}.")
    kind, inner = found.groups()
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidSchedule(
            f"{expression}: no time zone is called {timezone!r}; write it as in Europe/Berlin."
        ) from None
    try:
        if kind == "rate":
            return _rate(inner, source)
        if kind == "cron":
            return Cron.parse(inner, zone)
        if source == "rule":
            raise _Wrong("rules of EventBridge know rate() and cron() alone; at() is for EventBridge Scheduler")
        return Once.parse(inner, zone)
    except _Wrong as error:
        raise InvalidSchedule(f"{expression}: {error}.") from None


class _Wrong(ValueError):
    """What is wrong with an expression, without its name."""


@dataclass(frozen=True)
class Rate:
    """Every ``seconds``. Where in its period a schedule on AWS stands is unknown here: it counts from the start."""

    seconds: int

    def next(self, after: datetime) -> datetime | None:
        return after + timedelta(seconds=self.seconds)


def _rate(inner: str, source: str) -> Rate:
    found = re.fullmatch(r"\s*([0-9]{1,6})\s+(minute|hour|day)(s?)\s*", inner)
    if found is None or int(found[1]) == 0:
        raise _Wrong("a rate is a number above zero and minutes, hours or days, as in rate(5 minutes)")
    number, unit, plural = int(found[1]), found[2], found[3]
    if source == "rule" and (number == 1) == bool(plural):
        raise _Wrong(f"EventBridge is strict about the plural: rate({number} {unit}{'' if number == 1 else 's'})")
    return Rate(number * _UNITS[unit])


@dataclass(frozen=True)
class Once:
    """At one moment."""

    moment: datetime

    @classmethod
    def parse(cls, inner: str, zone: tzinfo) -> Once:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", inner) is None:
            raise _Wrong("a moment is written as in at(2026-12-31T23:00:00), without a time zone")
        try:
            return cls(datetime.fromisoformat(inner).replace(tzinfo=zone).astimezone(UTC))
        except ValueError as error:
            raise _Wrong(str(error)) from None

    def next(self, after: datetime) -> datetime | None:
        return self.moment if self.moment > after else None


@dataclass(frozen=True)
class Cron:
    """Whenever the clock in ``zone`` shows one of these. ``day`` says whether a date is one of them.

    A time that the change to summer time leaves out is left out, one that comes twice in autumn counts once.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    day: Callable[[date], bool]
    zone: tzinfo

    @classmethod
    def parse(cls, inner: str, zone: tzinfo) -> Cron:
        fields = inner.split()
        if len(fields) != 6:
            raise _Wrong(f"a cron has six fields (minute, hour, day, month, weekday, year) and not {len(fields)}")
        minute, hour, day, month, weekday, year = fields
        if (day == "?") == (weekday == "?"):
            raise _Wrong("one of the fields for the day and the weekday, and only one, has to be ?")
        return cls(
            tuple(sorted(_numbers(minute, "minute", 0, 59))),
            tuple(sorted(_numbers(hour, "hour", 0, 23))),
            frozenset(_numbers(month, "month", 1, 12, _MONTHS)),
            frozenset(_numbers(year, "year", 1970, 2199)),
            _weekdays(weekday) if day == "?" else _days(day),
            zone,
        )

    def next(self, after: datetime) -> datetime | None:
        local = after.astimezone(self.zone).replace(tzinfo=None)
        for shown in self._times(local):
            moment = shown.replace(tzinfo=self.zone).astimezone(UTC)
            is_shown = moment.astimezone(self.zone).replace(tzinfo=None) == shown
            if moment > after and is_shown:
                return moment
        return None

    def _times(self, start: datetime) -> Iterator[datetime]:
        """What the clock shows when it is due, from the day of ``start`` on."""
        day = start.date()
        while day.year <= max(self.years):
            if day.year not in self.years:
                day = date(day.year + 1, 1, 1)
                continue
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
                continue
            if self.day(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        yield datetime.combine(day, time(hour, minute))
            day += timedelta(days=1)


def _numbers(
    field: str, name: str, least: int, greatest: int, names: dict[str, int] | None = None, *, steps: bool = True
) -> set[int]:
    """The values of a field: ``*``, ``7``, ``1,2``, ``MON-FRI``, ``0/15``; a step goes on from its first value."""

    def number(text: str) -> int:
        value = (names or {}).get(text.upper()) or (int(text) if text.isascii() and text.isdigit() else -1)
        if not least <= value <= greatest:
            raise _Wrong(f"{text!r} is no {name}: it goes from {least} to {greatest}")
        return value

    found: set[int] = set()
    for part in field.split(","):
        values, slash, step = part.partition("/")
        if slash and (not steps or not (step.isascii() and step.isdigit() and int(step))):
            raise _Wrong(f"{part!r} is no step that the {name} can have")
        first, dash, last = values.partition("-")
        if values == "*":
            low, high = least, greatest
        else:
            low = number(first)
            high = number(last) if dash else greatest if slash else low
        if low > high:
            raise _Wrong(f"{values!r} ends before it begins; write two ranges with a comma between them")
        found.update(range(low, high + 1, int(step) if slash else 1))
    return found


def _days(field: str) -> Callable[[date], bool]:
    """``L`` is the month's last day, ``15W`` the weekday nearest to the 15th within the month."""
    if field.upper() == "L":
        return lambda day: day.day == _length(day)
    if found := re.fullmatch(r"(\d+)[Ww]", field):
        [near] = _numbers(found[1], "day", 1, 31)
        return lambda day: near <= _length(day) and day == _nearest_weekday(day.replace(day=near))
    days = _numbers(field, "day", 1, 31)
    return lambda day: day.day in days


def _weekdays(field: str) -> Callable[[date], bool]:
    """``L`` is Saturday, ``6L`` the month's last Friday, ``3#2`` its second Tuesday."""
    if found := re.fullmatch(r"(\w+)#([1-5])", field):
        [weekday], nth = _numbers(found[1], "weekday", 1, 7, _WEEKDAYS), int(found[2])
        return lambda day: _weekday(day) == weekday and (day.day - 1) // 7 == nth - 1
    if field.upper() == "L":
        return lambda day: _weekday(day) == 7
    if found := re.fullmatch(r"(\w+)[Ll]", field):
        [last] = _numbers(found[1], "weekday", 1, 7, _WEEKDAYS)
        return lambda day: _weekday(day) == last and day.day > _length(day) - 7
    weekdays = _numbers(field, "weekday", 1, 7, _WEEKDAYS, steps=False)
    return lambda day: _weekday(day) in weekdays


def _weekday(day: date) -> int:
    """1 is Sunday."""
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date) -> date:
    if day.weekday() == 5:
        return day + timedelta(days=2) if day.day == 1 else day - timedelta(days=1)
    if day.weekday() == 6:
        return day - timedelta(days=2) if day.day == _length(day) else day + timedelta(days=1)
    return day
