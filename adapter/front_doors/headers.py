"""Header and cookie forms that several front doors share."""

from __future__ import annotations

from typing import Any

Headers = list[tuple[str, str]]
Lists = dict[str, list[str]]
NONE = ("",)
"""Stands for the values of a header that is not there."""


def read_headers(event: dict[str, Any]) -> tuple[dict[str, str], Lists]:
    """One value a header, and the lists of those that were repeated.

    An event may hold lists, single values, or both; the lists win as they hold all, but where nothing is repeated the
    single values are the same and need no making.
    """
    single, lists = event.get("headers"), event.get("multiValueHeaders")
    if not lists:
        return native_values(single or {}), {}
    if single and len(single) == len(lists) and sum(map(len, lists.values())) == len(lists):
        return native_values(single), {}
    return from_lists(lists)


def from_lists(lists: Lists) -> tuple[dict[str, str], Lists]:
    """See `read_headers`; a header with an empty list is none."""
    joined = {name: values[0] if len(values) == 1 else _join(name, values) for name, values in lists.items() if values}
    repeated = {name: [native(value) for value in values] for name, values in lists.items() if len(values) > 1}
    return native_values(joined), repeated


def _join(name: str, values: list[str]) -> str:
    """RFC 9110, 5.3; cookies by RFC 9113, 8.2.3."""
    return ("; " if name.lower() == "cookie" else ",").join(values)


def native_values(headers: dict[str, str]) -> dict[str, str]:
    """The headers with values as PEP 3333 carries them; TypeError where a value is no text.

    Nearly always all of it is ASCII, which one look at the whole tells.
    """
    if "".join(headers.values()).isascii():
        return headers
    return {name: native(value) for name, value in headers.items()}


def native(text: str) -> str:
    """Text as PEP 3333 carries it: its UTF-8 bytes, each as one character."""
    return text if text.isascii() else text.encode().decode("latin-1")


def grouped(headers: Headers) -> Lists:
    """Every value of each header in order, names in lower case."""
    values = {name.lower(): [value] for name, value in headers}
    if len(values) != len(headers):
        values = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
    if "set-cookie" in values:
        # Django's cookies come with a space before them, which is no part of the value (RFC 9110, 5.5).
        values["set-cookie"] = [cookie.strip() for cookie in values["set-cookie"]]
    return values


def joined(headers: Headers) -> tuple[dict[str, str], list[str]]:
    """One value a header, repeats joined as RFC 9110 (5.3) allows, and the cookies, which may not be joined, apart."""
    values = {name.lower(): value for name, value in headers}
    if len(values) == len(headers):
        cookie = values.pop("set-cookie", None)
        return values, [] if cookie is None else [cookie.strip()]
    every = grouped(headers)
    cookies = every.pop("set-cookie", [])
    return {name: ", ".join(several) for name, several in every.items()}, cookies


def cookie_spellings(count: int) -> list[str]:
    """``count`` spellings of ``set-cookie``: a map that holds one value a name can still carry several cookies."""
    name = "set-cookie"
    letters = [index for index, letter in enumerate(name) if letter.isalpha()] if count else []
    spellings = []
    for mask in range(min(count, 1 << len(letters))):
        upper = {index for bit, index in enumerate(letters) if mask >> bit & 1}
        spellings.append("".join(letter.upper() if i in upper else letter for i, letter in enumerate(name)))
    return spellings
