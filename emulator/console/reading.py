"""Records as the page reads them: a row of the list, and all of one, its request and answer told from their JSON.

The JSON itself goes along as text, byte for byte as it travelled, so that a number or a doubled key is seen as it was.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ..records import LONGEST_PART, Record

# What a row tells of an error; all of it is shown with the record.
_ERROR_IN_ROW = 300
# What a compressed body may grow to, and how much is shown of what is no text, in bytes.
_LONGEST_BODY = 2 << 20
_DUMPED = 512
_JSON = re.compile(r"application/(.+\+)?json")
_CHARSET = re.compile(r""";\s*charset="?([\w.:-]+)""", re.IGNORECASE)
_BOUNDARY = re.compile(r""";\s*boundary=(?:"([^"]+)"|([^\s;"]+))""", re.IGNORECASE)
_PARAMETER = re.compile(r"""[;\s](name|filename)="((?:[^"\\]|\\.)*)\"""")
_PART_TYPE = re.compile(r"^content-type:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)
_IN_ROW = (
    "id", "serial", "source", "origin", "function", "title", "target", "started", "status", "queued", "init",
    "duration", "billed", "total", "memory", "environment", "replay_of", "ended",
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """A body as it was before it was put into JSON; ``note`` says where it could not be had whole."""

    content: bytes
    media_type: str
    charset: str
    content_type: str
    note: str | None = None

    @property
    def text(self) -> str | None:
        """None where it is none."""
        if b"\0" in self.content:
            return None
        try:
            return self.content.decode(self.charset)
        except (UnicodeDecodeError, LookupError):
            return None


def row(record: Record) -> dict[str, Any]:
    """What the list shows; times in seconds."""
    return {
        **{name: getattr(record, name) for name in _IN_ROW},
        "error": record.error and record.error[:_ERROR_IN_ROW],
    }


def whole(record: Record) -> dict[str, Any]:
    """All of it; ``request`` and ``response`` are None where there is none to be made out, ``cut`` names what is not
    whole. A response is ``kept`` with its body, save when it was streamed.
    """
    answer = http_message(record.answer) if record.source == "http" else None
    if answer is not None and "statusCode" not in answer:
        answer = None
    return {
        **row(record),
        "error": record.error,
        "log": record.log,
        "event": record.event.decode(errors="replace"),
        "answer": record.answer.decode(errors="replace"),
        "cut": [name for name in ("event", "answer") if len(getattr(record, name)) == LONGEST_PART],
        "request": _shown(http_message(record.event)),
        "response": _shown(answer),
    }


def http_message(encoded: bytes) -> dict[str, Any] | None:
    """The JSON object of an HTTP request or answer; None where it is another one, or not whole."""
    try:
        message = json.loads(encoded)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    told = ("statusCode", "headers", "multiValueHeaders")
    return message if any(message.get(name) is not None for name in told) else None


def headers_of(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values in order. Several values come as a list, in ``multiValueHeaders`` or apart, as cookies do."""
    found: list[tuple[str, str]] = []
    for key in ("multiValueHeaders", "headers"):
        named = message.get(key)
        if isinstance(named, dict):
            known = {name.lower() for name, _ in found}
            found += [(name, one) for name, value in named.items() if name.lower() not in known for one in _each(value)]
    cookies = message.get("cookies")
    name = "set-cookie" if "statusCode" in message else "cookie"
    if isinstance(cookies, list):
        found += [(name, str(cookie)) for cookie in cookies]
    return found


def body_of(message: Mapping[str, Any]) -> Body | None:
    """The body with its base64 and its gzip or deflate taken off; None where there is none."""
    text = message.get("body")
    if not isinstance(text, str) or not text:
        return None
    headers = {name.lower(): value for name, value in headers_of(message)}
    kind = headers.get("content-type", "")
    charset = _CHARSET.search(kind)
    # What is no base64 is text, whatever it was before it became JSON.
    content, encoding, note = text.encode(errors="replace"), "utf-8", None
    if message.get("isBase64Encoded") or message.get("is_base64_encoded"):
        try:
            content = base64.b64decode(text, validate=True)
            encoding = charset[1] if charset else "utf-8"
        except ValueError:
            note = "isBase64Encoded is true, but this is no base64"
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", ""}:
        try:
            content, note = _unpacked(content, coding)
        except (ValueError, zlib.error):
            note = f"Content-Encoding says {coding}, which can't be unpacked here"
    return Body(content, kind.partition(";")[0].strip().lower(), encoding, kind, note)


def _each(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        yield one if isinstance(one, str) else json.dumps(one)


def _unpacked(content: bytes, coding: str) -> tuple[bytes, str | None]:
    """https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1, and the raw deflate that some send as ``deflate``."""
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError(coding)
    raw = coding == "deflate" and content[:1] and content[0] & 15 != 8
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
    unpacked = unpacker.decompress(content, _LONGEST_BODY)
    if not unpacker.eof:
        return unpacked, f"Only its first {len(unpacked):,} bytes are shown"
    return unpacked, None


def _shown(message: dict[str, Any] | None) -> dict[str, Any] | None:
    if message is None:
        return None
    body = body_of(message)
    return {"headers": headers_of(message), "body": None if body is None else _body(body), "kept": "body" in message}


def _body(body: Body) -> dict[str, Any]:
    """The body in the form that suits it: ``json``, ``html``, ``text``, ``fields``, ``image`` or ``binary``."""
    told = {"media_type": body.media_type, "size": len(body.content), "note": body.note}
    if body.media_type.startswith("image/") and body.note is None:
        return {**told, "form": "image", "base64": base64.b64encode(body.content).decode()}
    if body.media_type == "multipart/form-data" and (fields := _parts(body)):
        return {**told, "form": "fields", "fields": fields}
    text = body.text
    if text is None:
        return {**told, "form": "binary", "text": _dump(body.content)}
    if body.media_type == "application/x-www-form-urlencoded":
        fields = [{"name": name, "value": value} for name, value in parse_qsl(text, keep_blank_values=True)]
        return {**told, "form": "fields", "fields": fields, "text": text}
    form = "json" if _JSON.fullmatch(body.media_type) else "html" if body.media_type == "text/html" else "text"
    return {**told, "form": form, "text": text}


def _parts(body: Body) -> list[dict[str, str]]:
    """The fields of a form with files; none where it is not well formed.

    https://www.rfc-editor.org/rfc/rfc7578
    """
    boundary = _BOUNDARY.search(body.content_type)
    if boundary is None:
        return []
    mark = b"\r\n--" + (boundary[1] or boundary[2]).encode(errors="replace")
    fields = []
    for part in (b"\r\n" + body.content).split(mark)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        told = head.decode(errors="replace")
        named = dict(_PARAMETER.findall(told))
        field = {"name": named.get("name", "")}
        if "filename" in named:
            kind = _PART_TYPE.search(told)
            field["file"] = f"{named['filename']}, {kind[1] if kind else 'no type'}, {len(content):,} bytes"
        else:
            field["value"] = content.decode(errors="replace")
        fields.append(field)
    return fields


def _dump(content: bytes) -> str:
    """The beginning of ``content`` in hexadecimal, with what is ASCII beside it."""
    lines = []
    for start in range(0, min(len(content), _DUMPED), 16):
        part = content[start : start + 16]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<47}  {plain}")
    if len(content) > _DUMPED:
        lines.append(f"... {len(content) - _DUMPED:,} bytes more")
    return "\n".join(lines)
