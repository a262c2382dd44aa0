"""pytest passes over folders by their names, and says nothing of it."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_every_module_of_tests_is_run(pytestconfig: pytest.Config) -> None:
    passed_over = pytestconfig.getini("norecursedirs")
    modules = [path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")]
    assert len(modules) > 100
    folders = {name for module in modules for name in module.parts[:-1]}
    assert [name for name in sorted(folders) for pattern in passed_over if fnmatch(name, pattern)] == []
