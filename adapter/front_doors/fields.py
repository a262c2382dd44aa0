"""What a front door promises of its event's fields, for the message when one breaks the promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        elif complaint := _CHECKS[wanted](value):
            return f"{path} is not {wanted}: {complaint}"
    for flag in ("isBase64Encoded", "is_base64_encoded"):
        if event.get(flag) and isinstance(event.get("body"), str):
            return f"{flag} is true but body is not base64: it was cut short or changed on the way"
    return None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"it is of type {type(value).__name__}"


def _map_of(check: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    def complain(value: Any) -> str | None:
        if not isinstance(value, dict):
            return f"it is of type {type(value).__name__}"
        return next((f"under {key!r} {complaint}" for key in value if (complaint := check(value[key]))), None)

    return complain


def _list_of_text(value: Any) -> str | None:
    if not isinstance(value, list):
        return f"it is of type {type(value).__name__}"
    return next((f"in it {complaint}" for item in value if (complaint := _text(item))), None)


def _text_or_list_of_text(value: Any) -> str | None:
    return _list_of_text(value) if isinstance(value, list) else _text(value)


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "text": _text,
    "a map of text": _map_of(_text),
    "a map of text or lists of text": _map_of(_text_or_list_of_text),
    "a list of text": _list_of_text,
    "a map of lists of text": _map_of(_list_of_text),
}
