from __future__ import annotations

import threading
import time

import pytest

from static_sync.exceptions import AccessDeniedError, BucketError
from static_sync.inventory import SHORT, Stage, StaticFile
from static_sync.plan import Plan, Upload
from static_sync.transfer import transfer


def upload(name: str, stage: Stage) -> Upload:
    return Upload(name, StaticFile(name, "/x", 1, "0" * 32, "text/css", None, SHORT, stage), "new")


HASHED = [upload(f"h{number}", Stage.HASHED) for number in range(20)]
PLAIN = [upload(f"u{number}", Stage.UNHASHED) for number in range(20)]
MANIFEST = upload("staticfiles.json", Stage.MANIFEST)
PLAN = Plan((*HASHED, *PLAIN, MANIFEST), 0, 0)


def test_a_stage_begins_when_the_one_before_is_complete() -> None:
    lock = threading.Lock()
    running: set[Stage] = set()
    finished: list[Upload] = []
    overlaps: list[set[Stage]] = []

    def put(one: Upload) -> None:
        with lock:
            running.add(one.file.stage)
            overlaps.append(set(running))
        time.sleep(0.002)
        with lock:
            finished.append(one)
            if sum(other.file.stage == one.file.stage for other in finished) == (1 if one is MANIFEST else 20):
                running.discard(one.file.stage)

    outcome = transfer(PLAN, put, workers=8)
    assert outcome.done == PLAN.uploads
    assert all(len(stages) == 1 for stages in overlaps)
    assert [one.file.stage for one in finished] == sorted(one.file.stage for one in finished)


def test_no_manifest_after_a_failure() -> None:
    def put(one: Upload) -> None:
        if one.key in ("h3", "h7"):
            raise BucketError(f"no {one.key}")

    outcome = transfer(PLAN, put, workers=4)
    assert [(failure.upload.key, failure.reason) for failure in outcome.failed] == [("h3", "no h3"), ("h7", "no h7")]
    assert len(outcome.done) == 18
    assert outcome.not_tried == (*PLAIN, MANIFEST)


def test_what_is_hopeless_for_one_is_not_tried_for_all() -> None:
    tried: list[str] = []

    def put(one: Upload) -> None:
        tried.append(one.key)
        time.sleep(0.002)
        raise AccessDeniedError("no")

    outcome = transfer(PLAN, put, workers=2)
    assert len(tried) == len(outcome.failed) < 10
    assert len(outcome.failed) + len(outcome.not_tried) == len(PLAN.uploads)
    assert outcome.done == ()


def test_a_fault_of_ours_is_not_swallowed() -> None:
    def put(one: Upload) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transfer(PLAN, put, workers=4)


def test_no_more_than_the_workers_asked_for() -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def put(one: Upload) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    transfer(PLAN, put, workers=3)
    assert most == 3
