"""Payload format 1.0 of API Gateway, where REST APIs and HTTP APIs agree.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..http import Request
from . import answers, bodies, identifiers
from .contract import Admitted, Event
from .routes import Match

IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
)
"""What both have in ``requestContext.identity``, null where nothing is known."""

CASES = {
    "host": "Host",
    "user-agent": "User-Agent",
    "x-amzn-trace-id": "X-Amzn-Trace-Id",
    "x-forwarded-for": "X-Forwarded-For",
    "x-forwarded-port": "X-Forwarded-Port",
    "x-forwarded-proto": "X-Forwarded-Proto",
}
"""How both write some header names, whatever the client wrote."""


def named(request: Request, headers: Mapping[str, list[str]], cases: Mapping[str, str]) -> dict[str, list[str]]:
    """``headers`` under the names the function sees: those of ``cases``, the rest as the client wrote it.

    Which spelling wins where a client mixes them is unproven; here it is the last one sent.
    """
    sent = {name.lower(): name for name, _ in request.headers}
    return dict(sorted((cases.get(name) or sent[name], values) for name, values in headers.items()))


def context(
    request: Request,
    constants: Mapping[str, str],
    identity: Mapping[str, str | None],
    admitted: Admitted,
    *,
    method: str,
    path: str,
    request_id: str,
    extended_id: str,
    resource: str,
    resource_id: str,
) -> Event:
    """``requestContext``; ``constants`` and ``identity`` are what is the same for every request of a door."""
    return {
        **constants,
        **({} if admitted.authorizer is None else {"authorizer": dict(admitted.authorizer)}),
        "extendedRequestId": extended_id,
        "httpMethod": method,
        "identity": {**identity, "sourceIp": request.client, **admitted.identity},
        "path": path,
        "protocol": request.protocol,
        "requestId": request_id,
        "requestTime": identifiers.log_time(int(request.received)),
        "requestTimeEpoch": int(request.received * 1000),
        "resourceId": resource_id,
        "resourcePath": resource,
    }


def event(
    request: Request,
    headers: Mapping[str, list[str]],
    parameters: Mapping[str, list[str]],
    route: Match,
    context: Event,
    *,
    path: str,
    base64: bool,
) -> Event:
    """The event; fields without content are null. Single maps have the last of several values."""
    return {
        "resource": route.path,
        "path": path,
        "httpMethod": context["httpMethod"],
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": route.parameters or None,
        "stageVariables": None,
        "requestContext": context,
        "body": bodies.into_event(request.body, text=not base64) if request.body else None,
        "isBase64Encoded": base64,
    }


def response_headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Both header maps of an answer as one list.

    The lists come first and give a name its case. A pair that both maps hold appears once:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    merged: list[tuple[str, str]] = []
    for name, values in answers.mapping(answer.get("multiValueHeaders")).items():
        if not isinstance(values, list):
            raise answers.Malformed
        merged += [(name, answers.header_text(value)) for value in values]
    if not merged:
        return answers.single_headers(answer.get("headers"))
    cases = {name.lower(): name for name, _ in merged}
    for name, value in answers.single_headers(answer.get("headers")):
        pair = (cases.get(name.lower(), name), value)
        if pair not in merged:
            merged.append(pair)
    return merged
