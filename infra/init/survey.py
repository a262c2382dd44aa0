"""What a project is, as far as its deployment goes: asked of the project itself, with the variables of a function."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..configuration import FILE, PYTHONS, Configuration, Interface
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from emulator.project import Project

_DEVELOPMENT = {"debug", "dev", "develop", "development", "local"}
_PRODUCTION = ("production", "prod", "live", "deploy", "deployment")
_NAMED = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\s*(?:\]\s*=|,)\s*['"]([\w.]+)['"]""")
# What the stack gives every function, by the names under which projects ask for it.
_FROM_THE_STACK = {
    "SECRET_KEY": "DJANGO_SECRET_KEY",
    "DJANGO_SECRET_KEY": "DJANGO_SECRET_KEY",
    "ALLOWED_HOSTS": "DJANGO_ALLOWED_HOSTS",
    "DJANGO_ALLOWED_HOSTS": "DJANGO_ALLOWED_HOSTS",
}
_SWITCHES = ("DEBUG", "DJANGO_DEBUG")
_DATABASE_URL = "DATABASE_URL"
_MAIL = ("EMAIL_HOST", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")
_IDLE_MAIL = ("console", "filebased", "locmem")
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_NOBODYS = {"DJANGO_SETTINGS_MODULE", "HOME", "PATH", "PWD", "TZ", "USER"}


@dataclass(frozen=True)
class Base:
    """The settings that those of the function build on; ``why`` says who names them."""

    module: str
    why: str


@dataclass(frozen=True)
class Place:
    """The module to write: its file, its dotted name, and how it imports the settings it builds on."""

    path: Path
    module: str
    imports: str


@dataclass(frozen=True)
class Survey:
    """A project and what follows from it; ``page`` answers without being logged in, None where none is known."""

    folder: Path
    project: Project
    base: Base
    place: Place
    interface: Interface
    python: str
    page: str | None

    @property
    def python_is_here(self) -> bool:
        """Whether the version is that of the Python that runs here."""
        return self.python == _HERE

    @property
    def names_database(self) -> bool:
        """Whether the project reads DATABASE_URL by itself."""
        return _DATABASE_URL in self.project.choices.asked

    @property
    def needs_database(self) -> bool:
        """Whether the project has its default database in a file, which a function can't write to."""
        default = self.project.choices.databases.get("default")
        return default is not None and "sqlite" in default.engine and not self.names_database

    @property
    def needs_mail(self) -> bool:
        """Whether the project's mail goes nowhere, as is usual while it is developed."""
        choices = self.project.choices
        # Without MAILERS, a dummy may well be what is meant; with them, Django's checks let none pass.
        idle = (*_IDLE_MAIL, "dummy") if choices.uses_mailers else _IDLE_MAIL
        return choices.mail in {f"django.core.mail.backends.{name}.EmailBackend" for name in idle}

    @property
    def given(self) -> dict[str, str]:
        """The variables that the project asks for, and under which names the stack gives them."""
        choices = self.project.choices
        found = dict.fromkeys(choices.key_variables, "DJANGO_SECRET_KEY")
        found |= {name: given for name, given in _FROM_THE_STACK.items() if name in choices.asked}
        return {name: given for name, given in sorted(found.items()) if name != given}

    @property
    def switches(self) -> tuple[str, ...]:
        """The variables by which the project's DEBUG is switched."""
        return tuple(name for name in _SWITCHES if name in self.project.choices.asked)

    @property
    def reads_database_url(self) -> bool:
        """Whether the function needs DATABASE_URL, for the project's own settings or for those that are written."""
        return self.names_database or self.needs_database

    @property
    def missing(self) -> tuple[str, ...]:
        """The other variables that the project asks for and nothing sets on a function."""
        known = {*_FROM_THE_STACK, *_SWITCHES, *self.given, *_NOBODYS, _DATABASE_URL}
        asked = [*self.project.choices.asked, *self.project.variables, *(_MAIL if self.needs_mail else ())]
        return tuple(
            name
            for name in dict.fromkeys(asked)
            if name not in known and not name.startswith(("AWS_", "FAAS_", "PYTHON"))
        )


def survey(configuration: Configuration, chosen: str | None) -> Survey:
    """What is to be known of the project in the configuration's folder.

    ``chosen`` names the settings to build on. Raises `ConfigurationError` where they can't be read, or not be found
    on a function.
    """
    folder = configuration.folder
    own = dict(os.environ)
    if chosen:
        own["DJANGO_SETTINGS_MODULE"] = chosen
    elif own.get("DJANGO_SETTINGS_MODULE") == configuration.settings:
        # Those of the function are what is to be written, not what it builds on.
        own.pop("DJANGO_SETTINGS_MODULE", None)
    project = _inspect(folder, own)
    if chosen:
        base = Base(chosen, "as --settings says")
    else:
        base = _base(folder, project, from_environment="DJANGO_SETTINGS_MODULE" in own)
    if base.module != project.settings:
        project = _inspect(folder, {**own, "DJANGO_SETTINGS_MODULE": base.module})
    return Survey(
        folder,
        project,
        base,
        _place(folder, base.module, project.choices.file),
        _interface(configuration, project),
        _python(configuration),
        _page(folder, own),
    )


def _inspect(folder: Path, variables: Mapping[str, str]) -> Project:
    """The project as a function sees it, or, where it can't be had so, as this machine does."""
    from emulator.exceptions import ProjectError
    from emulator.project import inspect

    try:
        return asyncio.run(inspect(folder, {**variables, **_assumed()}, choices=True))
    except ProjectError:
        pass
    try:
        return asyncio.run(inspect(folder, variables, choices=True))
    except ProjectError as error:
        raise ConfigurationError(
            f"{error}\nIf the settings lack a variable, give it to this command, as in NAME=value django-faas init; if "
            "they are the wrong ones, name others: django-faas init --settings mysite.settings.production"
        ) from None


def _assumed() -> dict[str, str]:
    """Values that stand for those of a function; nothing is done with them but to look where they come out."""
    given = {name: secrets.token_urlsafe(50) for name, source in _FROM_THE_STACK.items() if "KEY" in source}
    given |= {name: "host.invalid" for name, source in _FROM_THE_STACK.items() if "HOSTS" in source}
    given |= dict.fromkeys(_SWITCHES, "0")
    return {**given, _DATABASE_URL: "postgres://faas@database.invalid/faas", "FAAS_MEDIA_BUCKET": "faas"}


def _base(folder: Path, project: Project, *, from_environment: bool) -> Base:
    """The settings for servers: what the WSGI module names, or what lies beside those for development."""
    module = project.settings
    if from_environment:
        return Base(module, "as DJANGO_SETTINGS_MODULE says")
    for application in filter(None, (project.choices.wsgi, project.choices.asgi)):
        path = folder.joinpath(*application.split(".")[:-1]).with_suffix(".py")
        named = _NAMED.search(path.read_text(encoding="utf-8")) if path.is_file() else None
        # Those that were written here once are for functions alone.
        if named and named[1] != module and not named[1].endswith("faas"):
            return Base(named[1], f"as {path.relative_to(folder)} says, for servers")
    package, _, leaf = module.rpartition(".")
    if leaf in _DEVELOPMENT:
        for name in _PRODUCTION:
            if project.choices.file.with_name(f"{name}.py").is_file():
                return Base(f"{package}.{name}".lstrip("."), f"which lies beside {module}, the choice of manage.py")
    return Base(module, "as manage.py says")


def _place(folder: Path, module: str, file: Path) -> Place:
    package, _, leaf = module.rpartition(".")
    is_package = file.name == "__init__.py"
    # In a package of settings its name says enough.
    name = "faas" if "settings" in package.rpartition(".")[2] else f"{leaf}_faas"
    path = (file.parent if is_package else file).with_name(f"{name}.py")
    top = module.partition(".")[0]
    if not path.is_relative_to(folder) or not ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
        raise ConfigurationError(
            f"The settings are in {file}, and {top} is not in {folder}: on a function, modules are looked for where "
            "manage.py lies. Move manage.py there, or the settings here."
        )
    dotted = f"{package}.{name}" if package else name
    return Place(path, dotted, f".{leaf}" if package else leaf)


def _interface(configuration: Configuration, project: Project) -> Interface:
    if (configuration.folder / FILE).is_file():
        return configuration.interface
    choices = project.choices
    return "asgi" if choices.asgi and (not choices.wsgi or {"channels", "daphne"} & set(choices.apps)) else "wsgi"


def _python(configuration: Configuration) -> str:
    return configuration.python if (configuration.folder / FILE).is_file() or _HERE not in PYTHONS else _HERE


def _page(folder: Path, variables: Mapping[str, str]) -> str | None:
    """A page that answers to everybody; None where there is none, or the project can't be started here."""
    manage = ("manage.py",) if (folder / "manage.py").is_file() else ("-m", "django")
    code = Path(__file__).with_name("front_page.py").read_text(encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, *manage, "shell", "--no-imports", "-c", code],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    said = re.search(r"^django-faas-page:(/.*)$", done.stdout, re.MULTILINE)
    return said[1] if said else None
