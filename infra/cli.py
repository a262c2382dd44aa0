"""``django-faas``: the commands of the project, each loaded when it is asked for."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        import click
    except ImportError:
        sys.exit("django-faas needs click, which comes with the extra: pip install 'django-faas[emulator]'")

    from emulator.cli import emulate

    group = click.Group(
        "django-faas",
        help="Django on functions, with no web server left running.",
        commands={"emulate": emulate},
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.main(prog_name="django-faas")
