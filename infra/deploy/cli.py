"""``django-faas deploy``, ``rollback`` and ``destroy``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import stage as stage_option

if TYPE_CHECKING:
    from .target import Target

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.command(short_help="Build the project and bring it to AWS.", context_settings=_SETTINGS)
@stage_option
@click.option("--yes", is_flag=True, help="Do not ask before anything is changed.")
@click.option(
    "--package",
    default="dist",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the package is built, or lies.",
)
@click.option("--no-build", is_flag=True, help="Deploy the package as it lies there.")
@click.option("--dry-run", is_flag=True, help="Check, build, and show what would change.")
def deploy(stage: str, yes: bool, package: Path, no_build: bool, dry_run: bool) -> None:
    """Bring the project in this folder to its stage on AWS, and see whether it works there.

    What is changed is shown first. New static files go before the new code, migrations run before it gets any traffic,
    and if a page or a static file does not work then, the version from before serves again.
    """
    with _reporting(stage) as target:
        from ..steps import Steps
        from .deploying import deploy as run

        def confirm() -> bool:
            return yes or _asked("Make these changes?")

        site = run(target, Steps(), output=package, builds=not no_build, dry_run=dry_run, confirm=confirm)
    if site is not None:
        click.echo(site)
    elif not dry_run:
        raise click.ClickException("Nothing was changed.")


@click.command(short_help="Let an earlier version serve again.", context_settings=_SETTINGS)
@stage_option
@click.option("--to", metavar="VERSION", help="The web function's version.  [default: the one that served before]")
def rollback(stage: str, to: str | None) -> None:
    """Send the traffic to the release before, at once: all functions and static files, but not the database."""
    with _reporting(stage) as target:
        from ..steps import Steps
        from .rolling_back import roll_back

        roll_back(target, Steps(), to=to)


@click.command(short_help="Take a stage away.", context_settings=_SETTINGS)
@stage_option
@click.option("--yes", is_flag=True, help="Do not ask for the stack's name.")
@click.option("--delete-data", is_flag=True, help="Delete buckets with all files, variables and packages, too.")
def destroy(stage: str, yes: bool, delete_data: bool) -> None:
    """Delete the stage's stack: its site is gone then. Files and variables stay, unless told otherwise."""
    with _reporting(stage) as target:
        from ..steps import Steps
        from .destroying import buckets
        from .destroying import destroy as run

        stack = target.stacks.describe(target.name)
        if not yes:
            click.echo(
                f"This deletes the stack {stack.name} in {target.clients.region}, and the site with it.", err=True
            )
            if delete_data:
                click.echo(f"It also deletes all files in {', '.join(buckets(stack))}, for good.", err=True)
            if _answered(f"To go on, type {stack.name}") != stack.name:
                raise click.ClickException("That is not its name. Nothing was deleted.")
        run(target, Steps(), delete_data=delete_data)


@contextmanager
def _reporting(stage: str) -> Iterator[Target]:
    """The stage of the project in this folder; errors become those of the command line."""
    from ..exceptions import InfraError
    from .target import opened

    try:
        with opened(stage, Path.cwd()) as target:
            yield target
    except InfraError as error:
        raise click.ClickException(str(error)) from None


def _asked(question: str) -> bool:
    return bool(_from_terminal(lambda: click.confirm(question, err=True)))


def _answered(question: str) -> str:
    return str(_from_terminal(lambda: click.prompt(question, err=True)))


def _from_terminal(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.ClickException("There is nobody to ask here. Run it in a terminal, or with --yes.") from None
