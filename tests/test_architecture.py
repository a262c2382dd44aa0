"""Arrows point one way: infra -> emulator -> static_sync; the adapter stands alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"adapter", "static_sync", "emulator", "infra"}
MAY_IMPORT = {
    "adapter": {"adapter"},
    "static_sync": {"static_sync"},
    "emulator": {"emulator", "static_sync"},
    "infra": {"infra", "emulator", "static_sync"},
}
# The one place where the two halves meet in a process.
EXCEPTIONS = {("emulator/testing.py", "adapter")}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    wrong = {
        (str(module.relative_to(ROOT)), name)
        for module in modules
        for name in imports(module)
        if name in PACKAGES - MAY_IMPORT[package]
    }
    assert wrong <= EXCEPTIONS


def test_the_adapter_needs_django_and_the_standard_library_alone() -> None:
    import sys

    outside = {
        name
        for module in (ROOT / "adapter").rglob("*.py")
        for name in imports(module)
        if name not in sys.stdlib_module_names | {"adapter", "django", "asgiref", "_typeshed"}
    }
    assert outside == set()
