"""Step "zip": the tree as one file whose bytes follow from the tree's content alone."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from .package import Zip

_UNIX = 3
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold


def write(tree: Path, path: Path, progress: Callable[[str], None]) -> Zip:
    """Write the files of ``tree``, sorted by name, with one time and one of two modes."""
    unpacked = 0
    names = sorted((found.relative_to(tree).as_posix(), found) for found in tree.rglob("*"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, source) in enumerate(names):
            if source.is_file():
                status = source.stat()
                # Lambda runs the code as a user of its own, who needs to read all of it.
                mode = stat.S_IFREG | (0o755 if status.st_mode & stat.S_IXUSR else 0o644)
                archive.writestr(_entry(name, mode), source.read_bytes())
                unpacked += status.st_size
            if number % 500 == 0:
                progress(f"{number} of {len(names)}")
    return Zip(path, _sha256(path), path.stat().st_size, unpacked)


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
