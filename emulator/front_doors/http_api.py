"""An API Gateway HTTP API with payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ..blueprint import Route
from ..http import Request, Response
from . import answers, format_2, identifiers, limits, stages
from .contract import ANYBODY, Admitted, Event, Failure, Refusal, Rejected, Streaming
from .headers import passed_on
from .routes import HttpApiRoutes, Match

_SERVER_ERROR = (500, b'{"message":"Internal Server Error"}')
_UNAVAILABLE = (503, b'{"message":"Service Unavailable"}')
_TOO_LARGE = (413, b'{"message":"Request Entity Too Large"}')
_NOT_FOUND = (404, b'{"message":"Not Found"}')
_UNAUTHORIZED = (401, b'{"message":"Unauthorized"}')
_FORBIDDEN = (403, b'{"message":"Forbidden"}')
# Status and text are unproven; the limit itself is documented.
_HEADERS_TOO_LARGE = (431, b'{"message":"Request Header Fields Too Large"}')

_FAILURES = {
    Failure.FUNCTION: _SERVER_ERROR,
    Failure.DEADLINE: _UNAVAILABLE,
    Failure.THROTTLED: _UNAVAILABLE,  # unproven: no capture of a throttled function behind an HTTP API is known
    Failure.RESPONSE_TOO_LARGE: _SERVER_ERROR,
}
_REFUSALS = {
    Refusal.UNAUTHORIZED: _UNAUTHORIZED,
    Refusal.DENIED: _FORBIDDEN,
    Refusal.DENIED_EXPLICITLY: _FORBIDDEN,
    Refusal.NO_KEY: _FORBIDDEN,  # HTTP APIs have no keys; a REST API says the same
    # Status: https://github.com/aws/aws-cdk/issues/18352
    Refusal.AUTHORIZER_FAILED: _SERVER_ERROR,
}


class HttpApi:
    """The door as a whole; without ``stage`` it is the `$default` stage, which no path shows.

    Without ``routes`` its one route is `$default`.
    """

    name = "http_api"
    timeout: float | None = 30.0
    streaming: Streaming | None = None

    def __init__(
        self,
        stage: str | None = None,
        *,
        routes: Sequence[Route] = (),
        api_id: str = "emulat0rh2",
        account_id: str = "123456789012",
        region: str = "us-east-1",
    ) -> None:
        self._stage = None if stage in (None, "$default") else stages.checked(stage)
        self._routes = HttpApiRoutes(routes)
        self._constants = {
            "accountId": account_id,
            "apiId": api_id,
            "domainName": f"{api_id}.execute-api.{region}.amazonaws.com",
            "domainPrefix": api_id,
            "stage": self._stage or "$default",
        }

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:
        """See `FrontDoor.event`."""
        if len(request.body) > limits.GATEWAY_BODY:
            raise Rejected(self._answer(_TOO_LARGE, request.method, request_id))
        line = len(request.method) + len(request.path) + len(request.query)
        if line + limits.header_size(request) > limits.GATEWAY_HEADERS:
            raise Rejected(self._answer(_HEADERS_TOO_LARGE, request.method, request_id))
        # The real thing loses what follows an encoded question mark:
        # https://github.com/middleapi/standard-server/issues/93
        path = unquote(request.path).partition("?")[0]
        # That routes are chosen by the decoded path is unproven.
        inside = stages.without(path, self._stage) if self._stage else path
        route = None if inside is None else self._routes.match(request.method, inside or "/")
        if route is None:
            raise Rejected(self._answer(_NOT_FOUND, request.method, request_id))

        headers = passed_on(request, request_id)
        # Documented is that a type is added where the length is 0 and there is no payload; which one is not. A client
        # that sends no length gets no type: https://github.com/logandk/serverless-wsgi/issues/191
        if headers.setdefault("content-length", [str(len(request.body))]) == ["0"] and request.header("content-length"):
            headers.setdefault("content-type", ["text/plain; charset=utf-8"])
        event = self._event(request, headers, path, route, identifiers.extended_id(request_id), admitted)
        if limits.event_size(event, request.body) > limits.INVOKE_REQUEST:
            raise Rejected(self._answer(_TOO_LARGE, request.method, request_id))
        return event

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.response`."""
        method = self._method(event)
        try:
            response = self._understood(payload, method)
        except answers.Malformed:
            return self._answer(_SERVER_ERROR, method, request_id)
        response.headers.append(("Apigw-Requestid", identifiers.extended_id(request_id)))
        return response

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.failure`."""
        return self._answer(_FAILURES[failure], self._method(event), request_id)

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:
        """See `FrontDoor.refuse`."""
        return self._answer(_REFUSALS[refusal], request.method, request_id)

    def _event(
        self,
        request: Request,
        headers: dict[str, list[str]],
        path: str,
        route: Match,
        shown_id: str,
        admitted: Admitted,
    ) -> Event:
        """The event in this door's payload format; ``path`` is decoded, with the stage."""
        event = format_2.event(
            request,
            headers,
            raw_path=path,
            http_path=path,
            shown_id=shown_id,
            constants=self._constants,
            route=route,
            admitted=admitted,
        )
        event["headers"].pop("cookie", None)
        return event

    def _method(self, event: Mapping[str, Any]) -> str:
        return format_2.method(event)

    def _understood(self, payload: bytes, method: str) -> Response:
        """The response for the function's answer; `answers.Malformed` where it is none."""
        try:
            answer = answers.parse(payload)
        except answers.Malformed:
            answer = None
        if isinstance(answer, dict) and "statusCode" in answer:
            body = answers.text_body(answer.get("body"))
            return format_2.structured(answer, body, method, "text/plain; charset=utf-8")
        # Whatever has no statusCode is the body as it came, be it no JSON at all; only a JSON string loses its quotes.
        whole = answers.into_bytes(answer, base64=False) if isinstance(answer, str) else payload
        return answers.respond(200, (), whole, method=method, default_type="application/json")

    @staticmethod
    def _answer(answer: tuple[int, bytes], method: str, request_id: str) -> Response:
        headers = [("Apigw-Requestid", identifiers.extended_id(request_id))]
        return answers.door_answer(*answer, headers, method=method, content_type="application/json")
