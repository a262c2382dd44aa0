"""Finds a Python of a given version on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ASK = "import sys; print(*sys.version_info[:2], sep='.', end=' '); print(sys.version_info.releaselevel)"


def find(version: str) -> Path | None:
    """A Python of ``version`` (``3.13``): this one, else one on the path, else one that uv keeps; None without any."""
    return next((path for path in _candidates(version) if _is(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        path = Path(folder, f"python{version}")
        if path.is_file():
            yield path
    beside = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    if uv := shutil.which("uv", path=beside):
        found = subprocess.run(
            [uv, "python", "find", "--managed-python", "--no-python-downloads", version],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            yield Path(found.stdout.strip())


def _is(path: Path, version: str) -> bool:
    """Whether it runs at all, as a version manager's stand-in may not, and is a final release of ``version``."""
    try:
        asked = subprocess.run([str(path), "-S", "-c", _ASK], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.stdout.split() == [version, "final"]
