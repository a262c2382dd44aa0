"""What may be deleted, and that nothing else is, whatever else happens meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync import history
from static_sync import retirement as module
from static_sync.exceptions import PruneRefusedError, UsageError
from static_sync.history import Dated
from static_sync.inventory import StaticFile
from static_sync.release import Kind, Needed, Numbered, Record, make_lease, record_key
from static_sync.retirement import PruneReport, prune, select
from static_sync.stores.contract import RemoteObject
from tests.static_sync.memory import MemoryStore
from tests.static_sync.runs import PREFIX, release, run
from tests.static_sync.test_run import assert_serves, wanted

DAY = timedelta(days=1)


class Calendar:
    """The service's clock and ours, set by the test."""

    def __init__(self) -> None:
        self.today = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self, _zone: object = None) -> datetime:
        return self.today

    def fromisoformat(self, text: str) -> datetime:
        return datetime.fromisoformat(text)


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    made = Calendar()
    monkeypatch.setattr(history, "datetime", made)
    return made


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, calendar: Calendar) -> MemoryStore:
    made = MemoryStore()
    made.now = calendar.now
    monkeypatch.setattr(module, "open_store", lambda *_arguments, **_options: made)
    return made


@pytest.fixture
def sites(tmp_path: Path) -> Callable[[int], tuple[StaticFile, ...]]:
    """The site as it was on a day: its stylesheet changes each day, its script every other."""
    made: dict[int, tuple[StaticFile, ...]] = {}

    def site(day: int) -> tuple[StaticFile, ...]:
        if day not in made:
            made[day] = release(tmp_path / str(day), {"a.css": f"a of {day}", "b.js": f"b of {day // 2}"})
        return made[day]

    return site


def deploy(store: MemoryStore, calendar: Calendar, sites: Any, days: int) -> None:
    for day in range(days):
        run(store, sites(day))
        calendar.today += DAY


def pruned(**options: Any) -> PruneReport:
    return prune("s3://bucket/static", **options)


def test_only_what_old_releases_alone_need_goes(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    store.objects["static/stranger.0123456789ab.css"] = store.objects["static/a.css"]
    before = set(store.contents())
    report = pruned(keep_releases=2, grace_days=2.5)
    assert_serves(store, sites(5), sites(4), sites(3))  # 3 was in service until 2 days ago
    gone = before - set(store.contents())
    assert gone == set(report.selection.keys)
    kept = wanted(sites(5)) | wanted(sites(4)) | wanted(sites(3))
    assert gone == (wanted(sites(0)) | wanted(sites(1)) | wanted(sites(2))).keys() - kept.keys()
    assert (report.releases, report.selection.kept, report.ok) == (6, 3, True)
    assert store.contents().keys() == kept.keys() | {"static/stranger.0123456789ab.css"}


def test_the_next_run_finds_nothing_to_do(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    pruned(keep_releases=1, grace_days=0)
    store.made()
    run(store, sites(5))
    assert store.made() == {"LIST": 1}
    assert not pruned(keep_releases=1, grace_days=0).changed


def test_the_requests_of_a_prune(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    store.made()
    pruned(keep_releases=1, grace_days=0)
    # The lease is tried twice, to see whether the service keeps a second out.
    assert store.made() == {"LIST": 1, "GET record": 7, "PUT record": 3, "DELETE": 1, "DELETE record": 1}


def test_a_dry_run_deletes_nothing(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    before = dict(store.objects)
    report = pruned(keep_releases=1, grace_days=0, dry_run=True)
    assert store.objects == before
    assert f"  obsolete  {report.selection.keys[0]}" in report.lines()


def test_the_guard(store: MemoryStore, calendar: Calendar, sites: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(store, calendar, sites, 6)
    monkeypatch.setattr(module, "_FEW", 0)
    before = dict(store.objects)
    with pytest.raises(PruneRefusedError, match=r"7 of 12 objects are obsolete, and 6 may .* --max-delete 7") as caught:
        pruned(keep_releases=1, grace_days=0)
    with pytest.raises(PruneRefusedError):
        pruned(keep_releases=1, grace_days=0, max_delete=6)
    assert store.objects == before
    assert "--max-delete 7" in str(caught.value)
    assert pruned(keep_releases=1, grace_days=0, max_delete=7).changed


def test_old_records_go_when_nothing_depends_on_them(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    pruned(keep_releases=1, grace_days=0)
    numbers = [record.number for record in history.Listing(store.listing(), PREFIX).records]
    # The newest, the lease and what has ended it: a number is given away once in a day at least.
    assert numbers == [6, 7, 8]
    calendar.today += 2 * DAY
    run(store, sites(7))
    calendar.today += 2 * DAY
    pruned(keep_releases=1, grace_days=0)
    assert [record.number for record in history.Listing(store.listing(), PREFIX).records][-1] == 11


def test_without_conditions_nothing_is_deleted(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    store.heeds = False
    before = store.contents()
    with pytest.raises(PruneRefusedError, match="conditional"):
        pruned(keep_releases=1, grace_days=0)
    assert store.contents() == before
    run(store, sites(6))  # nobody waits for a lease that was given up


def test_nothing_is_kept_is_no_option() -> None:
    with pytest.raises(UsageError):
        pruned(keep_releases=0)


def test_a_run_that_has_listed_before_a_prune_begins_again(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    """It needs again what the prune deletes: at each of its requests, one is let in."""
    number = 0
    while True:
        store.objects.clear()
        deploy(store, calendar, sites, 4)
        left = iter(range(number))
        crossed: list[bool] = []

        def cross(_method: str, _key: str, left: object = left, crossed: list[bool] = crossed) -> None:
            if not crossed and next(left, None) is None:  # type: ignore[call-overload]
                crossed.append(True)
                pruned(keep_releases=1, grace_days=0)

        store.before = cross
        run(store, sites(0))
        store.before = lambda _method, _key: None
        assert {key: store.contents()[key] for key in wanted(sites(0))} == wanted(sites(0))
        if not crossed:
            break
        number += 1
    assert number > 5


def test_a_run_that_ends_before_the_lease_is_taken_keeps_what_it_needs(
    store: MemoryStore, calendar: Calendar, sites: Any
) -> None:
    """A whole run is let in at each request of the prune, up to the one that takes the lease."""
    crossings = 0
    while True:
        store.objects.clear()
        deploy(store, calendar, sites, 4)
        left = iter(range(crossings))
        state = {"crossed": False, "leased": False}

        def cross(method: str, key: str, left: object = left, state: dict[str, bool] = state) -> None:
            if not any(state.values()) and next(left, None) is None:  # type: ignore[call-overload]
                state["crossed"] = True
                run(store, sites(0))

        def look(method: str, key: str, state: dict[str, bool] = state) -> None:
            state["leased"] = state["leased"] or (method == "PUT" and not state["crossed"])

        store.before, store.after = cross, look
        pruned(keep_releases=1, grace_days=0)
        store.before = store.after = lambda _method, _key: None
        if not state["crossed"]:
            break
        assert {key: store.contents()[key] for key in wanted(sites(0))} == wanted(sites(0))
        crossings += 1
    assert crossings == 6  # at the listing, four records and the lease


def test_a_run_waits_for_as_long_as_objects_are_deleted(
    store: MemoryStore, calendar: Calendar, sites: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, sites(0))
    history.commit(store, record_key(PREFIX, 2), make_lease())
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            history.commit(store, record_key(PREFIX, 3), Record("release", {"x": Needed("h")}))

    notes: list[str] = []
    listing = history.list_settled(store, PREFIX, (), notes.append, sleep)
    assert (len(waits), len(notes), listing.records[-1].number) == (3, 1, 3)

    history.commit(store, record_key(PREFIX, 4), make_lease())
    waits.clear()
    history.list_settled(store, PREFIX, (), notes.append, waits.append)
    assert sum(waits) > history.LEASE  # whoever holds it is gone
    waits.clear()
    calendar.today += timedelta(hours=1)
    history.list_settled(store, PREFIX, (), notes.append, waits.append)
    assert waits == []


def test_a_lease_ends_by_either_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for clock in ("monotonic", "time"):
        lease = module._Lease()
        assert lease.holds()
        with monkeypatch.context() as patched:
            now = getattr(time, clock)()
            patched.setattr(time, clock, lambda now=now: now + history.LEASE)
            assert not lease.holds()


def test_what_is_left_is_told(store: MemoryStore, calendar: Calendar, sites: Any) -> None:
    deploy(store, calendar, sites, 6)
    delete = store.delete
    store.delete = lambda keys, may_go_on=lambda: True: delete(keys[1:], may_go_on)  # type: ignore[method-assign]
    report = pruned(keep_releases=1, grace_days=0)
    assert (report.ok, len(report.left)) == (False, 1)
    assert report.left[0] in report.failure_lines()[0]
    assert record_key(PREFIX, 1) in store.objects  # or nobody would know whose it is
    store.delete = delete  # type: ignore[method-assign]
    assert pruned(keep_releases=1, grace_days=0).selection.keys == report.left


names = st.sampled_from([f"{letter}.css" for letter in "abcdefgh"])
kinds: st.SearchStrategy[Kind] = st.sampled_from(["release", "release", "release", "staged", "prune"])


@given(
    st.lists(st.tuples(kinds, st.frozensets(names), st.integers(0, 3)), min_size=1, max_size=8),
    st.frozensets(names),
    st.integers(1, 4),
    st.integers(0, 6),
)
def test_whatever_was_needed_within_the_grace_stays(
    history_of: list[tuple[Kind, frozenset[str], int]], others: frozenset[str], keep: int, grace: int
) -> None:
    written = datetime(2026, 1, 1, tzinfo=UTC)
    dated = []
    for number, (kind, needed, days) in enumerate(history_of, 1):
        hashed = {} if kind == "prune" else {name: Needed("h", ("br",)) for name in needed}
        there = RemoteObject("etag", 1, written.isoformat())
        dated.append(Dated(Numbered(number, f"r/{number}", there), Record(kind, hashed), written))
        written += timedelta(days=days)
    now = written
    told_of = {name for _, needed, _ in history_of for name in needed}
    keys = {f"s/{name}{suffix}" for name in told_of | others for suffix in ("", ".br")}
    objects = {key: RemoteObject("etag", 1, "2026-01-01T00:00:00Z") for key in keys}
    chosen = select(dated, objects, "s/", keep, timedelta(days=grace), now)

    told = [entry for entry in dated if entry.record.kind != "prune"]
    known = {name for entry in told for name in entry.record.hashed}
    gone = {key.removeprefix("s/").removesuffix(".br") for key in chosen.keys}
    assert gone <= known
    limit = now - timedelta(days=grace)
    for entry, following in zip(told, [*told[1:], None][: len(told)], strict=True):
        if following is None or following.written > limit:
            assert not gone & set(entry.record.hashed)
    releases = [entry for entry in told if entry.record.kind == "release"]
    for entry in releases[-1:]:
        assert not gone & set(entry.record.hashed)
    if told:
        needed_by_last = set(told[-1].record.hashed)
        for entry in releases[-keep:]:
            needed_by_last |= set(entry.record.hashed)
        assert not gone & needed_by_last
