from __future__ import annotations

import asyncio

import pytest

from emulator import records
from emulator.records import Record, Recorder


def record(identifier: str, event: bytes = b"{}") -> Record:
    return Record(identifier, "http", "http_api", "web", "GET", f"/{identifier}", event)


def names(found: list[Record]) -> list[str]:
    return [each.id for each in found]


def test_what_is_new_or_changed_comes_in_the_order_of_its_changes() -> None:
    recorder = Recorder()
    first, second = recorder.add(record("a")), recorder.add(record("b"))
    assert names(recorder.since(0)) == ["a", "b"]
    assert names(recorder.since(first.serial)) == ["b"]
    recorder.end(first)
    assert names(recorder.since(second.serial)) == ["a"]
    assert recorder.get("a") is first
    assert recorder.get("c") is None


def test_an_end_is_told_once() -> None:
    recorder = Recorder()
    one = recorder.add(record("a"))
    recorder.end(one)
    serial = one.serial
    recorder.end(one)
    assert one.serial == serial


def test_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_KEPT", 2)
    recorder = Recorder()
    kept = [recorder.add(record(name)) for name in "abc"]
    assert names(recorder.since(0)) == ["b", "c"]
    # It may still end after that.
    recorder.end(kept[0])
    assert recorder.get("a") is None


def test_no_more_bytes_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_KEPT_BYTES", 100_000)
    monkeypatch.setattr(records, "LONGEST_PART", 20_000)
    recorder = Recorder()
    for number in range(50):
        one = recorder.add(record(str(number), b"x" * 30_000))
        one.answer = b"y" * 30_000
        recorder.end(one)
        assert sum(each.size for each in recorder.since(0)) <= 120_000
    assert len(recorder.since(0)) == 2
    assert {len(each.event) for each in recorder.since(0)} == {20_000}
    assert {len(each.answer) for each in recorder.since(0)} == {20_000}


def test_a_follower_hears_of_each_change() -> None:
    async def follow() -> list[list[str]]:
        recorder = Recorder()
        recorder.add(record("a"))
        heard = []
        changes = recorder.follow()
        heard.append(names(await anext(changes)))
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        recorder.add(record("b"))
        recorder.add(record("c"))
        heard.append(names(await waiting))
        await changes.aclose()
        assert not recorder._followers
        return heard

    assert asyncio.run(follow()) == [["a"], ["b", "c"]]


def test_a_log_has_an_end() -> None:
    one = record("a")
    for number in range(3000):
        one.wrote(str(number))
    assert len(one.log) == 2000
