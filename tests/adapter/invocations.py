"""Invocations and log records for the tests that need one at hand, and processes that have had neither."""

from __future__ import annotations

import logging
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapter import invocation
from adapter.http import HTTPRequest

from . import processes
from .processes import ROOT

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"


@pytest.fixture(autouse=True)
def no_invocation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test of a module that imports this starts as a process does, before its first invocation."""
    monkeypatch.setattr(invocation, "_latest", None)
    monkeypatch.setattr(invocation, "_fresh", True)
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    token = invocation.current.set(None)
    yield
    invocation.current.reset(token)


def context(**fields: Any) -> SimpleNamespace:
    """As little of a context object as tells one invocation from another."""
    return SimpleNamespace(**{"aws_request_id": REQUEST_ID, **fields})


def request(method: str = "GET", path: bytes = b"/", script_name: str = "") -> HTTPRequest:
    return HTTPRequest(method, path, None, script_name, "token=secret", {}, {}, b"", "", {}, None)


def record(
    message: object = "sold out", *arguments: object, level: int = logging.WARNING, **extra: Any
) -> logging.LogRecord:
    made = logging.getLogger("shop").makeRecord(
        "shop", level, "/var/task/shop.py", 12, message, arguments, extra.pop("exc_info", None), "buy", extra
    )
    assert isinstance(made, logging.LogRecord)
    return made


def python(code: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with only ``environment`` of the variables that matter to it set."""
    result = processes.python(textwrap.dedent(code), cwd, **environment)
    assert result.returncode == 0, result.stderr
    return result
