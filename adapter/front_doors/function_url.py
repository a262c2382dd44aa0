"""A Lambda function URL: payload format 2.0, its ``rawPath`` still percent-encoded.

``requestContext.http.path`` is decoded and has lost its trailing slash, so it is not used.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ..http import HTTPRequest
from .bodies import read_body
from .headers import native
from .payload_2 import FIELDS, RESPONSE_LIMIT, read_headers, user, writer

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "function_url"
STREAMS = True


def recognises(event: dict[str, Any]) -> bool:
    context = event.get("requestContext") or {}
    return "http" in context and ".lambda-url." in (context.get("domainName") or "")


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    http = event["requestContext"]["http"]
    raw_path: str = event["rawPath"]
    return HTTPRequest(
        http["method"],
        unquote_to_bytes(raw_path),
        raw_path,
        "",
        native(event.get("rawQueryString") or ""),
        read_headers(event),
        {},
        read_body(event),
        http.get("sourceIp") or "",
        event,
        context,
    )


write = writer(headers_limit=None)
