"""From a project to what is deployed: the function's zip, its static files, and a manifest of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .package import Installed, Package, StaticFiles, Zip

if TYPE_CHECKING:
    from ..configuration import Configuration
    from ..steps import Steps

__all__ = ["Installed", "Package", "StaticFiles", "Zip", "build"]


def build(configuration: Configuration, steps: Steps, *, output: Path, runtime_boto3: bool = False) -> Package:
    """Build the project into the folder ``output``; each step says a line. What lay there stays until all is done.

    ``runtime_boto3`` leaves boto3 and botocore out, as the runtime has its own. Raises `BuildError`, and
    `ConfigurationError` for what ``faas.toml``, ``.faasignore`` or the project's settings say.
    """
    from .pipeline import run

    return run(configuration, steps, output=output, runtime_boto3=runtime_boto3)
