"""``manage.py static_sync``, for projects with ``static_sync`` in INSTALLED_APPS."""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter

from static_sync import options, output

_CALLED = "manage.py static_sync"


class _Formatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Django's order of options, our own lines of examples."""


class Command(BaseCommand):
    """The same as ``static-sync``, with the settings that manage.py has loaded.

    In code, commands other than the first are named by keyword: ``call_command("static_sync", command="prune")``.
    """

    help = options.SYNC.summary
    requires_system_checks = ()
    stealth_options = ("command", *{option.name for command in options.COMMANDS.values() for option in command.options})
    _command = options.SYNC

    def run_from_argv(self, argv: list[str]) -> None:
        """Take the command's name out of the command line, if it has one."""
        self._command, arguments = options.choose(argv[2:])
        self.help = self._command.summary
        super().run_from_argv([*argv[:2], *arguments])

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's own parser, with our examples."""
        return super().create_parser(
            prog_name,
            subcommand,
            formatter_class=_Formatter,
            epilog=options.epilog(self._command, _CALLED),
            **kwargs,
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Django has --settings of its own."""
        options.add_arguments(parser, self._command, without=(options.SETTINGS,))

    def handle(self, *_arguments: object, command: str | None = None, **given: Any) -> None:
        """Run the command; ends with an exit code other than 0 by `SystemExit`."""
        chosen = options.COMMANDS[command] if command else self._command
        taken = (options.DESTINATION, *(option for option in chosen.options if option is not options.SETTINGS))
        script = Path(sys.argv[0]).absolute()
        code = output.run(
            chosen,
            {option.name: given.get(option.name) for option in taken},
            root=script.parent if script.name == "manage.py" else Path.cwd(),
            stdout=self.stdout,
            stderr=self.stderr,
        )
        if code:
            sys.exit(code)
