"""``django-faas``: the commands of the project, each loaded when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import cast

# Each command's module and its name there, in the order a project meets them.
_COMMANDS = {
    "init": "infra.init.cli:init",
    "emulate": "emulator.cli:emulate",
    "build": "infra.build.cli:build",
    "deploy": "infra.deploy.cli:deploy",
    "rollback": "infra.deploy.cli:rollback",
    "status": "infra.operations.cli:status",
    "open": "infra.operations.cli:open_site",
    "manage": "infra.operations.cli:manage",
    "invoke": "infra.operations.cli:invoke",
    "logs": "infra.operations.cli:logs",
    "env": "infra.operations.cli:env",
    "destroy": "infra.deploy.cli:destroy",
}


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        import click
    except ImportError:
        sys.exit("django-faas needs click, which comes with the extra: pip install 'django-faas[emulator]'")

    class Commands(click.Group):
        """Imports a command only when it runs, or when all are listed."""

        def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
            return list(_COMMANDS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
            if cmd_name not in _COMMANDS:
                return None
            module, _, attribute = _COMMANDS[cmd_name].partition(":")
            return cast("click.Command", getattr(import_module(module), attribute))

    group = Commands(
        "django-faas",
        help="Django on functions, with no web server left running.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.main(prog_name="django-faas")
