"""Step "install": the wheels of the target, unpacked into the tree that becomes the zip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..exceptions import BuildError
from . import ours, uv
from .distributions import Distribution, find
from .resolve import Resolved, excludes, explained, options
from .target import Target

_ELF = b"\x7fELF"


def install(
    resolved: Resolved, target: Target, tree: Path, place: Path, progress: Callable[[str], None]
) -> list[Distribution]:
    """Install into ``tree``, with what of django-faas belongs there; returns what is there now.

    A file there may be a link into uv's cache: it can be removed, but must never be written to. Raises `BuildError`.
    """
    command = [
        *("pip", "install", "--target", str(tree), *resolved.arguments),
        *excludes(place),
        *options(target),
    ]
    try:
        uv.run(command, resolved.source.parent, progress)
    except uv.UvFailed as error:
        raise explained(error, target) from None
    ours.add(tree)
    found = find(tree)
    if not any(distribution.name == "django" for distribution in found):
        raise BuildError(f"{resolved.source} does not ask for Django: add it there, as in Django>=5.2.")
    return found


def foreign(tree: Path, target: Target) -> list[str]:
    """The native files for another processor than the target's; the paths in ``tree``, sorted.

    Wheels that say they fit every system may carry some for several.
    """
    found = []
    for path in tree.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(20)
            if (
                head[:4] == _ELF
                and int.from_bytes(head[18:20], "big" if head[5] == 2 else "little") != target.elf_machine
            ):
                found.append(path.relative_to(tree).as_posix())
    return sorted(found)
