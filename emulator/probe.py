"""Asks a project what it is: run as a script in the project's folder, it prints one line of JSON.

``manage.py`` is run as far as the point where it hands over to Django, because it may do more than name the settings:
read a .env file, extend the import path. What it changed is reported too, so that the function starts the same way.
The settings are imported, the apps are not: `django.setup()` is the function's own affair, and slow.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

_MARK = "django-faas-probe:"


_LIBRARY = f"{Path(os.__file__).parent}{os.sep}"
# Of the standard library, what stands between whoever asks for a variable and `_Watched`.
_BETWEEN = (os.__file__, "<frozen os>", sys.modules["_collections_abc"].__file__, "<frozen _collections_abc>")


class _HandedOver(BaseException):
    """``manage.py`` has done what it does before it calls Django."""


class _Watched(type(os.environ)):  # type: ignore[misc]  # os names no class for it
    """The environment, which notes the variables that the project asks for."""

    asked: dict[str, None]
    swept: list[str]

    def __getitem__(self, key: str) -> str:
        if key in self.swept:
            self.swept.remove(key)
        elif _asked_by_project(sys._getframe(1)):
            self.asked[key] = None
        return str(super().__getitem__(key))

    def __iter__(self) -> Iterator[str]:
        # Who takes all of them, as in dict(os.environ), asks for none.
        self.swept += super().__iter__()
        return super().__iter__()  # type: ignore[no-any-return]


def _watch() -> _Watched:
    environment: Any = os.environ
    # In place, as whoever has imported it already shall be watched, too.
    environment.__class__ = _Watched
    environment.asked, environment.swept = {}, []
    return environment  # type: ignore[no-any-return]


def _asked_by_project(frame: FrameType | None) -> bool:
    """Whether the project's own code asks, by itself or through a library's function, other than by importing it."""
    folder = f"{Path.cwd()}{os.sep}"
    while frame is not None and frame.f_code.co_filename in _BETWEEN:
        frame = frame.f_back
    while frame is not None:
        file = frame.f_code.co_filename
        if "site-packages" not in file:
            if file.startswith(folder):
                return True
            if file.startswith((_LIBRARY, "<frozen")):
                return False
        frame = frame.f_back
    return False


def main() -> None:
    folder = Path.cwd()
    sys.path.insert(0, str(folder))
    variables, paths = dict(os.environ), list(sys.path)
    # What decides how the project is deployed is told where it is asked for: no start of the emulator waits for it.
    watched = _watch() if sys.argv[1:] == ["choices"] else None
    if importlib.util.find_spec("django") is None:
        _problem("no-django", f"Django is not installed for {sys.executable}.")
    if (folder / "manage.py").is_file():
        _run_manage(folder)
    name = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not name:
        _problem("no-settings", "manage.py does not set DJANGO_SETTINGS_MODULE, and the environment doesn't either.")
    changed = {key: value for key, value in os.environ.items() if variables.get(key) != value}
    added = [path for path in sys.path if path not in paths and Path(path).is_dir()]
    about = _settings(folder, name, choices=watched is not None)
    if watched is not None:
        about["choices"]["asked"] = list(watched.asked)
    _say({**about, "variables": changed, "paths": added})


def _run_manage(folder: Path) -> None:
    from django.core import management

    def hand_over(_argv: list[str] | None = None) -> NoReturn:
        raise _HandedOver

    vars(management)["execute_from_command_line"] = hand_over
    sys.argv = ["manage.py", "check"]
    try:
        runpy.run_path(str(folder / "manage.py"), run_name="__main__")
    except _HandedOver:
        return
    except (Exception, SystemExit) as error:
        _problem("manage-failed", _where(error, folder))


def _settings(folder: Path, name: str, *, choices: bool) -> dict[str, Any]:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        installed = [str(app) for app in settings.INSTALLED_APPS]
        static = settings.STORAGES.get("staticfiles", {})
        about = {
            "settings": name,
            "static_url": (settings.STATIC_URL or "") if _serves_static(installed) else None,
            # Django's settings object answers with the script's prefix before it.
            "static_relative": not str(_raw(settings, "STATIC_URL") or "/").startswith(("/", "http:", "https:")),
            "media_url": settings.MEDIA_URL or None,
            "media_root": str(settings.MEDIA_ROOT) if settings.MEDIA_ROOT else None,
            "static_root": str(settings.STATIC_ROOT) if settings.STATIC_ROOT else None,
            "static_manifest": str(static.get("OPTIONS", {}).get("manifest") or "") or None,
            "static_dirs": [
                str(entry[1] if isinstance(entry, list | tuple) else entry) for entry in settings.STATICFILES_DIRS
            ],
            "static_backend": static.get("BACKEND", ""),
            "media_in_files": _in_files(settings.STORAGES.get("default", {}).get("BACKEND", "")),
            "debug": bool(settings.DEBUG),
            "allowed_hosts": [str(host) for host in settings.ALLOWED_HOSTS],
            **({"choices": _choices(settings)} if choices else {}),
        }
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            _problem("settings-missing", f"{name!r}: there is no module {error.name!r}", settings=name)
        _problem("settings-failed", _where(error, folder), settings=name)
    except ImproperlyConfigured as error:
        _problem("improperly-configured", str(error), settings=name)
    except (Exception, SystemExit) as error:
        _problem("settings-failed", _where(error, folder), settings=name)
    return about


def _choices(settings: Any) -> dict[str, Any]:
    """What decides how the project is deployed; no key and no password is among it."""
    key = str(_raw(settings, "SECRET_KEY") or "")
    handlers = (settings.LOGGING or {}).get("handlers", {})
    mailers = _raw(settings, "MAILERS")
    return {
        "file": str(sys.modules[settings.SETTINGS_MODULE].__file__),
        "wsgi": settings.WSGI_APPLICATION,
        "asgi": getattr(settings, "ASGI_APPLICATION", None),
        "apps": [str(app) for app in settings.INSTALLED_APPS],
        "middleware": [str(path) for path in settings.MIDDLEWARE],
        "storages": {alias: str(entry.get("BACKEND", "")) for alias, entry in settings.STORAGES.items()},
        "databases": {
            alias: {"engine": str(entry.get("ENGINE", "")), "pool": bool((entry.get("OPTIONS") or {}).get("pool"))}
            for alias, entry in settings.DATABASES.items()
        },
        "sessions": settings.SESSION_ENGINE,
        "caches": {alias: str(entry.get("BACKEND", "")) for alias, entry in settings.CACHES.items()},
        "tasks": {alias: str(entry.get("BACKEND", "")) for alias, entry in getattr(settings, "TASKS", {}).items()},
        "own_manifest": _own_manifest(settings.STORAGES.get("staticfiles", {}).get("BACKEND", "")),
        "uses_mailers": mailers is not None,
        "mail": str((mailers or {}).get("default", {}).get("BACKEND") or _raw(settings, "EMAIL_BACKEND") or ""),
        "log_files": [name for name, handler in handlers.items() if "filename" in handler],
        "key_variables": [name for name, value in os.environ.items() if key and value == key],
    }


def _raw(settings: Any, name: str) -> Any:
    return getattr(sys.modules[settings.SETTINGS_MODULE], name, None)


def _serves_static(installed: list[str]) -> bool:
    return any(app.startswith("django.contrib.staticfiles") or "StaticFilesConfig" in app for app in installed)


def _in_files(backend: str) -> bool:
    """Whether uploads are files on this disk, in which case Django serves them as it does under runserver."""
    if backend.startswith("django.core.files.storage."):
        return backend.endswith("FileSystemStorage")
    if backend.startswith("storages."):
        return False  # django-storages: all of it is remote, and it takes long to import
    from django.core.files.storage import FileSystemStorage
    from django.utils.module_loading import import_string

    try:
        found = import_string(backend)
    except Exception:
        return True  # the project's error to show, once the function meets it
    return isinstance(found, type) and issubclass(found, FileSystemStorage)


def _own_manifest(backend: str) -> bool:
    """Whether the project itself has made the storage, out of Django's that keeps a manifest on the disk."""
    if backend.startswith(("django.", "storages.", "whitenoise.")):
        return False
    from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
    from django.utils.module_loading import import_string

    try:
        found = import_string(backend)
    except Exception:
        return False  # the project's error to show, once files are collected
    return isinstance(found, type) and issubclass(found, ManifestStaticFilesStorage)


def _where(error: BaseException, folder: Path) -> str:
    """The error's last line, and the place in the project (else the innermost one) it came from."""
    last = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, folder)}:{error.lineno}: {last}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if frame.filename.startswith(f"{folder}{os.sep}")]
    own = [frame for frame in own if "site-packages" not in frame.filename]
    if not frames:
        return last
    frame = (own or frames)[-1]
    return f"{_short(frame.filename, folder)}:{frame.lineno}: {last}"


def _short(path: str, folder: Path) -> str:
    return path.removeprefix(f"{folder}{os.sep}")


def _problem(kind: str, detail: str, settings: str | None = None) -> NoReturn:
    _say({"problem": kind, "detail": detail, "settings": settings})
    sys.exit(0)


def _say(about: dict[str, Any]) -> None:
    # The project's own code may print; the mark finds our line among what it says.
    sys.stdout.write(f"\n{_MARK}{json.dumps(about, default=str)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
