"""The collectstatic that static_sync runs: Django's or the project's own, told by content which files to copy.

Django's skips a file whose copy is as young or younger, by the second: it misses a change within the second of the
copy, and a package whose files carry times from before.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from static_sync.collecting import own_way
from static_sync.collecting.folder import Folder, read_file, same
from static_sync.collecting.one_pass import in_one_pass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.files.storage import Storage
    from django.core.management.base import BaseCommand

# Whatever else a finder may come up with is for Django to accept or to refuse.
_PLAIN_PATH = re.compile(r"(?!/)(?!(.*/)?\.{0,2}(/|\Z))[^\\]+", re.DOTALL)


def make_command(storage: Storage, *, overridden: bool) -> BaseCommand:
    """A collectstatic into ``storage``; ``overridden`` says that the project has one of its own."""
    from django.contrib.staticfiles.management.commands import collectstatic
    from django.core.management import get_commands, load_command_class

    base: type[Any] = collectstatic.Command
    if overridden:
        theirs = load_command_class(get_commands()["collectstatic"], "collectstatic")
        if not isinstance(theirs, collectstatic.Command):
            return theirs
        base = type(theirs)
    lean = own_way.copies(base) and own_way.writes(storage)
    command: BaseCommand = (_lean if lean else _by_content)(base)()
    command.storage = storage  # type: ignore[attr-defined]
    return command


def _lean(base: type[Any]) -> type[Any]:
    """``base`` with Django's own way of copying done in fewer steps, and all of it in one pass where possible."""

    class Command(base):  # type: ignore[misc]
        clear: bool
        folder: Folder

        def collect(self) -> Any:
            processes = hasattr(self.storage, "post_process")
            # What is there already need not be removed to be written again, but only one pass knows in time what is.
            prunes = self.clear and (own_way.hashes(self.storage) or not processes)
            self.folder = Folder(self.storage, cleared=prunes)
            self.clear = self.clear and not prunes
            with in_one_pass(self.storage, self.folder):
                collected = super().collect()
            if not processes:
                self.folder.prune()
            return collected

        def copy_file(self, path: str, prefixed_path: str, source_storage: Any) -> None:
            if not _PLAIN_PATH.fullmatch(prefixed_path):
                super().copy_file(path, prefixed_path, source_storage)
                self.folder.kept.add(posixpath.normpath(prefixed_path.replace("\\", "/")))
                return
            source = source_storage.path(path)
            entry = self.folder.entry(prefixed_path)
            if entry is not None and entry.is_dir(follow_symlinks=False):
                self.storage.delete(prefixed_path)
            if self.folder.copy(lambda: _read(source_storage, path, source), prefixed_path):
                self.log(f"Copying '{source}'", level=2)
                self.copied_files.append(prefixed_path)
            else:
                self.log(f"Skipping '{path}' (not modified)")
                self.unmodified_files.append(prefixed_path)

    return Command


def _read(storage: Storage, path: str, full_path: str) -> Iterator[bytes]:
    if own_way.reads(storage):
        yield from read_file(full_path)
    else:
        with storage.open(path) as file:
            yield from file.chunks()


def _by_content(base: type[Any]) -> type[Any]:
    class Command(base):  # type: ignore[misc]
        def delete_file(self, path: str, prefixed_path: str, source_storage: Any) -> bool:
            try:
                source = source_storage.path(path)
            except NotImplementedError:
                return bool(super().delete_file(path, prefixed_path, source_storage))
            copy = Path(self.storage.path(prefixed_path))
            if not os.path.lexists(copy):
                return True
            if not copy.is_symlink() and same(read_file(source), read_file(str(copy))) is not None:
                if prefixed_path not in self.unmodified_files:
                    self.unmodified_files.append(prefixed_path)
                return False
            self.storage.delete(prefixed_path)
            return True

    return Command
