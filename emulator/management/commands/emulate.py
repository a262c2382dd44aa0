"""``python manage.py emulate``: the options of ``django-faas emulate``, for a project that has the app installed."""

from __future__ import annotations

import argparse
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from emulator.cli import emulate


class Command(BaseCommand):
    help = emulate.help or ""
    # The function's own processes check the project; what is broken there is shown there, and mended there.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        for option in emulate.params:
            if not isinstance(option, click.Option):
                continue
            if option.is_flag:
                parser.add_argument(
                    *option.opts, *option.secondary_opts, dest=option.name, help=option.help, nargs=0, action=_Keep
                )
            else:
                parser.add_argument(
                    *option.opts, dest=option.name, help=option.help, metavar=option.metavar, action=_Keep
                )

    def handle(self, *_args: Any, **options: Any) -> None:
        words = options.get("_words") or []
        try:
            emulate.main(words, prog_name="manage.py emulate", standalone_mode=False)
        except click.UsageError as error:
            raise CommandError(error.format_message(), returncode=2) from None
        except click.ClickException as error:
            raise CommandError(error.format_message()) from None


class _Keep(argparse.Action):
    """Collects the options as they were written: click reads them, here as for ``django-faas emulate``."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        words = [*(getattr(namespace, "_words", None) or []), option, *([values] if isinstance(values, str) else [])]
        namespace._words = words
