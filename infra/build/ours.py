"""Step "install", its second half: the part of django-faas that runs in the function, as it is installed here."""

from __future__ import annotations

import shutil
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from ..exceptions import BuildError

NAME = "django-faas"
# What stands in for the cloud on a laptop, and what deploys, stays at home.
_PACKAGES = ("adapter", "static_sync")
_ROOT = Path(__file__).parents[2]


def add(tree: Path) -> None:
    """Copy it into ``tree``, with the metadata by which it is known as a distribution."""
    for name in _PACKAGES:
        shutil.copytree(_ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    installed = _installed()
    folder = tree / f"{NAME.replace('-', '_')}-{installed.version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(installed.read_text("METADATA") or "", encoding="utf-8")
    files = [path for name in _PACKAGES for path in (tree / name).rglob("*") if path.is_file()]
    lines = [f"{path.relative_to(tree).as_posix()},,\n" for path in [*files, folder / "METADATA", folder / "RECORD"]]
    (folder / "RECORD").write_text("".join(lines), encoding="utf-8")


def requirements() -> list[str]:
    """What it needs in the function."""
    return [line for line in _installed().requires or () if "extra ==" not in line]


def _installed() -> Distribution:
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        raise BuildError(f"{NAME} runs from {_ROOT} without being installed: pip install -e {_ROOT}") from None
