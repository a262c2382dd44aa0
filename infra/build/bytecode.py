"""Step "compile": bytecode beside each module.

A function's file system is read-only: what is not compiled is compiled again at each cold start, and thrown away.
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.interpreters import find

from . import uv
from .target import Target

_SCRIPT = Path(__file__).with_name("compiler.py")
# What a compiler has seen before may change a reference count, and with it a bit of what it writes. So each process
# gets the same share of the modules, in the same order, on every machine, however many of them run at a time.
_SHARES = 8


def interpreter(target: Target, place: Path) -> Path | None:
    """A Python of the target's version: one that is here, or one that uv fetches; None where none can be had."""
    found = find(target.python)
    if found is None:
        try:
            uv.run(["python", "install", "--no-bin", target.python], place)
        except uv.UvFailed:
            return None
        found = find(target.python)
    return found


def compile_modules(tree: Path, python: Path) -> tuple[int, list[str]]:
    """Compile each module in ``tree``; returns how many are compiled, and what can't be, with the reason."""
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.py"))

    # The order of a set of names is in the bytecode, too; and what PYTHON... says here is not meant for the function.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables["PYTHONHASHSEED"] = "0"

    def run(share: list[str]) -> list[str]:
        process = subprocess.run(
            [str(python), "-S", "-s", "-P", str(_SCRIPT), str(tree)],
            input="\n".join(share),
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        return process.stdout.splitlines()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [
            line for lines in pool.map(run, (names[first::_SHARES] for first in range(_SHARES))) for line in lines
        ]
    return len(names) - len(failed), failed
