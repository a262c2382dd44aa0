"""Ends the function's processes when the emulator dies without a chance to do so itself (SIGKILL, a crash).

Reads ``+<process group>`` and ``-<process group>`` lines; at the end of its input, which comes when the emulator is
gone for whatever reason, it kills the groups that are left, stopped ones too, and removes the folder that its argument
names. Runs as a script, by its path and without `site`, to cost next to nothing.
"""

import os
import signal
import sys


def main() -> None:
    groups = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            continue
    import shutil

    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
