"""The command as a newcomer uses it: what it writes and says, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from emulator.project import Choices, Database, Project
from emulator.template.document import load as read
from infra.build import ignored
from infra.configuration import Configuration, load
from infra.init import advice, template
from infra.init.cli import init
from infra.init.survey import Base, Place, Survey
from infra.init.survey import survey as survey_of

from .projects import split

WRITTEN = ("faas.toml", "template.yaml", "config/settings/faas.py", ".faasignore")


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DJANGO_", "FAAS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "shop"
    split(folder)
    (folder / "site.log").touch()  # as the project's own commands do
    return folder


@pytest.fixture
def folder(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in WRITTEN:
        (prepared / name).unlink(missing_ok=True)
    monkeypatch.chdir(prepared)
    return prepared


@pytest.fixture(scope="module")
def found(prepared: Path) -> Survey:
    return survey_of(load(prepared), None)


@pytest.fixture
def surveyed(folder: Path, found: Survey, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, of which everything is known already."""
    monkeypatch.setattr("infra.init.survey.survey", lambda *_: found)
    return folder


def run(*options: str) -> Result:
    return CliRunner().invoke(init, options, catch_exceptions=False)


def test_a_new_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    before = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    said = run()
    assert (said.exit_code, said.stdout) == (0, "")
    after = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    assert {path.relative_to(folder).as_posix() for path in after - before} == set(WRITTEN)

    configuration = load(folder)
    assert (configuration.name, configuration.settings) == ("shop", "config.settings.faas")
    assert (configuration.interface, configuration.architecture) == ("wsgi", "arm64")
    assert configuration.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    stage = configuration.stage("production")
    assert (stage.stack, stage.region) == ("shop-production", "eu-central-1")
    assert (dict(stage.parameters), dict(stage.variables)) == ({}, {})
    stays_out = ignored.reader(folder)
    assert stays_out("faas.toml")
    assert not stays_out("config/settings/faas.py")

    assert "note       The functions' settings ask for MAIL_KEY, STRIPE_KEY, too." in said.stderr
    for line in (
        "settings   config.settings.production, as config/wsgi.py says, for servers; config.settings.faas builds on it",
        "wrote      config/settings/faas.py: the settings of the functions",
        "next       django-faas deploy",
    ):
        assert f"{line}\n" in said.stderr
    assert "django-faas env set DATABASE_URL" in said.stderr
    # Nothing of the .env file is in what is written or said.
    for text in (said.stderr, *((folder / name).read_text() for name in WRITTEN)):
        assert "this-machine's" not in text
        assert "k-1" not in text

    again = run()
    assert again.stdout == ""
    assert again.stderr.count("unchanged") == len(WRITTEN)


def test_what_is_there_stays_and_the_difference_is_shown(surveyed: Path) -> None:
    folder = surveyed
    (folder / "faas.toml").write_text('name = "other"\nsettings = "config.settings.production"\npython = "3.14"\n')
    (folder / "template.yaml").write_text("mine\n")
    said = run()
    assert (folder / "template.yaml").read_text() == "mine\n"
    assert '+interface = "wsgi"\n' in said.stdout
    assert "--- template.yaml\n+++ template.yaml as init would write it\n" in said.stdout
    assert "kept       template.yaml, which is there already" in said.stderr
    assert "wrote      config/settings/faas.py" in said.stderr
    assert 'config.settings.production. For those written here: settings = "config.settings.faas"' in said.stderr
    assert load(folder).python == "3.14"


def test_a_dry_run_writes_nothing(surveyed: Path) -> None:
    folder = surveyed
    said = run("--dry-run")
    assert not [name for name in WRITTEN if (folder / name).exists()]
    assert 'name = "shop"' in said.stdout
    assert "from .production import *\n" in said.stdout
    assert said.stderr.count("would write") == len(WRITTEN)


def test_a_file_that_can_not_be_written_is_named(surveyed: Path) -> None:
    folder = surveyed
    (folder / ".faasignore").symlink_to(folder / "nowhere" / "file")
    try:
        said = run()
    finally:
        (folder / ".faasignore").unlink()
    assert said.exit_code == 1
    assert f"{folder / '.faasignore'} can't be written" in said.stderr


def test_a_folder_without_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = run()
    assert said.exit_code == 1
    assert f"There is no manage.py in {tmp_path}" in said.stderr
    assert not list(tmp_path.iterdir())


def test_the_template_differs_in_its_defaults_alone(tmp_path: Path) -> None:
    source = template.TEMPLATE.read_text()
    assert template.text({}) == template.text({"Interface": "wsgi"}) == source
    defaults = {"SettingsModule": "shop.faas", "SmokePath": "/a: #b/", "Interface": "asgi"}
    changed = template.text(defaults)
    lines = difflib.ndiff(source.splitlines(), changed.splitlines())
    assert len([line for line in lines if line.startswith(("- ", "+ "))]) == 6
    (tmp_path / "template.yaml").write_text(changed)
    parameters = read(tmp_path / "template.yaml")["Parameters"]
    assert {name: parameters[name]["Default"] for name in defaults} == defaults


SQLITE = "django.db.backends.sqlite3"


def survey(folder: Path, engine: str = SQLITE, page: str | None = "/", **project: Any) -> Survey:
    about: dict[str, Any] = dict.fromkeys(Project.__dataclass_fields__)
    about |= {"folder": folder, "variables": {}, "choices": Choices(databases={"default": Database(engine)})}
    return Survey(
        folder,
        Project(**{**about, **project}),
        Base("mysite.settings", "as manage.py says"),
        Place(folder / "mysite" / "settings_faas.py", "mysite.settings_faas", ".settings"),
        "wsgi",
        "3.13",
        page,
    )


def test_what_nobody_can_write_for_a_project(tmp_path: Path) -> None:
    configuration = Configuration(tmp_path, "site")
    [nothing] = advice.notes(configuration, survey(tmp_path))
    assert "requirements.txt, such as Django and psycopg[binary]" in nothing
    (tmp_path / "requirements.txt").write_text("Django\n")
    media = survey(tmp_path, media_root=tmp_path / "media", page=None)
    database, uploads, page = advice.notes(configuration, media)
    assert database.startswith("PostgreSQL needs psycopg[binary], which requirements.txt does not name")
    assert uploads.startswith("The bucket for uploads needs django-storages[s3]")
    assert "SmokePath" in page
    elsewhere = tmp_path / "needs.txt"
    elsewhere.write_text("Psycopg\ndjango-storages\n")
    named = dataclasses.replace(configuration, requirements=elsewhere)
    assert len(list(advice.notes(named, media))) == 1
    assert not list(advice.notes(configuration, survey(tmp_path, "django.db.backends.mysql")))


def test_an_old_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Django\npsycopg\n")
    configuration = Configuration(tmp_path, "site")
    assert not list(advice.notes(configuration, survey(tmp_path)))
    [note] = advice.notes(configuration, dataclasses.replace(survey(tmp_path), python="3.11"))
    assert 'python = "3.13" in faas.toml' in note


def test_what_comes_next(tmp_path: Path) -> None:
    assert list(advice.next_steps(survey(tmp_path, "django.db.backends.mysql"))) == ["django-faas deploy"]
    assert list(advice.next_steps(survey(tmp_path))) == ["django-faas env set DATABASE_URL", "django-faas deploy"]
