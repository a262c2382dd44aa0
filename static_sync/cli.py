"""``static-sync``, also ``python -m static_sync``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from static_sync import options

if TYPE_CHECKING:
    from click import Command


def main(arguments: list[str] | None = None) -> None:
    """Run the command and end the process with its exit code."""
    try:
        command = _command()
    except ImportError:
        sys.exit("static-sync needs click, which comes with the extra: pip install 'django-faas[static]'")
    command.main(arguments, prog_name="static-sync")


def _command() -> Command:
    import click

    from static_sync.output import run

    @click.pass_context
    def static_sync(context: click.Context, /, destination: str, **given: Any) -> None:
        context.exit(run(destination, stdout=sys.stdout, stderr=sys.stderr, **given))

    parameters: list[click.Parameter] = [click.Argument(["destination"], metavar="s3://BUCKET/PREFIX")]
    for option in (*options.OPTIONS, options.SETTINGS_OPTION):
        if option.metavar is None:
            parameters.append(click.Option([option.flag, option.parameter], is_flag=True, help=option.help))
        else:
            kind = click.INT if option.is_number else click.STRING
            parameters.append(
                click.Option([option.flag, option.parameter], type=kind, metavar=option.metavar, help=option.help)
            )
    examples = "\n".join(f"  {command}\n      {purpose}" for command, purpose in options.EXAMPLES)
    return click.Command(
        "static-sync",
        callback=static_sync,
        params=parameters,
        help=f"{options.SUMMARY}\n\n{options.DESTINATION_HELP}",
        # \b keeps click from filling the lines that follow.
        epilog=f"\b\nExamples:\n{examples}\n\n{options.EXIT_CODES}",
    )
