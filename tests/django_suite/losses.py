"""What a front door is known to lose, as `losses.toml` lists it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from .suite_run import module_of

FILE = Path(__file__).with_name("losses.toml")


def expected(door: str, interface: str, modules: Iterable[str]) -> dict[str, str]:
    """The tests of ``modules`` that can't pass behind ``door`` by ``interface`` -> why."""
    wanted = set(modules)
    return {
        test: loss["reason"]
        for loss in tomllib.loads(FILE.read_text("utf-8"))["loss"]
        if door in loss.get("doors", [door]) and interface in loss.get("interfaces", [interface])
        for test in loss["tests"]
        if module_of(test) in wanted
    }
