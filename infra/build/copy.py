"""Step "copy": the project's own files."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import BuildError
from . import ignored


@dataclass(frozen=True)
class Copied:
    """``files`` that were copied, ``size`` bytes of them; paths ``left_out``, where a folder counts once."""

    files: int
    size: int
    left_out: int


def copy_project(folder: Path, tree: Path, without: Iterable[Path]) -> Copied:
    """Copy the project in ``folder`` into ``tree``, but for what `ignored` leaves out and the paths ``without``.

    Raises `BuildError` for what can't be copied, and for a file that a distribution has put into ``tree`` already.
    """
    walk = _Walk(ignored.reader(folder), {path.resolve() for path in without})
    files = size = 0
    for path, name in walk.files(folder, "", ()):
        target = tree / name
        if target.exists():
            raise BuildError(
                f"{name} is in the project, and one of its requirements has a file of that name, too: only one can be "
                f"in the package. Rename yours, or leave it out in {ignored.FILE}."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy(path, target)
        except OSError as error:
            raise BuildError(f"{path} can't be copied: {error.strerror}. Leave it out in {ignored.FILE}.") from None
        files += 1
        size += target.stat().st_size
    return Copied(files, size, walk.left_out)


class _Walk:
    def __init__(self, is_ignored: Callable[[str], bool], without: set[Path]) -> None:
        self._is_ignored = is_ignored
        self._without = without
        self.left_out = 0

    def files(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
        """Each file below ``folder`` with its name in the package; links are followed, to wherever they lead."""
        here = folder.resolve()
        if here in above:
            raise BuildError(
                f"{folder} is a link to a folder that it lies in. Remove it, or leave it out in {ignored.FILE}."
            )
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path, name = Path(entry.path), f"{prefix}{entry.name}"
            try:
                mode = entry.stat().st_mode
            except OSError as error:
                if not self._is_ignored(name):
                    raise BuildError(
                        f"{path} can't be read ({error.strerror}); is it a link to what is gone? Remove it, or leave "
                        f"it out in {ignored.FILE}."
                    ) from None
                continue
            if self._stays_out(path, name, is_folder=stat.S_ISDIR(mode)):
                self.left_out += 1
            elif stat.S_ISDIR(mode):
                yield from self.files(path, f"{name}/", (*above, here))
            elif stat.S_ISREG(mode):
                yield path, name

    def _stays_out(self, path: Path, name: str, *, is_folder: bool) -> bool:
        if self._is_ignored(name) or path.resolve() in self._without:
            return True
        # A pattern that ends with a slash is for folders; and a virtual environment can have any name.
        return is_folder and (self._is_ignored(f"{name}/") or (path / "pyvenv.cfg").is_file())
