"""The template as CloudFormation gets it, and the resources of a stack with given parameters.

SAM's own translator expands it; what the functions of CloudFormation stand for is worked out here, with the name of a
resource in angle brackets where only AWS knows the value: ``<Jobs>`` for a Ref, ``<Jobs.Arn>`` for a GetAtt.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[3] / "infra" / "template.yaml"
DOORS = ("http_api", "function_url", "rest_api")
REGION, ACCOUNT, STACK = "eu-central-1", "123456789012", "shop-production"
FUNCTIONS = ("Web", "Worker", "Console", "Migrate")

_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()

Tree = dict[str, Any]


@cache
def _parsed() -> Tree:
    parsed: Tree = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return parsed


def source() -> Tree:
    """The template as it is written, to be changed at will."""
    return copy.deepcopy(_parsed())


def expand(tree: Tree, parameters: Mapping[str, str] | None = None, code: str = "s3://artifacts/function.zip") -> Tree:
    """What SAM makes of the template, with its package at ``code``."""
    tree = copy.deepcopy(tree)
    tree["Globals"]["Function"]["CodeUri"] = code
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it reports features of its own that are off
    session = boto3.Session(region_name=REGION)
    expanded: Tree = Translator({}, Parser(), boto_session=session).translate(tree, dict(parameters or {}))
    return expanded


class Stack:
    """The resources that a stack of this name has, with all values worked out.

    ``parameters`` of the template and their defaults decide which they are. ``outputs`` are by their names.
    """

    def __init__(self, expanded: Tree, parameters: Mapping[str, str] | None = None) -> None:
        declared = expanded["Parameters"]
        self._values = {name: str(entry["Default"]) for name, entry in declared.items()} | dict(parameters or {})
        self._conditions = expanded["Conditions"]
        self.resources: dict[str, Any] = {
            name: {
                key: self._value(node) if key in ("Properties", "UpdatePolicy") else node for key, node in entry.items()
            }
            for name, entry in expanded["Resources"].items()
            if "Condition" not in entry or self._holds(entry["Condition"])
        }
        self.outputs = {name: self._value(entry["Value"]) for name, entry in expanded["Outputs"].items()}

    def __getitem__(self, name: str) -> Any:
        """The properties of a resource."""
        return self.resources[name]["Properties"]

    def __contains__(self, name: str) -> bool:
        return name in self.resources

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of all resources of that type, by name."""
        return {name: self[name] for name, entry in self.resources.items() if entry["Type"] == kind}

    def variables(self, function: str) -> dict[str, Any]:
        """The environment of a function."""
        found: dict[str, Any] = self[function]["Environment"]["Variables"]
        return found

    def alias(self, function: str) -> str:
        """What refers to a function by its alias."""
        return f"<{function}Aliaslive>"

    def version(self, function: str) -> str:
        """The name of the resource that is the function's version."""
        (name,) = [name for name in self.of("AWS::Lambda::Version") if self[name]["FunctionName"] == f"<{function}>"]
        return name

    def statements(self) -> Iterator[tuple[str, Any]]:
        """The statements of all policies of roles, each with the name of its resource."""
        for name, policy in self.of("AWS::IAM::ManagedPolicy").items():
            yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])
        for name, role in self.of("AWS::IAM::Role").items():
            for policy in role.get("Policies", ()):
                yield from ((name, statement) for statement in policy["PolicyDocument"]["Statement"])

    def _holds(self, condition: str) -> bool:
        return bool(self._value(self._conditions[condition]))

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for item in node if (value := self._value(item)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._function(name, argument)
        return {key: value for key, item in node.items() if (value := self._value(item)) is not _NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", _:
                return self._reference(argument)
            case "Condition", _:
                return self._holds(argument)
            case "Fn::GetAtt", _:
                name = argument if isinstance(argument, str) else ".".join(argument)
                return f"https://<{name}>/" if name.endswith(".FunctionUrl") else f"<{name}>"
            case "Fn::If", [condition, then, otherwise]:
                return self._value(then if self._holds(condition) else otherwise)
            case "Fn::Equals", [first, second]:
                return str(self._value(first)) == str(self._value(second))
            case "Fn::Not", [item]:
                return not self._value(item)
            case "Fn::And", [*items]:
                return all(self._value(item) for item in items)
            case "Fn::Join", [separator, items]:
                return str(separator).join(self._value(items))
            case "Fn::Select", [index, items]:
                return self._value(items)[int(index)]
            case "Fn::Split", [separator, text]:
                return self._value(text).split(separator)
            case "Fn::Sub", str():
                return self._substituted(argument, {})
            case "Fn::Sub", [text, values]:
                return self._substituted(text, values)
        raise AssertionError(f"{name} is not known here; add it")

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        return self._values.get(name, _PSEUDO.get(name, f"<{name}>"))

    def _substituted(self, text: str, values: Tree) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            return str(self._value(values[name]) if name in values else self._reference(name))

        return re.sub(r"\$\{([^}!]+)\}", replaced, text)


def deployed(tree: Tree | None = None, /, **parameters: str) -> Stack:
    """The stack of the template, or of another ``tree``, with these parameters."""
    return Stack(expand(source() if tree is None else tree, parameters), parameters)
