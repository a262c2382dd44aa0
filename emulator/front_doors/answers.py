"""The function's JSON on its way out: the reading, checking and writing that every front door shares."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from ..http import Response
from .headers import HOP_BY_HOP

_STATUS = re.compile(r"[2-5][0-9]{2}")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


class Malformed(Exception):
    """The function's answer is not what this door takes; never leaves the door."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def parse(payload: bytes) -> Any:
    """The JSON value in ``payload``; `Malformed` for anything else, be it nested beyond what can be read."""
    try:
        return _decoder.decode(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Malformed from error


def status(value: object, *, text_allowed: bool = True) -> int:
    """A `statusCode`, as a number or (REST and function URL: seen; HTTP API: unproven) its digits.

    Where AWS draws the line is unproven; here a final status, 200 to 599, passes.
    """
    if isinstance(value, str) and text_allowed and _STATUS.fullmatch(value):
        return int(value)
    if isinstance(value, int) and 200 <= value <= 599:
        return value
    raise Malformed


def header_text(value: object) -> str:
    """One header value: text as it is, true, false and numbers as JSON writes them.

    Only the booleans of a REST API are proven; null is read as an empty value.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise Malformed


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, where null and absence mean an empty one."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Malformed


def single_headers(value: object) -> list[tuple[str, str]]:
    """`headers` of an answer, in its order."""
    return [(name, header_text(entry)) for name, entry in mapping(value).items()]


def text_body(value: object) -> str:
    """A `body` that must be text; null is an empty one."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise Malformed


def into_bytes(body: str, *, base64: bool) -> bytes:
    """The bytes of a `body`; `Malformed` where it says base64 and is not."""
    if not base64:
        # Half of a surrogate pair is valid in JSON and not in UTF-8.
        return body.encode("utf-8", "replace")
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise Malformed from error


def flag(value: object) -> bool:
    """`isBase64Encoded`; that anything but true, false and null is refused is unproven."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise Malformed


def respond(
    status_code: int, headers: Iterable[tuple[str, str]], body: bytes, *, method: str, default_type: str
) -> Response:
    """The response on the wire.

    Connection headers are left out, the length is the server's to count (HEAD apart, where only the function knows it),
    and a header that would break out of its line makes the answer `Malformed`.
    """
    kept: list[tuple[str, str]] = []
    typed = False
    for name, value in headers:
        lower = name.lower()
        if lower in HOP_BY_HOP or (lower == "content-length" and not (method == "HEAD" and value.isdecimal())):
            continue
        if not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise Malformed
        typed = typed or lower == "content-type"
        kept.append((name, value))
    if not typed:
        kept.append(("Content-Type", default_type))
    return Response(status_code, kept, b"" if method == "HEAD" or status_code in (204, 304) else body)


def door_answer(
    status_code: int, body: bytes, headers: Iterable[tuple[str, str]], *, method: str, content_type: str
) -> Response:
    """An answer of the door's own, with its length alone where the method is HEAD."""
    kept = [("Content-Type", content_type), *headers]
    if method == "HEAD":
        return Response(status_code, [*kept, ("Content-Length", str(len(body)))])
    return Response(status_code, kept, body)
