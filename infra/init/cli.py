"""The command ``init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..steps import Steps
    from .files import File
    from .survey import Survey


@click.command(
    short_help="Write what this project needs to be deployed.", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--settings", metavar="MODULE", help="Build on these settings.  [default: those for production, if any]")
@click.option("--dry-run", is_flag=True, help="Show the files, and write none.")
def init(settings: str | None, dry_run: bool) -> None:
    """Look at the Django project in this folder, and write what its deployment needs beside it.

    That is faas.toml, template.yaml, the functions' settings and .faasignore. A file that is there already stays as it
    is; how it differs from what would have been written is shown.
    """
    from .. import configuration
    from ..exceptions import InfraError
    from ..steps import Steps
    from . import advice
    from .files import files
    from .survey import survey

    steps = Steps()
    try:
        configured = configuration.load(Path.cwd())
        found = survey(configured, settings)
        _explain(steps, found)
        for file in files(configured, found):
            _put(steps, file, found.folder, dry_run=dry_run)
    except InfraError as error:
        raise click.ClickException(str(error)) from None
    for note in advice.notes(configured, found):
        steps.note(note)
    for step in advice.next_steps(found):
        steps.line("next", step)


def _explain(steps: Steps, survey: Survey) -> None:
    from .settings import sections

    steps.line("settings", f"{survey.base.module}, {survey.base.why}; {survey.place.module} builds on it")
    whys = {"wsgi": "which takes less time a request; asgi is for async views", "asgi": "as the settings ask for it"}
    steps.line("interface", f"{survey.interface}, {whys[survey.interface]}")
    steps.line("python", f"{survey.python}, as here" if survey.python_is_here else survey.python)
    for section in sections(survey):
        steps.line(section.title, section.why)
    if survey.page is not None:
        steps.line("page", f"{survey.page} is looked at before visitors get a new version")


def _put(steps: Steps, file: File, folder: Path, *, dry_run: bool) -> None:
    name = file.path.relative_to(folder).as_posix()
    if file.found == file.text:
        steps.line("unchanged", name)
    elif file.found is not None:
        steps.line("kept", f"{name}, which is there already; what is different in the one not written:")
        click.echo(file.difference(folder))
    elif dry_run:
        steps.line("would write", f"{name}: {file.purpose}")
        click.echo(file.text)
    else:
        file.write()
        steps.line("wrote", f"{name}: {file.purpose}")
