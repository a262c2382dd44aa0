from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.function.invocation import FunctionFailed
from emulator.triggers.asynchronous import Asynchronous
from emulator.triggers.delivery import Delivery, Patience
from tests.emulator.triggers.helpers import FAILED, THROTTLED, Around, Functions, until

EVENT = Delivery("worker", b'{"n":1}', "bucket", "media", "ObjectCreated:Put", "a b.png")


def answers(*found: Any) -> Functions:
    rest: Iterator[Any] = iter(found)
    return Functions(lambda event: next(rest))


def test_a_failed_event_is_tried_twice_more_after_the_delays() -> None:
    async def main() -> None:
        functions = answers(FAILED, FAILED, FAILED, None)
        around = Around(functions)
        asynchronous = Asynchronous(around.postman, around.log, delays=(0.1, 0.3))
        assert not await asynchronous.send(EVENT)
        first, second, third = functions.times
        assert second - first >= 0.1
        assert third - second >= 0.3
        assert functions.events == [{"n": 1}] * 3
        assert "it raised; tried again in 0.1 s" in around.log.text
        assert "ObjectCreated:Put: a b.png: it raised; given up after 3 attempts" in around.log.text
        assert [record.error for record in around.records] == ["it raised"] * 3
        assert all(record.ended for record in around.records)

    asyncio.run(main())


def test_a_retry_that_succeeds_is_the_last() -> None:
    async def main() -> None:
        functions = answers(FAILED, {"ok": True})
        around = Around(functions)
        assert await Asynchronous(around.postman, around.log, delays=(0.01, 0.01)).send(EVENT)
        assert [record.answer for record in around.records] == [b"", b'{"ok": true}']

    asyncio.run(main())


def test_a_throttled_event_waits_longer_each_time_and_is_one_record() -> None:
    async def main() -> None:
        functions = answers(THROTTLED, THROTTLED, THROTTLED, "done")
        around = Around(functions)
        answer = await around.postman.deliver(EVENT, Patience(10, first=0.05, longest=0.06))
        assert answer == b'"done"'
        waits = [later - earlier for earlier, later in zip(functions.times, functions.times[1:], strict=False)]
        assert waits[0] >= 0.05
        assert waits[1] >= 0.06
        assert 0.06 <= waits[2] < 0.2  # and not four times the first
        [record] = around.records
        assert (record.error, record.answer, record.title, record.target) == (
            None,
            b'"done"',
            EVENT.title,
            EVENT.target,
        )
        assert record.total is not None
        assert record.total >= 0.17

    asyncio.run(main())


def test_patience_has_an_end() -> None:
    async def main() -> None:
        functions = Functions(lambda event: THROTTLED)
        around = Around(functions)
        with pytest.raises(FunctionFailed, match="all environments are busy"):
            await around.postman.deliver(EVENT, Patience(1, first=0.2, longest=1))
        assert len(functions.calls) == 3  # at once, after 0.2 and after 0.6 s; the next would be too late
        assert around.records[0].error == "all environments are busy"

    asyncio.run(main())


def test_nothing_is_left_when_it_stops() -> None:
    async def main() -> None:
        functions = answers(FAILED)
        around = Around(functions)
        asynchronous = Asynchronous(around.postman, around.log, delays=(60,))
        waiting = asynchronous.send(EVENT)
        await until(lambda: "tried again" in around.log.text)
        functions.seconds, functions.answer = 60, lambda event: None
        running = asynchronous.send(EVENT)
        await until(lambda: functions.running)
        await asynchronous.stop()
        assert waiting.cancelled()
        assert running.cancelled()
        assert all(record.ended for record in around.records)
        assert "stopped" in (around.records[-1].error or "")

    asyncio.run(main())
