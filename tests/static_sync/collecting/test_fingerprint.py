from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from static_sync.collecting.fingerprint import (
    class_context,
    fingerprint_inputs,
    fingerprint_outputs,
    read_record,
    settings_context,
    write_record,
)
from static_sync.source import scan
from tests.static_sync.conftest import write


def inputs(folder: Path, **context: object) -> str | None:
    found = [(path.name, str(path)) for path in sorted(folder.iterdir())]
    result = fingerprint_inputs(found, dict(context))
    return result and result[0]


def test_the_same_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "a", "b.css": "b"})
    assert inputs(tmp_path, x=1) == inputs(tmp_path, x=1)


def test_a_change_shows_even_with_size_and_time_put_back(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "a"})
    before, status = inputs(tmp_path), (tmp_path / "a.css").stat()
    while (tmp_path / "a.css").stat().st_ctime_ns == status.st_ctime_ns:  # a tick of the file system's clock
        write(tmp_path, {"a.css": "b"})
        os.utime(tmp_path / "a.css", ns=(status.st_atime_ns, status.st_mtime_ns))
    after = (tmp_path / "a.css").stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert inputs(tmp_path) != before


def test_a_file_put_in_anothers_place_shows(tmp_path: Path) -> None:
    write(tmp_path, {"static/a.css": "a", "b.css": "b"})
    before = inputs(tmp_path / "static")
    status = (tmp_path / "static/a.css").stat()
    os.utime(tmp_path / "b.css", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "b.css").rename(tmp_path / "static/a.css")
    assert inputs(tmp_path / "static") != before


def test_more_fewer_and_renamed_files_show(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "a"})
    seen = [inputs(tmp_path)]
    write(tmp_path, {"b.css": "b"})
    seen.append(inputs(tmp_path))
    (tmp_path / "b.css").rename(tmp_path / "c.css")
    seen.append(inputs(tmp_path))
    assert len(set(seen)) == 3


def test_the_newest_change_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "a", "b.css": "b"})
    os.utime(tmp_path / "a.css", (0, 0))
    result = fingerprint_inputs([("a.css", str(tmp_path / "a.css"))], {})
    assert result is not None
    assert abs(result[1] - time.time_ns()) < 60_000_000_000


def test_what_cannot_be_looked_at_has_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint_inputs([("gone", str(tmp_path / "gone"))], {}) is None
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    assert fingerprint_inputs([], {"settings": circle}) is None


def test_settings_count_but_for_secrets_and_addresses() -> None:
    class Settings:
        SECRET_KEY = "a"
        A_SET = frozenset({"x", "y"})
        A_PATH = Path("/x")
        AN_OBJECT = object()
        KEYED: ClassVar = {("a", "b"): 1, "c": 2}
        lower = 1

    class Others(Settings):
        SECRET_KEY = "b"
        AN_OBJECT = object()
        A_SET = frozenset({"y", "x"})

    class Changed(Settings):
        A_PATH = Path("/y")

    fingerprints = [fingerprint_inputs([], settings_context(made())) for made in (Settings, Others, Changed)]
    assert fingerprints[0] == fingerprints[1]
    assert fingerprints[0] != fingerprints[2]
    assert "lower" not in settings_context(Settings())


def test_the_code_of_a_storage_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"storage_of_ours.py": "class Base: pass\nclass Storage(Base): pass\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    import storage_of_ours  # type: ignore[import-not-found]

    before = class_context(storage_of_ours.Storage)
    assert class_context(storage_of_ours.Storage) == before
    write(tmp_path, {"storage_of_ours.py": "class Base: pass\nclass Storage(Base): strict = False\n"})
    assert class_context(storage_of_ours.Storage) != before


def test_outputs_show_what_was_touched(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "a", "b.css": "b"})
    before = fingerprint_outputs(scan(tmp_path).entries)
    assert fingerprint_outputs(scan(tmp_path).entries) == before
    write(tmp_path, {"a.css": "ab"})
    assert fingerprint_outputs(scan(tmp_path).entries) != before


def test_a_record_is_read_back_and_a_broken_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "collected.json"
    assert read_record(path) == {}
    write_record(path, {"inputs": "x"})
    assert read_record(path) == {"inputs": "x"}
    assert list(tmp_path.iterdir()) == [path]
    for broken in ("", "[1]", "{"):
        path.write_text(broken)
        assert read_record(path) == {}
