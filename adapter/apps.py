"""``INSTALLED_APPS += ["adapter"]`` lets `manage.py check --deploy` look for what goes wrong on a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.core.checks import register

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


class AdapterConfig(AppConfig):
    """Registers the checks, and does nothing else: it is loaded in the function's cold start, too."""

    name = "adapter"
    label = "django_faas"
    verbose_name = "django-faas"

    def ready(self) -> None:
        register(deployment_checks, "faas", deploy=True)


def deployment_checks(**options: object) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """What `adapter.checks` finds; it is imported only here, as no request ever needs it."""
    from .checks import run

    return run()
