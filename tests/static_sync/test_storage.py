from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.template import Context, Template
from django.templatetags.static import static
from django.test import override_settings

from static_sync.exceptions import ManifestError, StaticSyncError
from static_sync.storage import ManifestStorage
from tests.static_sync.conftest import Moto, write

ROOT = Path(__file__).parents[2]
OURS = "static_sync.storage.ManifestStorage"
DJANGOS = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
ASSETS: dict[str, str | bytes] = {
    "css/site.css": '@import "fonts.css"; a { background: url(../img/logo.png?v=1#top) }',
    "css/fonts.css": '@font-face { src: url("../fonts/a.eot?#iefix") }',
    "fonts/a.eot": b"font",
    "img/logo.png": b"\x89PNG",
    "js/app.js": "let a = 1\n//# sourceMappingURL=app.js.map\n",
    "js/app.js.map": "{}",
    "größe.txt": "ß",
}
PATHS = {"css/site.css": "css/site.0123456789ab.css", "img/a b.png": "img/a b.0123456789ab.png"}


class Site:
    """Settings of a project in ``root`` that has ``ASSETS``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.static_root = root / "collected"
        self.manifest = root / "package" / "manifest.json"

    def settings(self, backend: str = OURS, options: dict[str, Any] | None = None, **changes: Any) -> override_settings:
        return override_settings(
            **{
                "INSTALLED_APPS": [*settings.INSTALLED_APPS, "django.contrib.staticfiles"],
                "STATIC_URL": "https://cdn.example.com/static/",
                "STATIC_ROOT": str(self.static_root),
                "STATICFILES_DIRS": [str(self.root / "assets")],
                "STORAGES": {"staticfiles": {"BACKEND": backend, "OPTIONS": options or {}}},
                **changes,
            }
        )

    def at_run_time(self, **changes: Any) -> override_settings:
        """As in a function: the manifest is there, and nothing else."""
        write_manifest(self.manifest)
        return self.settings(options={"manifest": self.manifest}, STATIC_ROOT=None, **changes)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def write_manifest(path: Path, paths: dict[str, str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"paths": PATHS if paths is None else paths, "version": "1.1", "hash": "0"}))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def collect(root: Path, **site_settings: Any) -> tuple[dict[str, bytes], Site]:
    site = Site(root)
    write(root / "assets", ASSETS)
    with site.settings(**site_settings):
        call_command("collectstatic", interactive=False, verbosity=0)
    return tree(site.static_root), site


def error_of(name: str) -> str:
    with pytest.raises(ManifestError) as caught:
        static(name)
    assert isinstance(caught.value, StaticSyncError)
    assert isinstance(caught.value, ValueError), "as with Django's own storage"
    return str(caught.value)


# Collecting


def test_collects_what_djangos_own_collects(tmp_path: Path) -> None:
    theirs, _ = collect(tmp_path / "theirs", backend=DJANGOS)
    ours, _ = collect(tmp_path / "ours")
    assert ours == theirs
    assert len(ours) == 2 * len(ASSETS) + 1


def test_a_manifest_elsewhere_is_all_that_differs(tmp_path: Path) -> None:
    theirs, _ = collect(tmp_path / "theirs", backend=DJANGOS)
    elsewhere = tmp_path / "package" / "manifest.json"
    ours, site = collect(tmp_path / "ours", options={"manifest": elsewhere})
    assert elsewhere.read_bytes() == theirs.pop("staticfiles.json")
    assert ours == theirs
    # What is there already is found, and replaced.
    write(tmp_path / "ours/assets", {"new.txt": "new"})
    collect(tmp_path / "ours", options={"manifest": elsewhere})
    with site.settings(options={"manifest": str(elsewhere)}):
        assert static("new.txt") == "https://cdn.example.com/static/new.22af645d1859.txt"


def test_a_manifest_named_within_the_folder_is_a_file_of_it(site: Site) -> None:
    with site.settings(options={"manifest": site.static_root / "meta" / "names.json"}):
        storage = ManifestStorage(manifest=site.static_root / "meta" / "names.json")
    assert storage.manifest_storage is storage
    assert storage.manifest_name == "meta/names.json"


# At run time


def test_urls_lead_to_the_cdn(site: Site) -> None:
    with site.at_run_time():
        assert static("css/site.css") == "https://cdn.example.com/static/css/site.0123456789ab.css"
        assert static("img/a b.png") == "https://cdn.example.com/static/img/a b.0123456789ab.png"
        template = Template("{% load static %}{% static 'css/site.css' %} {% static name %}")
        assert template.render(Context({"name": "css/site.css"})).split() == [static("css/site.css")] * 2
        assert staticfiles_storage.url("css/site.css?a=1#b") == f"{static('css/site.css')}?a=1#b"
    with site.at_run_time(STATIC_URL="/static/"):
        assert static("css/site.css") == "/static/css/site.0123456789ab.css"


def test_the_manifest_in_static_root_is_read_by_default(site: Site) -> None:
    write_manifest(site.static_root / "staticfiles.json")
    with site.settings():
        assert static("css/site.css").endswith("/css/site.0123456789ab.css")


def test_with_debug_names_are_not_hashed(site: Site) -> None:
    with site.at_run_time(DEBUG=True):
        assert static("css/none.css") == "https://cdn.example.com/static/css/none.css"


FUNCTION = """
import os, sys
events = []
def hear(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            events.append((event, str(path)))
    elif event.startswith(("socket.", "subprocess.", "os.mkdir", "os.remove", "os.rename", "shutil.", "urllib.")):
        events.append((event, str(arguments)))
import django
from django.contrib.staticfiles import storage
from django.templatetags.static import static
django.setup()
before = set(sys.modules)
sys.addaudithook(hear)
urls = [static("css/site.css"), static("img/a b.png")]
print(repr({"urls": urls, "events": events, "loaded": sorted(set(sys.modules) - before)}))
"""


@pytest.mark.parametrize("static_root", ["None", "'/nowhere/collected'"])
def test_a_function_needs_the_manifest_and_nothing_more(tmp_path: Path, static_root: str) -> None:
    write_manifest(tmp_path / "manifest.json")
    (tmp_path / "production.py").write_text(
        "from pathlib import Path\n"
        "SECRET_KEY = 'x'\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles']\n"
        "STATIC_URL = 'https://cdn.example.com/static/'\n"
        f"STATIC_ROOT = {static_root}\n"
        f"STORAGES = {{'staticfiles': {{'BACKEND': '{OURS}',\n"
        "    'OPTIONS': {'manifest': Path(__file__).parent / 'manifest.json'}}}\n"
    )
    before = tree(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FUNCTION],
        cwd=tmp_path,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "production",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not done.returncode, done.stderr
    found = eval(done.stdout)
    assert found["urls"] == [
        "https://cdn.example.com/static/css/site.0123456789ab.css",
        "https://cdn.example.com/static/img/a b.0123456789ab.png",
    ]
    assert found["events"] == []
    assert tree(tmp_path) == before
    loaded = [name for name in found["loaded"] if name != "__future__" and not name.startswith("django.")]
    assert loaded == ["static_sync", "static_sync.exceptions", "static_sync.storage"]


# Errors


def test_a_missing_manifest_is_named_with_what_to_do(site: Site) -> None:
    with site.settings(options={"manifest": site.manifest}):
        said = error_of("css/site.css")
        assert f"'css/site.css' has no hashed name: there was no manifest of static files in {site.manifest} " in said
        assert "collectstatic" in said
        assert "package" in said
    with site.settings():
        assert f"in {site.static_root / 'staticfiles.json'} " in error_of("css/site.css")


def test_a_missing_name_is_named_with_the_likeliest(site: Site) -> None:
    with site.at_run_time():
        said = error_of("css/Site.css")
        assert f"'css/Site.css' has no hashed name: it is not among the 2 files in {site.manifest}." in said
        assert "Is it 'css/site.css' that is meant?" in said
        assert "findstatic" in said
        assert "that is meant" not in error_of("entirely/else.woff2")


def test_the_lenient_kind_says_the_same_where_there_are_no_files(site: Site) -> None:
    site.static_root.mkdir()
    with site.settings(backend=f"{__name__}.Lenient"):
        assert "there was no manifest" in error_of("css/none.css")
        write(site.static_root, {"css/here.css": "a {}"})
        assert static("css/here.css").startswith("https://cdn.example.com/static/css/here.")


class Lenient(ManifestStorage):
    """Takes names that are not in the manifest, as Django allows a storage to."""

    manifest_strict = False


@pytest.mark.parametrize("content", [b"", b'{"paths": {', b"[]", b'{"version": "9.0"}', b"\xff"])
def test_what_is_no_manifest_is_named(site: Site, content: bytes) -> None:
    write(site.manifest.parent, {site.manifest.name: content})
    with site.settings(options={"manifest": site.manifest}):
        said = error_of("css/site.css")
        assert f"{site.manifest} is not a manifest of static files" in said
        assert "Delete it" in said


def test_a_relative_path_is_refused(site: Site) -> None:
    with site.settings(options={"manifest": "staticfiles.json"}), pytest.raises(ImproperlyConfigured, match="BASE_DIR"):
        static("css/site.css")


def test_a_manifest_has_to_be_somewhere(site: Site) -> None:
    with site.settings(STATIC_ROOT=None), pytest.raises(ImproperlyConfigured, match=r"STATIC_ROOT.* 'manifest'"):
        static("css/site.css")


def test_the_deployment_check_sees_that_the_manifest_is_missing(site: Site) -> None:
    from adapter.checks.static_files import check

    with site.settings(options={"manifest": site.manifest}):
        [found] = check()
        assert found.id == "faas.W041"
        assert found.msg.startswith(f"There is no manifest.json in {site.manifest.parent}.")
    with site.at_run_time():
        assert list(check()) == []


# static-sync


def test_static_sync_collects_with_it_and_leaves_the_manifest_at_home(
    tmp_path: Path, moto_server: Moto, bucket: str
) -> None:
    write(
        tmp_path,
        {
            "assets/css/site.css": "a { background: url(logo.png) }",
            "assets/css/logo.png": b"\x89PNG",
            "production.py": "from pathlib import Path\n"
            "BASE_DIR = Path(__file__).parent\n"
            "SECRET_KEY = 'x'\n"
            "INSTALLED_APPS = ['django.contrib.staticfiles']\n"
            "STATIC_URL = 'https://cdn.example.com/static/'\n"
            "STATIC_ROOT = BASE_DIR / 'collected'\n"
            "STATICFILES_DIRS = [BASE_DIR / 'assets']\n"
            f"STORAGES = {{'staticfiles': {{'BACKEND': '{OURS}',\n"
            "    'OPTIONS': {'manifest': BASE_DIR / 'names.json'}}}\n",
        },
    )
    command = ["-m", "static_sync", f"s3://{bucket}/static", "--endpoint-url", moto_server.url]
    for puts_nothing in (False, True):
        moto_server.made()
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "production", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not done.returncode, done.stdout + done.stderr
        assert ("PUT" not in moto_server.made()) is puts_nothing
    hashed = set(json.loads((tmp_path / "names.json").read_bytes())["paths"].values())
    found = {
        item["Key"].removeprefix("static/")
        for item in moto_server.client.list_objects_v2(Bucket=bucket, Prefix="static/")["Contents"]
        if not item["Key"].startswith("static/.")
    }
    assert found == hashed | {"css/site.css", "css/logo.png"}
    for name in found:
        head = moto_server.client.head_object(Bucket=bucket, Key=f"static/{name}")
        assert ("immutable" in head["CacheControl"]) is (name in hashed)
