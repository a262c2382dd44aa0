"""The Django project the emulator was started in: what its settings say, learnt in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .exceptions import ProjectError

_PROBE = Path(__file__).with_name("probe.py")
_MARK = b"django-faas-probe:"
_PATIENCE = 60.0
# What runs in the project's folder, where the project's own modules are found first.
_OURS = ("adapter", "static_sync")
_PLAIN_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"


@dataclass(frozen=True)
class Database:
    """An entry of DATABASES; ``pool`` is psycopg's, in its OPTIONS."""

    engine: str
    pool: bool = False


@dataclass(frozen=True)
class Choices:
    """What of a project decides how it is deployed; settings of the same names unless something else is said."""

    file: Path = Path("settings.py")
    """Where the settings module is."""
    wsgi: str | None = None
    asgi: str | None = None
    apps: tuple[str, ...] = ()
    middleware: tuple[str, ...] = ()
    storages: Mapping[str, str] = field(default_factory=dict)
    """The backends of STORAGES by their aliases; so are those of caches and tasks."""
    has_static_files: bool = True
    own_manifest: bool = False
    """The static files' storage is the project's own, and keeps a manifest on the disk."""
    media_in_files: bool = True
    databases: Mapping[str, Database] = field(default_factory=dict)
    sessions: str = ""
    caches: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    uses_mailers: bool = False
    """There is a MAILERS, which Django has from 6.1 on."""
    mail: str = ""
    """The backend for mail, if the project has chosen one."""
    log_files: tuple[str, ...] = ()
    """The handlers in LOGGING that write to files."""
    key_variables: tuple[str, ...] = ()
    """The environment's variables of which the SECRET_KEY is one."""
    asked: tuple[str, ...] = ()
    """The variables that ``manage.py`` and the settings asked the environment for, whether it had them or not."""


@dataclass(frozen=True)
class Project:
    """What the emulator needs to know about a project; URL paths begin and end with ``/``."""

    folder: Path
    settings: str
    static_path: str | None
    """The path of STATIC_URL; None where the project doesn't serve static files from its own host."""
    static_note: str | None
    """Why there is no static path."""
    static_relative: bool
    """STATIC_URL has no leading slash, so that Django puts the stage before it."""
    media_path: str | None
    """The path of MEDIA_URL where uploads live in the bucket; None where Django serves them, or nobody does."""
    media_root: Path | None
    static_root: Path | None
    static_manifest: Path | None
    static_dirs: tuple[Path, ...]
    hashes_static: bool
    """Static files have another name in each version, which the function reads from a manifest at its start."""
    debug: bool
    allowed_hosts: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """What ``manage.py`` and the settings added to the environment."""
    paths: tuple[str, ...] = ()
    """What they added to the import path."""
    choices: Choices = field(default_factory=Choices)
    """As far as they were asked for."""


async def inspect(folder: Path, variables: Mapping[str, str], *, choices: bool = False) -> Project:
    """The project in ``folder``, asked under the ``variables`` its function will have; with its ``choices`` if wanted.

    Raises `ProjectError` with what was found and what to do.
    """
    if not (folder / "manage.py").is_file() and not variables.get("DJANGO_SETTINGS_MODULE"):
        raise ProjectError(_no_manage(folder))
    for name in _OURS:
        if (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file():
            raise ProjectError(
                f"The project has a package of its own called {name!r}, which would be taken for the part of "
                f"django-faas that has this name. Give {folder / name} another name."
            )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # this script's own folder must not be searched for modules
        str(_PROBE),
        *(("choices",) if choices else ()),
        cwd=folder,
        env=dict(variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            output, errors = await process.communicate()
    except TimeoutError:
        raise ProjectError(
            f"manage.py and the settings were not imported within {_PATIENCE:.0f} s; look for what waits in them (a "
            "network call, input()), and for what starts a server at import."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    line = next((part for part in reversed(output.splitlines()) if part.startswith(_MARK)), None)
    if line is None:
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise ProjectError(f"The project's settings could not be read: {last[0]}")
    about = json.loads(line.removeprefix(_MARK))
    if "problem" in about:
        raise ProjectError(_explain(about, folder))
    return _project(folder, about)


def _project(folder: Path, about: dict[str, Any]) -> Project:
    static_path, static_note = _static(about["static_url"])
    media_path = None
    if about["media_url"] and not about["media_in_files"] and not urlsplit(about["media_url"]).netloc:
        media_path = _enclosed(about["media_url"])
        media_path = None if media_path == "/" else media_path
    return Project(
        folder=folder,
        settings=about["settings"],
        static_path=static_path,
        static_note=static_note,
        static_relative=bool(about["static_relative"]),
        media_path=media_path,
        media_root=_below(folder, about["media_root"]),
        static_root=_below(folder, about["static_root"]),
        static_manifest=_below(folder, about["static_manifest"]),
        static_dirs=tuple(folder / entry for entry in about["static_dirs"]),
        hashes_static=about["static_backend"] != _PLAIN_STATIC,
        debug=about["debug"],
        allowed_hosts=tuple(about["allowed_hosts"]),
        variables=about["variables"],
        paths=tuple(about["paths"]),
        choices=_choices(about) if "choices" in about else Choices(),
    )


def _choices(about: dict[str, Any]) -> Choices:
    found = about["choices"]
    return Choices(
        file=Path(found["file"]),
        wsgi=found["wsgi"],
        asgi=found["asgi"],
        apps=tuple(found["apps"]),
        middleware=tuple(found["middleware"]),
        storages=found["storages"],
        has_static_files=about["static_url"] is not None,
        own_manifest=found["own_manifest"],
        media_in_files=about["media_in_files"],
        databases={alias: Database(**entry) for alias, entry in found["databases"].items()},
        sessions=found["sessions"],
        caches=found["caches"],
        tasks=found["tasks"],
        uses_mailers=found["uses_mailers"],
        mail=found["mail"],
        log_files=tuple(found["log_files"]),
        key_variables=tuple(found["key_variables"]),
        asked=tuple(found["asked"]),
    )


def _static(url: str | None) -> tuple[str | None, str | None]:
    if url is None:
        return None, "django.contrib.staticfiles is not in INSTALLED_APPS"
    if not url:
        return None, "STATIC_URL is not set"
    if urlsplit(url).netloc:
        return None, f"STATIC_URL is {url}, which is elsewhere"
    path = _enclosed(url)
    return (None, "STATIC_URL is /, which leaves no path to Django") if path == "/" else (path, None)


def _enclosed(url: str) -> str:
    return f"/{urlsplit(url).path.strip('/')}/".replace("//", "/")


def _below(folder: Path, path: str | None) -> Path | None:
    return folder / path if path else None


def _no_manage(folder: Path) -> str:
    found = sorted(path.parent.relative_to(folder) for path in folder.glob("*/manage.py"))
    found += sorted(path.parent.relative_to(folder) for path in folder.glob("*/*/manage.py"))
    above = next((parent for parent in folder.parents if (parent / "manage.py").is_file()), None)
    if found:
        hint = f"There is one in {found[0]}: cd {found[0]}"
    elif above is not None:
        hint = f"There is one in {above}: cd {above}"
    else:
        hint = (
            "Go to your project's folder, or start a project: django-admin startproject mysite . "
            "(without manage.py, DJANGO_SETTINGS_MODULE has to name the settings)"
        )
    return f"There is no manage.py in {folder}. {hint}"


def _explain(about: dict[str, str], folder: Path) -> str:
    detail = about["detail"]
    match about["problem"]:
        case "no-django":
            return f"{detail} Install the project's requirements for the Python that runs django-faas."
        case "no-settings":
            return f"{detail} Set it: DJANGO_SETTINGS_MODULE=mysite.settings django-faas emulate"
        case "manage-failed":
            return f"manage.py fails before it reaches Django: {detail}"
        case "settings-missing":
            return (
                f"The settings module {detail} (looked for in {folder}). Check DJANGO_SETTINGS_MODULE in the "
                "environment and in manage.py."
            )
        case "improperly-configured":
            return f"The settings {about['settings']} are refused by Django: {detail}"
        case _:
            return f"The settings {about['settings']} fail to import. {detail}"
