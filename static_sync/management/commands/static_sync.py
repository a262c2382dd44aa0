"""``manage.py static_sync``, for projects with ``static_sync`` in INSTALLED_APPS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from static_sync import options
from static_sync.output import run


class Command(BaseCommand):
    """The same as ``static-sync``, with the settings that manage.py has loaded."""

    help = f"{options.SUMMARY} {options.EXIT_CODES}"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("destination", metavar="s3://BUCKET/PREFIX", help=options.DESTINATION_HELP)
        for option in options.OPTIONS:
            if option.metavar is None:
                parser.add_argument(option.flag, dest=option.parameter, action="store_true", help=option.help)
            else:
                kind = int if option.is_number else str
                parser.add_argument(
                    option.flag, dest=option.parameter, type=kind, metavar=option.metavar, help=option.help
                )

    def handle(self, *_arguments: object, destination: str, **given: Any) -> None:
        parameters = {option.parameter: given[option.parameter] for option in options.OPTIONS}
        script = Path(sys.argv[0]).absolute()
        root = script.parent if script.name == "manage.py" else Path.cwd()
        code = run(destination, project=root, stdout=self.stdout, stderr=self.stderr, **parameters)
        if code:
            sys.exit(code)
