"""Query strings as front doors read them: by ``&``, every pair kept, no pair refused."""

from __future__ import annotations

from urllib.parse import unquote_plus


def raw(query: str) -> dict[str, list[str]]:
    """Names and values exactly as sent, names in alphabetical order, a name's values in the order sent."""
    if not query:
        return {}
    parameters: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            parameters.setdefault(name, []).append(value)
    # Captured events list names alphabetically; the order between different names is not promised and a function must
    # not rest on it.
    return dict(sorted(parameters.items()))


def decoded(query: str) -> dict[str, list[str]]:
    """As `raw`, with ``+`` read as a space and percent-encoding as UTF-8.

    What AWS makes of bytes that are not UTF-8 is unproven; here each becomes the replacement character.
    """
    if not query:
        return {}
    if "%" not in query and "+" not in query:
        return raw(query)
    parameters: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            parameters.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return dict(sorted(parameters.items()))
