"""What a build has to say besides its steps; its wheels are made on the spot, and nothing of it could run."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.build import Package, build, bytecode, cli
from infra.configuration import load
from infra.exceptions import ConfigurationError
from infra.steps import Steps
from tests.infra.build.wheels import django, wheel

PYTHON = "{}.{}".format(*sys.version_info)
X86 = b"\x7fELF\x02\x01\x01" + bytes(11) + (62).to_bytes(2, "little")
MANAGE = """
import os
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line([])
"""


@pytest.fixture
def site(tmp_path: Path, local_wheels: Path) -> Path:
    django(local_wheels)
    for name in ("boto3", "botocore"):
        wheel(local_wheels, name, "1.0")
    wheel(local_wheels, "several", "1.0", {"several/x86.so": X86, "several/__init__.py": ""})
    folder = tmp_path / "shop"
    for name, text in {
        "manage.py": MANAGE,
        "settings.py": "import os\nSECRET_KEY = os.environ['DJANGO_SECRET_KEY']\n",
        "requirements.txt": "several\nboto3\nbotocore\n",
        "faas.toml": f'python = "{PYTHON}"\n',
        "locale/de/LC_MESSAGES/django.po": "",
        "broken.py": "def f(:\n",
        "media.py": "def open(name):\n    import storages\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def built(site: Path, **options: bool) -> tuple[Package, list[str]]:
    said = io.StringIO()
    package = build(load(site), Steps(said), output=site / "dist", **options)
    return package, said.getvalue().splitlines()


def test_what_may_be_wrong_is_noted(site: Path) -> None:
    package, said = built(site)
    notes = [line.removeprefix("note").strip() for line in said if line.startswith("note")]
    assert notes[:3] == [
        "Not for arm64, and of no use there: several/x86.so",
        (
            "Asked for, and not in the package: storages (media.py). Add to the requirements what brings it; or, where "
            "no function needs it, leave the file out in .faasignore"
        ),
        (
            "Without a .mo beside it, which is all that Django reads: locale/de/LC_MESSAGES/django.po; run manage.py "
            "compilemessages"
        ),
    ]
    assert notes[3].startswith(f"Can't be compiled for Python {PYTHON}, nor imported: broken.py:1: ")
    assert (package.static, package.settings, package.architecture) == (None, "settings", "arm64")
    assert any("django.contrib.staticfiles is not in INSTALLED_APPS" in line for line in said)


def test_without_a_python_to_compile_with_the_sources_go(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "interpreter", lambda _target, _place: None)
    package, said = built(site)
    assert any(f"There is no Python {PYTHON} here to compile with" in line for line in said)
    with zipfile.ZipFile(package.zip.path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]


def test_the_runtimes_own_boto3(site: Path) -> None:
    package, _ = built(site, runtime_boto3=True)
    assert [entry.name for entry in package.packages] == ["django", "django-faas", "several"]


def test_a_setting_that_is_missing_here_is_named(site: Path) -> None:
    (site / "settings.py").write_text("import os\nSECRET_KEY = os.environ['SHOP_KEY']\n")
    with pytest.raises(ConfigurationError, match=r"settings\.py:2: KeyError: 'SHOP_KEY'"):
        built(site)
    assert not (site / "dist").exists()
    assert "SHOP_KEY" not in os.environ


def test_the_command_goes_before_the_file(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    result = CliRunner().invoke(cli.build, ["--architecture", "x86_64", "--output", "out"])
    assert result.exit_code == 0, result.output
    package = Package.read(site / "out")
    assert (package.architecture, package.python) == ("x86_64", PYTHON)
    assert f"built      out/function.zip, {package.zip.sha256[:12]}" in result.stderr
    assert result.stdout == ""
    (site / "requirements.txt").unlink()
    result = CliRunner().invoke(cli.build, [])
    assert (result.exit_code, "Error: Nothing in" in result.stderr) == (1, True)
