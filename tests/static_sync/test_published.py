"""What a bucket holds, the way back, and whether a package agrees with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from static_sync import published as module
from static_sync.exceptions import ReleaseError, SourceError
from static_sync.inventory import StaticFile
from static_sync.published import check, releases, rollback
from static_sync.stage import Stage
from tests.static_sync.memory import MemoryStore
from tests.static_sync.runs import PREFIX, release, run
from tests.static_sync.test_run import wanted

DESTINATION = "s3://bucket/static"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    made = MemoryStore()
    monkeypatch.setattr(module, "open_store", lambda *_arguments, **_options: made)
    return made


@pytest.fixture
def first(tmp_path: Path) -> tuple[StaticFile, ...]:
    return release(tmp_path / "first", {"a.css": "first a", "b.js": "b"})


@pytest.fixture
def second(tmp_path: Path) -> tuple[StaticFile, ...]:
    return release(tmp_path / "second", {"a.css": "second a", "b.js": "b"})


def test_there_are_none_at_first(store: MemoryStore) -> None:
    assert releases(DESTINATION).lines() == ["There is no release at s3://bucket/static."]


def test_they_are_told_from_the_first_to_the_current(
    store: MemoryStore, first: tuple[StaticFile, ...], second: tuple[StaticFile, ...]
) -> None:
    run(store, first)
    run(store, second)
    del store.objects[next(PREFIX + file.name for file in first if file.name.startswith("a.") and "css" in file.name)]
    report = releases(DESTINATION)
    assert [(one.number, one.hashed, one.unhashed, len(one.missing), one.current) for one in report.releases] == [
        (1, 2, 3, 1, False),
        (2, 2, 3, 0, True),
    ]
    assert report.lines()[1].endswith("2 hashed, 3 other  1 deleted since")
    assert report.lines()[2].endswith("whole  (current)")
    assert json.loads(json.dumps(report.as_dict()))["releases"][1]["current"] is True


def test_a_rollback_is_one_put(
    store: MemoryStore, first: tuple[StaticFile, ...], second: tuple[StaticFile, ...]
) -> None:
    run(store, first)
    run(store, second)
    store.made()
    report = rollback(DESTINATION)
    assert store.made() == {"LIST": 1, "GET record": 2, "PUT record": 1}
    assert report.rolled_back == 1
    current = releases(DESTINATION).releases[-1]
    assert (current.number, current.current, current.missing) == (3, True, ())
    # What does not hash its names has one content at a time: that of the last run.
    assert store.contents()["static/a.css"] == b"second a"
    assert {key: store.contents()[key] for key in wanted(first) if ".css" not in key or "a.css" not in key}
    run(store, first)
    assert store.made() == {"GET record": 3, "LIST": 2, "PUT": 2}
    assert {key: store.contents()[key] for key in wanted(first)} == wanted(first)


def test_a_rollback_may_be_tried_first(
    store: MemoryStore, first: tuple[StaticFile, ...], second: tuple[StaticFile, ...]
) -> None:
    run(store, first)
    run(store, second)
    before = dict(store.objects)
    assert "Would make release 1" in rollback(DESTINATION, dry_run=True).lines()[-1]
    assert store.objects == before


def test_there_is_no_way_back_to_what_is_gone(
    store: MemoryStore, first: tuple[StaticFile, ...], second: tuple[StaticFile, ...]
) -> None:
    with pytest.raises(ReleaseError, match="no release before"):
        rollback(DESTINATION)
    run(store, first)
    run(store, second)
    with pytest.raises(ReleaseError, match=r"no release 7 .* there are: 1, 2"):
        rollback(DESTINATION, to=7)
    gone = next(PREFIX + file.name for file in first if file.stage is Stage.HASHED and file.name.endswith(".css"))
    del store.objects[gone]
    with pytest.raises(ReleaseError, match="Release 1 is not whole any more: 1 file deleted since"):
        rollback(DESTINATION, to=1)


def test_a_check_is_a_listing(store: MemoryStore, first: tuple[StaticFile, ...], tmp_path: Path) -> None:
    run(store, first)
    store.made()
    report = check(DESTINATION, manifest=tmp_path / "first" / "staticfiles.json")
    assert store.made() == {"LIST": 1, "GET record": 1}
    assert report.ok
    assert report.lines()[-1].endswith("2 at s3://bucket/static")


def test_a_check_names_what_is_missing_and_what_may_go(
    store: MemoryStore, first: tuple[StaticFile, ...], second: tuple[StaticFile, ...], tmp_path: Path
) -> None:
    run(store, first)
    report = check(DESTINATION, manifest=tmp_path / "second" / "staticfiles.json")
    (missing,) = report.missing
    assert missing.startswith("a.")
    assert missing in report.failure_lines()[0]
    run(store, second)
    report = check(DESTINATION, manifest=tmp_path / "first" / "staticfiles.json")
    assert (report.missing, len(report.unprotected), report.ok) == ((), 1, False)
    assert "static-sync rollback" in report.failure_lines()[-1]


def test_a_check_needs_a_manifest(store: MemoryStore, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no manifest .*nowhere\.json"):
        check(DESTINATION, manifest=tmp_path / "nowhere.json")
