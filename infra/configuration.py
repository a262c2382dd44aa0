"""``faas.toml``: what is the same for everyone who builds and deploys this project, and for each of its stages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from .exceptions import ConfigurationError

FILE = "faas.toml"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = ("arm64", "x86_64")
INTERFACES = ("wsgi", "asgi")

Architecture = Literal["arm64", "x86_64"]
Interface = Literal["wsgi", "asgi"]
Value = TypeVar("Value")

# What both a stack of CloudFormation and the buckets named after it can be called.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
# With CodeDeployHook_ before it, it names a function: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_LONGEST_STACK = 49


@dataclass(frozen=True)
class Stage:
    """One deployed copy of the project, ``production`` or another.

    ``region`` and ``profile`` are AWS's own where None. ``parameters`` are those of the template, ``variables`` those
    of the functions' environment, which everybody may read who may read the repository.
    """

    name: str
    stack: str
    region: str | None = None
    profile: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    """What ``faas.toml`` says, with the defaults for the rest; without that file, the defaults alone.

    ``settings`` is the settings module, None for the one that ``manage.py`` sets. ``requirements`` is the file that
    says what to install, None for the one that is found. Paths are absolute.
    """

    folder: Path
    name: str
    settings: str | None = None
    interface: Interface = "wsgi"
    python: str = "3.13"
    architecture: Architecture = "arm64"
    requirements: Path | None = None
    template: Path | None = None
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def stage(self, name: str) -> Stage:
        """The stage of that name; one that ``faas.toml`` does not mention has nothing of its own."""
        if name in self.stages:
            return self.stages[name]
        return Stage(_name(name, "The stage"), _stack(f"{self.name}-{name}"))


def load(folder: Path) -> Configuration:
    """The configuration of the project in ``folder``; raises `ConfigurationError` with key and what can be there."""
    folder = folder.resolve()
    path = folder / FILE
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        said = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}.") from None
    table = _Table(said, FILE)
    name = table.take("name", str) or _from_folder(folder)
    _name(name, f"name in {FILE}" if "name" in said else f"The folder's name, which is the project's without {FILE},")
    stages = {
        stage: _stage(_name(stage, f"[stages.{stage}] in {FILE}"), f"{name}-{stage}", values)
        for stage, values in (table.take("stages", dict) or {}).items()
    }
    configuration = Configuration(
        folder,
        name,
        settings=table.take("settings", str),
        interface=cast("Interface", table.choose("interface", INTERFACES, "wsgi")),
        python=table.choose("python", PYTHONS, "3.13"),
        architecture=cast("Architecture", table.choose("architecture", ARCHITECTURES, "arm64")),
        requirements=_path(folder, table.take("requirements", str)),
        template=_path(folder, table.take("template", str)),
        stages=stages,
    )
    table.finish()
    return configuration


class _Table:
    """A table of the file, emptied as its keys are read."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = dict(values)
        self._known: list[str] = []
        self._where = where

    def take(self, key: str, kind: type[Value]) -> Value | None:
        self._known.append(key)
        value = self._values.pop(key, None)
        if value is not None and not isinstance(value, kind):
            wanted = "a table" if kind is dict else "a text in quotes"
            raise ConfigurationError(f"{key} in {self._where} is {value!r}; it has to be {wanted}.")
        return value

    def choose(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.take(key, str) or default
        if value not in choices:
            raise ConfigurationError(f"{key} in {self._where} is {value!r}; it can be {', '.join(choices)}.")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts; numbers and switches are taken as what they are written as."""
        found = {}
        for name, value in (self.take(key, dict) or {}).items():
            if not isinstance(value, (str, int, float)):
                raise ConfigurationError(
                    f"{key}.{name} in {self._where} is {value!r}; it has to be a text or a number."
                )
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return found

    def finish(self) -> None:
        if self._values:
            unknown = ", ".join(sorted(self._values))
            raise ConfigurationError(
                f"{self._where} has {unknown}, which nothing reads. Known: {', '.join(self._known)}."
            )


def _stage(name: str, stack: str, values: Any) -> Stage:
    where = f"[stages.{name}] in {FILE}"
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where} has to be a table.")
    table = _Table(values, where)
    stage = Stage(
        name,
        _stack(table.take("stack", str) or stack),
        region=table.take("region", str),
        profile=table.take("profile", str),
        parameters=table.texts("parameters"),
        variables=table.texts("variables"),
    )
    table.finish()
    return stage


def _name(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{what} is {name!r}; it names AWS resources, so it can have small letters, digits and dashes, begins with "
            f'a letter and is no longer than 32. Give the project another one: name = "shop" in {FILE}.'
        )
    return name


def _stack(name: str) -> str:
    if len(name) > _LONGEST_STACK:
        raise ConfigurationError(
            f"The stack would be called {name}, which has {len(name)} letters; functions are named after it, and "
            f"{_LONGEST_STACK} are left for it. Give the project or the stage a shorter name, or set stack for the "
            f"stage in {FILE}."
        )
    return name


def _from_folder(folder: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")


def _path(folder: Path, name: str | None) -> Path | None:
    if name is None:
        return None
    path = (folder / name).resolve()
    if not path.is_file():
        raise ConfigurationError(f"{FILE} names {name}, but there is no file {path}.")
    return path
