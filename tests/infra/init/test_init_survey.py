"""Which settings are built on, and what is read out of a project."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.project import Choices, Project
from infra.configuration import Configuration, load
from infra.exceptions import ConfigurationError
from infra.init import survey as surveying
from infra.init.survey import Base, Place, Survey, survey

from .projects import plain, split

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "DJANGO_", "FAAS_")) or name == "SITE_KEY"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "my-site"
    plain(folder)
    return folder


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split") / "my-site"
    split(folder)
    return folder


@pytest.fixture
def pageless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing about pages is asked, as that takes longest."""
    monkeypatch.setattr(surveying, "_page", lambda *_: None)


def look(folder: Path, chosen: str | None = None) -> Survey:
    return survey(load(folder), chosen)


def test_a_fresh_project(fresh: Path) -> None:
    found = look(fresh)
    assert found.base == Base("mysite.settings", "as manage.py says")
    assert found.place == Place(fresh / "mysite" / "settings_faas.py", "mysite.settings_faas", ".settings")
    assert (found.interface, found.python, found.python_is_here) == ("wsgi", HERE, True)
    assert found.page == "/admin/login/"
    assert (found.names_database, found.needs_database, found.reads_database_url) == (False, True, True)
    assert (found.given, found.switches) == ({}, ())


def test_settings_in_parts(in_parts: Path) -> None:
    found = look(in_parts)
    assert found.base == Base("config.settings.production", "as config/wsgi.py says, for servers")
    assert found.place == Place(in_parts / "config" / "settings" / "faas.py", "config.settings.faas", ".production")
    assert found.project.paths == (str(in_parts / "apps"),)
    assert (found.names_database, found.needs_database, found.reads_database_url) == (True, False, True)
    assert found.given == {"ALLOWED_HOSTS": "DJANGO_ALLOWED_HOSTS", "SITE_KEY": "DJANGO_SECRET_KEY"}
    assert found.switches == ("DEBUG",)
    assert found.missing == ("MAIL_KEY", "STRIPE_KEY")
    for secret in ("this-machine's", "k-1"):
        assert secret not in str(found)


@pytest.mark.usefixtures("pageless")
def test_other_settings_by_choice_and_by_the_environment(in_parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(in_parts, "config.settings.local").base == Base("config.settings.local", "as --settings says")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings.local")
    assert look(in_parts).base == Base("config.settings.local", "as DJANGO_SETTINGS_MODULE says")


@pytest.mark.usefixtures("pageless")
def test_the_functions_settings_build_on_no_others_than_before(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "mysite.settings_faas")
    configuration = Configuration(fresh, "my-site", settings="mysite.settings_faas")
    assert survey(configuration, None).base.module == "mysite.settings"


def test_settings_that_can_not_be_read(fresh: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)there is no module 'mysite.production'.*--settings") as caught:
        look(fresh, "mysite.production")
    assert "Traceback" not in str(caught.value)


@pytest.mark.usefixtures("pageless")
def test_settings_that_can_not_have_what_is_assumed_are_read_as_they_are(tmp_path: Path) -> None:
    plain(tmp_path / "odd")
    settings = tmp_path / "odd" / "mysite" / "settings.py"
    settings.write_text(f"{settings.read_text()}\nimport os\nassert 'DATABASE_URL' not in os.environ\n")
    assert look(tmp_path / "odd").base.module == "mysite.settings"


def project(folder: Path, module: str = "mysite.settings.dev", **choices: Any) -> Project:
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return Project(
        folder=folder,
        settings=module,
        static_path=None,
        static_note=None,
        static_relative=False,
        media_path=None,
        media_root=None,
        static_root=None,
        static_manifest=None,
        static_dirs=(),
        hashes_static=False,
        debug=True,
        allowed_hosts=(),
        choices=Choices(file=file, **choices),
    )


def test_settings_for_production_beside_those_for_development(tmp_path: Path) -> None:
    found = project(tmp_path)
    assert surveying._base(tmp_path, found, from_environment=False).module == "mysite.settings.dev"
    found.choices.file.parent.mkdir(parents=True)
    found.choices.file.with_name("production.py").touch()
    base = surveying._base(tmp_path, found, from_environment=False)
    assert base == Base("mysite.settings.production", "which lies beside mysite.settings.dev, the choice of manage.py")
    assert surveying._base(tmp_path, found, from_environment=True).module == "mysite.settings.dev"
    other = project(tmp_path, "mysite.settings.special")
    assert surveying._base(tmp_path, other, from_environment=False).module == "mysite.settings.special"
    served = project(tmp_path, "mysite.settings.special", wsgi="wsgi.application")
    for named, expected in (("mysite.servers", "mysite.servers"), ("mysite.settings.faas", "mysite.settings.special")):
        (tmp_path / "wsgi.py").write_text(f'os.environ["DJANGO_SETTINGS_MODULE"] = "{named}"\n')
        assert surveying._base(tmp_path, served, from_environment=False).module == expected


@pytest.mark.parametrize(
    ("module", "file", "expected"),
    [
        ("site.settings", "site/settings.py", ("site/settings_faas.py", "site.settings_faas", ".settings")),
        ("site.settings", "site/settings/__init__.py", ("site/settings_faas.py", "site.settings_faas", ".settings")),
        ("a.settings.prod", "a/settings/prod.py", ("a/settings/faas.py", "a.settings.faas", ".prod")),
        ("a.settings.prod", "a/settings/prod/__init__.py", ("a/settings/faas.py", "a.settings.faas", ".prod")),
        ("config.prod", "config/prod.py", ("config/prod_faas.py", "config.prod_faas", ".prod")),
        ("settings", "settings.py", ("settings_faas.py", "settings_faas", "settings")),
    ],
)
def test_where_the_functions_settings_go(
    tmp_path: Path, module: str, file: str, expected: tuple[str, str, str]
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert surveying._place(tmp_path, module, path) == Place(tmp_path / expected[0], *expected[1:])


def test_settings_that_a_function_would_not_find(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mysite is not in"):
        surveying._place(tmp_path, "mysite.settings", tmp_path / "src" / "mysite" / "settings.py")


@pytest.mark.parametrize(
    ("wsgi", "asgi", "apps", "expected"),
    [
        ("m.wsgi.application", None, (), "wsgi"),
        ("m.wsgi.application", "m.asgi.application", (), "wsgi"),
        (None, "m.asgi.application", (), "asgi"),
        ("m.wsgi.application", "m.asgi.application", ("channels",), "asgi"),
        ("m.wsgi.application", None, ("channels",), "wsgi"),
    ],
)
def test_the_interface(tmp_path: Path, wsgi: Any, asgi: Any, apps: Any, expected: str) -> None:
    found = project(tmp_path, wsgi=wsgi, asgi=asgi, apps=apps)
    assert surveying._interface(Configuration(tmp_path, "site"), found) == expected


def test_what_faas_toml_says_goes_before_what_is_found(tmp_path: Path) -> None:
    (tmp_path / "faas.toml").write_text('interface = "asgi"\npython = "3.12"\n')
    configuration = load(tmp_path)
    assert surveying._interface(configuration, project(tmp_path)) == "asgi"
    assert surveying._python(configuration) == "3.12"
