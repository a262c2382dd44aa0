"""One run of the suite's modules by one way, in processes of its own; and what passes when nothing is in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import django

from .sdist import CACHE

_REPOSITORY = Path(__file__).parents[2]


class RunFailed(Exception):
    """The suite ended before its tests; says what it last wrote."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test: ``passed``, ``failed`` or ``skipped``, with the traceback or the reason."""

    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """Outcomes by test id, and how many requests the test client sent."""

    outcomes: dict[str, Outcome]
    requests: int


def run(tests: Path, way: str, modules: Iterable[str], processes: int = 0) -> SuiteRun:
    """Run ``modules`` of the suite in the folder ``tests``; ``processes`` is 0 for as many as there are cores.

    Raises `RunFailed` when no test was reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        arguments = ["--verbosity=0", "--parallel", str(processes or "auto"), *modules]
        ended = subprocess.run(
            [sys.executable, "-m", "tests.django_suite.inside", way, str(outcomes), *arguments],
            cwd=tests,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        found = json.loads(outcomes.read_text("utf-8")) if outcomes.exists() else {"outcomes": {}}
    if not found["outcomes"]:
        raise RunFailed(f"Django's runtests.py ran no test:\n{ended.stdout[-3000:]}")
    return SuiteRun({test: Outcome(*outcome) for test, outcome in found["outcomes"].items()}, found["requests"])


def _environment() -> dict[str, str]:
    # The suite sets its own warnings and settings; Python's development mode would slow it and add warnings to them.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO_"))}
    return {**kept, "PYTHONPATH": str(_REPOSITORY), "PYTHONSAFEPATH": "1"}


def baseline(tests: Path, interface: str, modules: Iterable[str], processes: int = 0) -> dict[str, Outcome]:
    """Outcomes with nothing in between, run once for a version of Django and of Python, then remembered by module."""
    version = f"{django.get_version()}-py{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / "baseline" / f"{version}-{interface}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {module: folder / f"{module}.json" for module in modules}
    unknown = [module for module, file in wanted.items() if not file.exists()]
    if unknown:
        print(f"==> first without events, {interface} alone: {len(unknown)} modules", flush=True)
        outcomes = run(tests, interface, unknown, processes).outcomes
        for module in unknown:
            mine = {test: (seen.state, seen.detail) for test, seen in outcomes.items() if module_of(test) == module}
            wanted[module].write_text(json.dumps(mine, indent=0), "utf-8")
    return {
        test: Outcome(*outcome)
        for file in wanted.values()
        for test, outcome in json.loads(file.read_text("utf-8")).items()
    }


def module_of(test: str) -> str:
    """The module a test id belongs to; a class or a module that failed to set up names it in brackets."""
    return test.rpartition("(")[2].partition(".")[0]
