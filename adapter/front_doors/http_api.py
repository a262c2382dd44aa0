"""API Gateway's HTTP API, payload format 2.0.

``rawPath`` arrives percent-decoded once: an encoded slash or question mark can no longer be told from a plain one.
"""

from __future__ import annotations

from typing import Any

from ..http import HTTPRequest
from .bodies import read_body
from .headers import native
from .payload_2 import FIELDS, read_headers, write

__all__ = ["FIELDS", "NAME", "read", "recognises", "write"]

NAME = "http_api"


def recognises(event: dict[str, Any]) -> bool:
    context = event.get("requestContext")
    return isinstance(context, dict) and isinstance(context.get("http"), dict)


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    request_context = event["requestContext"]
    http = request_context["http"]
    path: str = event["rawPath"]
    script_name = ""
    stage = request_context.get("stage") or "$default"
    # On its own domain a named stage is the path's first segment; on a custom domain it never shows.
    if stage != "$default" and ".execute-api." in (request_context.get("domainName") or ""):
        prefix = "/" + stage
        if path == prefix or path.startswith(prefix + "/"):
            script_name, path = prefix, path[len(prefix) :] or "/"
    return HTTPRequest(
        method=http["method"],
        path=path.encode(),
        query=native(event.get("rawQueryString") or ""),
        headers=read_headers(event),
        body=read_body(event),
        client=http.get("sourceIp") or "",
        script_name=script_name,
        raw_path=None,
        event=event,
        context=context,
    )
