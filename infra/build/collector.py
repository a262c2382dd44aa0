"""Collects a project's static files: run as a script in the project's folder, it prints one line of JSON.

It gets the folder for the files and the settings module, which may be empty for manage.py's own. The project is loaded
into this process, as it would be by manage.py; so it is one of its own.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from static_sync.collecting.project import Project
    from static_sync.collecting.target import Target

MARK = "django-faas-collector:"
_STAY = tuple(Path(__file__).parents[2] / name for name in ("emulator", "infra"))


def main() -> None:
    folder, settings = Path(sys.argv[1]), sys.argv[2]
    from static_sync.collecting.project import load_project
    from static_sync.exceptions import StaticSyncError

    try:
        # Whatever the project prints belongs with the errors; the mark finds our line in any case.
        with redirect_stdout(sys.stderr):
            project = load_project(Path.cwd(), settings or None)
            about = {"stays": _apps_that_stay(), **_collect(project, folder)}
    except StaticSyncError as error:
        about = {"problem": str(error)}
    sys.stdout.write(f"\n{MARK}{json.dumps(about)}\n")


def _apps_that_stay() -> list[str]:
    """The project's apps that are parts of django-faas which no function has."""
    from django.apps import apps

    return [config.name for config in apps.get_app_configs() if Path(config.path) in _STAY]


def _collect(project: Project, folder: Path) -> dict[str, Any]:
    from django.apps import apps

    from static_sync.collecting.collect import OWN_FOLDER, collect
    from static_sync.collecting.target import find_target

    if not apps.is_installed("django.contrib.staticfiles"):
        return {"static": False}
    collection = collect(project)
    target = find_target(project.root / OWN_FOLDER)
    folder.mkdir(parents=True)
    for entry in collection.entries:
        if entry.name != collection.manifest.name:
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.path, path)
    return {
        "static": True,
        "sources": _sources(),
        "versions": {entry.metadata["Name"]: entry.version for entry in metadata.distributions()},
        # Where they were collected on the way here is of no interest.
        "notes": [note for note in collection.notes if note != target.note],
        **_manifest(target),
    }


def _manifest(target: Target) -> dict[str, Any]:
    """The text of the manifest, None where no names are hashed, and the file in which the storage looks for it.

    ``kept`` is None where the function can't have that file; ``elsewhere`` where the storage has it in a bucket.
    """
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage
    from django.utils.module_loading import import_string

    if not hasattr(target.storage, "hashed_files"):
        return {"manifest": None}
    store: Any = getattr(target.storage, "manifest_storage", target.storage)
    apart = store is not target.storage
    local = issubclass(import_string(settings.STORAGES["staticfiles"]["BACKEND"]), FileSystemStorage)
    name = getattr(target.storage, "manifest_name", "")
    return {
        "manifest": target.manifest_text(),
        "kept": store.path(name) if isinstance(store, FileSystemStorage) and (apart or not target.own) else None,
        "elsewhere": not local,
    }


def _sources() -> list[str]:
    """The folders that the finders find files in, by each name that they may have in the package.

    What lies in the project has its name below the project's folder, what is installed that below ``site-packages``.
    """
    from django.contrib.staticfiles.finders import get_finders

    stores = (storage for finder in get_finders() for _, storage in finder.list([]))
    found = {Path(location).resolve() for storage in stores if (location := getattr(storage, "location", None))}
    roots = {Path(root).resolve() for root in sys.path}
    return sorted(
        path.relative_to(root).as_posix()
        for path in found
        for root in roots
        if path != root and path.is_relative_to(root)
    )


if __name__ == "__main__":
    main()
