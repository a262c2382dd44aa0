"""What lies in the source folder, looked at without reading it: one `Entry` a file.

Links are where uploads go wrong: one dangling link makes other tools upload nothing and report success, and a link out
of the folder publishes what nobody meant to publish. So a link is followed only to what lies inside the source, and all
else is an error that names it, raised before anything is sent.
"""

from __future__ import annotations

import os
import re
import stat
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from static_sync.exceptions import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The patterns collectstatic leaves out by default (`StaticFilesConfig.ignore_patterns`): `.git` and `.env` stay home.
IGNORE_PATTERNS = ("CVS", ".*", "*~")
_SHOWN_PROBLEMS = 10


class Entry(NamedTuple):
    """``name`` is the path below the source with ``/``; ``path`` where the bytes are, links resolved; times in ns."""

    name: str
    path: str
    size: int
    modified: int
    changed: int


class Scan(NamedTuple):
    """Every regular file below the source, sorted by name, and the paths left out by the ignore patterns."""

    entries: tuple[Entry, ...]
    ignored: tuple[str, ...]


def scan(
    folder: Path,
    ignore: Sequence[str] = IGNORE_PATTERNS,
    *,
    left_out: Callable[[str], bool] | None = None,
    follow_links: bool = False,
) -> Scan:
    """Walk ``folder``; raises `SourceError` that lists every file or folder which cannot or must not be uploaded.

    ``ignore`` are patterns as collectstatic takes them, ``left_out`` tells by the path what else is not wanted.
    ``follow_links`` is for links out of the folder; those within it are always followed.
    """
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "not there"
        raise SourceError(f"The source {folder} is {found}. Name the folder that holds the static files.")
    walk = _Walk(os.path.realpath(folder), ignore, left_out, follow_links=follow_links)
    walk.visit(walk.root, "", (walk.root,))
    if walk.problems:
        shown = [f"  {problem}" for problem in walk.problems[:_SHOWN_PROBLEMS]]
        if len(walk.problems) > _SHOWN_PROBLEMS:
            shown.append(f"  and {len(walk.problems) - _SHOWN_PROBLEMS} more")
        raise SourceError("\n".join([f"Nothing was uploaded: {folder} has what cannot be uploaded:", *shown]))
    return Scan(tuple(sorted(walk.entries, key=lambda entry: entry.name)), tuple(sorted(walk.ignored)))


class _Walk:
    def __init__(
        self, root: str, ignore: Sequence[str], left_out: Callable[[str], bool] | None, *, follow_links: bool
    ) -> None:
        self.root = root
        # One expression for all patterns: they are held against the name and the path of each of thousands of files.
        self._ignored = re.compile("|".join(map(translate, ignore)) or r"(?!)").match
        self._left_out = left_out
        self._follow_links = follow_links
        self.entries: list[Entry] = []
        self.ignored: list[str] = []
        self.problems: list[str] = []

    def visit(self, folder: str, prefix: str, above: tuple[str, ...]) -> None:
        """Take ``folder`` (a real path) in; ``above`` holds the real paths from the root down to it."""
        try:
            with os.scandir(folder) as listing:
                found = list(listing)
        except OSError as error:
            self.problems.append(f"{_shown(prefix) or folder}: cannot be listed ({error.strerror})")
            return
        for item in found:
            name = f"{prefix}{item.name}"
            if (
                self._ignored(item.name)
                or (prefix and self._ignored(name))
                or (self._left_out and self._left_out(name))
            ):
                self.ignored.append(_shown(name))
                continue
            try:
                self._take(item, name, above)
            except OSError as error:
                self.problems.append(f"{_shown(name)}: cannot be read ({error.strerror})")

    def _take(self, item: os.DirEntry[str], name: str, above: tuple[str, ...]) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            self.problems.append(f"{_shown(name)}: its name is not UTF-8, which every key must be; rename it")
            return
        path = item.path
        if item.is_symlink():
            path = os.path.realpath(item.path)
            if not os.path.lexists(path) or Path(path).is_symlink():
                self.problems.append(f"{name}: a link to {Path(item.path).readlink()}, which leads nowhere")
                return
            if not self._follow_links and path != self.root and not path.startswith(self.root + os.sep):
                self.problems.append(
                    f"{name}: a link out of the source, to {path}; copy the file in, remove it, or pass --follow-links"
                )
                return
        status = item.stat() if path == item.path else os.stat(path)  # noqa: PTH116 - a Path for each of thousands
        if stat.S_ISDIR(status.st_mode):
            if path in above:
                self.problems.append(f"{name}: a link to a folder that holds it, so the walk would never end")
            else:
                self.visit(path, f"{name}/", (*above, path))
        elif stat.S_ISREG(status.st_mode):
            self.entries.append(Entry(name, path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        else:
            self.problems.append(f"{name}: not a regular file (a socket, a pipe or a device)")


def _shown(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
