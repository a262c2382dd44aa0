"""Log lines as a person reads them: time, function, level, message, the fields beside it; tracebacks below."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import click

from emulator.log import printable

from .log_entries import Entry, parse
from .logs import Line

_COLOURS = {"WARN": "yellow", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "FATAL": "red"}
_ID = 8
"""Characters of a request id that are shown: enough for `logs --request`."""


def rendered(lines: Iterable[Line], width: int) -> Iterator[str]:
    """``lines`` for a terminal, with a line of its own for each day; ``width`` is that of the functions' names.

    Nothing that was logged can move the cursor: what visitors send is in there.
    """
    day = ""
    for line in lines:
        entry = parse(line.message)
        if entry.is_routine and not entry.is_error:
            continue
        moment = datetime.fromtimestamp(line.time / 1000).astimezone()
        if day != f"{moment:%A %Y-%m-%d %Z}":
            day = f"{moment:%A %Y-%m-%d %Z}"
            yield click.style(day, dim=True)
        stamp = f"{moment:%H:%M:%S}.{line.time % 1000:03d}"
        yield f"{click.style(stamp, dim=True)}  {line.function:<{width}}  {_said(entry)}"
        for below in entry.stack.splitlines():
            yield f"    {printable(below)}"


def _said(entry: Entry) -> str:
    first, *rest = entry.text.splitlines() or [""]
    text = "\n    ".join(printable(part) for part in (first, *rest))
    level = f"{printable(entry.level):<7}  " if entry.level else ""
    more = "".join(f"  {printable(name)}={_value(value)}" for name, value in entry.more.items())
    request = f"  {printable(entry.request_id[:_ID])}" if entry.request_id else ""
    colour = _COLOURS.get(entry.level, "red" if entry.is_error else None)
    return f"{click.style(f'{level}{text}', fg=colour)}{click.style(f'{more}{request}', dim=True)}"


def _value(value: Any) -> str:
    plain = isinstance(value, str) and value != "" and not any(character.isspace() for character in value)
    return printable(value if plain else json.dumps(value, ensure_ascii=False))
