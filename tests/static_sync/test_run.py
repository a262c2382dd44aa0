"""A run from its listing to its record: the fewest requests, whole at any moment, safe beside another."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from static_sync import history
from static_sync.cdn import Invalidation
from static_sync.exceptions import BucketError, CdnError, ConflictError
from static_sync.inventory import StaticFile, take_inventory
from static_sync.manifest import Manifest
from static_sync.release import FOLDER, Record
from static_sync.source import scan
from static_sync.stage import Stage
from static_sync.stores.contract import Body, Headers
from tests.static_sync.memory import MemoryStore
from tests.static_sync.runs import PREFIX, hashed_name, prepared, release, run

OLD = {"a.css": "old a", "b.js": "old b", "same.png": "same"}
NEW = {"a.css": "new a", "b.js": "new b", "same.png": "same", "c.svg": "new c"}


class Obedient:
    """A CDN that forgets what it is told to; ``told`` are the paths."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.refusal: str | None = None

    def invalidate(self, invalidation: Invalidation) -> str:
        if self.refusal:
            raise CdnError(self.refusal)
        self.told += invalidation.paths
        return "I1"

    def wait(self, _identifier: str) -> bool:
        return False


CDN = Obedient()


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def old(tmp_path: Path) -> tuple[StaticFile, ...]:
    return release(tmp_path / "old", OLD)


@pytest.fixture
def new(tmp_path: Path) -> tuple[StaticFile, ...]:
    return release(tmp_path / "new", NEW)


def wanted(files: tuple[StaticFile, ...]) -> dict[str, bytes]:
    return {PREFIX + file.name: Path(file.path).read_bytes() for file in files}


def assert_serves(store: MemoryStore, *releases: tuple[StaticFile, ...]) -> None:
    """Every page of these releases finds what it refers to, and every object is whole."""
    contents = [wanted(files) for files in releases]
    for files, content in zip(releases, contents, strict=True):
        for file in files:
            if file.stage is Stage.HASHED:
                assert store.objects[PREFIX + file.name].data == content[PREFIX + file.name]


def assert_whole(store: MemoryStore, *releases: tuple[StaticFile, ...]) -> None:
    """Every object has the content that one of these releases has for it."""
    contents = [wanted(files) for files in releases]
    for key, data in store.contents().items():
        assert data in [content[key] for content in contents if key in content]


def test_the_first_run_puts_each_file_and_one_record(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    made = run(store, old)
    assert store.made() == {"LIST": 1, "PUT": 7, "PUT record": 1}
    assert store.contents() == wanted(old)
    assert (made.release, made.objects, len(made.outcome.done)) == ("static/.static-sync/00000001.json", 0, 7)


@pytest.mark.parametrize("options", [{}, {"cdn": CDN}, {"encryption": "aws:kms"}, {"only_hashed": True}])
def test_nothing_changed_is_one_listing(old: tuple[StaticFile, ...], options: dict[str, object]) -> None:
    store = MemoryStore()
    run(store, old, **{**options, "only_hashed": False})
    store.made()
    made = run(store, old, **options)
    assert store.made() == {"LIST": 1}
    assert (made.plan.steps, made.invalidation) == ((), None)


def test_where_etags_are_no_digests_the_record_is_read(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store = MemoryStore(opaque=True)
    run(store, old)
    store.made()
    run(store, old)
    assert store.made() == {"LIST": 1, "GET record": 1}
    run(store, new)
    # same.png and its hashed twin are known by their ETags and not sent again.
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 7, "PUT record": 1}
    run(store, new)
    assert store.made() == {"LIST": 1, "GET record": 1}


def test_an_object_that_another_tool_has_written_is_not_taken_for_ours(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore(opaque=True)
    run(store, old)
    held = store.objects["static/a.css"]
    store.objects["static/a.css"] = replace(held, data=b"bad a", etag="opaque-by-another")
    store.made()
    run(store, old)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 1, "PUT record": 1}
    assert store.contents() == wanted(old)


def test_a_changed_unhashed_file_is_its_put_alone(tmp_path: Path) -> None:
    """Of equal size, and older: the listing tells its digest."""
    store = MemoryStore()
    (tmp_path / "a.css").write_text("old a")
    (tmp_path / "b.css").write_text("old b")
    run(store, take_inventory(scan(tmp_path).entries, Manifest()))
    store.made()
    (tmp_path / "a.css").write_text("OLD a")
    os.utime(tmp_path / "a.css", (0, 0))
    run(store, take_inventory(scan(tmp_path).entries, Manifest()))
    assert store.made() == {"LIST": 1, "PUT": 1}


def test_headers_that_change_are_a_copy_in_place(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    run(store, old)
    store.made()
    changed = tuple(
        file._replace(headers=file.headers._replace(cache_control="no-cache")) if file.name == "a.css" else file
        for file in old
    )
    made = run(store, changed)
    assert store.made() == {"LIST": 1, "GET record": 1, "COPY": 1, "PUT record": 1}
    assert [(step.key, step.reason) for step in made.outcome.done] == [("static/a.css", "headers")]
    assert store.objects["static/a.css"].headers.cache_control == "no-cache"
    run(store, changed)
    assert store.made() == {"LIST": 1}


def test_objects_of_unknown_headers_get_their_own(old: tuple[StaticFile, ...]) -> None:
    """What another tool has uploaded has the right bytes, and headers that nobody knows."""
    store = MemoryStore()
    run(store, old)
    for key in [key for key in store.objects if ".static-sync/" in key]:
        del store.objects[key]
    store.made()
    run(store, old)
    assert store.made() == {"COPY": 7, "LIST": 1, "PUT record": 1}


def test_a_file_moved_from_unhashed_to_immutable_is_only_rewritten(tmp_path: Path) -> None:
    store = MemoryStore()
    run(store, release(tmp_path, OLD))
    store.made()
    run(store, release(tmp_path, OLD, is_hashed=lambda name: name == "same.png"))
    assert store.made() == {"LIST": 1, "GET record": 1, "COPY": 1, "PUT record": 1}
    assert "immutable" in store.objects["static/same.png"].headers.cache_control


def test_the_first_half_of_a_deploy_puts_hashed_files_alone(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store = MemoryStore()
    run(store, old)
    store.made()
    run(store, new, only_hashed=True)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 3, "PUT record": 1}
    assert_serves(store, old, new)
    assert store.contents()["static/a.css"] == b"old a"
    run(store, new, only_hashed=True)
    assert store.made() == {"LIST": 1, "GET record": 1}
    run(store, new)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 4, "PUT record": 1}
    assert store.contents() == {**wanted(old), **wanted(new)}
    run(store, new)
    assert store.made() == {"LIST": 1}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("opaque", [False, True])
def test_a_crash_at_any_request_leaves_both_releases_whole(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...], moment: str, opaque: bool
) -> None:
    crashes = 0
    while True:
        store = MemoryStore(opaque=opaque)
        run(store, old)
        left = iter(range(crashes))

        def stop(_method: str, _key: str, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise Killed

        setattr(store, moment, stop)
        try:
            run(store, new)
        except Killed:
            killed = True
        else:
            killed = False
        setattr(store, moment, lambda _method, _key: None)
        assert_serves(store, old)
        if (
            "static/staticfiles.json" in store.objects
            and store.contents()["static/staticfiles.json"] != wanted(old)["static/staticfiles.json"]
        ):
            assert_serves(store, old, new)
        run(store, new)
        assert store.contents() == {**wanted(old), **wanted(new)}
        store.made()
        run(store, new)
        assert store.made().keys() <= {"LIST", "GET record"}
        if not killed:
            break
        crashes += 1
    assert crashes == 10  # a listing, the record, three hashed files, three others, the manifest and a record


def test_two_runs_at_once_end_as_one_of_them_wants_it(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...], tmp_path: Path
) -> None:
    """One run is let in at each request of the other."""
    base = release(tmp_path / "base", {"a.css": "base a", "b.js": "base b"})
    number = 0
    while True:
        store = MemoryStore()
        run(store, base)
        left = iter(range(number))
        crossed: list[bool] = []

        def cross(_method: str, _key: str, left: object = left, crossed: list[bool] = crossed) -> None:
            if not crossed and next(left, None) is None:  # type: ignore[call-overload]
                crossed.append(True)
                run(store, old)  # noqa: B023

        store.before = cross
        run(store, new)
        if not crossed:
            break
        assert store.contents() == {**wanted(base), **wanted(old), **wanted(new)}
        assert_serves(store, base, old, new)
        assert_whole(store, base, old, new)
        newest = history.Listing(store.listing(), PREFIX).records[-1]
        record = Record.decode(store.objects[newest.key].data, newest.key)
        assert record.names() == {file.name for file in new}
        number += 1
    assert number > 10


def test_many_runs_in_threads_end_as_one_of_them_wants_it(tmp_path: Path) -> None:
    releases = [release(tmp_path / str(number), {"a.css": f"{number} a", "b.js": f"{number} b"}) for number in range(4)]
    store = MemoryStore()
    errors = []

    def push(files: tuple[StaticFile, ...]) -> None:
        try:
            run(store, files, workers=4)
        except ConflictError as error:
            errors.append(error)

    threads = [threading.Thread(target=push, args=(files,)) for files in releases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = history.Listing(store.listing(), PREFIX).records[-1]
    record = Record.decode(store.objects[newest.key].data, newest.key)
    winner = next(files for files in releases if {file.name for file in files} == record.names())
    contents = store.contents()
    assert {key: contents[key] for key in wanted(winner)} == wanted(winner)
    assert_serves(store, winner)
    assert_whole(store, *releases)
    assert all("Other runs" in str(error) for error in errors)


def test_a_run_whose_record_others_take_again_and_again_goes_on(
    old: tuple[StaticFile, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("static_sync.run.random.uniform", lambda _least, _most: 0.0)
    store = MemoryStore()
    taken: list[str] = []

    def take(method: str, key: str) -> None:
        if method == "PUT" and key.startswith(PREFIX + FOLDER) and key not in taken and len(taken) < 7:
            taken.append(key)
            history.commit(store, key, Record("release", {}, {}))

    store.before = take
    run(store, old)
    assert len(taken) == 7
    newest = history.Listing(store.listing(), PREFIX).records[-1]
    record = Record.decode(store.objects[newest.key].data, newest.key)
    assert (newest.number, record.names()) == (8, {file.name for file in old})


def test_a_hashed_file_that_another_run_has_put_is_there_already(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    first = f"static/{hashed_name('a.css', b'old a')}"

    def put_first(method: str, key: str) -> None:
        if (method, key) == ("PUT", first) and first not in store.objects:
            store.before = lambda _method, _key: None
            run(store, tuple(file for file in old if PREFIX + file.name == first))

    store.before = put_first
    made = run(store, old)
    assert len(made.outcome.done) == 7
    assert store.contents() == wanted(old)


def test_nothing_is_recorded_of_an_empty_folder(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    run(store, old)
    store.made()
    run(store, ())
    assert store.made() == {"LIST": 1, "GET record": 1}
    assert store.contents() == wanted(old)


def test_a_dry_run_lists_and_no_more(old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    run(store, old)
    store.made()
    dry = prepared(store, new)
    dry.look()
    assert store.made() == {"LIST": 1, "GET record": 1}
    plan = run(store, new).plan
    assert dry.plan._replace(found=plan.found) == plan
    assert vars(dry.plan.found) == vars(plan.found)


def test_what_has_arrived_before_a_failure_is_not_sent_again(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store = MemoryStore()
    run(store, old, cdn=CDN)

    def fail(_method: str, key: str) -> None:
        if key == "static/b.js":
            raise BucketError("no")

    store.before = fail
    store.made()
    assert len(run(store, new, cdn=CDN).outcome.failed) == 1
    # Three hashed files and two others have arrived, and the record tells of them.
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 5, "PUT record": 1}
    store.before = lambda _method, _key: None
    dry = prepared(store, new, cdn=CDN)
    dry.look()
    assert [step.key for step in dry.plan.steps] == ["static/b.js", "static/staticfiles.json"]
    assert [one.key for one in dry.plan.outdated] == ["static/a.css", "static/b.js", "static/c.svg"]
    store.made()
    run(store, new)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 2, "PUT record": 1}
    assert store.contents() == {**wanted(old), **wanted(new)}


def test_the_cdn_is_told_what_has_changed_under_its_old_name(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store, cdn = MemoryStore(), Obedient()
    run(store, old, cdn=cdn)
    assert cdn.told == []  # nobody can have asked for any of it
    run(store, new, cdn=cdn)
    assert cdn.told == ["/static/a.css", "/static/b.js"]
    run(store, new, cdn=cdn)
    run(store, tuple(file for file in old if file.stage is Stage.HASHED) + new[:0], cdn=cdn, only_hashed=True)
    assert len(cdn.told) == 2


def test_what_the_cdn_was_not_told_is_told_by_the_next_run(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store, cdn = MemoryStore(), Obedient()
    run(store, old, cdn=cdn)
    cdn.refusal = "no"
    failed = run(store, new, cdn=cdn)
    assert (failed.cdn_error, failed.outcome.complete) == ("no", True)
    cdn.refusal = None
    store.made()
    run(store, new, cdn=cdn)
    assert cdn.told == ["/static/a.css", "/static/b.js"]
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT record": 1}
    store.before = lambda _method, _key: None
    run(store, new, cdn=cdn)
    assert len(cdn.told) == 2


def test_a_run_without_a_cdn_leaves_it_open_what_one_has_to_forget(
    old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]
) -> None:
    store, cdn = MemoryStore(), Obedient()
    run(store, old, cdn=cdn)
    run(store, new)
    run(store, new, cdn=cdn)
    assert cdn.told == ["/static/a.css", "/static/b.js", "/static/c.svg", "/static/same.png"]


def test_a_crash_before_the_cdn_is_told_is_made_good(old: tuple[StaticFile, ...], new: tuple[StaticFile, ...]) -> None:
    store, cdn = MemoryStore(), Obedient()
    run(store, old, cdn=cdn)
    cdn.invalidate = stop  # type: ignore[assignment,method-assign]
    with pytest.raises(Killed):
        run(store, new, cdn=cdn)
    after = Obedient()
    run(store, new, cdn=after)
    assert set(after.told) >= {"/static/a.css", "/static/b.js"}


def stop(*_arguments: object) -> str:
    raise Killed


def test_a_tag_stands_for_all_that_carries_it(tmp_path: Path) -> None:
    store, cdn = MemoryStore(), Obedient()
    run(store, release(tmp_path / "1", OLD), cdn=cdn)
    tagged = release(tmp_path / "2", {**OLD, "a.css": "new a"}, cache_tag="site")
    run(store, tagged, cdn=cdn, cache_tag="site")
    # What a CDN holds of them was taken before there was a tag.
    assert cdn.told == ["/static/a.css", "/static/b.js", "/static/same.png"]
    again = release(tmp_path / "3", {**OLD, "a.css": "third a"}, cache_tag="site")
    run(store, again, cdn=cdn, cache_tag="site")
    assert cdn.told[3:] == ["#site"]


def test_a_record_whose_answer_was_lost_is_our_own(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    put = store.put

    def twice(key: str, *arguments: Any) -> str:
        etag = put(key, *arguments)
        return put(key, *arguments) if ".static-sync/" in key else etag

    store.put = twice  # type: ignore[assignment,method-assign]
    made = run(store, old)
    assert (made.release, len(made.outcome.done)) == ("static/.static-sync/00000001.json", 7)
    assert store.made() == {"GET record": 1, "LIST": 1, "PUT": 7, "PUT record": 2}


def test_what_is_odd_about_the_service_is_told(old: tuple[StaticFile, ...]) -> None:
    store = MemoryStore()
    assert run(store, old).notes_of_the_service() == []
    store.conditional, store.clock_offset = False, -3600.0
    conditions, clock = run(store, old).notes_of_the_service()
    assert "conditional writes" in conditions
    assert "3600 s ahead" in clock


class Halves:
    """A compressor that makes each variant half as long, save of what begins with a z."""

    def variant(self, data: bytes, md5: str, encoding: str) -> bytes | None:
        return None if data.startswith(b"z") else data[: len(data) // 2]


def compressed(folder: Path, text: str, encodings: tuple[str, ...] = ("br",)) -> tuple[StaticFile, ...]:
    folder.mkdir()
    (folder / "a.css").write_text(text)
    (file,) = take_inventory(scan(folder).entries, Manifest())
    return (file._replace(encodings=encodings),)


def test_compressed_variants_are_made_once(tmp_path: Path) -> None:
    store = MemoryStore()
    options: dict[str, Any] = {"compressor": Halves()}
    first = compressed(tmp_path / "1", "a first text")
    run(store, first, **options)
    store.made()
    run(store, first, **options)
    assert store.made() == {"LIST": 1}
    more = compressed(tmp_path / "2", "a first text", ("br", "gzip"))
    run(store, more, **options)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 2, "PUT record": 1}
    # Not asked for any more, they are still those of the content that is there.
    plain = compressed(tmp_path / "3", "a first text", ())
    run(store, plain, **options)
    assert store.made() == {"LIST": 1, "GET record": 1}
    assert set(store.contents()) == {"static/a.css", "static/a.css.br", "static/a.css.gz"}
    run(store, compressed(tmp_path / "4", "a second text", ()), **options)
    assert store.made() == {"LIST": 1, "GET record": 1, "DELETE": 1, "PUT": 1, "PUT record": 1}
    assert set(store.contents()) == {"static/a.css"}


def test_a_variant_that_is_no_gain_is_not_tried_again(tmp_path: Path) -> None:
    store = MemoryStore()
    options: dict[str, Any] = {"compressor": Halves()}
    files = compressed(tmp_path / "1", "z is no gain")
    run(store, files, **options)
    store.made()
    run(store, files, **options)
    assert store.made() == {"LIST": 1, "GET record": 1}
    # What another tool puts in its place is not ours to remove.
    store.put("static/a.css.br", Body("", 1, hashlib.md5(b"x").hexdigest(), b"x"), Headers("text/css", "no-cache"))
    store.made()
    run(store, compressed(tmp_path / "2", "z is another"), **options)
    assert store.made() == {"LIST": 1, "GET record": 1, "PUT": 1}
    assert "static/a.css.br" in store.contents()
