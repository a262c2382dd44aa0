"""Wheels and projects made on the spot, so that nothing has to be downloaded to resolve or to install."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infra.configuration import Configuration


def wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    tag: str = "py3-none-any",
    requires: tuple[str, ...] = (),
    scripts: str = "",
) -> Path:
    """A wheel in ``folder``; without ``files`` it has one module of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = "".join(
        [
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            *(f"Requires-Dist: {entry}\n" for entry in requires),
        ]
    )
    content: dict[str, str | bytes] = {
        **(files or {f"{name}.py": f"version = {version!r}\n"}),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if scripts:
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}\n"
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in content.items():
            archive.writestr(file, text)
    return path


def sdist(folder: Path, name: str, version: str) -> None:
    """A distribution that comes as source alone."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n',
    }
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{file}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def django(folder: Path) -> None:
    """Something that is called Django, for what does not have to run."""
    wheel(folder, "django", "5.2.99", {"django/__init__.py": "VERSION = (5, 2, 99)\n"})


def configured(folder: Path, **more: object) -> Configuration:
    return Configuration(folder, "shop", **more)  # type: ignore[arg-type]
