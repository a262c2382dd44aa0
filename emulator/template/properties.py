"""A mapping of the template, read by key as what is wanted there; what is something else is an error with its line."""

from __future__ import annotations

from typing import Any

from .document import Map
from .errors import Place, TemplateError
from .intrinsics import NO_VALUE, Evaluator, function_name, known, text_of


class Properties:
    """Reads ``node``. A key that is missing, null or without a value counts as not there."""

    def __init__(self, node: Map, place: Place, evaluator: Evaluator) -> None:
        self._node = node
        self._place = place
        self._evaluator = evaluator

    def __contains__(self, key: str) -> bool:
        return self.outline(key) is not None

    def outline(self, key: str) -> Any:
        """What is at ``key``, its own functions carried out and those below left; None where nothing is."""
        if self._node.get(key) is None:
            return None
        value = self._evaluator.outline(self._node[key], self.at(key))
        return None if value is NO_VALUE else value

    def function(self, key: str) -> str | None:
        """The function that is written at ``key``, if it is one."""
        return function_name(self._node.get(key))

    def value(self, key: str) -> Any:
        """What is at ``key``, all functions carried out; None where nothing is."""
        outline = self.outline(key)
        return None if outline is None else self._evaluator.value(outline, self.at(key))

    def text(self, key: str, default: str = "") -> str:
        """Text, which may hold what is not known (`intrinsics.unknowns`)."""
        value = self.outline(key)
        return default if value is None else text_of(value, self.at(key))

    def needed(self, key: str) -> str:
        """Text that has to be there."""
        value = self.text(key)
        if not value:
            raise self._place.error(f"{key} is missing")
        return value

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        known(value, self.at(key))
        if value not in choices:
            raise self.error(key, f"{value!r} is none of: {', '.join(choices)}")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.outline(key)
        if value is None:
            return default
        known(value, self.at(key))
        try:
            return float(text_of(value, self.at(key)))
        except ValueError:
            raise self.error(key, f"{value!r} is no number") from None

    def integer(self, key: str, default: int) -> int:
        number = self.number(key, default)
        if number != int(number):
            raise self.error(key, f"{number} is no whole number")
        return int(number)

    def integer_or_none(self, key: str) -> int | None:
        return self.integer(key, 0) if key in self else None

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.outline(key)
        if value is None:
            return default
        known(value, self.at(key))
        text = text_of(value, self.at(key)).lower()
        if text not in {"true", "false"}:
            raise self.error(key, f"{value!r} is neither true nor false")
        return text == "true"

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of text; a single one does for a list of one."""
        value = self.value(key)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        return tuple(text_of(item, self.at(key)) for item in items)

    def section(self, key: str) -> Properties:
        """The mapping at ``key``; an empty one where there is none."""
        value = self.outline(key)
        if value is None:
            value = Map()
        if not isinstance(value, Map):
            raise self.error(key, "a mapping is wanted here")
        return Properties(value, self.at(key), self._evaluator)

    def sections(self, key: str) -> list[Properties]:
        """The mappings in the list at ``key``."""
        value = self.outline(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, "a list is wanted here")
        found = []
        for index, item in enumerate(value):
            place = self.at(key).below(str(index))
            outline = self._evaluator.outline(item, place)
            if outline is NO_VALUE:
                continue
            if not isinstance(outline, Map):
                raise place.error("a mapping is wanted here")
            first = min(outline.lines.values(), default=place.line)
            found.append(Properties(outline, Place(place.file, first, place.keys), self._evaluator))
        return found

    def entries(self) -> list[tuple[str, Properties]]:
        """The mappings below, by key."""
        return [(key, self.section(key)) for key in self._node if key in self]

    def texts_by_key(self) -> dict[str, str]:
        return {key: self.text(key) for key in self._node if key in self}

    def at(self, key: str) -> Place:
        return self._place.below(key, self._node.lines.get(key))

    def error(self, key: str, message: str) -> TemplateError:
        return self.at(key).error(message)
