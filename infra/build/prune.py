"""Step "prune": what no function has a use for."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from .distributions import Distribution

# Of what Lambda's Python runtimes bring along, boto3 and botocore, and what is needed by these alone.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-dependencies
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")
_TESTS = "tests"
_IMPORTS_TESTS = re.compile(rb"^\s*(?:from|import)\s+[\w.]*\btests\b", re.MULTILINE)


def prune(
    tree: Path, distributions: list[Distribution], sources: Iterable[str], *, runtime_boto3: bool
) -> list[Distribution]:
    """Remove it from ``tree``; returns the distributions that are left, with the files that are left of them.

    Those are commands and tests of distributions, and what they have in the ``sources`` of static files, which is in
    the bucket; and sources of translations. The project's own static files stay, as its code may read some.
    """
    collected = tuple(f"{source}/" for source in sources)
    left = []
    for distribution in distributions:
        if runtime_boto3 and distribution.name in RUNTIME:
            _remove(tree, distribution.files)
            shutil.rmtree(distribution.record.parent)
            continue
        _remove(tree, (name for name in distribution.files if name.startswith(("bin/", *collected))))
        _remove_tests(tree, distribution)
        left.append(distribution)
    for path in tree.rglob("*.po"):
        path.unlink()
    (tree / ".lock").unlink(missing_ok=True)
    for distribution in left:
        distribution.forget(tree)
    return left


def untranslated(tree: Path) -> list[str]:
    """The sources of translations that were never compiled, which Django does not read."""
    return sorted(
        path.relative_to(tree).as_posix() for path in tree.rglob("*.po") if not path.with_suffix(".mo").exists()
    )


def _remove(tree: Path, names: Iterable[str]) -> None:
    for name in names:
        (tree / name).unlink(missing_ok=True)


def _remove_tests(tree: Path, distribution: Distribution) -> None:
    """Remove folders of tests, unless another module of the distribution imports from one."""
    modules = {name for name in distribution.files if name.endswith(".py")}
    tests = {name for name in distribution.files if _TESTS in name.split("/")[:-1]}
    if tests and not any(_IMPORTS_TESTS.search((tree / name).read_bytes()) for name in modules - tests):
        _remove(tree, tests)
