"""The project's own checks, ``manage.py check --deploy``, with the settings and the variables of the functions."""

from __future__ import annotations

import os
import re
import secrets as random
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.template import TemplateError as Unreadable
from emulator.template import functions
from emulator.template.stack import Stack as Declared
from emulator.variables import import_path

from ..exceptions import ConfigurationError, DeployError, TemplateError
from .parameters import Secrets
from .template import Template

if TYPE_CHECKING:
    from pathlib import Path

    from ..configuration import Stage

_PATIENCE = 120
_ISSUE = re.compile(r": \((\w+\.[A-Z]\d+)\) ")
# The manifest of the static files is put into the package, not into the project's folder.
_BUILT = ("faas.W041",)


def variables(template: Template, stage: Stage, parameters: Mapping[str, str], region: str) -> dict[str, str]:
    """What the template and the stage give all functions; of what only AWS knows, Django's key alone, made up.

    Raises `TemplateError`.
    """
    known = {name: value for name, value in parameters.items() if name in template.parameters}
    try:
        stack = Declared(template.tree, known, template.path.name, region, "")
        read = functions.read(stack, template.path.parent).values()
    except Unreadable as error:
        raise TemplateError(str(error)) from None
    found = {"DJANGO_SECRET_KEY": random.token_urlsafe(64)}
    for function in read:
        found |= function.variables
    return {**found, **stage.variables, "AWS_REGION": region}


def check(folder: Path, settings: str | None, given: Mapping[str, str], secrets: Secrets) -> list[str]:
    """Run the checks; the lines of what they warn of. Raises `DeployError` with the errors.

    The values of the stage's secrets are handed on in the environment, and are taken out of what is shown. Raises
    `ConfigurationError` where there is no project.
    """
    if not (folder / "manage.py").is_file():
        raise ConfigurationError(f"There is no manage.py in {folder}. Run the command where it is.")
    chosen = ["--settings", settings] if settings else []
    environment = {**os.environ, **secrets.values, **given, "PYTHONPATH": import_path(folder)}
    if settings:
        environment["DJANGO_SETTINGS_MODULE"] = settings
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", *chosen],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeployError(
            f"manage.py check did not end within {_PATIENCE} s; look for what waits in the settings or in the apps (a "
            "network call, input())."
        ) from None
    said = secrets.hidden(done.stderr.strip() or done.stdout.strip())
    if done.returncode:
        raise DeployError(f"manage.py check --deploy finds errors:\n{said}")
    return _issues(said)


def _issues(said: str) -> list[str]:
    """The lines of Django's report that are about issues, without those that the build takes care of."""
    found, shown = [], False
    for line in said.splitlines():
        if issue := _ISSUE.search(line):
            shown = issue[1] not in _BUILT
        elif not line.strip() or line.endswith("S:"):  # WARNINGS: and the like
            shown = False
        if shown:
            found.append(line)
    return found
