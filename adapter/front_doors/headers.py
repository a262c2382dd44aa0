"""Header and cookie forms that several front doors share."""

from __future__ import annotations

from typing import Any

from ..exceptions import AnswerError

Headers = list[tuple[str, str]]
Lists = dict[str, list[str]]
NONE = (None,)
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
    headers, repeated = {}, {}
    for name, values in lists.items():
        if len(values) == 1:
            headers[name] = values[0]
        elif values:
            # RFC 9110, 5.3; cookies by RFC 9113, 8.2.3.
            headers[name] = ("; " if name.lower() == "cookie" else ",").join(values)
            repeated[name] = [native(value) for value in values]
    return native_values(headers), repeated


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


def grouped(headers: Headers, limit: int | None) -> Lists:
    """Every value of each header in order, names in lower case; `AnswerError` as `joined` raises it."""
    try:
        values = {_LOWER[name]: [value] for name, value in headers}
    except KeyError:
        return _grouped_carefully(headers, limit)
    text = "".join([value for _, value in headers])
    if len(values) != len(headers) or len(text) > _SMALL or "\n" in text or "\r" in text:
        return _grouped_carefully(headers, limit)
    if "set-cookie" in values:
        values["set-cookie"][0] = values["set-cookie"][0].strip()
    return values


def joined(headers: Headers, limit: int | None) -> tuple[dict[str, str], list[str]]:
    """One value a header, repeats joined as RFC 9110 (5.3) allows, and the cookies, which may not be joined, apart.

    `AnswerError` where one of them has a line break in it, or where they are longer than ``limit`` together.
    """
    try:
        values = {_LOWER[name]: value for name, value in headers}
    except KeyError:
        return _joined_carefully(headers, limit)
    text = "".join(values.values())
    if len(values) != len(headers) or len(text) > _SMALL or "\n" in text or "\r" in text:
        return _joined_carefully(headers, limit)
    return values, [values.pop("set-cookie").strip()] if "set-cookie" in values else []


# Names met before, of at most 32 characters, in lower case. With at most 64 of them (as _LOWER has no more) and values
# of 7,500, no limit can be near.
_SMALL = 7_500
_LOWER: dict[str, str] = {}


def _joined_carefully(headers: Headers, limit: int | None) -> tuple[dict[str, str], list[str]]:
    every = _grouped_carefully(headers, limit)
    cookies = every.pop("set-cookie", [])
    return {name: ", ".join(values) for name, values in every.items()}, cookies


def _grouped_carefully(headers: Headers, limit: int | None) -> Lists:
    text = "".join([part for pair in headers for part in pair])
    if "\n" in text or "\r" in text:
        raise AnswerError(
            "one of its headers has a line break in it, which could smuggle in another header",
            "Strip what the header is made of",
        )
    size = len(text) + len(headers) * len(": \r\n")
    if limit is not None and size > limit:
        raise AnswerError(
            f"its headers are {size:,} bytes long, and this front door passes {limit:,} on",
            "Set fewer or smaller cookies",
        )
    values: Lists = {}
    for name, value in headers:
        lower = name.lower()
        if len(_LOWER) < 64 and len(name) <= 32:
            _LOWER[name] = lower
        # Django's cookies come with a space before them, which is no part of the value (RFC 9110, 5.5).
        values.setdefault(lower, []).append(value.strip() if lower == "set-cookie" else value)
    return values


def cookie_spellings(cookies: list[str]) -> dict[str, str]:
    """Each cookie under another spelling of ``set-cookie``: a map of one value a name can still carry several."""
    if not cookies:
        return {}
    name = "set-cookie"
    letters = [index for index, letter in enumerate(name) if letter.isalpha()]
    spelt = {}
    for mask, cookie in zip(range(1 << len(letters)), cookies, strict=False):
        upper = {index for bit, index in enumerate(letters) if mask >> bit & 1}
        spelt["".join(letter.upper() if i in upper else letter for i, letter in enumerate(name))] = cookie
    return spelt
