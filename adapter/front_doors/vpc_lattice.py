"""A VPC Lattice service network, event versions 1 and 2: path and query in one, as sent.

https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ..http import HTTPRequest, HTTPResponse
from .alb import last_forwarded
from .bodies import read_body, write_body
from .fields import Fields
from .headers import Lists, cookie_spellings, from_lists, joined, native

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "vpc_lattice"
STREAMS = False
RESPONSE_LIMIT = 6_291_556
FIELDS: Fields = {
    "method": (True, "text"),
    "raw_path": (False, "text"),
    "path": (False, "text"),
    "headers": (False, "a map of text or lists of text"),
    "body": (False, "text"),
}


def recognises(event: dict[str, Any]) -> bool:
    context = event.get("requestContext") or {}
    return "raw_path" in event or "serviceNetworkArn" in context or "targetGroupArn" in context


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    version_1 = "raw_path" in event
    target: str = event["raw_path"] if version_1 else event["path"]
    raw_path, _, query = target.partition("?")
    headers, repeated = _headers(event)
    return HTTPRequest(
        event["method"],
        unquote_to_bytes(raw_path),
        raw_path,
        "",
        native(query),
        headers,
        repeated,
        read_body(event, "is_base64_encoded" if version_1 else "isBase64Encoded"),
        last_forwarded(headers),
        event,
        context,
    )


def _headers(event: dict[str, Any]) -> tuple[dict[str, str], Lists]:
    """Version 1 joins what version 2 lists."""
    headers = event.get("headers") or {}
    return from_lists({name: value if isinstance(value, list) else [value] for name, value in headers.items()})


def user(event: dict[str, Any]) -> str | None:
    """The principal of a signed request, which version 2 tells."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    return identity.get("principal") or None


def write(response: HTTPResponse, event: dict[str, Any]) -> dict[str, Any]:
    """One value a header; several cookies in several spellings, which is unproven on Lattice."""
    headers, cookies = joined(response.headers, None)
    body, is_base64 = write_body(response.body, headers.get("content-type"), headers.get("content-encoding"))
    headers.update(cookie_spellings(cookies))
    return {
        "statusCode": response.status,
        "statusDescription": f"{response.status} {response.reason}",
        "headers": headers,
        "body": body,
        "isBase64Encoded": is_base64,
    }
