"""Payload format 2.0, where HTTP APIs and function URLs agree.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..http import Request, Response
from . import answers, bodies, identifiers, query
from .contract import ANYBODY, Admitted, Event
from .routes import EVERYTHING, Match


def cookies(headers: Mapping[str, list[str]]) -> list[str]:
    """The cookies one by one, each as `name=value`."""
    if "cookie" not in headers:
        return []
    return [cookie for part in headers["cookie"][0].split(";") if (cookie := part.strip())]


def event(
    request: Request,
    headers: Mapping[str, list[str]],
    *,
    raw_path: str,
    http_path: str,
    shown_id: str,
    constants: Mapping[str, str],
    route: Match = EVERYTHING,
    admitted: Admitted = ANYBODY,
) -> Event:
    """The event; ``constants`` are the fields of `requestContext` that are the same for every request of a door.

    Fields without content (cookies, parameters, authorizer, body) are absent, not null.
    """
    result: Event = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": raw_path,
        "rawQueryString": request.query,
    }
    if cookie_list := cookies(headers):
        result["cookies"] = cookie_list
    result["headers"] = {name: ",".join(values) for name, values in sorted(headers.items())}
    if request.query and (parameters := query.decoded(request.query)):
        result["queryStringParameters"] = {name: ",".join(values) for name, values in parameters.items()}
    result["requestContext"] = {
        **constants,
        **({} if admitted.authorizer is None else {"authorizer": dict(admitted.authorizer)}),
        "http": {
            "method": request.method,
            "path": http_path,
            "protocol": request.protocol,
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent", ("",))[-1],
        },
        "requestId": shown_id,
        "routeKey": route.key,
        "time": identifiers.log_time(int(request.received)),
        "timeEpoch": int(request.received * 1000),
    }
    if route.parameters:
        result["pathParameters"] = route.parameters
    text = True
    if request.body:
        text = bodies.is_text(headers.get("content-type", ("",))[-1])
        result["body"] = bodies.into_event(request.body, text=text)
    result["isBase64Encoded"] = not text
    return result


def method(event: Mapping[str, Any]) -> str:
    """The method of the request an event was made from."""
    return str(event["requestContext"]["http"]["method"])


def structured(answer: Mapping[str, Any], body: str, request_method: str, default_type: str) -> Response:
    """The response for an answer with a `statusCode`; `answers.Malformed` where a field has the wrong form.

    Cookies come before any Set-Cookie among the headers, and each stays a header of its own.
    """
    cookie_list = answer.get("cookies")
    if cookie_list is not None and not isinstance(cookie_list, list):
        raise answers.Malformed
    headers = [("Set-Cookie", answers.header_text(cookie)) for cookie in cookie_list or ()]
    headers += answers.single_headers(answer.get("headers"))
    return answers.respond(
        answers.status(answer["statusCode"]),
        headers,
        answers.into_bytes(body, base64=answers.flag(answer.get("isBase64Encoded"))),
        method=request_method,
        default_type=default_type,
    )
