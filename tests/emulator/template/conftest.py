"""Templates written in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from emulator.blueprint import Blueprint
from emulator.template import read_template

Read = Callable[..., Blueprint]

_HEAD = "Transform: AWS::Serverless-2016-10-31\n"
WEB = """
  Web:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: adapter.entrypoint.handler}
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a SAM template that is given as text, and parameters as keywords or as a mapping."""

    def read(text: str, given: dict[str, str] | None = None, **parameters: str) -> Blueprint:
        path = tmp_path / "template.yaml"
        path.write_text(_HEAD + dedent(text))
        return read_template(path, {**(given or {}), **parameters}, region="eu-central-1")

    return read


@pytest.fixture
def resources(read: Read) -> Read:
    """Reads resources, written as they are below ``Resources``, beside a function called Web."""

    def resources(text: str, given: dict[str, str] | None = None, **parameters: str) -> Blueprint:
        return read(f"Resources:{WEB}{text}", given, **parameters)

    return resources


@pytest.fixture
def events(read: Read) -> Read:
    """Reads a function with these events, written as they are below ``Events``, and resources beside it."""

    def events(text: str, beside: str = "", given: dict[str, str] | None = None) -> Blueprint:
        body = "".join(f"        {line}\n" for line in dedent(text).strip().splitlines())
        head = "    Properties:\n      Runtime: python3.13\n      Handler: adapter.entrypoint.handler\n      Events:\n"
        return read(f"Resources:\n  Web:\n    Type: AWS::Serverless::Function\n{head}{body}{beside}", given)

    return events
