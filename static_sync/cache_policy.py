"""How long browsers and the CDN may keep each file: the ``Cache-Control`` header, by kind of name and by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from static_sync.exceptions import UsageError
from static_sync.patterns import matcher
from static_sync.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from static_sync.inventory import StaticFile

# A hashed name never gets other bytes, so it may be kept for ever; a year is as long as the field's convention goes.
# Any other name may change with each deploy: a minute, as WhiteNoise has it, takes the load off without staleness.
IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60"
# The manifest is read by the application, not by visitors: no CDN may hand out an old one.
PRIVATE = "private, no-store"

_DEFAULTS = {Stage.HASHED: IMMUTABLE, Stage.UNHASHED: SHORT, Stage.MANIFEST: PRIVATE}


class CachePolicy:
    """``rules`` are pairs of a pattern (see `patterns`) and a value; the first that matches a name says what holds.

    Where none does, hashed names are immutable and others short-lived. No rule applies to the manifest. Raises
    `UsageError` for a rule that cannot be meant.
    """

    def __init__(self, rules: Sequence[tuple[str, str]] = ()) -> None:
        self._rules = [(pattern, matcher([pattern]), _checked(pattern, value)) for pattern, value in rules]

    def cache_control(self, name: str, stage: Stage) -> str:
        """The value for the file ``name``, its path below the source."""
        if stage is not Stage.MANIFEST:
            for _, matches, value in self._rules:
                if matches(name):
                    return value
        return _DEFAULTS[stage]

    def notes(self, files: Iterable[StaticFile]) -> list[str]:
        """What is odd about the rules, given the files they are applied to: a line for each rule, for a person."""
        if not self._rules:
            return []
        mortal: dict[str, list[str]] = {}
        frozen: dict[str, list[str]] = {}
        for file in files:
            if file.stage is Stage.MANIFEST:
                continue
            for pattern, matches, value in self._rules:
                if matches(file.name):
                    is_hashed = file.stage is Stage.HASHED
                    if _is_immutable(value) != is_hashed:
                        (mortal if is_hashed else frozen).setdefault(pattern, []).append(file.name)
                    break
        return [
            f"The cache rule for {pattern} takes `immutable` from {_names(names)}: browsers will ask again for what "
            "never changes."
            for pattern, names in mortal.items()
        ] + [
            f"The cache rule for {pattern} gives `immutable` to {_names(names)} not known to be hashed: browsers will "
            "not see a change of these. If another tool hashes such names, say so with --hashed."
            for pattern, names in frozen.items()
        ]


def _is_immutable(value: str) -> bool:
    return "immutable" in (directive.strip().lower() for directive in value.split(","))


def _checked(pattern: str, value: str) -> str:
    value = value.strip(" \t")
    if not value:
        raise UsageError(f"The cache rule for {pattern} has no value: write, for example, {pattern}=no-cache.")
    if not (value.isascii() and value.isprintable()):
        raise UsageError(f"The cache rule for {pattern} has a value that no header can carry: {value!r}.")
    return value


def _names(names: list[str]) -> str:
    example = f"({names[0]}, for example)" if len(names) > 1 else f"({names[0]})"
    return f"{len(names)} name{'s' if len(names) > 1 else ''} {example}"
