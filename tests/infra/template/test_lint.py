"""cfn-lint has nothing to say about the template: as it is written, and expanded for each front door."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from cfnlint.api import ManualArgs, lint

from .expansion import DOORS, REGION, TEMPLATE, Tree, expand, source

_ALL = {
    "Interface": "asgi",
    "PythonVersion": "3.14",
    "Architecture": "x86_64",
    "MemorySize": "3008",
    "SnapStart": "on",
    "ReservedConcurrency": "20",
    "DomainName": "www.example.com,example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1f9a3c1e-5f0f-4c5e-8a0f-0c1d2e3f4a5b",
    "AllowedHosts": ".example.com",
    "VpcSubnetIds": "subnet-0bb1c79de3ea10001,subnet-0bb1c79de3ea10002",
    "VpcSecurityGroupIds": "sg-0a1b2c3d4e5f60718",
    "LogRetentionDays": "90",
    "AlarmEmail": "ops@example.com",
    "SmokePath": "/healthz",
    "EnvironmentVersion": "a1b2c3",
}


def _said(tree: Tree, parameters: Mapping[str, str]) -> list[str]:
    """What cfn-lint finds in the expanded template, with ``parameters`` as its defaults."""
    expanded = expand(tree, parameters)
    for name, value in parameters.items():
        expanded["Parameters"][name]["Default"] = value
    return [str(match) for match in lint(json.dumps(expanded), config=ManualArgs(regions=[REGION]))]


def test_as_it_is_written() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert [str(match) for match in lint(text, config=ManualArgs(regions=[REGION]))] == []


def test_expanded() -> None:
    assert _said(source(), {}) == []


@pytest.mark.parametrize("door", DOORS)
def test_expanded_with_everything(door: str) -> None:
    assert _said(source(), {"FrontDoor": door, **_ALL}) == []


def test_a_fault_is_found() -> None:
    tree = source()
    tree["Resources"]["Cdn"]["Properties"]["DistributionConfig"]["HttpVersion"] = "http4"
    tree["Resources"]["Worker"]["Properties"]["MemorySize"] = 64
    said = "\n".join(_said(tree, {}))
    assert "http4" in said
    assert "64 is less than the minimum of 128" in said
