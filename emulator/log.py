"""What is told in the terminal: a line for each thing, which a person reads, or with ``--json`` a program."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
Level = Literal["note", "caution", "error"]
_STYLES: dict[Level, str] = {"note": "cyan", "caution": "yellow", "error": "red"}


@dataclass(frozen=True)
class Place:
    """Something that answers: its name, its address, and what is to be said of it."""

    name: str
    url: str
    note: str


@dataclass(frozen=True)
class Ready:
    """What there is to say once all has started; ``seconds`` is how long that took."""

    title: str
    places: Sequence[Place]
    seconds: float


class Log:
    """Writes to ``stream`` (standard output by default); coloured on a terminal unless ``NO_COLOR`` is set.

    https://no-color.org
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._coloured = self._stream.isatty() and not os.environ.get("NO_COLOR")

    def ready(self, ready: Ready) -> None:
        """What was started, and where it answers."""
        wide = max(len(place.name) for place in ready.places)
        long = max(len(place.url) for place in ready.places)
        self._line(f"{self._paint('django-faas', 'bold')}  {ready.title}")
        for place in ready.places:
            url, note = self._paint(f"{place.url:<{long}}", "bold"), self._paint(place.note, "dim")
            self._line(f"  {place.name:<{wide}}  {url}  {note}")
        self._line(self._paint(f"ready in {ready.seconds:.2f} s; Ctrl-C stops", "green"))

    def note(self, text: str) -> None:
        """Something the emulator did by itself."""
        self._said("note", text)

    def caution(self, text: str) -> None:
        self._said("caution", text)

    def error(self, text: str) -> None:
        self._said("error", text)

    def function(self, name: str, text: str) -> None:
        """One line the function wrote; ``name`` tells its environments apart."""
        self._line(f"{self._paint(f'{name} |', 'dim')} {text}")

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
        late = self._paint(f"  cold {cold * 1000:.0f} ms", "yellow") if cold is not None else ""
        early = f", begun after {began * 1000:.0f} ms" if began is not None else ""
        self._line(
            f"{self._time()}  {method:<6} {printable(target)}  {self._paint(str(status), style)}"
            f"  {seconds * 1000:.0f} ms{early}  {self._paint(source, 'dim')}{late}"
        )

    def _said(self, level: Level, text: str) -> None:
        self._line(self._paint(f"{self._time()}  {text}", _STYLES[level]))

    def _line(self, text: str) -> None:
        """One line as it is; a terminal that has gone away is no reason to stop serving."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._coloured else text

    def _time(self) -> str:
        return self._paint(_clock(int(time.time())), "dim")


@functools.lru_cache(maxsize=1)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


class JsonLog(Log):
    """Writes one JSON object a line: ``time`` (ISO 8601, UTC), ``type``, and what belongs to that type; seconds."""

    def ready(self, ready: Ready) -> None:
        urls = {place.name: place.url for place in ready.places}
        self._object("ready", title=ready.title, urls=urls, seconds=round(ready.seconds, 3))

    def function(self, name: str, text: str) -> None:
        self._object("function", environment=name, message=text)

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
        late = {"init": round(cold, 6)} if cold is not None else {}
        early = {"began": round(began, 6)} if began is not None else {}
        self._object(
            "request",
            method=method,
            target=target,
            status=status,
            seconds=round(seconds, 6),
            source=source,
            **late,
            **early,
        )

    def _said(self, level: Level, text: str) -> None:
        self._object(level, message=text)

    def _object(self, kind: str, **fields: Any) -> None:
        now = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
        self._line(json.dumps({"time": stamp, "type": kind, **fields}))


def printable(text: str) -> str:
    """``text`` without what could move the cursor: a client chooses its path, and must not draw on the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
