"""The options that commands share."""

from __future__ import annotations

import click

stage = click.option(
    "--stage",
    envvar="FAAS_STAGE",
    default="production",
    metavar="NAME",
    help="Which copy of the site.",
    show_default=True,
    show_envvar=True,
)
