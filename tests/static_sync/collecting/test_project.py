"""The project form, in a process of its own as Django's settings are loaded once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.static_sync.conftest import Moto, settle, write

REPOSITORY = Path(__file__).parents[3]
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


def settings_text(backend: str = PLAIN, root: str | None = "BASE_DIR / 'collected'", more: str = "") -> str:
    return f"""
from pathlib import Path
BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = "not secret"
INSTALLED_APPS = ["django.contrib.staticfiles", "static_sync", "shop"]
STATIC_URL = "https://cdn.example.com/static/"
STATIC_ROOT = {root}
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {{
    "default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "staticfiles": {{"BACKEND": "{backend}"}},
}}
{more}
"""


MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_ours.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own: two apps' worth of static files, a stylesheet that refers to an image."""
    root = tmp_path / "project"
    write(
        root,
        {
            "manage.py": MANAGE,
            "site_of_ours/__init__.py": "",
            "site_of_ours/settings.py": settings_text(),
            "shop/__init__.py": "",
            "shop/static/shop/shop.css": "a { background: url(logo.png) }",
            "shop/static/shop/logo.png": b"\x89PNG",
            "assets/site.js": "let a = 1",
            "assets/.hidden": "x",
        },
    )
    return root


class Run:
    """The result of one command."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out)
        return report


def command(root: Path, *arguments: str, **environment: str) -> Run:
    # Development mode makes each start a third slower; the first test has it.
    unwanted = ("DJANGO_SETTINGS_MODULE", "PYTHONDEVMODE")
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**inherited, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    run = Run(process)
    assert "Traceback" not in run.err, run.err
    return run


@pytest.fixture
def push(moto_server: Moto, bucket: str, project: Path) -> Any:
    def push(*arguments: str, root: Path = project, **environment: str) -> Run:
        destination = f"s3://{bucket}/static"
        endpoint = f"--endpoint-url={moto_server.url}"
        return command(root, "-m", "static_sync", destination, endpoint, *arguments, **environment)

    return push


def keys(server: Moto, bucket: str) -> set[str]:
    """Of all objects but the release records."""
    listed = server.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"] for item in listed if "/.static-sync/" not in item["Key"]}


def body(server: Moto, bucket: str, key: str) -> bytes:
    content: bytes = server.client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def test_a_project_is_collected_and_pushed(push: Any, moto_server: Moto, bucket: str, project: Path) -> None:
    run = push("--json", PYTHONDEVMODE="1")
    assert (run.code, run.err) == (0, "")
    assert run.report["collected"] is True
    assert run.report["settings"] == "site_of_ours.settings"
    assert run.report["source"] == str(project / "collected")
    assert keys(moto_server, bucket) == {"static/shop/shop.css", "static/shop/logo.png", "static/site.js"}
    assert (project / ".faas/.gitignore").read_text() == "*\n"


def test_an_unchanged_project_is_not_collected_again_and_any_change_is_seen(
    push: Any, moto_server: Moto, bucket: str, project: Path
) -> None:
    write(project, {"site_of_ours/settings.py": settings_text(MANIFEST)})
    settle()
    first = push("--json").report
    assert (first["collected"], first["uploaded"]) == (True, 7)
    moto_server.made()
    second = push("--json").report
    assert (second["collected"], second["uploaded"]) == (False, 0)
    assert moto_server.made() == {"GET": 1}
    record = (project / ".faas/collected.json").read_bytes()

    # The same size and an old time, as from an archive: Django's own collectstatic does not see this one.
    write(project, {"assets/site.js": "let a = 2"})
    os.utime(project / "assets/site.js", (0, 0))
    third = push("--json").report
    assert third["collected"] is True
    assert {upload["path"] for upload in third["plan"]} >= {"site.js", "staticfiles.json"}
    assert body(moto_server, bucket, "static/site.js") == b"let a = 2"

    # Looked at less than two seconds after the change: it is not relied upon until it has been seen again.
    if not (project / ".faas/collected.json").exists():
        settle()
        assert push("--json").report["collected"] is True
    assert (project / ".faas/collected.json").read_bytes() != record
    assert push("--json").report["collected"] is False

    (project / "collected/site.js").unlink()
    assert push("--json").report["collected"] is True
    assert (project / "collected/site.js").exists()

    changed = settings_text(MANIFEST, more="STATICFILES_STORAGE_VERSION = 2")
    write(project, {"site_of_ours/settings.py": changed})
    assert push("--json").report["collected"] is True


def test_hashed_names_are_immutable_and_the_replaced_ones_stay_behind(
    push: Any, moto_server: Moto, bucket: str, project: Path
) -> None:
    write(project, {"site_of_ours/settings.py": settings_text(MANIFEST)})
    plan = {upload["path"]: upload for upload in push("--json", "--dry-run").report["plan"]}
    (hashed,) = [name for name in plan if name.startswith("shop/shop.") and name != "shop/shop.css"]
    assert plan[hashed]["cache_control"] == "public, max-age=31536000, immutable"
    assert plan[hashed]["stage"] == "hashed"
    assert plan["shop/shop.css"]["cache_control"] == "public, max-age=60"
    assert list(plan)[-1] == "staticfiles.json"
    assert keys(moto_server, bucket) == set()

    write(project, {"shop/static/shop/shop.css": "a { background: none }", "collected/from-elsewhere.txt": "x"})
    run = push("--json")
    assert run.report["ok"]
    assert (project / "collected" / hashed).exists()
    assert f"static/{hashed}" not in keys(moto_server, bucket)
    assert "static/from-elsewhere.txt" in keys(moto_server, bucket)
    assert "from-elsewhere.txt" in " ".join(run.report["notes"])


def test_without_static_root_a_folder_of_its_own_holds_just_the_collection(
    push: Any, moto_server: Moto, bucket: str, project: Path
) -> None:
    write(project, {"site_of_ours/settings.py": settings_text(MANIFEST, root="None")})
    run = push()
    own = project / ".faas/static"
    assert run.code == 0
    assert f"STATIC_ROOT is not set: collected into {own}" in run.out
    assert (own / "staticfiles.json").exists()
    (project / "assets/site.js").unlink()
    write(project, {"assets/new.js": "1"})
    report = push("--json").report
    assert not (own / "site.js").exists()
    assert "static/new.js" in {upload["key"] for upload in report["plan"]}
    assert report["files"] == 7


def test_a_static_root_that_cannot_be_written_is_let_be(push: Any, project: Path) -> None:
    write(project, {"site_of_ours/settings.py": settings_text(root="BASE_DIR / 'manage.py' / 'static'")})
    run = push()
    assert run.code == 0
    assert "cannot be written: collected into" in run.out


def test_a_storage_elsewhere_is_replaced_by_a_local_one(push: Any, project: Path) -> None:
    remote = """
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import Storage
class Far(ManifestFilesMixin, Storage):
    def __init__(self):
        raise AssertionError("no connection is made")
"""
    write(
        project,
        {"shop/far.py": remote, "site_of_ours/settings.py": settings_text("shop.far.Far")},
    )
    run = push()
    assert run.code == 0, run.err
    assert "shop.far.Far, is not on this machine" in run.out
    assert (project / ".faas/static/staticfiles.json").exists()


def test_a_collectstatic_of_the_projects_own_is_run_each_time(push: Any, project: Path) -> None:
    own = """
from pathlib import Path
from django.conf import settings
from django.contrib.staticfiles.management.commands import collectstatic
class Command(collectstatic.Command):
    def handle(self, **options):
        print("building")
        built = Path(settings.BASE_DIR) / "assets/built.js"
        built.write_text(built.read_text() + "x" if built.exists() else "x")
        return super().handle(**options)
"""
    settings = settings_text().replace(
        '"django.contrib.staticfiles", "static_sync", "shop"', '"shop", "django.contrib.staticfiles"'
    )
    write(
        project,
        {
            "shop/management/__init__.py": "",
            "shop/management/commands/__init__.py": "",
            "shop/management/commands/collectstatic.py": own,
            "site_of_ours/settings.py": settings,
        },
    )
    settle()
    for content in ("x", "xx"):
        run = push("--json")
        assert run.code == 0, run.err
        assert run.report["collected"] is True
        assert "building" in run.err
        assert (project / "collected/built.js").read_text() == content


def test_links_left_by_collectstatic_become_copies(push: Any, moto_server: Moto, bucket: str, project: Path) -> None:
    command(project, "manage.py", "collectstatic", "--link", "--noinput", "-v0")
    assert (project / "collected/site.js").is_symlink()
    assert push().code == 0
    assert not (project / "collected/site.js").is_symlink()
    assert body(moto_server, bucket, "static/site.js") == b"let a = 1"


class TestManagementCommand:
    def test_it_does_the_same(self, moto_server: Moto, bucket: str, project: Path, tmp_path: Path) -> None:
        arguments = (f"s3://{bucket}/static", "--endpoint-url", moto_server.url, "--json")
        run = command(tmp_path, "project/manage.py", "static_sync", *arguments)
        assert (run.code, run.err) == (0, "")
        assert run.report["uploaded"] == 3
        assert (project / ".faas").is_dir()
        assert not (tmp_path / ".faas").exists()

    def test_it_writes_lines_for_a_person(self, moto_server: Moto, bucket: str, project: Path) -> None:
        run = command(project, "manage.py", "static_sync", f"s3://{bucket}", "--endpoint-url", moto_server.url)
        assert [line.split()[0] for line in run.out.splitlines()] == ["Collected", "Listed", "Uploaded"]

    def test_it_has_the_same_exit_codes(self, moto_server: Moto, project: Path) -> None:
        missing = command(project, "manage.py", "static_sync", "s3://not-there", "--endpoint-url", moto_server.url)
        assert (missing.code, missing.out) == (1, "")
        assert "There is no bucket not-there" in missing.err
        assert command(project, "manage.py", "static_sync", "not-there").code == 2

    def test_it_takes_the_same_options(self, project: Path) -> None:
        ours = command(project, "-m", "static_sync", "--help").out
        theirs = command(project, "manage.py", "static_sync", "--help").out
        for flag in ("--source", "--endpoint-url", "--region", "--workers", "--dry-run", "--json", "--settings"):
            assert flag in ours
            assert flag in theirs


class TestFindingTheProject:
    def fails(self, run: Run, *says: str) -> None:
        assert (run.code, run.out) == (1, "")
        assert run.err.startswith("Error: ")
        for text in says:
            assert text in run.err

    def test_no_project(self, push: Any, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        self.fails(push(root=empty), f"no Django project in {empty}", "--settings", "--source")

    def test_settings_by_environment_without_manage(self, push: Any, project: Path) -> None:
        (project / "manage.py").unlink()
        assert push(DJANGO_SETTINGS_MODULE="site_of_ours.settings").code == 0

    def test_settings_by_option_come_first(self, push: Any, project: Path) -> None:
        write(project, {"site_of_ours/other.py": settings_text(root="BASE_DIR / 'other'")})
        run = push("--json", "--settings", "site_of_ours.other", DJANGO_SETTINGS_MODULE="site_of_ours.settings")
        assert run.report["source"] == str(project / "other")

    def test_settings_that_are_not_there(self, push: Any) -> None:
        self.fails(
            push(DJANGO_SETTINGS_MODULE="wrong.settings"),
            "wrong.settings (from DJANGO_SETTINGS_MODULE in the environment)",
            "no module wrong",
            "--settings",
        )
        self.fails(push("--settings", "site_of_ours.wrong"), "site_of_ours.wrong (from --settings)")

    def test_manage_that_names_settings_that_are_not_there(self, push: Any, project: Path) -> None:
        write(project, {"manage.py": MANAGE.replace("site_of_ours", "elsewhere")})
        self.fails(push(), f"elsewhere.settings (from {project / 'manage.py'})")

    def test_manage_that_fails(self, push: Any, project: Path) -> None:
        write(project, {"manage.py": "import nowhere_to_be_found"})
        self.fails(push(), "manage.py failed before it came to Django", "nowhere_to_be_found", "line 1")
        write(project, {"manage.py": "raise SystemExit(3)"})
        self.fails(push(), "manage.py ended before it came to Django (exit code 3)")
        write(project, {"manage.py": "def broken(:"})
        self.fails(push(), "SyntaxError", "line 1")

    def test_manage_that_names_none(self, push: Any, project: Path) -> None:
        write(project, {"manage.py": "settled = True"})
        self.fails(push(), "manage.py names no settings")

    def test_manage_may_use_the_utility_itself_and_prepare_the_environment(self, push: Any, project: Path) -> None:
        manage = """
import os, sys
from django.core.management import ManagementUtility
os.environ["NEEDED"] = "yes"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_ours.settings" if sys.argv[1] == "collectstatic" else "x")
try:
    ManagementUtility(sys.argv).execute()
except Exception:
    pass
raise SystemExit("manage.py was left to go on")
"""
        write(
            project,
            {"manage.py": manage, "site_of_ours/settings.py": settings_text(more="import os\nos.environ['NEEDED']")},
        )
        assert push().code == 0

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ("import os\nos.environ['DATABASE_PASSWORD']", "KeyError: 'DATABASE_PASSWORD'"),
            ("INSTALLED_APPS += ['nowhere_to_be_found']", "nowhere_to_be_found"),
        ],
    )
    def test_settings_that_fail(self, push: Any, project: Path, more: str, says: str) -> None:
        write(project, {"site_of_ours/settings.py": settings_text(more=more)})
        self.fails(push(), "site_of_ours.settings", says)

    def test_settings_that_print_leave_the_json_whole(self, push: Any, project: Path) -> None:
        write(project, {"site_of_ours/settings.py": settings_text(more="print('hello')")})
        run = push("--json")
        assert run.report["ok"]
        assert run.err == "hello\n"

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            (settings_text().replace('"django.contrib.staticfiles", ', ""), "add 'django.contrib.staticfiles'"),
            (settings_text("nowhere.Storage"), "No module named 'nowhere'"),
            (settings_text(more="del STORAGES['staticfiles']"), "STORAGES has no 'staticfiles'"),
            (settings_text(more="STATIC_URL = None"), "STATIC_URL"),
            (settings_text(more="STATICFILES_DIRS = BASE_DIR"), "STATICFILES_DIRS"),
            (settings_text(more="STATICFILES_DIRS = [STATIC_ROOT]"), "STATIC_ROOT"),
        ],
    )
    def test_settings_without_usable_static_files(self, push: Any, project: Path, settings: str, says: str) -> None:
        write(project, {"site_of_ours/settings.py": settings})
        self.fails(push(), says)

    def test_a_stylesheet_that_refers_to_nothing(self, push: Any, project: Path) -> None:
        write(
            project,
            {
                "site_of_ours/settings.py": settings_text(MANIFEST),
                "shop/static/shop/shop.css": "a { background: url(gone.png) }",
            },
        )
        self.fails(push(), "shop/shop.css", "gone.png", "correct the reference")

    def test_stylesheets_in_a_circle(self, push: Any, project: Path) -> None:
        circle = {"assets/a.css": "@import 'b.css';", "assets/b.css": "@import 'a.css';"}
        write(project, {"site_of_ours/settings.py": settings_text(MANIFEST), **circle})
        self.fails(push(), "a.css, b.css", "in a circle")

    def test_a_broken_link_among_the_sources(self, push: Any, moto_server: Moto, bucket: str, project: Path) -> None:
        (project / "assets/gone.js").symlink_to("nowhere")
        self.fails(push(), "gone.js")
        assert keys(moto_server, bucket) == set()
