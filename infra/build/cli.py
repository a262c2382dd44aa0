"""``django-faas build``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..configuration import ARCHITECTURES, PYTHONS

if TYPE_CHECKING:
    from ..configuration import Architecture


@click.command(
    short_help="Make the package that is deployed.",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--python",
    type=click.Choice(PYTHONS),
    help="The function's version of Python.  [default: faas.toml's, else 3.13]",
)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURES),
    help="The function's processor.  [default: faas.toml's, else arm64]",
)
@click.option(
    "--output",
    default="dist",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where function.zip, static/ and manifest.json go.",
)
@click.option("--runtime-boto3", is_flag=True, help="Leave boto3 and botocore out: Lambda has its own, of its choice.")
def build(python: str | None, architecture: Architecture | None, output: Path, runtime_boto3: bool) -> None:
    """Make the package of the project in this folder: what it needs, its code, compiled, in a zip; its static files.

    Needs no Docker and works for either processor from any system.
    """
    from ..configuration import load
    from ..exceptions import InfraError
    from ..steps import Steps
    from . import build as run

    try:
        configuration = load(Path.cwd())
        configuration = dataclasses.replace(
            configuration,
            python=python or configuration.python,
            architecture=architecture or configuration.architecture,
        )
        steps = Steps()
        package = run(configuration, steps, output=output, runtime_boto3=runtime_boto3)
    except InfraError as error:
        raise click.ClickException(str(error)) from None
    steps.line("built", f"{output / package.zip.path.name}, {package.zip.sha256[:12]}")
