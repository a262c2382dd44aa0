"""Payload format 2.0, which HTTP APIs and function URLs share but for the path.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..http import HTTPResponse
from .bodies import write_body
from .fields import Fields
from .headers import joined, native_values

FIELDS: Fields = {
    "requestContext.http.method": (True, "text"),
    "requestContext.http.sourceIp": (False, "text"),
    "rawPath": (True, "text"),
    "rawQueryString": (False, "text"),
    "headers": (False, "a map of text"),
    "cookies": (False, "a list of text"),
    "body": (False, "text"),
}
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (synchronous invocation payload)
RESPONSE_LIMIT = 6_291_556


def user(event: dict[str, Any]) -> str | None:
    """The subject of a JWT, a Lambda authorizer's ``principalId``, or the ARN of a signed request."""
    authorizer = event["requestContext"].get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    return (
        claims.get("sub")
        or (authorizer.get("lambda") or {}).get("principalId")
        or (authorizer.get("iam") or {}).get("userArn")
        or None
    )


def read_headers(event: dict[str, Any]) -> dict[str, str]:
    """The headers with the cookies as one ``cookie`` header.

    An HTTP API moves the cookies out of the headers; a function URL copies them, so the header is replaced there.
    """
    headers: dict[str, str] = event.get("headers") or {}
    cookies = event.get("cookies")
    if cookies:
        headers = headers.copy()
        headers["cookie"] = "; ".join(cookies)
    return headers if "".join(headers.values()).isascii() else native_values(headers)


def writer(headers_limit: int | None) -> Callable[[HTTPResponse, dict[str, Any]], dict[str, Any]]:
    """The function that writes an answer whose headers may be so many bytes long."""

    def write(response: HTTPResponse, event: dict[str, Any]) -> dict[str, Any]:
        """``statusCode``, ``headers`` (one value a name), ``cookies`` (one Set-Cookie each), ``body``."""
        headers, cookies = joined(response.headers, headers_limit)
        body, is_base64 = write_body(response.body, headers.get("content-type"), headers.get("content-encoding"))
        answer = {"statusCode": response.status, "headers": headers, "body": body, "isBase64Encoded": is_base64}
        if cookies:
            answer["cookies"] = cookies
        return answer

    return write
