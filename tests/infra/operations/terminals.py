"""A command on a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = str(Path(__file__).parents[3])


def on_terminal(
    arguments: list[str], folder: Path, environment: Mapping[str, str], *, asked: str = "", typed: str = ""
) -> tuple[int, str]:
    """Exit code and screen of ``django-faas``; ``typed`` is typed once ``asked`` stands there."""
    terminal, own = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "infra", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": _ROOT, "TERM": "xterm"},
        stdin=own,
        stdout=own,
        stderr=own,
        start_new_session=True,
    )
    os.close(own)
    screen = b""
    try:
        while read := _read(terminal):
            screen += read
            if typed and asked.encode() in screen:
                os.write(terminal, typed.encode())
                typed = ""
        return process.wait(30), screen.decode()
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""
