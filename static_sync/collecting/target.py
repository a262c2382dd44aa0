"""Into which folder, with which storage and by which command a project's files are collected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from static_sync.exceptions import ProjectError
from static_sync.manifest import Manifest

if TYPE_CHECKING:
    from django.core.files.storage import Storage
    from django.core.management.base import BaseCommand

_APP = "django.contrib.staticfiles"


@dataclass(frozen=True, slots=True)
class Target:
    """``own`` is True for a folder that belongs to static_sync alone; ``note`` says why it is used.

    ``overridden`` is True when the project has a collectstatic of its own, which may do anything: build with npm, say.
    """

    storage: Storage
    folder: Path
    own: bool
    overridden: bool
    note: str | None

    def manifest(self) -> tuple[Manifest, frozenset[str]]:
        """The storage's manifest, and the names before hashing; both empty where the storage hashes no names."""
        hashed_files = getattr(self.storage, "hashed_files", None)
        if not isinstance(hashed_files, dict):
            return Manifest(), frozenset()
        # A storage may keep its manifest elsewhere, out of what is served; then it is not ours to upload.
        within = getattr(self.storage, "manifest_storage", None) is self.storage
        name = getattr(self.storage, "manifest_name", None) if within else None
        return Manifest(name, frozenset(hashed_files.values())), frozenset(hashed_files)

    def manifest_text(self) -> str:
        """What the manifest says on its disk; empty where there is none."""
        read = getattr(self.storage, "read_manifest", None)
        return (read() or "") if read else ""

    def command(self) -> BaseCommand:
        """A collectstatic that collects into this target, told by their content which files have to be copied."""
        from django.contrib.staticfiles.management.commands import collectstatic
        from django.core.management import get_commands, load_command_class

        if not self.overridden:
            command: BaseCommand = _by_content(collectstatic.Command)()
        else:
            command = load_command_class(get_commands()["collectstatic"], "collectstatic")
            if isinstance(command, collectstatic.Command):
                command = _by_content(type(command))()
        if isinstance(command, collectstatic.Command):
            command.storage = self.storage
        return command


def find_target(own: Path) -> Target:
    """STATIC_ROOT where the project can collect into it, else a folder beneath ``own``.

    Raises `ProjectError` for settings that name no usable storage.
    """
    from django.conf import settings
    from django.contrib.staticfiles.storage import ManifestFilesMixin
    from django.core.exceptions import ImproperlyConfigured
    from django.core.files.storage import FileSystemStorage, storages
    from django.core.management import get_commands
    from django.utils.module_loading import import_string

    entry: dict[str, Any] = settings.STORAGES.get("staticfiles", {})
    backend = entry.get("BACKEND", "")
    options = dict(entry.get("OPTIONS", {}))
    folder = own / "static"
    try:
        if not backend:
            raise ImproperlyConfigured("STORAGES has no 'staticfiles' with a BACKEND")
        cls = import_string(backend)
        overridden = get_commands()["collectstatic"] != _APP
        if not issubclass(cls, FileSystemStorage):
            local = "ManifestStaticFilesStorage" if issubclass(cls, ManifestFilesMixin) else "StaticFilesStorage"
            storage = storages.create_storage({"BACKEND": f"{_APP}.storage.{local}", "OPTIONS": {"location": folder}})
            note = f"The staticfiles storage, {backend}, is not on this machine: collected into {folder} with {local}."
            return Target(storage, folder, own=True, overridden=False, note=note)
        root = options.get("location") or settings.STATIC_ROOT
        if root and _writable(Path(root)):
            storage = storages["staticfiles"]
            return Target(storage, Path(storage.path("")), own=False, overridden=overridden, note=None)
        storage = storages.create_storage({"BACKEND": backend, "OPTIONS": {**options, "location": folder}})
    except (ImproperlyConfigured, ImportError, TypeError, ValueError) as error:
        raise ProjectError(f"The project's staticfiles storage cannot be used: {error}.") from error
    trouble = f"STATIC_ROOT ({root}) cannot be written" if root else "STATIC_ROOT is not set"
    return Target(storage, folder, own=True, overridden=overridden, note=f"{trouble}: collected into {folder}.")


def _writable(folder: Path) -> bool:
    nearest = folder.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _by_content(base: type[Any]) -> type[Any]:
    """``base``, a collectstatic, copying what differs rather than what is younger.

    Django's own skips a file whose copy is as young or younger, by the second: it misses a change within the second of
    the copy, and a package whose files carry times from before.
    """

    class Command(base):  # type: ignore[misc]
        def delete_file(self, path: str, prefixed_path: str, source_storage: Any) -> bool:
            try:
                source = source_storage.path(path)
            except NotImplementedError:
                return bool(super().delete_file(path, prefixed_path, source_storage))
            copy = Path(self.storage.path(prefixed_path))
            if not os.path.lexists(copy):
                return True
            if not copy.is_symlink() and _same(Path(source), copy):
                if prefixed_path not in self.unmodified_files:
                    self.unmodified_files.append(prefixed_path)
                return False
            self.storage.delete(prefixed_path)
            return True

    return Command


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while chunk := left.read(1 << 20):
            if chunk != right.read(1 << 20):
                return False
        return not right.read(1)
