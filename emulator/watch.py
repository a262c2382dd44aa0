"""What changes in a project's folder, sorted into what concerns the function and what concerns the bucket."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from watchfiles import awatch

from .project import Project
from .static import is_static

_CODE = frozenset(
    {".py", ".html", ".htm", ".txt", ".xml", ".svg", ".mo", ".toml", ".ini", ".cfg", ".env", ".yaml", ".yml"}
    | {".jinja", ".jinja2", ".j2", ".djhtml"}
)
_IGNORED = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})


@dataclass(frozen=True)
class Changed:
    """What a burst of changes calls for: new processes because of ``code``, a sync because of ``static``; sorted."""

    code: tuple[Path, ...]
    static: tuple[Path, ...]


async def changes(project: Project) -> AsyncGenerator[Changed, None]:
    """What changed below the project's folder, a moment after the last file of a burst was written.

    Raises `OSError` or `RuntimeError` where the system can't watch (more), such as too many folders.
    """
    outside = [folder for folder in project.static_dirs if folder.is_dir()]
    own = _outputs()
    async for batch in awatch(
        project.folder,
        *(folder for folder in outside if not folder.is_relative_to(project.folder)),
        watch_filter=lambda _change, name: matters(Path(name), project),
        debounce=400,
        step=50,
        ignore_permission_denied=True,
    ):
        paths = sorted({Path(path) for _, path in batch if _identity(path) not in own})
        if not paths:
            continue
        static = tuple(path for path in paths if _only_static(path, project))
        yield Changed(tuple(path for path in paths if path not in static), static)


def matters(path: Path, project: Project) -> bool:
    """Whether a change of ``path`` calls for anything at all."""
    if any(root is not None and path.is_relative_to(root) for root in (project.static_root, project.media_root)):
        return False
    inner = path.relative_to(project.folder).parts if path.is_relative_to(project.folder) else path.parts[-1:]
    if any(part in _IGNORED or (part.startswith(".") and part != ".env") or part.endswith("~") for part in inner):
        return False
    if any((parent / "pyvenv.cfg").exists() for parent in path.parents if parent.is_relative_to(project.folder)):
        return False  # a virtual environment, of whatever name
    return _only_static(path, project) or path.suffix in _CODE or path.name == ".env"


def _outputs() -> set[tuple[int, int]]:
    """The files that our output goes to: each line written there would be a change to write a line about."""
    found = set()
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            found.add((status.st_dev, status.st_ino))
    return found


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - many at once, when a branch is changed
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _only_static(path: Path, project: Project) -> bool:
    return is_static(path, project) and path.suffix != ".py"
