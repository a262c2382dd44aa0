"""Into which folder, with which storage and by which command a project's files are collected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from static_sync.exceptions import ProjectError
from static_sync.manifest import Manifest

if TYPE_CHECKING:
    from django.core.files.storage import Storage

_APP = "django.contrib.staticfiles"


class Target(NamedTuple):
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
