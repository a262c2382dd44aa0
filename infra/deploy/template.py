"""The template that is deployed: the project's own or the package's, with the code's address put into it.

CloudFormation gets it as JSON. It is SAM's template still: the transform happens on AWS's side, so that ``sam deploy``
and this command make the same stack.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from emulator.template import TemplateError as Unreadable
from emulator.template.document import Map, load

from ..configuration import Configuration
from ..exceptions import TemplateError

OWN = Path(__file__).parents[1] / "template.yaml"
PACKAGE = "dist/function.zip"
"""What the CodeUri of every function says."""

_FUNCTION = "AWS::Serverless::Function"
# What this package reads of a stack once it is deployed.
_OUTPUTS = ("SiteUrl", "StaticBucket", "WebFunction", "ConsoleFunction", "MigrateFunction")


@dataclass(frozen=True)
class Template:
    """A template as plain values."""

    path: Path
    tree: Map

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The declarations of the parameters, by name."""
        return self.tree.get("Parameters") or {}

    def default(self, name: str) -> str | None:
        """The default of a parameter; None where there is none."""
        value = self.parameters.get(name, {}).get("Default")
        return None if value is None else str(value)

    def with_code(self, url: str, variables: Mapping[str, str]) -> str:
        """The template's text with all functions' code at ``url``, and ``variables`` in all their environments."""
        tree = copy.deepcopy(dict(self.tree))
        shared = tree.setdefault("Globals", {}).setdefault("Function", {})
        for properties in (shared, *(function.get("Properties", {}) for function in _functions(tree).values())):
            if _is_package(properties.get("CodeUri")):
                properties["CodeUri"] = url
        if variables:
            shared.setdefault("Environment", {}).setdefault("Variables", {}).update(variables)
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def read(configuration: Configuration) -> Template:
    """The project's template if it has one, else the package's; raises `TemplateError` where it can't be deployed."""
    beside = configuration.folder / "template.yaml"
    path = configuration.template or (beside if beside.is_file() else OWN)
    try:
        tree = load(path)
    except Unreadable as error:
        raise TemplateError(str(error)) from None
    template = Template(path, tree)
    shared = (tree.get("Globals") or {}).get("Function") or {}
    for name, function in _functions(tree).items():
        code = (function.get("Properties") or {}).get("CodeUri", shared.get("CodeUri"))
        if isinstance(code, str) and not _is_package(code) and not code.startswith("s3://"):
            raise TemplateError(
                f"{path.name}: the code of {name} is {code}. This command packs the project alone, as {PACKAGE}; put "
                "other code into a bucket and name it as s3://BUCKET/KEY, or deploy by sam deploy."
            )
    if not _functions(tree):
        raise TemplateError(f"{path} has no {_FUNCTION}, so there is nothing to deploy.")
    missing = [name for name in _OUTPUTS if name not in (tree.get("Outputs") or {})]
    if missing:
        raise TemplateError(
            f"{path.name} has no output {', '.join(missing)}, which deploying goes by. Take over the Outputs of {OWN}."
        )
    return template


def _functions(tree: Mapping[str, Any]) -> dict[str, Any]:
    resources = tree.get("Resources") or {}
    return {name: entry for name, entry in resources.items() if entry.get("Type") == _FUNCTION}


def _is_package(code: object) -> bool:
    return isinstance(code, str) and "://" not in code and str(PurePosixPath(code)) == PACKAGE
