"""What the stack is told of aliases that were moved, on the template as SAM really expands it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from emulator.template.document import load
from infra.deploy.template import OWN, Template
from infra.deploy.traffic import aligned
from infra.stacks import Resource
from tests.infra.template.expansion import expand, source


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    """What CloudFormation has as the processed template of a deployed stack."""
    own = Template(OWN, load(OWN))
    code = "s3://bucket/function.zip"
    return expand(json.loads(own.with_code(code, {"SENTRY_DSN": "https://sentry"})), code=code)


@pytest.fixture(scope="module")
def resources(expanded: dict[str, Any]) -> list[Resource]:
    """The stack's resources at version 7 of each function."""
    return [
        Resource(logical, entry["Type"], f"arn:aws:lambda:eu-central-1:1:function:{logical}:7")
        for logical, entry in expanded["Resources"].items()
        if entry["Type"] == "AWS::Lambda::Version"
    ]


ALIASES = ("WebAliaslive", "WorkerAliaslive", "ConsoleAliaslive", "MigrateAliaslive")


def test_a_stack_that_knows_is_not_told(expanded: dict[str, Any], resources: list[Resource]) -> None:
    assert aligned(expanded, resources, dict.fromkeys(ALIASES, "7")) is None


def test_aliases_that_were_moved_are_all_that_changes(expanded: dict[str, Any], resources: list[Resource]) -> None:
    assert "CodeDeployLambdaAliasUpdate" in expanded["Resources"]["WebAliaslive"]["UpdatePolicy"]
    before = copy.deepcopy(expanded)
    told = aligned(expanded, resources, {**dict.fromkeys(ALIASES, "7"), "WebAliaslive": "5", "WorkerAliaslive": "6"})
    assert told is not None
    assert expanded == before
    assert {name for name in before["Resources"] if told["Resources"][name] != before["Resources"][name]} == {
        "WebAliaslive",
        "WorkerAliaslive",
    }
    assert told["Resources"]["WebAliaslive"]["Properties"]["FunctionVersion"] == "5"
    assert "UpdatePolicy" not in told["Resources"]["WebAliaslive"]
    assert {**told, "Resources": None} == {**before, "Resources": None}
    # Once it is told, it knows.
    moved = {**dict.fromkeys(ALIASES, "7"), "WebAliaslive": "5", "WorkerAliaslive": "6"}
    assert aligned(told, resources, moved) is None


def test_what_is_sent_expands_to_what_is_written(expanded: dict[str, Any]) -> None:
    """The JSON of `Template.with_code` is the YAML of the file, as SAM's own reader takes it."""
    tree = source()
    tree["Globals"]["Function"]["Environment"]["Variables"]["SENTRY_DSN"] = "https://sentry"
    assert expand(tree, code="s3://bucket/function.zip") == expanded
