"""An API Gateway REST API, regional, with Lambda proxy integration.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..blueprint import Route
from ..http import Request, Response
from . import answers, format_1, identifiers, limits, query, stages
from .contract import ANYBODY, INTEGRATION, Admitted, Event, Failure, Refusal, Rejected, Streaming
from .headers import TRACE, passed_on
from .routes import Resources

_DROPPED = frozenset({"content-length", "content-md5", "expect", "max-forwards", "server", "www-authenticate"})
_CASES = {**format_1.CASES, "authorization": "Authorization"}
_IDENTITY = dict.fromkeys(format_1.IDENTITY)
_PROXY = (Route("ANY", "/"), Route("ANY", "/{proxy+}"))
_REMAPPED = frozenset({"connection", "content-length", "date", "server"})
_KNOWN_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_METADATA_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "cookies"})
_METHOD = re.compile(r"[A-Za-z]+")

# Status, body (spaces as the service writes them) and error type. Captured ones: the first and the fifth.
_SERVER_ERROR = (502, b'{"message": "Internal server error"}', "InternalServerErrorException")
_INVOKE_REFUSED = (500, b'{"message": "Internal server error"}', "InternalServerErrorException")
_TIMED_OUT = (504, b'{"message": "Endpoint request timed out"}', "InternalServerErrorException")  # type unproven
_TOO_LARGE = (413, b'{"message":"Request Too Long"}', "RequestTooLargeException")  # type unproven
_NO_ROUTE = (403, b'{"message":"Missing Authentication Token"}', "MissingAuthenticationTokenException")
# Unproven as a whole; the limit itself is documented.
_HEADERS_TOO_LARGE = (431, b'{"message":"Request Header Fields Too Large"}', "RequestTooLargeException")
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html has the statuses.
_UNAUTHORIZED = (401, b'{"message":"Unauthorized"}', "UnauthorizedException")
_DENIED = (403, b'{"Message":"User is not authorized to access this resource"}', "AccessDeniedException")
_DENIED_EXPLICITLY = (
    403,
    b'{"Message":"User is not authorized to access this resource with an explicit deny"}',
    "AccessDeniedException",
)
_FORBIDDEN = (403, b'{"message":"Forbidden"}', "ForbiddenException")
# https://loige.co/debugging-custom-apigateway-authorizers/ and https://github.com/serverless/examples/issues/305
_AUTHORIZER_FAILED = (500, b'{"message":null}', "AuthorizerConfigurationException")

_FAILURES = {
    Failure.FUNCTION: _SERVER_ERROR,
    Failure.DEADLINE: _TIMED_OUT,
    Failure.THROTTLED: _INVOKE_REFUSED,
    Failure.RESPONSE_TOO_LARGE: _SERVER_ERROR,
}
_REFUSALS = {
    Refusal.UNAUTHORIZED: _UNAUTHORIZED,
    Refusal.DENIED: _DENIED,
    Refusal.DENIED_EXPLICITLY: _DENIED_EXPLICITLY,
    Refusal.NO_KEY: _FORBIDDEN,
    Refusal.AUTHORIZER_FAILED: _AUTHORIZER_FAILED,
}


class RestApi:
    """The door as a whole.

    With ``stage`` it answers as the execute-api domain does, below `/stage`; without, as a custom domain whose base
    path mapping is empty. Without ``routes`` the root and a proxy resource below it take every path.
    ``binary_media_types`` decides both ways about base64: exact types, `type/*` or `*/*`.
    ``streaming`` is the integration's response transfer mode STREAM:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
    """

    name = "rest_api"
    # Documented for a time-out, with the words of curl; that an error the function reports does the same is unproven:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/response-streaming-troubleshoot.html
    cuts_after_error = True

    def __init__(
        self,
        stage: str | None = None,
        *,
        routes: Sequence[Route] = (),
        streaming: bool = False,
        binary_media_types: tuple[str, ...] = ("*/*",),
        api_id: str = "emulat0rv1",
        account_id: str = "123456789012",
        region: str = "us-east-1",
    ) -> None:
        self.streaming: Streaming | None = self if streaming else None
        self.timeout: float | None = 900.0 if streaming else 29.0
        self._stage = None if stage is None else stages.checked(stage)
        self._resources = Resources(routes or _PROXY)
        self._binary = frozenset(media_type.lower() for media_type in binary_media_types)
        self._constants = {
            "accountId": account_id,
            "apiId": api_id,
            "deploymentId": "emud3p",
            "domainName": f"{api_id}.execute-api.{region}.amazonaws.com",
            "domainPrefix": api_id,
            "stage": self._stage or "prod",
        }

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:
        """See `FrontDoor.event`."""
        if len(request.body) > limits.GATEWAY_BODY:
            raise Rejected(self._answer(_TOO_LARGE, request.method, request_id))
        if limits.header_size(request) > limits.GATEWAY_HEADERS:
            raise Rejected(self._answer(_HEADERS_TOO_LARGE, request.method, request_id))
        # Slashes in a row count as one at the start of the path and of the stage's rest, and stay everywhere else.
        shown_path = "/" + request.path.lstrip("/")
        path = shown_path
        if self._stage:
            rest = stages.without(shown_path, self._stage)
            if rest is None:
                raise Rejected(self._answer(_NO_ROUTE, request.method, request_id))
            path = "/" + rest.lstrip("/")

        lower = passed_on(request, request_id)
        method = _overridden(request.method, lower)
        resource = self._resources.match(method, path)
        if resource is None:
            raise Rejected(self._answer(_NO_ROUTE, request.method, request_id))
        context = format_1.context(
            request,
            self._constants,
            {**_IDENTITY, "userAgent": lower.get("user-agent", (None,))[-1]},
            admitted,
            method=method,
            path=shown_path,
            request_id=request_id,
            extended_id=identifiers.extended_id(request_id),
            resource=resource.path,
            resource_id=identifiers.resource_id(resource.path),
        )
        kept = {name: values for name, values in lower.items() if name not in _DROPPED}
        if kept.get("authorization", ("",))[-1].startswith("AWS4-HMAC-SHA256"):
            del kept["authorization"]
        headers = format_1.named(request, kept, _CASES)
        parameters = query.decoded(request.query.replace(";", "&"))
        base64 = bool(request.body) and self._is_binary(lower.get("content-type", ("",))[-1])
        event = format_1.event(request, headers, parameters, resource, context, path=path, base64=base64)
        if limits.event_size(event, request.body) > limits.INVOKE_REQUEST:
            raise Rejected(self._answer(_TOO_LARGE, request.method, request_id))
        return event

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.response`."""
        method = event["httpMethod"]
        try:
            response = self._understood(payload, event, method)
        except answers.Malformed:
            return self._answer(_SERVER_ERROR, method, request_id)
        response.headers += _successful(event, request_id)
        return response

    def begin(self, content_type: str, metadata: bytes | None, event: Mapping[str, Any], request_id: str) -> Response:
        """See `Streaming.begin`.

        Unproven: that unknown keys or another content type are refused, and that headers are remapped here too.
        """
        method = event["httpMethod"]
        try:
            if content_type != INTEGRATION:
                raise answers.Malformed
            answer = answers.parse(metadata or b"")
            if not isinstance(answer, dict) or not _METADATA_KEYS.issuperset(answer):
                raise answers.Malformed
            cookies = answer.get("cookies") or []
            if not isinstance(cookies, list):
                raise answers.Malformed
            headers = [("Set-Cookie", answers.header_text(cookie)) for cookie in cookies]
            response = answers.respond(
                answers.status(answer.get("statusCode", 200)),
                headers + _response_headers(answer),
                b"",
                method=method,
                default_type="application/json",
            )
        except answers.Malformed:
            raise Rejected(self._answer(_SERVER_ERROR, method, request_id)) from None
        response.headers += _successful(event, request_id)
        return response

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.failure`."""
        return self._answer(_FAILURES[failure], event["httpMethod"], request_id)

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:
        """See `FrontDoor.refuse`."""
        return self._answer(_REFUSALS[refusal], request.method, request_id)

    def _is_binary(self, media_type: str) -> bool:
        if "*/*" in self._binary:
            return True
        # API Gateway reads a missing type as JSON.
        plain = media_type.partition(";")[0].strip().lower() or "application/json"
        return plain in self._binary or f"{plain.partition('/')[0]}/*" in self._binary

    def _understood(self, payload: bytes, event: Mapping[str, Any], method: str) -> Response:
        answer = answers.parse(payload)
        if not isinstance(answer, dict) or not _KNOWN_KEYS.issuperset(answer):
            raise answers.Malformed
        # Without a status, headers alone make an answer; that an object with neither is malformed is unproven.
        if "statusCode" not in answer and "headers" not in answer and "multiValueHeaders" not in answer:
            raise answers.Malformed
        base64 = answers.flag(answer.get("isBase64Encoded")) and self._is_binary(_accepted(event))
        return answers.respond(
            answers.status(answer.get("statusCode", 200)),
            _response_headers(answer),
            answers.into_bytes(answers.text_body(answer.get("body")), base64=base64),
            method=method,
            default_type="application/json",
        )

    @staticmethod
    def _answer(answer: tuple[int, bytes, str], method: str, request_id: str) -> Response:
        status, body, error_type = answer
        headers = [*_identified(request_id), ("x-amzn-ErrorType", error_type)]
        return answers.door_answer(status, body, headers, method=method, content_type="application/json")


def _identified(request_id: str) -> list[tuple[str, str]]:
    return [("x-amzn-RequestId", request_id), ("x-amz-apigw-id", identifiers.extended_id(request_id))]


def _successful(event: Mapping[str, Any], request_id: str) -> list[tuple[str, str]]:
    return [*_identified(request_id), ("X-Amzn-Trace-Id", event["headers"][_CASES[TRACE]])]


def _accepted(event: Mapping[str, Any]) -> str:
    """The first type of Accept, which alone decides; that a missing header counts as JSON is unproven."""
    accept: str = next((value for name, value in event["headers"].items() if name.lower() == "accept"), "")
    return accept.partition(",")[0]


def _overridden(method: str, headers: Mapping[str, list[str]]) -> str:
    """The method the function sees; documented for REST APIs:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """
    wanted = headers.get("x-http-method-override", ("",))[-1]
    return wanted.upper() if _METHOD.fullmatch(wanted) else method


def _response_headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The answer's headers, some under another name."""
    return [
        (f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, value)
        for name, value in format_1.response_headers(answer)
    ]
