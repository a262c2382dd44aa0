from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from emulator.log import Log

ROOT = Path(__file__).parents[2]


class Heard(Log):
    """A log whose lines can be read back."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def alive(pid: int) -> bool:
    """Whether the process is there and is more than an exit code nobody has fetched."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def stopped(pid: int) -> bool:
    """Whether the process has been told to stand still."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def descendants(pid: int) -> set[int]:
    """All processes that come from ``pid``, whatever session they are in."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether ``condition`` came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def start_project(folder: Path) -> Path:
    """`django-admin startproject`, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "django", "startproject", "mysite", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", "DJANGO_SETTINGS_MODULE": ""},
        check=True,
    )
    return folder


def replace(path: Path, pattern: str, by: str) -> None:
    """Edits a file: ``pattern`` has to be in it."""
    text, count = re.subn(pattern, lambda _: by, path.read_text())
    assert count, f"{pattern!r} is not in {path}"
    path.write_text(text)
