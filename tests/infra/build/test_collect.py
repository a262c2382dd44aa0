from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.collect import Collected, collect
from infra.build.distributions import Distribution
from infra.exceptions import BuildError, ConfigurationError
from static_sync.manifest import read_manifest
from tests.emulator.helpers import ROOT

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "a key"
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "assets"]
print("settings may print")
"""
HASHED = """
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
"""
ASK = """
import django
django.setup()
from django.templatetags.static import static
print(static("b.css"))
"""
APART = """
STORAGES = {"staticfiles": {
    "BACKEND": "static_sync.storage.ManifestStorage", "OPTIONS": {"manifest": BASE_DIR / "staticfiles.json"}}}
"""
STATIC_ROOT = 'STATIC_ROOT = BASE_DIR / "collected"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for name, text in {
        "shop/__init__.py": "",
        "shop/static/shop/a.css": "a {}",
        "assets/b.css": "b { background: url(c.svg) }",
        "assets/c.svg": "<svg/>",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def collected(site: Path, settings: str) -> Collected | None:
    (site / "settings.py").write_text(SETTINGS + settings)
    variables = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "settings"}
    return collect(site, "settings", variables, site.parent / "static")


def test_without_hashes_the_function_needs_nothing(site: Path) -> None:
    found = collected(site, "")
    assert found is not None
    assert (found.files, found.manifest, found.kept) == (3, None, None)
    assert {path.name for path in found.folder.rglob("*.*")} == {"a.css", "b.css", "c.svg"}
    assert {"shop/static", "assets"} <= set(found.sources)
    found.place_manifest(site.parent / "tree")
    assert not (site.parent / "tree").exists()


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (HASHED + STATIC_ROOT, "collected/staticfiles.json"),
        (APART + STATIC_ROOT, "staticfiles.json"),
        (APART, "staticfiles.json"),
    ],
)
def test_the_manifest_is_where_the_settings_look_for_it_and_where_the_sync_does(
    site: Path, settings: str, kept: str
) -> None:
    found = collected(site, settings)
    assert found is not None
    assert found.kept == Path(kept)
    hashed = read_manifest(found.folder).hashed
    assert len(hashed) == 3
    assert all((found.folder / name).is_file() for name in hashed)
    assert found.files == 7
    tree = site.parent / "tree"
    found.place_manifest(tree)
    # The function itself finds the names, with the static files' folder gone.
    (tree / "settings.py").write_text(SETTINGS + settings)
    (tree / "shop").mkdir()
    (tree / "shop/__init__.py").touch()
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}", "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
    )
    assert asked.stdout.splitlines()[-1].removeprefix("/static/") in hashed, asked.stderr


@pytest.mark.parametrize("settings", [HASHED, HASHED + 'STATIC_ROOT = "{elsewhere}"\n'])
def test_a_manifest_that_the_function_could_not_find_is_refused(site: Path, settings: str) -> None:
    with pytest.raises(ConfigurationError, match=r'"manifest": BASE_DIR / "staticfiles\.json"'):
        collected(site, settings.replace("{elsewhere}", str(site.parent / "elsewhere")))


def test_a_project_without_static_files(site: Path) -> None:
    assert collected(site, 'INSTALLED_APPS = ["shop"]\n') is None


@pytest.mark.parametrize(
    ("settings", "error", "expected"),
    [
        ("1 / 0\n", BuildError, "could not be collected: .*ZeroDivisionError"),
        ("raise SystemExit('no')\n", BuildError, "could not be collected"),
        ("INSTALLED_APPS.append('emulator')\n", ConfigurationError, 'INSTALLED_APPS has "emulator"'),
    ],
)
def test_what_keeps_it_from_being_collected(site: Path, settings: str, error: type[Exception], expected: str) -> None:
    with pytest.raises(error, match=expected):
        collected(site, settings)


def test_a_reference_to_a_file_that_is_not_there(site: Path) -> None:
    (site / "assets/c.svg").unlink()
    with pytest.raises(BuildError, match=r"could not be collected: .*b\.css"):
        collected(site, HASHED + STATIC_ROOT)


def test_static_files_of_another_version_than_the_packages(site: Path) -> None:
    found = Collected(site, 1, None, None, ("one/static",), {"one": "1.0", "two": "1.0"}, ())

    def packaged(name: str, version: str) -> Distribution:
        return Distribution(name, version, site, {f"{name}/static/a.css", f"{name}/views.py"})

    assert found.differing([packaged("one", "1.0"), packaged("two", "2.0"), packaged("three", "1.0")]) == []
    assert found.differing([packaged("one", "1.1")]) == ["one 1.0 (in the package: 1.1)"]
