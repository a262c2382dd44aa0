"""A built package, run as it is: its own code, on a Python that finds nothing else of this machine.

What there is to know of it stands in the ``manifest.json`` beside the zip, as `django-faas build` leaves both.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import interpreters
from .exceptions import PackageError

_MANIFEST = "manifest.json"
_MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Package:
    """``version`` is that of the Python it was built for, ``python`` that Python here; ``static`` is for the bucket."""

    zip: Path
    digest: str
    version: str
    python: Path
    settings: str
    interface: str
    static: Path | None

    @property
    def command(self) -> tuple[str, ...]:
        """The Python, without the ``site-packages`` of this machine or this user."""
        return (str(self.python), "-S", "-s")

    def unpack(self, state: Path) -> Path:
        """The folder below ``state`` that the code is in, read-only as a function's; packages of before are removed."""
        place = state / "package"
        folder = place / self.digest[:16]
        for old in place.glob("*"):
            if old != folder:
                _remove(old)
        if not folder.exists():
            half = place / f"{folder.name}.part"
            half.mkdir(parents=True)
            with zipfile.ZipFile(self.zip) as archive:
                archive.extractall(half)
                entries = archive.infolist()
            runs = {entry.filename for entry in entries if entry.external_attr >> 16 & stat.S_IXUSR}
            for path in [*half.rglob("*"), half]:
                path.chmod(0o555 if path.is_dir() or path.relative_to(half).as_posix() in runs else 0o444)
            half.rename(folder)
        return folder


def read(path: Path) -> Package:
    """The package whose zip is at ``path``; raises `PackageError` where it is not whole, or can't run here."""
    try:
        said = json.loads((path.parent / _MANIFEST).read_bytes())
        digest, static = said["zip"]["sha256"], said["static"]
        version, architecture = said["python"], said["architecture"]
        settings, interface = said["settings"], said["interface"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackageError(
            f"{path.parent / _MANIFEST} can't be read ({type(error).__name__}: {error}); it has to lie beside the zip. "
            "Build both: django-faas build"
        ) from None
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise PackageError(f"{path} is not the zip that {_MANIFEST} tells of. Build both: django-faas build")
    _check_machine(path, architecture)
    python = interpreters.find(version)
    if python is None:
        raise PackageError(
            f"{path} was built for Python {version}, which is not here. Install it (uv python install {version}), or "
            f"build for this one: django-faas build --python {platform.python_version().rpartition('.')[0]}"
        )
    return Package(path, digest, version, python, settings, interface, static and path.parent / static["path"])


def _check_machine(path: Path, architecture: str) -> None:
    here = _MACHINES.get(platform.machine(), platform.machine())
    if sys.platform == "linux" and here == architecture:
        return
    with zipfile.ZipFile(path) as archive:
        native = next((name for name in archive.namelist() if name.endswith(".so") or ".so." in name), None)
    if native is not None:
        raise PackageError(
            f"{path} is for Linux on {architecture}, and this is {platform.system()} on {here}, which can't load "
            f"{native}. On Linux, build one for this machine: django-faas build --architecture {here} --output "
            f"dist-{here}"
        )


def _remove(folder: Path) -> None:
    for below, _, _ in os.walk(folder):
        Path(below).chmod(0o755)
    shutil.rmtree(folder)
