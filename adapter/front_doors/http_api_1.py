"""API Gateway's HTTP API with payload format 1.0: a REST event in all but its version and its stage.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Sources disagree whether ``path`` arrives decoded; what could not stand in an encoded path shows that it does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ..http import HTTPRequest
from .bodies import read_body
from .headers import read_headers
from .http_api import split_stage
from .rest_api import FIELDS, RESPONSE_LIMIT, query, user, write

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "http_api_1"
STREAMS = False


def recognises(event: dict[str, Any]) -> bool:
    return event.get("version") == "1.0" and "httpMethod" in event and "path" in event


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    request_context = event.get("requestContext") or {}
    script_name, path = split_stage(event["path"], request_context)
    decoded = not path.isascii() or " " in path
    headers, repeated = read_headers(event)
    return HTTPRequest(
        event["httpMethod"],
        path.encode() if decoded else unquote_to_bytes(path),
        None if decoded else script_name + path,
        script_name,
        query(event),
        headers,
        repeated,
        read_body(event),
        (request_context.get("identity") or {}).get("sourceIp") or "",
        event,
        context,
    )
