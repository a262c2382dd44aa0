"""Tells how far a transfer has come: one line that changes on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAWN_EVERY = 0.1
_PRINTED_EVERY = 10.0
_WIDEST_BAR = 30
_NARROWEST_BAR = 8


class Progress(Protocol):
    """Told of a transfer by whoever carries it out, from any thread. Sizes in bytes."""

    def begin(self, files: int, size: int, label: str = "Uploading") -> None:
        """So much is to be done."""

    def advance(self, files: int, size: int) -> None:
        """So much more is done."""

    def end(self) -> None:
        """It is over, well or not."""


class Silent:
    """Says nothing."""

    def begin(self, files: int, size: int, label: str = "Uploading") -> None:
        """Say nothing."""

    def advance(self, files: int, size: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


NO_PROGRESS: Progress = Silent()


class Meter:
    """Shows progress on ``stream``: a line drawn over and over on a terminal, a line every ten seconds elsewhere.

    A line is ended by a carriage return and wiped with blanks, so there are no escape codes. ``clock`` counts seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._every = _DRAWN_EVERY if self._is_terminal else _PRINTED_EVERY
        self._counting, self._showing = threading.Lock(), threading.Lock()
        self._next = float("inf")
        self._drawn = 0

    def begin(self, files: int, size: int, label: str = "Uploading") -> None:
        """Show nothing yet: most runs are over before there is anything to tell."""
        with self._showing:
            self._label, self._of_files, self._of_size = label, files, size
            self._files = self._size = 0
            self._began = self._clock()
            self._next = self._began + self._every

    def advance(self, files: int, size: int) -> None:
        """Count, and show the line when it is due; while one thread writes, the others do not wait for it."""
        with self._counting:
            self._files += files
            self._size += size
        if self._clock() >= self._next and self._showing.acquire(blocking=False):
            try:
                self._show(self._clock())
            finally:
                self._showing.release()

    def end(self) -> None:
        """Leave an empty line, for what comes next to be written on."""
        with self._showing:
            self._next = float("inf")
            if self._drawn:
                self._write("\r" + " " * self._drawn + "\r")
                self._drawn = 0

    def _show(self, now: float) -> None:
        self._next = now + self._every
        seconds = now - self._began
        done = [part / whole for part, whole in ((self._files, self._of_files), (self._size, self._of_size)) if whole]
        # Many small files go by their number, few large ones by their bytes: the mean of both serves every mixture.
        fraction = min(sum(done) / len(done), 1.0) if done else 1.0
        facts = [
            f"{self._label} {self._files:,} of {self._of_files:,} files",
            f"{self._size / 1e6:,.1f} of {self._of_size / 1e6:,.1f} MB",
            f"{self._size / 1e6 / seconds:,.1f} MB/s" if seconds > 0 else "",
            f"{_duration(seconds / fraction - seconds)} left" if fraction else "",
        ]
        text = "  ".join(fact for fact in facts if fact)
        if not self._is_terminal:
            self._write(f"{text}\n")
            return
        # The last column stays free: a terminal wraps where it is filled.
        room = self._columns() - 1
        bar = min(room - len(text) - 4, _WIDEST_BAR)
        if bar >= _NARROWEST_BAR:
            text += f"  [{'#' * int(bar * fraction):<{bar}}]"
        text = text[:room]
        self._write("\r" + text.ljust(min(self._drawn, room)))
        self._drawn = len(text)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._next = float("inf")  # nobody is there to be told any more, which is no reason to stop the transfer


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
