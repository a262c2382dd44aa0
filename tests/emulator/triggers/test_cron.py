from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.triggers.cron import InvalidSchedule, parse

START = datetime(2026, 11, 3, 9, 41, 30, tzinfo=UTC)  # a Tuesday


def times(expression: str, count: int = 3, after: datetime = START, timezone: str = "UTC") -> list[str]:
    timetable = parse(expression, timezone)
    found: list[str] = []
    while len(found) < count and (moment := timetable.next(after)) is not None:
        found.append(moment.strftime("%a %Y-%m-%d %H:%M"))
        after = moment
    return found


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        # The examples of the documentation.
        ("cron(0 10 * * ? *)", ["Tue 2026-11-03 10:00", "Wed 2026-11-04 10:00", "Thu 2026-11-05 10:00"]),
        ("cron(15 12 * * ? *)", ["Tue 2026-11-03 12:15", "Wed 2026-11-04 12:15", "Thu 2026-11-05 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", ["Tue 2026-11-03 18:00", "Wed 2026-11-04 18:00", "Thu 2026-11-05 18:00"]),
        ("cron(0 8 1 * ? *)", ["Tue 2026-12-01 08:00", "Fri 2027-01-01 08:00", "Mon 2027-02-01 08:00"]),
        ("cron(0/15 * * * ? *)", ["Tue 2026-11-03 09:45", "Tue 2026-11-03 10:00", "Tue 2026-11-03 10:15"]),
        ("cron(0/10 * ? * MON-FRI *)", ["Tue 2026-11-03 09:50", "Tue 2026-11-03 10:00", "Tue 2026-11-03 10:10"]),
        ("cron(0/5 8-17 ? * mon-fri *)", ["Tue 2026-11-03 09:45", "Tue 2026-11-03 09:50", "Tue 2026-11-03 09:55"]),
        ("cron(0 9 ? * 2#1 *)", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00", "Mon 2027-02-01 09:00"]),
        ("cron(15 10 ? * 6L 2026-2027)", ["Fri 2026-11-27 10:15", "Fri 2026-12-25 10:15", "Fri 2027-01-29 10:15"]),
        # The wildcards.
        ("cron(1/20 * * * ? *)", ["Tue 2026-11-03 10:01", "Tue 2026-11-03 10:21", "Tue 2026-11-03 10:41"]),
        ("cron(*/30 9,11 * * ? *)", ["Tue 2026-11-03 11:00", "Tue 2026-11-03 11:30", "Wed 2026-11-04 09:00"]),
        ("cron(0 10-14/2 3 * ? *)", ["Tue 2026-11-03 10:00", "Tue 2026-11-03 12:00", "Tue 2026-11-03 14:00"]),
        ("cron(0 0 L * ? *)", ["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00", "Sun 2027-01-31 00:00"]),
        ("cron(0 0 L FEB ? *)", ["Sun 2027-02-28 00:00", "Tue 2028-02-29 00:00", "Wed 2029-02-28 00:00"]),
        ("cron(0 0 15W * ? *)", ["Mon 2026-11-16 00:00", "Tue 2026-12-15 00:00", "Fri 2027-01-15 00:00"]),
        ("cron(0 0 1W * ? 2027)", ["Fri 2027-01-01 00:00", "Mon 2027-02-01 00:00", "Mon 2027-03-01 00:00"]),
        ("cron(0 0 1W MAY ? 2027)", ["Mon 2027-05-03 00:00"]),  # the first is a Saturday; it stays within the month
        ("cron(0 0 31W JAN ? 2027)", ["Fri 2027-01-29 00:00"]),  # the last is a Sunday
        ("cron(0 0 ? * L *)", ["Sat 2026-11-07 00:00", "Sat 2026-11-14 00:00", "Sat 2026-11-21 00:00"]),
        ("cron(0 0 ? * 3#5 *)", ["Tue 2026-12-29 00:00", "Tue 2027-03-30 00:00", "Tue 2027-06-29 00:00"]),
        ("cron(0 0 29 2 ? *)", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00", "Fri 2036-02-29 00:00"]),
        ("cron(0 0 31 2 ? *)", []),
        ("cron(0 0 1 1 ? 2025)", []),
        ("cron(41 9 3 11 ? 2026)", []),  # half a minute ago
        ("cron(42 9 3 11 ? 2026)", ["Tue 2026-11-03 09:42"]),
        ("at(2026-12-31T23:00:00)", ["Thu 2026-12-31 23:00"]),
        ("at(2026-01-01T00:00:00)", []),
        ("rate(5 minutes)", ["Tue 2026-11-03 09:46", "Tue 2026-11-03 09:51", "Tue 2026-11-03 09:56"]),
        ("rate(1 day)", ["Wed 2026-11-04 09:41", "Thu 2026-11-05 09:41", "Fri 2026-11-06 09:41"]),
    ],
)
def test_when_it_is_due(expression: str, due: list[str]) -> None:
    assert times(expression) == due


def test_the_time_is_that_of_the_zone() -> None:
    assert times("cron(30 8 * * ? *)", 1, timezone="Asia/Kolkata") == ["Wed 2026-11-04 03:00"]
    assert times("at(2026-12-31T23:00:00)", 1, timezone="America/New_York") == ["Fri 2027-01-01 04:00"]
    # It is Wednesday there already.
    noon = datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert times("cron(0 2 ? * WED *)", 1, noon, "Pacific/Auckland") == ["Tue 2026-11-03 13:00"]


def test_what_summer_time_leaves_out_is_left_out_and_what_it_repeats_counts_once() -> None:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 2, spring, "Europe/Berlin") == ["Mon 2026-03-30 00:30", "Tue 2026-03-31 00:30"]
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 2, autumn, "Europe/Berlin") == ["Sun 2026-10-25 00:30", "Mon 2026-10-26 01:30"]
    # Between the two it is 02:30 for the second time soon, and not due.
    between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert times("cron(30 2 * * ? *)", 1, between, "Europe/Berlin") == ["Mon 2026-10-26 01:30"]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("every day", "is no schedule"),
        ("cron(0 3 * * *)", "six fields .* and not 5"),
        ("cron(0 3 * * * *)", "has to be ?"),
        ("cron(0 3 ? * ? *)", "has to be ?"),
        ("cron(60 3 * * ? *)", "'60' is no minute: it goes from 0 to 59"),
        ("cron(0 3 * * 0 *)", "has to be"),
        ("cron(0 3 ? * 0 *)", "'0' is no weekday"),
        ("cron(0 3 ? * 3#1,6#3 *)", "'3#1' is no weekday"),
        ("cron(0 3 ? * 2/2 *)", "no step that the weekday can have"),
        ("cron(0 3 ? * 3#6 *)", "no weekday"),
        ("cron(*/0 3 * * ? *)", "no step"),
        ("cron(0 22-4 * * ? *)", "ends before it begins"),
        ("cron(0 3 L,1 * ? *)", "'L' is no day"),
        ("cron(0 3 32W * ? *)", "'32' is no day"),
        ("cron(0 3 * JANUARY ? *)", "'JANUARY' is no month"),
        ("cron(0 3 1 1 ? 1969)", "'1969' is no year"),
        ("rate(0 minutes)", "above zero"),
        ("rate(5 seconds)", "minutes, hours or days"),
        ("at(2026-12-31 23:00)", "written as in"),
        ("at(2026-02-30T23:00:00)", "day"),
    ],
)
def test_what_aws_would_refuse_says_what_is_wrong(expression: str, says: str) -> None:
    with pytest.raises(InvalidSchedule, match=says.replace("?", r"\?")) as error:
        parse(expression)
    assert expression in str(error.value)


def test_rules_of_eventbridge_are_stricter() -> None:
    assert parse("rate(1 minutes)") == parse("rate(1 minute)") == parse("rate(1 minute)", source="rule")
    with pytest.raises(InvalidSchedule, match=r"rate\(1 minute\)"):
        parse("rate(1 minutes)", source="rule")
    with pytest.raises(InvalidSchedule, match=r"rate\(5 hours\)"):
        parse("rate(5 hour)", source="rule")
    with pytest.raises(InvalidSchedule, match="Scheduler"):
        parse("at(2026-12-31T23:00:00)", source="rule")


def test_an_unknown_time_zone_is_named() -> None:
    for name in ("Europe/Atlantis", "../etc/passwd", ""):
        with pytest.raises(InvalidSchedule, match="Europe/Berlin"):
            parse("rate(1 day)", name)


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 365 * 24 * 60),
)
def test_each_due_time_is_the_first_that_the_clock_shows(zone: str, minute: int, hour: int, start: int) -> None:
    """Against a search minute by minute, which knows nothing of dates."""
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    found = parse(f"cron({minute} {hour} * * ? *)", zone).next(after)
    assert found is not None
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while True:
        shown = moment.astimezone(ZoneInfo(zone))
        if (shown.hour, shown.minute) == (hour, minute) and not shown.fold:
            break
        moment += timedelta(minutes=1)
    assert found == moment
