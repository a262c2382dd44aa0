"""A function URL, open to everyone, in its buffered or (`RESPONSE_STREAM`) its streaming mode.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ..http import Request, Response
from . import answers, format_2, limits
from .contract import ANYBODY, INTEGRATION, Admitted, Event, Failure, Refusal, Rejected, Streaming
from .headers import TRACE, passed_on

_BAD_GATEWAY = b"Internal Server Error"
_BYTES = "application/octet-stream"
_FORBIDDEN = (
    b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
    b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
)
# The shape is the Invoke API's; that a function URL passes it on with this status is unproven.
_THROTTLED = b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'


class FunctionUrl:
    """The door as a whole. It waits as long as the function may run, so it has no time limit of its own."""

    name = "function_url"
    timeout: float | None = None
    # Seen from outside: https://github.com/hotsock/voker/tree/main/examples/runtime-probe (its probe.sh), and
    # https://github.com/by-nir/aws-lambda-zig/issues/3
    cuts_after_error = False

    def __init__(
        self,
        *,
        streaming: bool = False,
        url_id: str = "emu1atedfunct10nurl0000000000000",
        region: str = "us-east-1",
    ) -> None:
        self.streaming: Streaming | None = self if streaming else None
        self._constants = {
            "accountId": "anonymous",
            "apiId": url_id,
            "domainName": f"{url_id}.lambda-url.{region}.on.aws",
            "domainPrefix": url_id,
            "stage": "$default",
        }

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:
        """See `FrontDoor.event`."""
        headers = passed_on(request, request_id)
        if request.scheme == "https":
            headers["x-amzn-tls-version"] = ["TLSv1.3"]
            headers["x-amzn-tls-cipher-suite"] = ["TLS_AES_128_GCM_SHA256"]
        path = unquote(request.path)
        event = format_2.event(
            request,
            headers,
            raw_path=request.path,
            # The trailing slash is lost here and nowhere else: https://github.com/zappa/Zappa/issues/1380
            http_path=path[:-1] if path.endswith("/") and len(path) > 1 else path,
            shown_id=request_id,
            constants=self._constants,
            admitted=admitted,
        )
        size = limits.event_size(event, request.body)
        if size > limits.INVOKE_REQUEST:
            raise Rejected(self._too_large(size, request.method, request_id))
        return event

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.response`."""
        method = format_2.method(event)
        try:
            response = self._understood(payload, method)
        except answers.Malformed:
            return self._bad_gateway(method, request_id)
        response.headers += self._identified(event, request_id)
        return response

    def begin(self, content_type: str, metadata: bytes | None, event: Mapping[str, Any], request_id: str) -> Response:
        """See `Streaming.begin`.

        A buffered answer is passed on as it is, with its JSON around it (see the probe above).
        """
        method = format_2.method(event)
        if content_type != INTEGRATION:
            response = answers.respond(200, (), b"", method=method, default_type=content_type or _BYTES)
        elif metadata == b"":
            # Captured: https://github.com/middyjs/middy/issues/1189
            response = answers.respond(200, (), b"", method=method, default_type=_BYTES)
        else:
            try:
                answer = answers.parse(metadata or b"")
                if not isinstance(answer, dict):
                    raise answers.Malformed
                response = format_2.structured({"statusCode": 200, **answer}, "", method, _BYTES)
            except answers.Malformed:
                raise Rejected(self._bad_gateway(method, request_id)) from None
        response.headers += self._identified(event, request_id)
        return response

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:
        """See `FrontDoor.failure`."""
        method = format_2.method(event)
        if failure is Failure.THROTTLED:
            headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", "TooManyRequestsException")]
            return answers.door_answer(429, _THROTTLED, headers, method=method, content_type="application/json")
        return self._bad_gateway(method, request_id)

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:
        """See `FrontDoor.refuse`; this door knows signed requests alone, and has one answer to all that may not pass.

        Which error type goes with it is unproven.
        """
        if refusal is Refusal.AUTHORIZER_FAILED:
            return self._bad_gateway(request.method, request_id)
        headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", "AccessDeniedException")]
        return answers.door_answer(403, _FORBIDDEN, headers, method=request.method, content_type="application/json")

    @staticmethod
    def _understood(payload: bytes, method: str) -> Response:
        try:
            answer = answers.parse(payload)
        except answers.Malformed:
            # A runtime that answers no JSON at all: unproven, read as leniently as an HTTP API is seen to read it.
            return answers.respond(200, (), payload, method=method, default_type="application/json")
        if isinstance(answer, dict) and "statusCode" in answer:
            return format_2.structured(answer, _text(answer.get("body")), method, "application/json")
        body = answers.into_bytes(_text(answer, null="null"), base64=False)
        return answers.respond(200, (), body, method=method, default_type="application/json")

    @staticmethod
    def _identified(event: Mapping[str, Any], request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id), ("X-Amzn-Trace-Id", event["headers"][TRACE])]

    @staticmethod
    def _bad_gateway(method: str, request_id: str) -> Response:
        headers = [("x-amzn-RequestId", request_id)]
        return answers.door_answer(502, _BAD_GATEWAY, headers, method=method, content_type="text/plain")

    @staticmethod
    def _too_large(size: int, method: str, request_id: str) -> Response:
        message = (
            f"{size} byte payload is too large for the RequestResponse invocation type "
            f"(limit {limits.INVOKE_REQUEST} bytes)"
        )
        body = json.dumps({"Message": message}, separators=(",", ":")).encode()
        headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", "RequestEntityTooLargeException")]
        return answers.door_answer(413, body, headers, method=method, content_type="application/json")


def _text(value: object, null: str = "") -> str:
    """A body or a whole answer as text: strings as they are, everything else as compact JSON."""
    if value is None:
        return null
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise answers.Malformed from error
