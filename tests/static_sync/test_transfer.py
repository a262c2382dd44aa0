from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from static_sync.exceptions import AccessDeniedError, BucketError, ConflictError
from static_sync.inventory import StaticFile
from static_sync.plan import Plan, Step
from static_sync.progress import NO_PROGRESS
from static_sync.release import Found
from static_sync.stage import Stage
from static_sync.stores.contract import ABSENT, Headers
from static_sync.transfer import Outcome, transfer
from tests.static_sync.memory import MemoryStore

HEADERS = Headers("text/css", "public, max-age=60")


@pytest.fixture
def steps(tmp_path: Path) -> list[Step]:
    """Twenty hashed files, twenty others and a manifest."""
    path = tmp_path / "file"
    path.write_text("x")
    md5 = hashlib.md5(b"x").hexdigest()
    names = [(f"h{number}", Stage.HASHED) for number in range(20)]
    names += [(f"u{number}", Stage.UNHASHED) for number in range(20)]
    names.append(("staticfiles.json", Stage.MANIFEST))
    return [Step(name, StaticFile(name, str(path), 1, md5, HEADERS, stage), "new", ABSENT) for name, stage in names]


def carry(store: MemoryStore, steps: list[Step], workers: int = 4) -> Outcome:
    return transfer(Plan(tuple(steps), 0, 0, (), Found()), store, workers, None, NO_PROGRESS)


def test_a_stage_begins_when_the_one_before_is_complete(steps: list[Step]) -> None:
    store = MemoryStore()
    stages = {step.key: step.file.stage for step in steps}
    lock = threading.Lock()
    events: list[tuple[str, Stage]] = []

    def began(_method: str, key: str) -> None:
        with lock:
            events.append(("began", stages[key]))
        time.sleep(0.002)

    def ended(_method: str, key: str) -> None:
        with lock:
            events.append(("ended", stages[key]))

    store.before, store.after = began, ended
    outcome = carry(store, steps, workers=8)
    assert outcome.complete
    assert {step.key for step in outcome.done} == stages.keys()
    for earlier, later in ((Stage.HASHED, Stage.UNHASHED), (Stage.UNHASHED, Stage.MANIFEST)):
        last = max(index for index, event in enumerate(events) if event == ("ended", earlier))
        assert last < events.index(("began", later))


def test_no_manifest_after_a_failure(steps: list[Step]) -> None:
    store = MemoryStore()

    def fail(_method: str, key: str) -> None:
        if key in ("h3", "h7"):
            raise BucketError(f"no {key}")

    store.before = fail
    outcome = carry(store, steps)
    assert sorted((failure.step.key, failure.reason) for failure in outcome.failed) == [
        ("h3", "no h3"),
        ("h7", "no h7"),
    ]
    assert len(outcome.done) == 18
    assert outcome.not_tried == steps[20:]


def test_a_conflict_holds_up_what_comes_after(steps: list[Step]) -> None:
    store = MemoryStore()

    def cross(_method: str, key: str) -> None:
        if key == "u3":
            raise ConflictError(key)

    store.before = cross
    outcome = carry(store, steps)
    assert [step.key for step in outcome.conflicts] == ["u3"]
    assert (len(outcome.done), outcome.not_tried, outcome.complete) == (39, steps[40:], False)


def test_what_is_hopeless_for_one_is_not_tried_for_all(steps: list[Step]) -> None:
    store = MemoryStore()

    def refuse(_method: str, _key: str) -> None:
        time.sleep(0.002)
        raise AccessDeniedError("no")

    store.before = refuse
    outcome = carry(store, steps, workers=2)
    assert 1 <= len(outcome.failed) <= 2
    assert len(outcome.failed) + len(outcome.not_tried) == len(steps)
    assert outcome.done == []


def test_a_fault_of_ours_is_not_swallowed(steps: list[Step]) -> None:
    store = MemoryStore()

    def fault(_method: str, _key: str) -> None:
        raise ZeroDivisionError

    store.before = fault
    with pytest.raises(ZeroDivisionError):
        carry(store, steps)


def most_at_once(steps: list[Step], workers: int, seconds: float) -> int:
    """How many requests there were at a time, to a service that takes ``seconds`` for each."""
    store = MemoryStore()
    lock = threading.Lock()
    now = most = 0

    def count(_method: str, _key: str) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(seconds)
        with lock:
            now -= 1

    store.before = count
    assert carry(store, steps, workers).complete
    return most


def test_no_more_than_the_workers_asked_for(steps: list[Step]) -> None:
    assert most_at_once(steps, workers=3, seconds=0.002) == 3
    assert most_at_once(steps, workers=11, seconds=0.02) == 11


def test_more_at_once_where_the_service_is_far(steps: list[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_at_once(steps, workers=128, seconds=0.05) >= 14  # the four that begin, and then all
    # Whatever else this machine does: a service that takes no time.
    monkeypatch.setattr("static_sync.transfer.time", SimpleNamespace(monotonic=lambda: 0.0))
    assert most_at_once(steps, workers=128, seconds=0.01) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="no other system says which processors a thread may have")
@pytest.mark.parametrize("kind", ["small", "large", "compressed"])
def test_threads_share_a_processor_where_requests_are_small(steps: list[Step], kind: str) -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1:
        pytest.skip("there is one processor")
    store = MemoryStore()
    seen: set[frozenset[int]] = set()
    store.before = lambda _method, _key: seen.add(frozenset(os.sched_getaffinity(0)))
    if kind == "large":
        path = Path(steps[0].file.path)
        path.write_bytes(b"x" * (1 << 18) + b"y")
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        steps = [step._replace(file=step.file._replace(size=path.stat().st_size, md5=md5)) for step in steps]
    compressor = Halves() if kind == "compressed" else None
    plan = Plan(tuple(steps), 0, 0, (), Found())
    assert transfer(plan, store, 4, compressor, NO_PROGRESS).complete  # type: ignore[arg-type]
    assert os.sched_getaffinity(0) == allowed
    if kind == "small":
        assert {len(processors) for processors in seen} == {1}
        assert all(processors <= allowed for processors in seen)
    else:
        assert seen == {frozenset(allowed)}


@pytest.mark.parametrize("size", [10, (1 << 20) + 10])
def test_a_file_that_is_no_longer_what_it_was_is_not_sent(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(b"x" * size)
    md5 = hashlib.md5(b"x" * size).hexdigest()
    step = Step("a.css", StaticFile("a.css", str(path), size, md5, HEADERS, Stage.UNHASHED), "new", ABSENT)
    store = MemoryStore()
    if size == 10:
        for content in (b"y" * size, b"x" * (size + 1), b"x" * (size - 1), b""):
            path.write_bytes(content)
            (failure,) = carry(store, [step]).failed
            assert failure.reason == "a.css changed while it was being synced; run again."
        path.unlink()
        (failure,) = carry(store, [step]).failed
        assert "cannot be read any more: No such file" in failure.reason
        assert store.objects == {}
    else:
        # What is too large to hold is for the store to verify.
        assert carry(store, [step]).complete
        assert store.objects["a.css"].data == path.read_bytes()


class Halves:
    """A compressor that makes each variant half as long, save of what begins with a z."""

    def variant(self, data: bytes, md5: str, encoding: str) -> bytes | None:
        assert hashlib.md5(data).hexdigest() == md5
        return None if data.startswith(b"z") else encoding.encode() + data[: len(data) // 2]


def compressed(store: MemoryStore, step: Step) -> Outcome:
    return transfer(Plan((step,), 0, 0, (), Found()), store, 2, Halves(), NO_PROGRESS)  # type: ignore[arg-type]


def test_variants_go_before_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(b"x" * 100)
    md5 = hashlib.md5(b"x" * 100).hexdigest()
    file = StaticFile("a.css", str(path), 100, md5, HEADERS, Stage.UNHASHED, ("br", "gzip"))
    store = MemoryStore()
    outcome = compressed(store, Step("a.css", file, "new", ABSENT))
    assert store.requests == [("PUT", "a.css.br"), ("PUT", "a.css.gz"), ("PUT", "a.css")]
    assert outcome.variants == 2
    assert store.objects["a.css.br"].headers == Headers("text/css", "public, max-age=60", "br")
    assert store.objects["a.css.br"].data == b"br" + b"x" * 50

    store.requests.clear()
    compressed(store, Step("a.css", file, "headers", md5))
    assert store.requests == [("PUT", "a.css.br"), ("PUT", "a.css.gz"), ("COPY", "a.css")]


def test_a_variant_that_is_no_gain_makes_way(tmp_path: Path) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(b"z" * 100)
    file = StaticFile("a.css", str(path), 100, hashlib.md5(b"z" * 100).hexdigest(), HEADERS, Stage.UNHASHED, ("br",))
    store = MemoryStore()
    stale = ("a.css.br", "a.css.gz")
    outcome = compressed(store, Step("a.css", file, "changed", ABSENT, stale))
    assert store.requests == [("DELETE", "a.css.br"), ("PUT", "a.css")]
    assert outcome.found.unmade == {"a.css": ("br",)}

    store.delete = lambda _keys, _may_go_on=None: []  # type: ignore[assignment,method-assign]
    (failure,) = compressed(store, Step("a.css", file, "changed", ABSENT, stale)).failed
    assert "could not be deleted" in failure.reason
