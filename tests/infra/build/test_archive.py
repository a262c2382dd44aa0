from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path

from infra.build import archive


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (folder / "empty").mkdir()
    (folder / names[0]).chmod(0o700)
    return folder


def test_the_bytes_follow_from_the_content_alone(tmp_path: Path) -> None:
    names = ("run.sh", "b/c.py", "a.py", "b/a.py")
    first = archive.write(tree(tmp_path / "one", *names), tmp_path / "one.zip", lambda _: None)
    other = tree(tmp_path / "two", "run.sh", *sorted(names[1:]))
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        if path.suffix == ".py":
            path.chmod(0o600)
    second = archive.write(other, tmp_path / "two.zip", lambda _: None)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert (first.size, first.unpacked) == (first.path.stat().st_size, sum(len(f"content of {n}") for n in names))
    (other / "a.py").write_text("changed")
    assert archive.write(other, tmp_path / "two.zip", lambda _: None).sha256 != first.sha256


def test_everybody_may_read_what_is_in_it(tmp_path: Path) -> None:
    made = archive.write(tree(tmp_path / "tree", "run.sh", "a.py"), tmp_path / "made.zip", lambda _: None)
    with zipfile.ZipFile(made.path) as opened:
        assert opened.testzip() is None
        entries = {entry.filename: entry.external_attr >> 16 for entry in opened.infolist()}
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert entries == {
        "a.py": stat.S_IFREG | 0o644,
        "run.sh": stat.S_IFREG | 0o755,
    }
