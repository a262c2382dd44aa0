"""What a front door promises of its event's fields, for the message when one breaks the promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fields = dict[str, tuple[bool, str]]
"""Dotted path of a field -> (must it be there, what it holds: a key of `_CHECKS`)."""


def first_mismatch(event: dict[str, Any], fields: Fields) -> str | None:
    """A clause that names the first field of ``event`` that is not as promised, or None."""
    for path, (required, wanted) in fields.items():
        value: Any = event
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            if required:
                return f"{path} is missing or null, where {wanted} must be"
        elif not _CHECKS[wanted](value):
            return f"{path} is not {wanted} but {_shown(value)}"
    if event.get("isBase64Encoded") and isinstance(event.get("body"), str):
        return "isBase64Encoded is true but body is not base64: it was cut short or changed on the way"
    return None


def _shown(value: Any) -> str:
    return f"a {type(value).__name__}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_map_of_text(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map_of_lists(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_list_of_text, value.values()))


_CHECKS = {
    "text": _is_text,
    "a map of text": _is_map_of_text,
    "a list of text": _is_list_of_text,
    "a map of lists of text": _is_map_of_lists,
}
