"""The project's static files, collected as collectstatic does, into a folder on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from static_sync.collecting import own_way
from static_sync.collecting.command import make_command
from static_sync.collecting.fingerprint import (
    SETTLED_NS,
    class_context,
    fingerprint_inputs,
    fingerprint_outputs,
    read_record,
    settings_context,
    write_record,
)
from static_sync.collecting.leftovers import find_leftovers
from static_sync.collecting.project import describe
from static_sync.collecting.target import Target, find_target
from static_sync.exceptions import CollectError, ProjectError, SourceError
from static_sync.source import IGNORE_PATTERNS, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from static_sync.collecting.project import Project
    from static_sync.manifest import Manifest
    from static_sync.source import Entry, Scan

OWN_FOLDER = ".faas"


class Collection(NamedTuple):
    """A collected folder: what of it is to be uploaded, and what a person should be told of it.

    ``collected`` is False when everything was in place already.
    """

    folder: Path
    entries: tuple[Entry, ...]
    manifest: Manifest
    collected: bool
    notes: tuple[str, ...]


def collect(project: Project, clock_ns: Callable[[], int] = time.time_ns) -> Collection:
    """Bring the project's collected folder up to date and say what lies in it.

    Where STATIC_ROOT is set and the storage is a local one, that folder is used, as it is by the running site; else one
    beneath ``.faas``. Raises `ProjectError` where the project has no static files to find, `CollectError` where
    collecting fails and `SourceError` where the folder holds what cannot be uploaded.
    """
    from django.apps import apps

    if not apps.is_installed("django.contrib.staticfiles"):
        raise ProjectError(
            f"{project.settings_module} has no static files: add 'django.contrib.staticfiles' to INSTALLED_APPS, or "
            "push a ready folder with --source."
        )
    own = project.root / OWN_FOLDER
    target = find_target(own)
    ignore = tuple(getattr(apps.get_app_config("staticfiles"), "ignore_patterns", IGNORE_PATTERNS))
    started = clock_ns()
    found = _find(ignore)
    inputs = None if target.overridden else _inputs(found, target)
    record_path = own / "collected.json"
    with suppress(SourceError):
        scanned = scan(target.folder, ignore)
        if inputs and read_record(record_path) == {"inputs": inputs[0], "outputs": _outputs(scanned, target)}:
            return _collection(target, scanned, found, collected=False)
    _prepare(own, record_path, target)
    _run(target)
    scanned = scan(target.folder, ignore)
    if inputs and inputs[1] < started - SETTLED_NS and own.is_dir():
        write_record(record_path, {"inputs": inputs[0], "outputs": _outputs(scanned, target)})
    return _collection(target, scanned, found, collected=True)


def _collection(target: Target, scanned: Scan, found: dict[str, str | None], *, collected: bool) -> Collection:
    manifest, originals = target.manifest()
    leftovers = find_leftovers((entry.name for entry in scanned.entries), found.keys(), manifest, originals)
    notes = [target.note] if target.note else []
    if leftovers.strangers:
        notes.append(
            f"{len(leftovers.strangers)} of the files in {target.folder} come from no finder (such as "
            f"{min(leftovers.strangers)}). They are uploaded, as another tool may have put them there; "
            "`manage.py collectstatic --clear` removes leftovers."
        )
    entries = tuple(entry for entry in scanned.entries if entry.name not in leftovers.superseded)
    return Collection(target.folder, entries, manifest, collected, tuple(notes))


def _find(ignore: Iterable[str]) -> dict[str, str | None]:
    """Each file that the finders give: its name in the collected folder; its path, if it is on this machine's disk."""
    from django.contrib.staticfiles.finders import get_finders

    found: dict[str, str | None] = {}
    try:
        for finder in get_finders():
            for path, storage in finder.list(list(ignore)):
                prefix = getattr(storage, "prefix", None)
                name = (f"{prefix}/{path}" if prefix else path).replace("\\", "/")
                if name not in found:
                    found[name] = _path(storage, path)
    except Exception as error:  # finders are made from settings of any shape, and may be the project's own
        raise CollectError(
            f"The finders of the project's static files failed: {describe(error)}. Look at STATICFILES_DIRS and "
            "STATICFILES_FINDERS."
        ) from error
    return found


def _path(storage: Any, name: str) -> str | None:
    if own_way.reads(storage):
        return f"{storage.location}{os.sep}{name}"
    try:
        return str(storage.path(name))
    except (AttributeError, NotImplementedError):
        return None


def _inputs(found: dict[str, str | None], target: Target) -> tuple[str, int] | None:
    import django
    from django.conf import settings

    paths = [(name, path) for name, path in found.items() if path is not None]
    if len(paths) < len(found):
        return None
    context: dict[str, object] = {
        "django": django.get_version(),
        "folder": str(target.folder),
        "storage": class_context(type(target.storage)),
        "settings": settings_context(settings),
    }
    return fingerprint_inputs(paths, context)


def _outputs(scanned: Scan, target: Target) -> str:
    return fingerprint_outputs(scanned.entries) + hashlib.sha256(target.manifest_text().encode()).hexdigest()


def _prepare(own: Path, record: Path, target: Target) -> None:
    """Make the folders, and forget the last collection: what is interrupted now must not pass for it."""
    try:
        own.mkdir(exist_ok=True)
        (own / ".gitignore").write_text("*\n")
        record.unlink(missing_ok=True)
    except OSError as error:
        # Without a place for the record each run collects anew, which is slow but right.
        if target.own:
            raise CollectError(
                f"{own} cannot be written: {error.strerror}. Make it writable, or set STATIC_ROOT."
            ) from error
    try:
        target.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CollectError(f"{target.folder} cannot be made: {error.strerror}.") from error


def _run(target: Target) -> None:
    """Run collectstatic. Its warnings go to standard error, its errors become one `CollectError`."""
    import io
    import sys

    from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
    from django.core.management import CommandError, call_command

    said = io.StringIO()
    command = make_command(target.storage, overridden=target.overridden)
    try:
        call_command(
            command, interactive=False, verbosity=0, clear=target.own, skip_checks=False, stderr=said, no_color=True
        )
    except (CommandError, ImproperlyConfigured, SuspiciousOperation, ValueError, OSError, RuntimeError) as error:
        before = " ".join(said.getvalue().split())
        hint = ""
        if "could not be found" in str(error):
            hint = " It refers to a file that no finder finds: correct the reference, or add the file."
        elif "Max post-process passes exceeded" in str(error):
            hint = " These files refer to one another in a circle, or in too long a chain."
        said_before = f"{before} " if before else ""
        raise CollectError(f"collectstatic into {target.folder} failed: {said_before}{error}{hint}") from error
    if said.getvalue():
        print(said.getvalue().rstrip(), file=sys.stderr)  # noqa: T201 - what Django says to whoever collects
