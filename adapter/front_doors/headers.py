"""Header and cookie forms that several front doors share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Headers = list[tuple[str, str]]
NONE = ("",)
"""Stands for the values of a header that is not there."""


def read_headers(event: dict[str, Any]) -> Headers:
    """Headers of an event that may hold them as lists, as single values, or both; the lists win as they hold all."""
    multiple = event.get("multiValueHeaders")
    if multiple:
        return native_pairs([(name, value) for name, values in multiple.items() for value in values])
    return native_pairs(list((event.get("headers") or {}).items()))


def native_pairs(headers: Headers) -> Headers:
    """The pairs with values as PEP 3333 carries them; TypeError where a value is no text.

    Nearly always all of it is ASCII, which one look at the whole tells.
    """
    if "".join([value for _, value in headers]).isascii():
        return headers
    return [(name, native(value)) for name, value in headers]


def native(text: str) -> str:
    """Text as PEP 3333 carries it: its UTF-8 bytes, each as one character."""
    return text if text.isascii() else text.encode().decode("latin-1")


def grouped(headers: Headers) -> dict[str, list[str]]:
    """Every value of each header in order, names in lower case."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value.strip())
    return values


def joined(headers: Headers) -> tuple[dict[str, str], list[str]]:
    """One value a header, repeats joined as RFC 9110 (5.3) allows, and the cookies, which may not be joined, apart."""
    values = {name.lower(): value for name, value in headers}
    if len(values) == len(headers):
        cookie = values.pop("set-cookie", None)
        # Django's cookies come with a space before them, which is no part of the value (RFC 9110, 5.5).
        return values, [] if cookie is None else [cookie.strip()]
    every = grouped(headers)
    cookies = every.pop("set-cookie", [])
    return {name: ", ".join(several) for name, several in every.items()}, cookies


def cookie_spellings() -> Iterable[str]:
    """``set-cookie`` in every mixture of cases: a map that holds one value a name can still carry several cookies."""
    name = "set-cookie"
    letters = [index for index, letter in enumerate(name) if letter.isalpha()]
    for mask in range(1 << len(letters)):
        chosen = {index for bit, index in enumerate(letters) if mask >> bit & 1}
        yield "".join(letter.upper() if index in chosen else letter for index, letter in enumerate(name))
