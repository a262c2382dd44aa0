"""Step "resolve": which distributions, in which versions, from what the project says it needs.

A ``uv.lock`` is taken as it is, so that a wheel that is missing is an error rather than an older release. Anything else
is resolved for the target. django-faas itself is left out, whatever names it: the package gets the code that runs here,
by `ours`.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..configuration import FILE, Configuration
from ..exceptions import BuildError, ConfigurationError
from . import ours, uv
from .target import Target

# Looked for in this order.
_SOURCES = ("uv.lock", "requirements.txt", "pyproject.toml")
_PIN = re.compile(r"^[A-Za-z0-9]", re.MULTILINE)
_UNBUILT = re.compile(r"Wheels are required for `([^`]+)`")


@dataclass(frozen=True)
class Resolved:
    """What to install: ``pins`` is a file with one pinned requirement a line, complete with what they need.

    ``arguments`` are those of `uv pip install` in the folder of ``source``, which may have hashes and indexes of its
    own.
    """

    source: Path
    pins: Path
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{len(_PIN.findall(self.pins.read_text(encoding='utf-8')))} requirements from {self.source.name}"


def resolve(configuration: Configuration, target: Target, place: Path) -> Resolved:
    """Resolve into files in the folder ``place``; raises `BuildError`, `ConfigurationError` where nothing is found."""
    source = configuration.requirements or _find(configuration.folder)
    return (_export if source.name == "uv.lock" else _compile)(source, target, place)


def excludes(place: Path) -> tuple[str, ...]:
    """Options that leave django-faas out, and what it alone needs."""
    path = place / "excludes.txt"
    path.write_text(f"{ours.NAME}\n", encoding="utf-8")
    return ("--excludes", str(path))


def options(target: Target) -> tuple[str, ...]:
    """Options that name the target; nothing is ever built from source here, where it would fit this machine alone."""
    return (
        *("--python", sys.executable, "--python-version", target.python, "--python-platform", target.platform),
        *("--only-binary", ":all:"),
    )


def explained(error: uv.UvFailed, target: Target) -> BuildError:
    """What uv found wrong, and what to do about it."""
    unbuilt = list(dict.fromkeys(_UNBUILT.findall(str(error))))
    if not unbuilt:
        return BuildError(f"The requirements can't be installed for {target}:\n{error}")
    names = " and ".join(unbuilt)
    return BuildError(
        f"{names}: no wheel for {target} ({target.platform}) in the version that is asked for, and what comes as "
        "source can't be built here for another system. See which versions have one at "
        f"https://pypi.org/project/{unbuilt[0]}/#files, ask for such a version, or for another distribution of the "
        "same (psycopg2-binary for psycopg2), or build for another --python or --architecture. Source of pure Python "
        f"will do once it is a wheel: pip wheel --no-deps -w wheels {unbuilt[0]}, and --find-links wheels at the top "
        f"of the requirements.\n{error}"
    )


def _find(folder: Path) -> Path:
    for name in _SOURCES:
        if (folder / name).is_file():
            return folder / name
    elsewhere = [parent / name for parent in folder.parents[:2] for name in _SOURCES if (parent / name).is_file()]
    elsewhere += sorted(folder.glob("requirements*/*.txt")) + sorted(folder.glob("requirements-*.txt"))
    example = Path(os.path.relpath(elsewhere[0], folder)) if elsewhere else Path("requirements/production.txt")
    raise ConfigurationError(
        f"Nothing in {folder} says what the project needs: {', '.join(_SOURCES)} were looked for. Name the file in "
        f'{FILE}: requirements = "{example.as_posix()}"'
    )


def _export(lock: Path, _target: Target, place: Path) -> Resolved:
    pins = place / "pins.txt"
    command = [
        *("export", "--frozen", "--no-default-groups", "--no-emit-project", "--prune", ours.NAME),
        *("--no-annotate", "--no-header", "--quiet", "--output-file", str(pins)),
    ]
    try:
        uv.run(command, lock.parent)
    except uv.UvFailed as error:
        raise BuildError(f"{lock} can't be read:\n{error}") from None
    return Resolved(lock, pins, ("--requirements", str(pins), "--no-deps"))


def _compile(source: Path, target: Target, place: Path) -> Resolved:
    pins, own = place / "pins.txt", place / "own.txt"
    own.write_text("\n".join(ours.requirements()), encoding="utf-8")
    command = [
        *("pip", "compile", source.name, str(own), *excludes(place), *options(target)),
        *("--no-annotate", "--no-header", "--quiet", "--output-file", str(pins)),
    ]
    try:
        uv.run(command, source.parent)
    except uv.UvFailed as error:
        raise explained(error, target) from None
    files = ("--requirements", source.name, "--requirements", str(own), "--constraints", str(pins))
    return Resolved(source, pins, files)
