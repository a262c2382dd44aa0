"""The folder that files are collected into: listed once, and given whole files only.

Each file is written under a temporary name beside its own and then renamed, so that neither another process nor the
next run, after this one was killed, ever sees half of one.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from static_sync.exceptions import CollectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# As large as the pieces of Django's own copying; most static files are smaller.
_CHUNK = 1 << 16
# What the name of a file begins with while it is written.
DRAFT = ".static-sync."
# Nobody takes an hour to write one file: a draft of that age (seconds) is of a process that was killed.
_ABANDONED = 3600


class Folder:
    """The folder of ``storage``, one that writes plain files as Django does: with its modes and its group.

    ``copies`` holds the MD5 (hex) of each file that `copy` was asked for, by its name below the folder; ``kept`` the
    names of all files that belong there; with ``cleared``, `prune` removes any other.
    """

    def __init__(self, storage: Any, *, cleared: bool = False) -> None:
        self.copies: dict[str, str] = {}
        self.cleared = cleared
        self.kept: set[str] = set()
        self._storage = storage
        self._root = storage.location
        self._mode = storage.file_permissions_mode
        self._group = os.stat(self._root).st_gid  # noqa: PTH116 - no Path for each of thousands of files
        self._draft = f"{DRAFT}{os.getpid()}"
        self._listings: dict[str, dict[str, os.DirEntry[str]]] = {}

    def entry(self, name: str) -> os.DirEntry[str] | None:
        """What was at ``name`` when its folder was first looked at."""
        directory, _, base = name.rpartition("/")
        listing = self._listings.get(directory)
        if listing is None:
            listing = self._listings[directory] = self._list(directory)
        return listing.get(base)

    def copy(self, read: Callable[[], Iterator[bytes]], name: str) -> bool:
        """Make ``name`` hold the bytes that ``read`` gives; False when it held them already."""
        entry = self._file(name)
        md5 = same(read(), read_file(entry.path)) if entry else None
        self.kept.add(name)
        self.copies[name] = md5 or self.write(name, read())
        return md5 is None

    def read(self, name: str) -> Iterator[bytes]:
        return read_file(f"{self._root}/{name}")

    def holds(self, name: str, md5: str) -> bool:
        """Whether ``name`` was there from the beginning, as a file of its own with the bytes of that MD5."""
        entry = self._file(name)
        return entry is not None and md5_of(read_file(entry.path)) == md5

    def write(self, name: str, chunks: Iterable[bytes], md5: str | None = None) -> str:
        """Put a file in place, over any that is there; returns its MD5.

        Raises `CollectError` when that is not ``md5``: the file has changed while it was collected.
        """
        directory, slash, _ = name.rpartition("/")
        draft = f"{self._root}/{directory}{slash}{self._draft}"
        file = self._open(draft, f"{directory}{slash}{self._draft}")
        try:
            digest = hashlib.md5(usedforsecurity=False)
            try:
                for chunk in chunks:
                    digest.update(chunk)
                    while chunk := chunk[os.write(file, chunk) :]:
                        pass
                foreign = os.fstat(file).st_gid != self._group
            finally:
                os.close(file)
            if self._mode is not None:
                os.chmod(draft, self._mode)  # noqa: PTH101
            if foreign:
                self._storage._ensure_location_group_id(draft)
            if md5 not in (None, digest.hexdigest()):
                raise CollectError(f"{name} changed while it was collected. Run this again.")
            os.replace(draft, f"{self._root}/{name}")  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)  # noqa: PTH108
            raise
        return digest.hexdigest()

    def prune(self) -> None:
        """Remove what has no business here, where the folder was to be empty in the beginning."""
        if self.cleared:
            self._prune("")
            self._listings.clear()

    def _prune(self, prefix: str) -> None:
        with os.scandir(f"{self._root}/{prefix}") as entries:
            found = list(entries)
        for entry in found:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                self._prune(f"{name}/")
            elif name not in self.kept:
                os.unlink(entry.path)  # noqa: PTH108

    def _file(self, name: str) -> os.DirEntry[str] | None:
        entry = self.entry(name)
        return entry if entry is not None and entry.is_file(follow_symlinks=False) else None

    def _list(self, directory: str) -> dict[str, os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._root}/{directory}") as entries:
                listing = {entry.name: entry for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        for name, entry in listing.items():
            if name.startswith(DRAFT) and time.time() - entry.stat().st_mtime > _ABANDONED:
                os.unlink(entry.path)  # noqa: PTH108
        return listing

    def _open(self, draft: str, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        try:
            return os.open(draft, flags, 0o666)
        except (FileNotFoundError, NotADirectoryError):
            # The folder is not there: Django makes it, with the mode it is to have.
            from django.core.files.base import ContentFile

            self._storage._save(name, ContentFile(b""))
            return os.open(draft, flags, 0o666)


def read_file(path: str) -> Iterator[bytes]:
    """The bytes of a file, in pieces."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        while chunk := os.read(file, _CHUNK):
            yield chunk
    finally:
        os.close(file)


def md5_of(chunks: Iterable[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def same(one: Iterator[bytes], other: Iterator[bytes]) -> str | None:
    """The MD5 (hex) of the bytes that both give piece by piece; None where they differ."""
    digest = hashlib.md5(usedforsecurity=False)
    for left, right in zip_longest(one, other, fillvalue=b""):
        if left != right:
            return None
        digest.update(left)
    return digest.hexdigest()
