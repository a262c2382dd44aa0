"""Bodies through JSON: as text where they are text, as base64 where they are not."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Any

_TEXT_APPLICATIONS = frozenset(
    "application/" + name
    for name in (
        "ecmascript",
        "graphql",
        "javascript",
        "json",
        "jsonlines",
        "manifest+json",
        "rtf",
        "sql",
        "toml",
        "x-javascript",
        "x-ndjson",
        "x-sh",
        "x-www-form-urlencoded",
        "xml",
        "xml-dtd",
        "yaml",
    )
)
_TEXT_SUFFIXES = ("+json", "+xml", "+yaml", "+json-seq")


def read_body(event: dict[str, Any], flag: str = "isBase64Encoded") -> bytes:
    """The request's body as it came off the wire; ValueError when it claims to be base64 and is not."""
    body = event.get("body")
    if not body:
        return b""
    return a2b_base64(body, strict_mode=True) if event.get(flag) else body.encode()


def write_body(body: bytes, content_type: str | None, content_encoding: str | None) -> tuple[str, bool]:
    """The body for JSON, and whether it is base64."""
    if not body:
        return "", False
    if content_type is not None and is_text(content_type) and content_encoding in _NOT_ENCODED:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # a charset that is not UTF-8: only base64 carries its bytes unchanged
    return b2a_base64(body, newline=False).decode("ascii"), True


_NOT_ENCODED = {None, "", "identity"}


@lru_cache(maxsize=128)
def is_text(content_type: str) -> bool:
    """Whether a body of this type is worth trying as JSON text rather than base64."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_APPLICATIONS or kind.endswith(_TEXT_SUFFIXES)
