"""API Gateway's REST API: path still encoded and without the stage, query decoded, repeats in ``multiValue*`` maps.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus, unquote, unquote_to_bytes

from ..http import HTTPRequest, HTTPResponse
from .bodies import read_body, write_body
from .fields import Fields
from .headers import NONE, grouped, read_headers

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "rest_api"
STREAMS = True
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
_HEADERS_LIMIT = 10_240
RESPONSE_LIMIT = 6_291_556
FIELDS: Fields = {
    "httpMethod": (True, "text"),
    "path": (True, "text"),
    "resource": (False, "text"),
    "pathParameters": (False, "a map of text"),
    "requestContext.path": (False, "text"),
    "requestContext.identity.sourceIp": (False, "text"),
    "headers": (False, "a map of text"),
    "multiValueHeaders": (False, "a map of lists of text"),
    "queryStringParameters": (False, "a map of text"),
    "multiValueQueryStringParameters": (False, "a map of lists of text"),
    "body": (False, "text"),
}


def recognises(event: dict[str, Any]) -> bool:
    return "httpMethod" in event and "path" in event


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    request_context = event.get("requestContext") or {}
    path: str = event["path"]
    stage = _stage(path, request_context.get("path"))
    # A base path mapping belongs to a custom domain.
    mapping = "" if ".execute-api." in (request_context.get("domainName") or "") else _base_path(path, event)
    prefix = stage + mapping
    headers, repeated = read_headers(event)
    return HTTPRequest(
        event["httpMethod"],
        unquote_to_bytes(path[len(mapping) :] or "/"),
        stage + path,
        unquote(prefix, "latin-1") if prefix else "",
        query(event),
        headers,
        repeated,
        read_body(event),
        (request_context.get("identity") or {}).get("sourceIp") or "",
        event,
        context,
    )


def _stage(path: str, requested: str | None) -> str:
    """What the client's path had before ``path``: the stage on the API's own domain, nothing on a custom one."""
    if not requested or requested == path:
        return ""
    if requested.endswith(path):
        return requested[: -len(path)].rstrip("/")
    return requested if path == "/" else ""


def _base_path(path: str, event: dict[str, Any]) -> str:
    """What a custom domain's base path mapping put before the resource's own path, which ``path`` includes.

    The resource is a pattern such as ``/shop/{proxy+}``; filled in, it is the end of the path but for a last slash.
    """
    resource = event.get("resource")
    if not resource or resource == path:
        return ""
    for name, value in (event.get("pathParameters") or {}).items():
        resource = resource.replace("{" + name + "+}", value).replace("{" + name + "}", value)
    bare = path.rstrip("/")
    if "{" in resource or not bare.endswith(resource.rstrip("/")):
        return ""
    return bare[: len(bare) - len(resource.rstrip("/"))]


def user(event: dict[str, Any]) -> str | None:
    """A Cognito subject, a Lambda authorizer's ``principalId``, or the ARN of a signed request."""
    request_context = event.get("requestContext") or {}
    authorizer = request_context.get("authorizer") or {}
    return (
        (authorizer.get("claims") or {}).get("sub")
        or authorizer.get("principalId")
        or (request_context.get("identity") or {}).get("userArn")
        or None
    )


def query(event: dict[str, Any]) -> str:
    """The query put together again; the order of different names and ``?a`` as against ``?a=`` are lost on the way."""
    multiple = event.get("multiValueQueryStringParameters")
    if multiple:
        return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, values in multiple.items() for value in values])
    single = event.get("queryStringParameters")
    if not single:
        return ""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in single.items()])


def _quoted(text: str) -> str:
    """`urllib.parse.quote_plus`, for text that is short and mostly needs none of it."""
    if text.isalnum() and text.isascii():
        return text
    return "".join(map(_ESCAPED.__getitem__, text.encode()))


_ESCAPED = [quote_plus(bytes([byte])) for byte in range(256)]


def write(response: HTTPResponse, event: dict[str, Any]) -> dict[str, Any]:
    """Only ``multiValueHeaders``: the gateway merges both maps, so a header in each would be sent twice."""
    headers = grouped(response.headers, _HEADERS_LIMIT)
    body, is_base64 = write_body(
        response.body, headers.get("content-type", NONE)[-1], headers.get("content-encoding", NONE)[-1]
    )
    return {
        "statusCode": response.status,
        "multiValueHeaders": headers,
        "body": body,
        "isBase64Encoded": is_base64,
    }
