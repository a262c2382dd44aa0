"""Finds the Django project in a folder and loads its settings, the way its own manage.py does."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import traceback
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from static_sync.exceptions import ProjectError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "DJANGO_SETTINGS_MODULE"


class Project(NamedTuple):
    """A project whose settings and apps are loaded. ``root`` is where its manage.py is, or where it was looked for."""

    root: Path
    settings_module: str


class _Intercepted(BaseException):
    """Ends manage.py where it would run a command; no ``except Exception`` of its own may hold that up."""


def load_project(root: Path, settings: str | None = None) -> Project:
    """Load the project in ``root`` into this process: settings and apps are ready afterwards.

    manage.py is run up to the point where Django would take over, since projects prepare there what their settings
    need: a ``.env`` file, ``sys.path``, the name of the settings. ``settings`` comes before the environment's
    DJANGO_SETTINGS_MODULE, and that before manage.py's default. Where settings are loaded already, as in a management
    command, they are taken as they are. Raises `ProjectError`, whose text needs no traceback.
    """
    try:
        import django
        from django.apps import apps
        from django.conf import settings as loaded
    except ImportError as error:
        raise ProjectError(
            f"Django is not installed for {sys.executable}. Run the project's own Python (python -m static_sync), or "
            "push a ready folder with --source."
        ) from error
    if loaded.configured and apps.ready:
        module = getattr(loaded, "SETTINGS_MODULE", "(configured in code)")
        if settings not in (None, module):
            raise UsageError(f"The settings {module} are loaded already; {settings} cannot be loaded beside them.")
        return Project(root, module)
    from_environment = os.environ.get(VARIABLE)
    manage = root / "manage.py"
    if manage.is_file():
        _run_manage(manage)
    else:
        sys.path.insert(0, str(root))
    if settings:
        os.environ[VARIABLE] = settings
    module = os.environ.get(VARIABLE, "")
    if not module:
        raise ProjectError(_no_settings(root, manage))
    try:
        importlib.import_module(module)
        django.setup()
    except Exception as error:  # settings and apps are the user's code and may raise anything
        origin = "--settings" if settings else f"{VARIABLE} in the environment" if from_environment else str(manage)
        _explain(error, module, origin, root)
    return Project(root, module)


def _run_manage(manage: Path) -> None:
    from django.core.management import ManagementUtility

    def stop(_utility: ManagementUtility) -> NoReturn:
        raise _Intercepted

    execute, argv = ManagementUtility.execute, sys.argv
    # As `python manage.py collectstatic` would have it: some projects choose settings by the command.
    ManagementUtility.execute = stop  # type: ignore[method-assign,assignment]
    sys.argv = [str(manage), "collectstatic", "--noinput"]
    sys.path.insert(0, str(manage.parent))
    try:
        runpy.run_path(str(manage), run_name="__main__")
    except _Intercepted:
        pass
    except SystemExit as error:
        raise ProjectError(f"{manage} ended before it came to Django (exit code {error.code}).") from error
    except Exception as error:
        raise ProjectError(f"{manage} failed before it came to Django: {describe(error)}") from error
    finally:
        ManagementUtility.execute = execute  # type: ignore[method-assign]
        sys.argv = argv


def _no_settings(root: Path, manage: Path) -> str:
    if manage.is_file():
        return f"{manage} names no settings. Name them: --settings PACKAGE.settings, or set {VARIABLE}."
    return (
        f"There is no Django project in {root}: no manage.py, and {VARIABLE} is not set. Run this in the folder of the "
        "project's manage.py, name the settings with --settings, or push a ready folder with --source."
    )


def _explain(error: Exception, module: str, origin: str, root: Path) -> NoReturn:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and (module == missing or module.startswith(f"{missing}.")):
        hint = "" if origin == "--settings" else " Correct it, or name others with --settings."
        raise ProjectError(
            f"The settings {module} (from {origin}) cannot be imported: there is no module {missing} in {root} or "
            f"elsewhere on Python's path.{hint}"
        ) from error
    raise ProjectError(
        f"The project with the settings {module} (from {origin}) does not load: {describe(error)}"
    ) from error


def describe(error: BaseException) -> str:
    """The error in a line, with the place of the user's code that raised it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
