"""An Application Load Balancer with the function as its target.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..http import Request, Response
from . import answers, bodies, identifiers, limits, query
from .contract import ANYBODY, Admitted, Event, Failure, Refusal, Rejected, Streaming
from .headers import TRACE, passed_on

_REASONS = {
    400: "Bad Request",
    401: "Authorization Required",
    403: "Forbidden",
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    561: "Unauthorized",
}
# What its own authentication answers, which knows of no keys and no policies; the pages' text is unproven:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
_REFUSALS = {
    Refusal.UNAUTHORIZED: 401,
    Refusal.DENIED: 403,
    Refusal.DENIED_EXPLICITLY: 403,
    Refusal.NO_KEY: 403,
    Refusal.AUTHORIZER_FAILED: 561,
}
_SERVER = ("Server", "awselb/2.0")


class LoadBalancer:
    """The door as a whole; ``multi_value`` is the target group's `lambda.multi_value_headers.enabled`.

    It waits for the function without a limit of its own.
    """

    timeout: float | None = None
    streaming: Streaming | None = None

    def __init__(
        self, *, multi_value: bool = False, account_id: str = "123456789012", region: str = "us-east-1"
    ) -> None:
        self.name = "alb_multi_value" if multi_value else "alb"
        self._multi_value = multi_value
        self._target_group = (
            f"arn:aws:elasticloadbalancing:{region}:{account_id}:targetgroup/emulated-function/0123456789abcdef"
        )

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:  # noqa: ARG002
        """See `FrontDoor.event`; a load balancer tells of whom it admits in headers alone."""
        if len(request.body) > limits.LOAD_BALANCER_JSON:
            raise Rejected(self._answer(413, request.method))
        if limits.header_size(request) > limits.LOAD_BALANCER_HEADERS or _is_websocket(request):
            raise Rejected(self._answer(400, request.method))
        headers = passed_on(request, request_id)
        headers[TRACE] = [_trace(request, request_id)]
        headers = dict(sorted(headers.items()))
        parameters = query.raw(request.query)
        text = not request.body or (
            "content-encoding" not in headers and bodies.is_text(headers.get("content-type", ("",))[-1])
        )
        return self._event(request.method, request.path, parameters, headers, request.body, text=text)

    def health_check(self, path: str = "/") -> Event:
        """The event of a health check; the function is healthy if it answers with status 200.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#enable-health-checks-lambda
        """
        return self._event("GET", path, {}, {"user-agent": ["ELB-HealthChecker/2.0"]}, b"", text=True)

    def _event(
        self,
        method: str,
        path: str,
        parameters: dict[str, list[str]],
        headers: dict[str, list[str]],
        body: bytes,
        *,
        text: bool,
    ) -> Event:
        event: Event = {
            "requestContext": {"elb": {"targetGroupArn": self._target_group}},
            "httpMethod": method,
            "path": path,
        }
        if self._multi_value:
            # The capture has both single maps as null; whether its logger wrote them is unproven.
            event["queryStringParameters"] = None
            event["multiValueQueryStringParameters"] = parameters
            event["headers"] = None
            event["multiValueHeaders"] = headers
        else:
            event["queryStringParameters"] = {name: values[-1] for name, values in parameters.items()}
            event["headers"] = {name: values[-1] for name, values in headers.items()}
        event["body"] = bodies.into_event(body, text=text)
        event["isBase64Encoded"] = not text
        return event

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.response`."""
        method = event["httpMethod"]
        if len(payload) > limits.LOAD_BALANCER_JSON:
            return self._answer(502, method)
        try:
            response = self._understood(payload, method)
        except answers.Malformed:
            return self._answer(502, method)
        if not any(name.lower() == "server" for name, _ in response.headers):
            response.headers.append(_SERVER)
        return response

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.failure`; this door has one answer for every reason."""
        return self._answer(502, event["httpMethod"])

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.refuse`."""
        return self._answer(_REFUSALS[refusal], request.method)

    def _understood(self, payload: bytes, method: str) -> Response:
        answer = answers.parse(payload)
        if not isinstance(answer, dict):
            raise answers.Malformed
        return answers.respond(
            # That digits as text are refused is unproven; the documentation shows a number alone.
            answers.status(answer.get("statusCode"), text_allowed=False),
            self._headers(answer),
            answers.into_bytes(
                answers.text_body(answer.get("body")), base64=answers.flag(answer.get("isBase64Encoded"))
            ),
            method=method,
            # Unproven: the documentation names no default.
            default_type="application/octet-stream",
        )

    def _headers(self, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The headers of the map this target group reads; the other map is not looked at."""
        pairs: list[tuple[str, object]] = []
        if self._multi_value:
            for name, values in answers.mapping(answer.get("multiValueHeaders")).items():
                if not isinstance(values, list):
                    raise answers.Malformed
                pairs += [(name, value) for value in values]
        else:
            pairs += answers.mapping(answer.get("headers")).items()
        return [(name, _strict_text(value)) for name, value in pairs]

    @staticmethod
    def _answer(status: int, method: str) -> Response:
        title = f"{status} {_REASONS[status]}"
        body = (
            f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
            "</body>\r\n</html>\r\n"
        )
        return answers.door_answer(status, body.encode("ascii"), [_SERVER], method=method, content_type="text/html")


def _strict_text(value: object) -> str:
    """A number or boolean as a header's value fails here: https://github.com/jeremydaly/lambda-api/issues/117"""
    if isinstance(value, str):
        return value
    raise answers.Malformed


def _is_websocket(request: Request) -> bool:
    return (request.header("upgrade") or "").lower() == "websocket"


def _trace(request: Request, request_id: str) -> str:
    """A client's trace is kept and the load balancer adds its own part:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
    """
    new = identifiers.trace_root(request_id, request.received)
    sent = request.header(TRACE)
    if not sent:
        return f"Root={new}"
    return f"Self={new};{sent}" if "Root=" in sent else f"Root={new};{sent}"
