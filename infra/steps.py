"""What a long command is doing: a line for each step once it is done, and on a terminal what is under way."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_WIDTH = 11
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class Step:
    """A step under way; what it `says` last is on its line."""

    def __init__(self, steps: Steps, title: str) -> None:
        self._steps = steps
        self.title = title
        self.outcome = ""

    def says(self, outcome: str) -> None:
        """What the step came to."""
        self.outcome = outcome

    def progress(self, text: str) -> None:
        """How far it is; shown on a terminal alone, and gone when the step is done."""
        self._steps.show(self.title, text)

    def tell(self, text: str) -> None:
        """A line that stays, for what happens within the step."""
        self._steps.line("", text, "dim")


class Steps:
    """Writes to ``stream`` (standard error by default, which leaves standard output to results).

    Coloured on a terminal unless ``NO_COLOR`` is set: https://no-color.org
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._coloured = self._terminal and not os.environ.get("NO_COLOR")
        self._shown = False

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step of the command; its line is written when the block ends, also by an exception."""
        step = Step(self, title)
        started = time.monotonic()
        self.show(title, "")
        try:
            yield step
        except BaseException as error:
            self.line(title, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", "red")
            raise
        seconds = time.monotonic() - started
        took = f" ({seconds:.1f} s)" if seconds >= 0.1 else ""
        self.line(title, f"{step.outcome or 'done'}{took}")

    def note(self, text: str) -> None:
        """Something to know."""
        self.line("note", text, "yellow")

    def line(self, title: str, text: str, style: str = "") -> None:
        """A line that stays; ``title`` stands before it."""
        self._clear()
        said = self._paint(text, style) if style else text
        self._stream.write(f"{self._paint(f'{title:<{_WIDTH}}', 'bold')}{said}\n")
        self._stream.flush()

    def show(self, title: str, text: str) -> None:
        """A line that the next one takes the place of, on a terminal."""
        if self._terminal:
            self._clear()
            self._stream.write(f"{self._paint(f'{title:<{_WIDTH}}', 'bold')}{text}")
            self._stream.flush()
            self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = False

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._coloured and style else text
