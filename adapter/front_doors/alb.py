"""An Application Load Balancer: query never decoded; headers as lists when the target group's attribute says so.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from ..http import HTTPRequest, HTTPResponse
from .bodies import read_body, write_body
from .fields import Fields
from .headers import NONE, cookie_spellings, grouped, joined, native, read_headers

__all__ = ["FIELDS", "NAME", "RESPONSE_LIMIT", "STREAMS", "read", "recognises", "user", "write"]

NAME = "alb"
STREAMS = False
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html (limits)
RESPONSE_LIMIT = 1_048_576
FIELDS: Fields = {
    "httpMethod": (True, "text"),
    "path": (True, "text"),
    "headers": (False, "a map of text"),
    "multiValueHeaders": (False, "a map of lists of text"),
    "queryStringParameters": (False, "a map of text"),
    "multiValueQueryStringParameters": (False, "a map of lists of text"),
    "body": (False, "text"),
}


def recognises(event: dict[str, Any]) -> bool:
    return "elb" in (event.get("requestContext") or {})


def read(event: dict[str, Any], context: Any) -> HTTPRequest:
    raw_path: str = event["path"]
    headers, repeated = read_headers(event)
    return HTTPRequest(
        event["httpMethod"],
        unquote_to_bytes(raw_path),
        raw_path,
        "",
        native(_query(event)),
        headers,
        repeated,
        read_body(event),
        last_forwarded(headers),
        event,
        context,
    )


def last_forwarded(headers: dict[str, str]) -> str:
    """The last entry of X-Forwarded-For: the one that the balancer appended, the others came from the client."""
    value = headers.get("x-forwarded-for")
    if value is None:
        value = next((value for name, value in headers.items() if name.lower() == "x-forwarded-for"), "")
    return value.rpartition(",")[2].strip()


def user(event: dict[str, Any]) -> str | None:
    """None: a balancer hands its user on in a signed header, which the application has to verify."""
    return None


def _query(event: dict[str, Any]) -> str:
    multiple = event.get("multiValueQueryStringParameters")
    if multiple:
        return "&".join([f"{name}={value}" for name, values in multiple.items() for value in values])
    return "&".join([f"{name}={value}" for name, value in (event.get("queryStringParameters") or {}).items()])


def write(response: HTTPResponse, event: dict[str, Any]) -> dict[str, Any]:
    """``multiValueHeaders`` exactly when the event came with them: the balancer reads only the one it is set to."""
    answer: dict[str, Any] = {
        "statusCode": response.status,
        "statusDescription": f"{response.status} {response.reason}",
    }
    if "multiValueHeaders" in event:
        lists = answer["multiValueHeaders"] = grouped(response.headers, None)
        content_type, encoding = lists.get("content-type", NONE)[-1], lists.get("content-encoding", NONE)[-1]
    else:
        headers, cookies = joined(response.headers, None)
        content_type, encoding = headers.get("content-type"), headers.get("content-encoding")
        headers.update(cookie_spellings(cookies))
        answer["headers"] = headers
    answer["body"], answer["isBase64Encoded"] = write_body(response.body, content_type, encoding)
    return answer


def is_health_check(request: HTTPRequest) -> bool:
    """Whether the balancer itself asks: by its own name, with no client's address added."""
    return "elb" in (request.event.get("requestContext") or {}) and any(
        name.lower() == "user-agent" and value.startswith("ELB-HealthChecker/")
        for name, value in request.headers.items()
    )
