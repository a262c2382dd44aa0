"""API Gateway's HTTP API, payload format 2.0.

``rawPath`` arrives percent-decoded once: an encoded slash or question mark can no longer be told from a plain one.
"""

from __future__ import annotations

from typing import Any

from ..http import HTTPRequest
from .bodies import read_body
from .headers import native
from .payload_2 import FIELDS, RESPONSE_LIMIT, read_headers, user, writer

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "http_api"
STREAMS = False


def recognises(event: dict[str, Any]) -> bool:
    context = event.get("requestContext") or {}
    return "http" in context and ".lambda-url." not in (context.get("domainName") or "")


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    request_context = event["requestContext"]
    http = request_context["http"]
    path: str = event["rawPath"]
    script_name = ""
    if request_context.get("stage") not in _UNNAMED:
        script_name, path = split_stage(path, request_context)
    return HTTPRequest(
        http["method"],
        path.encode(),
        None,
        script_name,
        native(event.get("rawQueryString") or ""),
        read_headers(event),
        {},
        read_body(event),
        http.get("sourceIp") or "",
        event,
        context,
    )


_UNNAMED = frozenset({"$default", "", None})


def split_stage(path: str, request_context: dict[str, Any]) -> tuple[str, str]:
    """The path's part that names the stage, and the rest.

    On the API's own domain a named stage is the first segment; on a custom domain it never shows.
    """
    stage = request_context.get("stage")
    if stage not in _UNNAMED and ".execute-api." in (request_context.get("domainName") or ""):
        prefix = f"/{stage}"
        if path == prefix or path.startswith(prefix + "/"):
            return prefix, path[len(prefix) :] or "/"
    return "", path


# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
write = writer(headers_limit=10_240)
