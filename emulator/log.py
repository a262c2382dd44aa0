"""What a person reads in the terminal: the banner, one line a request, the function's output, and what went wrong."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Log:
    """Writes to ``stream`` (standard output by default); coloured on a terminal unless ``NO_COLOR`` is set.

    https://no-color.org
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._coloured = self._stream.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text: str, *styles: str) -> str:
        """``text`` in the styles named, or as it is where colour is not wanted."""
        if not self._coloured or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def line(self, text: str, *styles: str) -> None:
        """One line as it is; a terminal that has gone away is no reason to stop serving."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(self.paint(text, *styles) + "\n")
            self._stream.flush()

    def note(self, text: str) -> None:
        """One line about something the emulator did by itself."""
        self.line(f"{self._time()}  {text}", "cyan")

    def caution(self, text: str) -> None:
        self.line(f"{self._time()}  {text}", "yellow")

    def error(self, text: str) -> None:
        self.line(f"{self._time()}  {text}", "red")

    def function(self, name: str, text: str) -> None:
        """One line the function wrote; ``name`` tells its environments apart."""
        self.line(f"{self.paint(f'{name} |', 'dim')} {text}")

    def access(
        self,
        method: str,
        target: str,
        status: int,
        seconds: float,
        source: str,
        cold: float | None = None,
        began: float | None = None,
    ) -> None:
        """One request: ``source`` is the front door or the bucket, ``cold`` the INIT seconds it had to wait for.

        ``began`` are the seconds until a streamed answer began.
        """
        style = "green" if status < 300 else "cyan" if status < 400 else "yellow" if status < 500 else "red"
        late = self.paint(f"  cold {cold * 1000:.0f} ms", "yellow") if cold is not None else ""
        early = f", begun after {began * 1000:.0f} ms" if began is not None else ""
        self.line(
            f"{self._time()}  {method:<6} {printable(target)}  {self.paint(str(status), style)}"
            f"  {seconds * 1000:.0f} ms{early}  {self.paint(source, 'dim')}{late}"
        )

    def _time(self) -> str:
        return self.paint(time.strftime("%H:%M:%S"), "dim")


def printable(text: str) -> str:
    """``text`` without what could move the cursor: a client chooses its path, and must not draw on the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
