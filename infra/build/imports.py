"""Step "copy", its second half: what the project imports or names in its settings, and is not in the package.

Most of it would fail at the first boot. What is imported in a function, or by a backend's name, fails when a visitor
first needs it, long after the deploy has looked at a page.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from emulator.project import Choices

from .distributions import Distribution
from .prune import RUNTIME

# What every environment has, besides the standard library.
_ALWAYS = {*sys.stdlib_module_names, *RUNTIME, "awslambdaric", "__main__"}
_NEVER_RUN = {"conftest.py", "setup.py", "tests.py"}
_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception"}


def missing(tree: Path, distributions: list[Distribution], choices: Choices) -> list[str]:
    """The modules at the top, each with who asks for it first; ``tree`` has distributions and project.

    An import under a condition or with a way out (``except ImportError``) may never be made, and does not count; nor do
    those of tests.
    """
    installed = {name for distribution in distributions for name in distribution.files}
    own = sorted(name for path in tree.rglob("*.py") if (name := path.relative_to(tree).as_posix()) not in installed)
    # What lies deeper in the project may be on a path that its settings extend.
    there = _ALWAYS | {path.name.partition(".")[0] for path in tree.iterdir()}
    there |= {part.removesuffix(".py") for name in own for part in name.split("/")}
    asked: dict[str, str] = {}
    for setting, path in _named(choices):
        asked.setdefault(path.partition(".")[0], setting)
    for name in own:
        if not _is_test(name):
            for module in _imported(_parsed(tree / name)):
                asked.setdefault(module.partition(".")[0], name)
    return [f"{module} ({by})" for module, by in sorted(asked.items()) if module not in there]


def _named(choices: Choices) -> Iterator[tuple[str, str]]:
    """Each setting with the dotted paths that it holds."""
    holding: dict[str, Iterable[str]] = {
        "INSTALLED_APPS": choices.apps,
        "MIDDLEWARE": choices.middleware,
        "STORAGES": choices.storages.values(),
        "DATABASES": [database.engine for database in choices.databases.values()],
        "CACHES": choices.caches.values(),
        "TASKS": choices.tasks.values(),
        "EMAIL_BACKEND": [choices.mail],
        "SESSION_ENGINE": [choices.sessions],
    }
    return ((setting, path) for setting, paths in holding.items() for path in paths if path)


def _is_test(name: str) -> bool:
    *folders, last = name.split("/")
    return "tests" in folders or last in _NEVER_RUN or last.startswith("test_")


def _parsed(path: Path) -> ast.AST:
    try:
        with warnings.catch_warnings(action="ignore"):  # of what is nobody's business here, such as a "\\d"
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module([], [])  # the step "compile" tells of it, by the function's own Python


def _imported(node: ast.AST) -> Iterator[str]:
    """The modules that are imported in ``node``, whatever happens."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.If():
                continue
            case ast.Try(handlers=handlers) if any(_catches(handler.type) for handler in handlers):
                continue
            case ast.With(items=items) if any(_catches(item.context_expr) for item in items):
                continue
            case _:
                yield from _imported(child)


def _catches(expression: ast.expr | None) -> bool:
    """Whether an ``except`` or a ``suppress()`` of that goes on where an import fails."""
    return expression is None or not _CAUGHT.isdisjoint(
        node.id for node in ast.walk(expression) if isinstance(node, ast.Name)
    )
