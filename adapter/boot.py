"""The INIT phase: from ``DJANGO_SETTINGS_MODULE`` to a loaded application."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import database, logs, priming
from .exceptions import ConfigurationError
from .handler import LambdaHandler

if TYPE_CHECKING:
    from .handler import Interface

Served = TypeVar("Served")


def build_handler() -> LambdaHandler:
    """The handler for the project that the environment names.

    Reads ``FAAS_INTERFACE`` (``wsgi``, the default, or ``asgi``); raises what `load` raises.
    """
    interface = os.environ.get("FAAS_INTERFACE") or "wsgi"
    return load(interface, lambda application: LambdaHandler(application, interface=cast("Interface", interface)))


def load(interface: str, serve: Callable[[Any], Served]) -> Served:
    """What ``serve`` makes of the project's application by ``interface``, with the INIT phase around it.

    Nothing here knows of events: a server of whatever kind can be started in the same way. Reads
    ``DJANGO_SETTINGS_MODULE``, and ``FAAS_SECRETS_PATH`` for more of the environment; raises `ConfigurationError` when
    one of them, or the interface, names something that is not there, and `ServiceError` when SSM does not answer. What
    the project's own code raises passes through unchanged.
    """
    if interface not in _APPLICATIONS:
        raise ConfigurationError(f"FAAS_INTERFACE is {interface!r}; it can be 'wsgi' (the default) or 'asgi'.")
    if os.environ.get("FAAS_SECRETS_PATH"):
        from . import secrets

        secrets.load(os.environ)
    plan = priming.Plan.from_environment(os.environ)
    started = time.perf_counter()
    with priming.garbage_deferred(plan):
        logs.prepare()
        _find_settings()
        application = _application(*_APPLICATIONS[interface])
        logs.configure()
        database.install()
        served = serve(application)
        priming.prime(application, plan, time.perf_counter() - started)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from . import snapshots

        snapshots.register()
    return served


_APPLICATIONS = {
    "wsgi": ("WSGI_APPLICATION", "django.core.wsgi.get_wsgi_application"),
    "asgi": ("ASGI_APPLICATION", "django.core.asgi.get_asgi_application"),
}


def _find_settings() -> None:
    """Import the settings module; tell one that is not there from one that fails by itself."""
    name = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not name:
        raise ConfigurationError(
            "DJANGO_SETTINGS_MODULE is not set. Set it in the function's environment to your project's settings, "
            "for example mysite.settings (manage.py names it)."
        )
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"DJANGO_SETTINGS_MODULE is {name!r}, but there is no module {error.name!r}. Looked from {os.getcwd()}; "  # noqa: PTH109
            "check the spelling, and that the function's package holds your project at its top."
        ) from None


def _application(setting: str, factory: str) -> Any:
    """The callable that the setting names, Django's plain one where the project names none."""
    from django.conf import settings
    from django.utils.module_loading import import_string

    path: str = getattr(settings, setting, None) or factory
    try:
        application = import_string(path)
    except ImportError as error:
        if not _is_about(error, path):
            raise
        raise ConfigurationError(f"The setting {setting} is {path!r}, which can't be imported: {error}.") from None
    if path == factory:
        application = application()
    return application


def _is_about(error: ImportError, path: str) -> bool:
    """Whether ``path`` itself can't be found, rather than something that its module imports in turn."""
    if isinstance(error, ModuleNotFoundError):
        return error.name is not None and path.startswith(error.name + ".")
    return isinstance(error.__cause__, (AttributeError, ValueError))
