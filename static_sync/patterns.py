"""Patterns of file names, read as ``.gitignore`` reads them: the one kind of pattern that all options take.

A pattern without a slash is held against each part of a path, so ``*.html`` matches ``a/b.html``, and ``vendor`` all
that lies in a folder of that name, at any depth. With a slash at its start or within, it is held against the path from
the top: ``/sw.js``, ``assets/*.js``. One that matches a folder matches all that lies in it. ``*`` and ``?`` stop at a
slash, ``**`` does not; ``[a-z]`` and ``[!a-z]`` match one character, and a backslash takes away the meaning of what
follows. Case counts. https://git-scm.com/docs/gitignore#_pattern_format
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from static_sync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A ] that comes first is one of the characters.
_BRACKET = re.compile(r"\[([!^]?+)((?:\\.|[^\\])(?:\\.|[^]\\])*)]", re.DOTALL)
_ITEM = re.compile(r"(\\.|.)(?:-(\\.|.))?", re.DOTALL)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A function that tells whether one of ``patterns`` matches a path below the source, written with ``/``.

    Raises `UsageError` for a pattern that can match nothing.
    """
    whole = "|".join(_expression(pattern) for pattern in patterns)
    if not whole:
        return lambda _name: False
    fullmatch = re.compile(whole, re.DOTALL).fullmatch
    return lambda name: fullmatch(name) is not None


def _expression(pattern: str) -> str:
    if pattern.startswith("!"):
        raise UsageError(
            f"The pattern {pattern!r} begins with a !, which means nothing here; write \\! for a name that has one."
        )
    path = pattern.rstrip("/")
    if not path:
        raise UsageError(f"The pattern {pattern!r} matches nothing; * matches every name.")
    from_top = "/" in path
    parts = path.removeprefix("/").split("/")
    expression = "" if from_top else "(?:.*/)?"
    for number, part in enumerate(parts, 1):
        is_last = number == len(parts)
        if part == "**":
            expression += ".+" if is_last else "(?:.*/)?"
        else:
            expression += _part(part, pattern) + ("" if is_last else "/")
    return expression + ("/.*" if path != pattern else "(?:/.*)?")


def _part(part: str, pattern: str) -> str:
    expression, position = "", 0
    while position < len(part):
        character = part[position]
        position += 1
        if character == "*":
            if not expression.endswith("[^/]*"):
                expression += "[^/]*"
        elif character == "?":
            expression += "[^/]"
        elif character == "[":
            bracket = _BRACKET.match(part, position - 1)
            if bracket is None:
                raise UsageError(f"The pattern {pattern!r} has a [ without its ]; for a name with a [, write \\[.")
            expression += _character_class(bracket, pattern)
            position = bracket.end()
        elif character == "\\":
            if position == len(part):
                raise UsageError(f"The pattern {pattern!r} has a backslash with nothing after it.")
            expression += re.escape(part[position])
            position += 1
        else:
            expression += re.escape(character)
    return expression


def _character_class(bracket: re.Match[str], pattern: str) -> str:
    negated, inner = bracket.groups()
    if "[:" in inner:
        raise UsageError(f"The pattern {pattern!r}: write out what [:...:] stands for, as in [0-9].")
    expression = "[^/" if negated else "(?!/)["
    for item in _ITEM.finditer(inner):
        first, last = (end and end[-1] for end in item.groups())
        if last and first > last:
            raise UsageError(f"The pattern {pattern!r} has a range that goes backwards: {item[0]}.")
        expression += re.escape(first) + (f"-{re.escape(last)}" if last else "")
    return expression + "]"
