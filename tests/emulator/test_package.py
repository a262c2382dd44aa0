"""A built package in the emulator: what is refused, how it is unpacked, and that it runs by itself."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import stat
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from emulator import interpreters, package, variables
from emulator.emulation import Emulation
from emulator.exceptions import EmulatorError, PackageError
from emulator.options import Options
from infra.build import build
from infra.configuration import Architecture, Configuration
from infra.steps import Steps
from tests.emulator.helpers import Heard, start_project
from tests.emulator.test_emulate import emulating

PYTHON = "{}.{}".format(*sys.version_info)
HERE: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
THERE = "x86_64" if HERE == "arm64" else "arm64"
FILES = {"app.py": 0o644, "lib/native.so": 0o644, "bin/run": 0o755}


def packaged(folder: Path, files: Mapping[str, int] = FILES, **more: object) -> Path:
    """A zip with its manifest; ``files`` have their modes."""
    folder.mkdir(exist_ok=True)
    path = folder / "function.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, f"{name} {more}")
    manifest = {
        "zip": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "python": PYTHON,
        "architecture": HERE,
        "settings": "mysite.settings",
        "interface": "asgi",
        "static": {"path": "static"},
        **more,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return path


def test_what_the_manifest_tells(tmp_path: Path) -> None:
    found = package.read(packaged(tmp_path))
    assert (found.settings, found.interface, found.static) == ("mysite.settings", "asgi", tmp_path / "static")
    assert (found.version, found.command) == (PYTHON, (sys.executable, "-S", "-s"))
    assert package.read(packaged(tmp_path, static=None)).static is None


def test_the_code_is_unpacked_once_and_nobody_may_write_there(tmp_path: Path) -> None:
    found = package.read(packaged(tmp_path / "dist"))
    folder = found.unpack(tmp_path / "state")
    modes = {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes == {"app.py": 0o444, "lib": 0o555, "lib/native.so": 0o444, "bin": 0o555, "bin/run": 0o555}
    before = folder.stat().st_mtime_ns
    assert found.unpack(tmp_path / "state") == folder
    assert folder.stat().st_mtime_ns == before
    other = package.read(packaged(tmp_path / "dist", interface="wsgi")).unpack(tmp_path / "state")
    assert (other != folder, other.is_dir(), folder.exists()) == (True, True, False)
    assert [path.name for path in (tmp_path / "state/package").iterdir()] == [other.name]


def test_what_was_unpacked_by_halves_is_unpacked_again(tmp_path: Path) -> None:
    found = package.read(packaged(tmp_path / "dist"))
    half = tmp_path / "state/package" / f"{found.digest[:16]}.part"
    half.mkdir(parents=True)
    (half / "app.py").touch(0o444)
    half.chmod(0o555)
    assert (found.unpack(tmp_path / "state") / "app.py").read_text()
    assert not half.exists()


def test_a_zip_without_its_manifest_or_with_anothers_is_refused(tmp_path: Path) -> None:
    path = packaged(tmp_path)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(PackageError, match=r"function\.zip is not the zip that manifest\.json tells of"):
        package.read(path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(PackageError, match=r"manifest\.json can't be read .KeyError: 'zip'.*django-faas build"):
        package.read(path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(PackageError, match=r"it has to lie beside the zip"):
        package.read(path)


def test_native_code_for_another_machine_is_refused_and_only_that(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=f"is for Linux on {THERE}.*load lib/native.so.*--architecture {HERE}"):
        package.read(packaged(tmp_path, architecture=THERE))
    assert package.read(packaged(tmp_path, {"app.py": 0o644}, architecture=THERE)).version == PYTHON


def test_a_python_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=f"built for Python 3\\.2, which is not here.*--python {PYTHON}"):
        package.read(packaged(tmp_path, python="3.2"))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_pythons_are_tried_before_they_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreters.find(PYTHON) == Path(sys.executable)
    for name, text in {"a": "exit 127", "b": "echo 3.1 final", "c": "echo 3.2 beta"}.items():
        script(tmp_path / name / "python3.2", text)
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in "abcd"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere/python"))  # there may be a uv beside this one
    assert interpreters.find("3.2") is None
    right = script(tmp_path / "kept/python", "echo 3.2 final")
    script(tmp_path / "d/uv", f"echo {right}")
    assert interpreters.find("3.2") == right
    script(tmp_path / "d/uv", "exit 2")
    assert interpreters.find("3.2") is None
    on_the_path = script(tmp_path / "d/python3.2", "echo 3.2 final")
    assert interpreters.find("3.2") == on_the_path


def test_the_variables_of_a_package(tmp_path: Path) -> None:
    found = package.read(packaged(tmp_path))
    common = {"PYTHONPATH": "/site", "PYTHONHOME": "/mine", "AWS_EXECUTION_ENV": "x", "DATABASE_URL": "mine"}
    assert variables.of_package(common, found, Path("/code")) == {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{PYTHON}",
        "DATABASE_URL": "mine",
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "LAMBDA_TASK_ROOT": "/code",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "/code",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("asgi", False)),
        ({"interface": "wsgi"}, ("wsgi", False)),
        ({"template": Path("template.yaml")}, (None, False)),
    ],
)
def test_what_is_chosen_for_a_package(
    tmp_path: Path, options: dict[str, object], expected: tuple[str | None, bool]
) -> None:
    emulation = Emulation(tmp_path, Options(package=packaged(tmp_path), **options), Heard())  # type: ignore[arg-type]
    assert emulation._package() is not None
    assert (emulation._options.interface, emulation._options.reload) == expected


@pytest.mark.parametrize("options", [{"runtime": "awslambdaric"}, {"debugpy": 5678}])
def test_what_no_package_has_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    emulation = Emulation(tmp_path, Options(package=packaged(tmp_path), **options), Heard())  # type: ignore[arg-type]
    with pytest.raises(EmulatorError, match="needs what no package has"):
        emulation._package()


URLS = """
import sys
from django.contrib import admin
from django.http import JsonResponse
from django.urls import path
import idna

def about(request):
    try:
        import moto
    except ImportError:
        moto = None
    return JsonResponse({
        "path": sys.path, "idna": idna.__file__, "moto": bool(moto), "cached": sys.modules["mysite.urls"].__cached__,
        "dev": getattr(sys.modules["mysite.settings"], "ONLY_HERE", None),
    })

urlpatterns = [path("admin/", admin.site.urls), path("about", about)]
"""


@pytest.mark.emulated
def test_a_package_runs_with_nothing_else_of_this_machine(tmp_path: Path) -> None:
    import django

    site = start_project(tmp_path / "site")
    (site / "mysite/urls.py").write_text(URLS)
    with (site / "mysite/settings.py").open("a") as settings:
        settings.write(
            'STORAGES = {"staticfiles": {"BACKEND": "static_sync.storage.ManifestStorage",\n'
            '    "OPTIONS": {"manifest": BASE_DIR / "staticfiles.json"}}}\nSTATIC_ROOT = BASE_DIR / "collected"\n'
            'DEBUG = False\nALLOWED_HOSTS = ["127.0.0.1"]\n'
        )
    (site / "requirements.txt").write_text(f"Django=={django.__version__}\nidna\n")
    configuration = Configuration(site, "shop", python=PYTHON, architecture=HERE)
    made = build(configuration, Steps(io.StringIO()), output=site / "dist")
    # What has changed since then is no part of it.
    with (site / "mysite/settings.py").open("a") as settings:
        settings.write("ONLY_HERE = True\n")
    with emulating(site, "--package", "dist/function.zip") as running:
        assert ", dist/function.zip" in running.text
        status, _, body = running.get("/about")
        assert status == 200, body
        about = json.loads(body)
        code = site / ".faas/package" / made.zip.sha256[:16]
        assert about["path"][0] == str(code)
        assert not [entry for entry in about["path"] if "site-packages" in entry]
        assert about["idna"] == str(code / "idna/__init__.py")
        assert (about["moto"], about["dev"]) == (False, None)
        assert about["cached"] == str(code / f"mysite/__pycache__/urls.{sys.implementation.cache_tag}.pyc")
        # The page names the hashed files that the package's own folder has brought to the bucket.
        status, _, page = running.get("/admin/login/")
        css = re.search(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page)
        assert (status, css is not None) == (200, True), page
        assert css is not None
        assert running.get(css[1])[0] == 200
