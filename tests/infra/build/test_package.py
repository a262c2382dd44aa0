from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.build import Installed, Package, StaticFiles, Zip
from infra.exceptions import BuildError


def package(folder: Path, *, static: bool = True) -> Package:
    (folder / "static").mkdir(parents=True)
    (folder / "function.zip").write_bytes(b"a zip")
    return Package(
        folder,
        "shop",
        Zip(folder / "function.zip", "0" * 64, 5, 50),
        "3.13",
        "arm64",
        "adapter.entrypoint.handler",
        "shop.settings",
        "wsgi",
        StaticFiles(folder / "static", folder / "static/staticfiles.json", 3) if static else None,
        (Installed("django", "5.2", 40),),
    )


@pytest.mark.parametrize("static", [True, False])
def test_what_is_written_is_read(tmp_path: Path, static: bool) -> None:
    written = package(tmp_path, static=static)
    written.write()
    assert Package.read(tmp_path) == written
    assert str(tmp_path) not in (tmp_path / "manifest.json").read_text()


def test_a_package_can_be_carried_elsewhere(tmp_path: Path) -> None:
    package(tmp_path / "here").write()
    (tmp_path / "here").rename(tmp_path / "there")
    assert Package.read(tmp_path / "there").zip.path == tmp_path / "there/function.zip"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (None, "There is no package in .* Build it first: django-faas build"),
        ("{", "can't be read"),
        ({"format": 2}, "has the format 2, and this version of django-faas reads 1"),
        ({"zip": {}}, "can't be read .KeyError: 'path'"),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, change: dict[str, Any] | str | None, expected: str) -> None:
    package(tmp_path).write()
    manifest = tmp_path / "manifest.json"
    if change is None:
        manifest.unlink()
    elif isinstance(change, str):
        manifest.write_text(change)
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    with pytest.raises(BuildError, match=expected):
        Package.read(tmp_path)


def test_a_package_that_is_not_whole(tmp_path: Path) -> None:
    package(tmp_path).write()
    (tmp_path / "function.zip").write_bytes(b"another one")
    with pytest.raises(BuildError, match=r"function\.zip has another size, other than manifest\.json says"):
        Package.read(tmp_path)
    (tmp_path / "static").rmdir()
    with pytest.raises(BuildError, match="static is missing"):
        Package.read(tmp_path)
