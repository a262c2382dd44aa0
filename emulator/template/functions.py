"""The template's functions.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..blueprint import HANDLER, Function
from .document import Map
from .intrinsics import unknowns
from .names import Resource
from .stack import Stack

TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")
_ARN = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:([^:/]+)")


def read(stack: Stack, folder: Path) -> dict[str, Function]:
    """The functions by name; ``folder`` is the template's. One that can't run here is left out, with a note.

    So is a variable whose value only AWS knows: the function then has what the emulator's own environment says.
    """
    found = {}
    missing: dict[tuple[str, str], list[str]] = {}
    for resource in stack.of(*TYPES):
        reason = _foreign(resource)
        if reason is not None:
            stack.note(f"{resource.id} is left out, with all that leads to it: {reason}")
            continue
        properties, name = resource.properties, stack.names.name(resource)
        variables = properties.section("Environment").section("Variables").texts_by_key()
        for key, value in variables.items():
            for unknown in unknowns(value)[:1]:
                missing.setdefault((key, unknown), []).append(name)
        found[name] = Function(
            name=name,
            handler=_handler(stack, resource, folder),
            variables={key: value for key, value in variables.items() if not unknowns(value)},
            timeout=properties.number("Timeout", 3),
            memory=properties.integer("MemorySize", 128),
            concurrency=properties.integer_or_none("ReservedConcurrentExecutions"),
            snapstart=properties.section("SnapStart").text("ApplyOn") == "PublishedVersions",
        )
    for (key, unknown), names in missing.items():
        stack.note(
            f"{key} of {', '.join(names)} has no value here: set it in this shell, or give --parameter '{unknown}=...'"
        )
    return found


class Directory:
    """Finds functions by what the template calls them: name, ARN, alias, or API Gateway's address of one."""

    def __init__(self, stack: Stack, functions: Mapping[str, Function]) -> None:
        self._stack = stack
        self._functions = functions
        self._all = {stack.names.name(resource) for resource in stack.of(*TYPES)}

    def find(self, reference: str, purpose: str) -> str | None:
        """The function's name; None where it can't be had here, noted unless `read` has said so already."""
        match = _ARN.search(reference)
        name = match[1] if match else reference.partition(":")[0]
        if name in self._functions:
            return name
        if name not in self._all:
            self._stack.note(f"{purpose} leads to {reference or 'nothing'}, which is no function of this template")
        return None


def _foreign(resource: Resource) -> str | None:
    properties = resource.properties
    runtime = properties.text("Runtime")
    if runtime and not unknowns(runtime) and not runtime.startswith("python"):
        return f"its runtime is {runtime}"
    code = properties.outline("Code")
    if "InlineCode" in properties or (isinstance(code, Map) and "ZipFile" in code):
        return "its code is in the template"
    return None


def _handler(stack: Stack, resource: Resource, folder: Path) -> str:
    properties = resource.properties
    if properties.text("PackageType") == "Image":
        command = properties.section("ImageConfig").texts("Command")
        if not command:
            stack.note(f"{resource.id} is an image whose CMD is not in the template: {HANDLER} runs for it")
        return command[0] if command else HANDLER
    handler = properties.needed("Handler")
    code = properties.value("CodeUri")
    if isinstance(code, str) and not handler.startswith("adapter."):
        source = (folder / code).resolve()
        inside = source.is_dir() and not folder.resolve().is_relative_to(source)
        if inside and not (source / "manage.py").exists():
            stack.note(
                f"{resource.id} has its code in {code}, apart from the project: {handler} is looked for in the "
                f"project's folder; add {code} to PYTHONPATH if it is not found"
            )
    return handler
