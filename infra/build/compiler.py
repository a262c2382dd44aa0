"""Compiles modules: run as a script by the Python of the target, with names of files on its input, one a line.

Each ``.pyc`` is of the unchecked kind (PEP 552): the function does not look at the source's time, which a zip has only
by halves, nor read the source at all. It prints, a line each, what can't be compiled and why.
"""

from __future__ import annotations

import os
import py_compile
import sys


def main() -> None:
    root = sys.argv[1]
    # Names are read whole before anything is compiled: what runs here must be the same for the same names.
    for name in sys.stdin.read().splitlines():
        try:
            py_compile.compile(
                os.path.join(root, name),  # noqa: PTH118 - pathlib is a third of this script's start
                dfile=f"/var/task/{name}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError as error:
            value = error.exc_value
            line = getattr(value, "lineno", None)
            print(f"{name}:{line}: {getattr(value, 'msg', value)}" if line else f"{name}: {value}")  # noqa: T201


if __name__ == "__main__":
    main()
