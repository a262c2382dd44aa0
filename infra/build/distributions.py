"""The distributions in the tree, by the records that their wheels bring along.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

# What installers note for themselves; direct_url.json may name folders of this machine.
_NOTES = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json")


@dataclass
class Distribution:
    """``name`` is the normalised one; ``files`` are paths in the tree, with ``/``, that its wheel has put there."""

    name: str
    version: str
    record: Path
    files: set[str]

    def forget(self, tree: Path) -> None:
        """Drop from the record what is no longer in ``tree``, and what has no meaning in another place."""
        for note in _NOTES:
            (self.record.parent / note).unlink(missing_ok=True)
        self.files = {name for name in self.files if (tree / name).is_file()}
        with self.record.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row and row[0] in self.files]
        self.record.unlink()  # it may be a link into uv's cache
        with self.record.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(sorted(rows))

    def size(self, tree: Path) -> int:
        """The bytes of its files, their bytecode among them."""
        return sum((tree / name).stat().st_size for name in self.files) + sum(
            path.stat().st_size for name in self.files if name.endswith(".py") for path in bytecode_of(tree / name)
        )


def bytecode_of(module: Path) -> list[Path]:
    """The compiled files of a module."""
    return list((module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"))


def find(tree: Path) -> list[Distribution]:
    """What is installed in ``tree``, by name."""
    found = []
    for folder in tree.glob("*.dist-info"):
        metadata = PathDistribution(folder).metadata
        record = folder / "RECORD"
        with record.open(newline="", encoding="utf-8") as file:
            rows = [row[0] for row in csv.reader(file) if row]
        # A record may name what was put elsewhere, which is none of ours.
        files = {name for name in rows if not name.startswith(("/", "../"))}
        found.append(Distribution(normalised(metadata["Name"]), metadata["Version"], record, files))
    return sorted(found, key=lambda distribution: distribution.name)


def normalised(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()
