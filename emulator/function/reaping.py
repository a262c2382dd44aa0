"""The emulator's end of `reaper.py`: what must not outlive the emulator, however that ends."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path

_SCRIPT = Path(__file__).with_name("reaper.py")


class Reaper:
    """Process groups, and a folder for what they keep."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @cached_property
    def folder(self) -> Path:
        """Made when it is first asked for, and with it the process that watches; there until `stop`."""
        folder = Path(tempfile.mkdtemp(prefix="django-faas-"))
        # Without asyncio: the groups are told of while the loop has other things to do.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT), str(folder)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return folder

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    async def stop(self) -> None:
        """Returns when everything is gone."""
        if self._process is not None:
            # Closes its input and reads on until it has ended.
            await asyncio.to_thread(self._process.communicate)

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(line.encode())
