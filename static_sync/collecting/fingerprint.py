"""Tells whether a collection would give again what it gave last time, without doing it.

Django's manifest storage hashes and rewrites every file each time, changed or not: for 300 files that is most of a
second, at each start of the emulator. A collection depends on the files that the finders give, on the storage and on
the settings; all of these are set down after a collection, together with the files it left, and compared before the
next.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from static_sync.source import Entry

_FORMAT = 1
# A file that is written twice within one tick of the file system's clock looks the same both times. Two seconds is the
# coarsest tick there is (FAT): what is younger when it is looked at is not relied upon. Git does so with its index:
# https://git-scm.com/docs/racy-git
SETTLED_NS = 2_000_000_000


def fingerprint_inputs(found: Iterable[tuple[str, str]], context: dict[str, object]) -> tuple[str, int] | None:
    """Digest of what goes into a collection, and the newest time (ns since the epoch) at which any of it changed.

    ``found`` gives each file's name below STATIC_ROOT and where it is on the disk, in the order of the finders. The
    inode's change time is part of it: unlike the modification time no copying tool can set it back, so that a file put
    in place with the same size and an old time still shows. None when something cannot be looked at.
    """
    try:
        described = json.dumps([_FORMAT, context], default=_plain, skipkeys=True)
    except (ValueError, RecursionError):  # settings that refer to themselves
        return None
    digest = hashlib.sha256(described.encode())
    newest = 0
    for name, path in found:
        try:
            status = os.stat(path)  # noqa: PTH116 - thousands of them
        except OSError:
            return None
        newest = max(newest, status.st_ctime_ns, status.st_mtime_ns)
        line = (name, path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        digest.update(repr(line).encode())
    return digest.hexdigest(), newest


def fingerprint_outputs(entries: Iterable[Entry]) -> str:
    """Digest of what lies in the collected folder."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(repr((entry.name, entry.size, entry.modified, entry.changed)).encode())
    return digest.hexdigest()


def class_context(cls: type) -> list[object]:
    """What identifies a class and the code of it and its bases: a project may change its own storage."""
    files = {getattr(sys.modules.get(base.__module__), "__file__", None) for base in cls.__mro__}
    return [f"{cls.__module__}.{cls.__qualname__}", [(file, _stamp(file)) for file in sorted(filter(None, files))]]


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - as above
    except OSError:  # code that lies in a zip
        return None
    return status.st_size, status.st_mtime_ns


def settings_context(settings: Any) -> dict[str, object]:
    """All settings but the secret ones, which no static file depends on and some projects make anew at each start."""
    with warnings.catch_warnings():
        # Whether a setting is out of date is not for the one to hear who only looks whether it has changed.
        warnings.simplefilter("ignore")
        return {
            name: getattr(settings, name)
            for name in dir(settings)
            if name.isupper() and name not in ("SECRET_KEY", "SECRET_KEY_FALLBACKS")
        }


def read_record(path: Path) -> dict[str, str]:
    """What the last collection set down; empty when there is nothing, or nothing readable."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: dict[str, str]) -> None:
    """Set down a collection, whole or not at all."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(record))
    draft.replace(path)


def _plain(value: object) -> object:
    """JSON for what JSON has no word for, the same in each process: no addresses, no order of hashes."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"
