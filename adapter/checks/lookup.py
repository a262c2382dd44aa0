"""What a setting names, and what becomes of it on a function."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

TMP = "/tmp"  # noqa: S108 - where a function may write, not where this writes


def imported(path: Any) -> Any:
    """What a dotted path names, or the object itself; None where it can't be imported."""
    if not isinstance(path, str):
        return path
    try:
        return import_string(path)
    except Exception:
        return None


def is_one_of(candidate: Any, *classes: type) -> bool:
    """Whether ``candidate`` is one of the classes, or is derived from one."""
    return isinstance(candidate, type) and issubclass(candidate, classes)


def fate(path: Any) -> Literal["lost", "refused"] | None:
    """What becomes of a file written at ``path`` on a function; None where it is kept, or is a device.

    The project is read-only there. Of the rest of its disk a function can write to /tmp alone, and each environment has
    another; file systems are mounted below /mnt:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html
    """
    place = PurePosixPath(os.fsdecode(path))
    # Wherever the project lies here, in CI's /tmp or in WSL's /mnt/c, there it lies with the package.
    project = PurePosixPath(os.fsdecode(getattr(settings, "BASE_DIR", None) or Path.cwd()))
    if len(project.parts) > 2 and place.is_relative_to(project):
        return "refused"
    if place.is_relative_to("/mnt") or place.is_relative_to("/dev"):
        return None
    # What is /tmp on the function may have another name where the checks run.
    return "lost" if place.is_relative_to(TMP) or place.is_relative_to(tempfile.gettempdir()) else "refused"


def is_here(host: str) -> bool:
    """Whether ``host`` is the machine that asks: by a name, an address, or the path of a socket."""
    return host in {"localhost", "::1"} or host.startswith(("127.", "/"))


def nothing_listens(setting: str, key: str, value: str, variable: str) -> checks.CheckMessage:
    """The finding that a server is looked for in the environment itself."""
    return checks.Warning(
        f'"{key}" is {value!r}, which on a function is the environment itself: nothing listens there.',
        hint=f'Let the function\'s environment name the server: "{key}": os.environ["{variable}"].',
        obj=setting,
        id="faas.W005",
    )
