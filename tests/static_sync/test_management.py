"""``manage.py static_sync``, in a process of its own for each test as Django's settings are loaded once."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.static_sync.conftest import write
from tests.static_sync.stub import StubS3

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = "not secret"
INSTALLED_APPS = ["django.contrib.staticfiles", "static_sync"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "collected"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {{
    "staticfiles": {{"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}},
}}
STATIC_SYNC = {{
    "destination": "s3://bucket/static",
    "endpoint_url": "{url}",
    "cache_control": {{"*.html": "no-cache"}},
}}
"""


@pytest.fixture
def project(tmp_path: Path, stub: StubS3) -> Path:
    """A project whose settings say where its files go."""
    write(
        tmp_path,
        {
            "manage.py": MANAGE,
            "shop/__init__.py": "",
            "shop/settings.py": SETTINGS.format(url=stub.url),
            "assets/site.css": "a { color: red }",
            "assets/help.html": "<p>",
        },
    )
    return tmp_path


RUN = """
import contextlib, io, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.core.management import execute_from_command_line
results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["manage.py", "static_sync", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            execute_from_command_line(sys.argv)
        except SystemExit as ended:
            code = ended.code
    results.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(results))
"""


def manage(project: Path, *calls: str) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each of ``manage.py static_sync ...``, one after the other."""
    process = python(project, "-c", RUN, json.dumps([shlex.split(call) for call in calls]))
    assert process.returncode == 0, process.stderr
    return [(code, out, err) for code, out, err in json.loads(process.stdout)]


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def test_all_of_it_is_configured_in_the_settings(project: Path, stub: StubS3) -> None:
    first = python(project, "manage.py", "static_sync", "--exit-code")
    assert (first.returncode, first.stderr) == (3, "")
    assert "at s3://bucket/static in" in first.stdout
    assert stub.headers["static/help.html"]["cache-control"] == "no-cache"
    assert stub.headers["static/site.css"]["cache-control"] == "public, max-age=60"
    # The command of its own reads the same setting, and finds nothing left to do.
    own = python(project, "-m", "static_sync", "--exit-code", "--json")
    assert (own.returncode, own.stderr) == (0, "")
    report = json.loads(own.stdout)
    assert (report["destination"], report["changed"]) == ("s3://bucket/static", False)


def test_the_other_commands(project: Path) -> None:
    sync, listed, pruned, checked, back = manage(
        project, "-q", "releases --json", "prune --dry-run --keep-releases 1", "check", "rollback"
    )
    assert sync == (0, "", "")
    assert listed[0] == 0
    assert [release["current"] for release in json.loads(listed[1])["releases"]] == [True]
    assert (pruned[0], pruned[2]) == (0, "")
    assert "Nothing to delete" in pruned[1]
    assert (checked[0], checked[2]) == (0, "")
    assert back[0] == 1
    assert "Error: There is no release before the current one" in back[2]


def test_errors_and_exit_codes_are_those_of_the_other_form(project: Path) -> None:
    missing, wrong, of_another = manage(
        project, "s3://bucket/x --source nowhere --json", "s3://bucket/x --workers 0", "prune --wait"
    )
    assert missing[0] == 1
    assert json.loads(missing[1])["error"]["kind"] == "SourceError"
    assert wrong == (2, "", "Error: --workers is '0': give a whole number from 1 to 256.\n")
    assert of_another[:2] == (2, "")
    assert "--wait" in of_another[2]


def test_help(project: Path) -> None:
    sync, prune = manage(project, "--help", "prune --help")
    for (code, out, _), called in ((sync, ""), (prune, " prune")):
        assert code == 0
        assert f"\n  manage.py static_sync{called} s3://my-site/static --dry-run\n" in out
        assert ("--keep-releases" in out) == (called == " prune")
        assert out.count("  --settings ") == 1  # Django's own


def test_called_from_code(project: Path, stub: StubS3) -> None:
    script = """
import io
import django
from django.core.management import call_command
django.setup()
out = io.StringIO()
call_command("static_sync", "s3://bucket/other", cache_control={"*.css": "no-cache"}, compress=["gzip"], stdout=out)
call_command("static_sync", command="releases", destination="s3://bucket/other", stdout=out)
call_command("static_sync", command="prune", destination="s3://bucket/other", keep_releases=2, stdout=out)
print(out.getvalue())
"""
    process = python(project, "-c", f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'\n{script}")
    assert process.returncode == 0, process.stderr
    assert "Uploaded" in process.stdout
    assert "Releases at s3://bucket/other" in process.stdout
    assert "Nothing to delete" in process.stdout
    assert stub.headers["other/site.css"]["cache-control"] == "no-cache"
