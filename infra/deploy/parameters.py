"""The values of the template's parameters: what faas.toml says of the stage, and what the package was built for."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..build import Package
from ..clients import Clients, asking
from ..configuration import FILE, Stage
from ..exceptions import ConfigurationError
from ..site import Site
from ..stacks import Stack
from ..variables import Variables
from .template import Template

_VERSION = "EnvironmentVersion"
# What the package has been built for, by the parameter that says so to the functions.
_BUILT = {
    "SettingsModule": "settings",
    "Interface": "interface",
    "PythonVersion": "python",
    "Architecture": "architecture",
}
# Another value would be wrong for the code in the package.
_FIXED = ("PythonVersion", "Architecture")

# Either has no effect without the other.
_PAIRS = {
    ("DomainName", "CertificateArn"): "CloudFront answers to a domain with a certificate for it alone",
    ("VpcSubnetIds", "VpcSecurityGroupIds"): "Lambda puts a function into a VPC with both or not at all",
}


@dataclass(frozen=True)
class Secrets:
    """The stage's variables in Parameter Store; ``digest`` is another one once any has a new value."""

    values: Mapping[str, str]
    digest: str

    def hidden(self, text: str) -> str:
        """``text`` without the values."""
        for value in sorted(self.values.values(), key=len, reverse=True):
            # What is shorter is no secret, and its digits would be missed elsewhere.
            if len(value) >= 6:
                text = text.replace(value, "***")
        return text


def read_secrets(clients: Clients, stage: Stage) -> Secrets:
    """What `django-faas env` has set for the stage."""
    path = Variables(Site(stage, clients)).path
    with asking(f"read the variables below {path}"):
        pages = clients("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True)
        found = [entry for page in pages for entry in page["Parameters"]]
    versions = sorted(f"{entry['Name']}={entry['Version']}" for entry in found)
    digest = hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16] if found else ""
    return Secrets({entry["Name"].removeprefix(path): entry["Value"] for entry in found}, digest)


def check_names(template: Template, stage: Stage) -> None:
    """Raise `ConfigurationError` for a parameter of the stage that the template does not have."""
    for name in stage.parameters:
        if name not in template.parameters:
            close = difflib.get_close_matches(name, template.parameters, 1)
            raise ConfigurationError(
                f"{FILE} sets the parameter {name} for the stage {stage.name}, which {template.path.name} does not have"
                + (f"; is {close[0]} meant?" if close else f". It has: {', '.join(template.parameters)}.")
            )


def check_pairs(template: Template, stage: Stage) -> None:
    """Raise `ConfigurationError` where one of two parameters has a value that needs the other's."""
    for pair, reason in _PAIRS.items():
        empty = [name for name in pair if not stage.parameters.get(name, template.default(name))]
        if len(empty) == 1 and set(pair) <= template.parameters.keys():
            (given,) = set(pair) - set(empty)
            raise ConfigurationError(
                f"The stage {stage.name} has {given}, but no {empty[0]}: {reason}. Set {empty[0]} below "
                f"[stages.{stage.name}.parameters] in {FILE}, or take {given} away."
            )


def decide(
    template: Template, stage: Stage, package: Package, secrets: Secrets, current: Stack | None
) -> dict[str, str | None]:
    """The values by name; None keeps a value that nobody may read back.

    What is not among them gets the template's default: what faas.toml says no more is no more. Raises
    `ConfigurationError` where the stage says something else than the package was built for.
    """
    built = {name: str(getattr(package, attribute)) for name, attribute in _BUILT.items()}
    for name in _FIXED:
        if stage.parameters.get(name, built[name]) != built[name]:
            raise ConfigurationError(
                f"{FILE} sets {name} to {stage.parameters[name]} for the stage {stage.name}, but the package is built "
                f"for {built[name]}. Say it once, at the top of {FILE}: "
                f'{"python" if name == "PythonVersion" else "architecture"} = "{stage.parameters[name]}"'
            )
    wanted: dict[str, str | None] = {**built, **stage.parameters}
    for name, declared in template.parameters.items():
        hidden = str(declared.get("NoEcho", "")).lower() == "true"
        if hidden and name not in stage.parameters and current and name in current.parameters:
            wanted[name] = None
    values = {name: value for name, value in wanted.items() if name in template.parameters}
    if _VERSION in template.parameters and _VERSION not in values:
        # SAM publishes a version for new code alone; what else has changed would reach nobody:
        # https://github.com/aws/serverless-application-model/issues/3820
        known = {name: value for name, value in values.items() if value is not None}
        said = json.dumps([template.tree, known, dict(stage.variables), secrets.digest], sort_keys=True, default=str)
        values[_VERSION] = hashlib.sha256(said.encode()).hexdigest()[:16]
    return values


def differences(template: Template, wanted: Mapping[str, str | None], current: Stack) -> list[tuple[str, str, str]]:
    """Name, present and new value of each parameter that changes."""
    found = []
    for name in template.parameters:
        value = wanted.get(name, template.default(name))
        before = current.parameters.get(name)
        if value is not None and before is not None and value != before:
            found.append((name, before, value))
    return found
