"""A VPC Lattice service with the function as its target, by either version of the event's structure.

https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html

No event as it came is known, so what the documentation leaves open is unproven: that the path has the query with it
(AWS's own readers of such events cut it off: https://github.com/aws-powertools/powertools-lambda-python), that the
query's maps are not decoded, that an empty body is an empty text, and every answer of the service's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..http import Request, Response
from . import answers, bodies, limits, query
from .contract import ANYBODY, Admitted, Event, Failure, Refusal, Rejected, Streaming
from .headers import TRACE, passed_on

_STRIPPED = "x-amzn-lattice-"
"""Of what tells a target who calls; clients can't forge it. Whether functions get these headers is unproven, so none is
added here: https://docs.aws.amazon.com/vpc-lattice/latest/ug/http-targets.html

There the other headers that are added are called x-forwarded-for, x-forwarded-for-port and x-forwarded-for-proto; that
the usual names are meant is unproven."""


class VpcLattice:
    """The door as a whole; ``version`` is the target group's event structure version, V1 or V2.

    It waits for the function without a known limit of its own.
    """

    timeout: float | None = None
    streaming: Streaming | None = None

    def __init__(self, version: int = 2, *, account_id: str = "123456789012", region: str = "us-east-1") -> None:
        self.name = "vpc_lattice" if version == 2 else "vpc_lattice_1"
        self._version = version
        prefix = f"arn:aws:vpc-lattice:{region}:{account_id}"
        self._service = f"{prefix}:service/svc-0123456789abcdef0"
        self._context = {
            "serviceNetworkArn": f"{prefix}:servicenetwork/sn-0123456789abcdef0",
            "serviceArn": self._service,
            "targetGroupArn": f"{prefix}:targetgroup/tg-0123456789abcdef0",
            "region": region,
        }
        self._identity = {"sourceVpcArn": f"arn:aws:ec2:{region}:{account_id}:vpc/vpc-0123456789abcdef0"}

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:
        """See `FrontDoor.event`."""
        if len(request.body) > limits.LATTICE_BODY:
            raise Rejected(self._answer(413, b"Request Entity Too Large", request.method))
        headers = dict(sorted(passed_on(request, request_id).items()))
        if request.header(TRACE) is None:  # no part of X-Ray is known to come from here
            del headers[TRACE]
        for name in [name for name in headers if name.startswith(_STRIPPED)]:
            del headers[name]
        target = f"{request.path}?{request.query}" if request.query else request.path
        parameters = query.raw(request.query)
        text = not request.body or bodies.is_text(headers.get("content-type", ("",))[-1])
        body = bodies.into_event(request.body, text=text)
        if self._version == 1:
            event: Event = {
                "raw_path": target,
                "method": request.method,
                "headers": {name: ", ".join(values) for name, values in headers.items()},
                "query_string_parameters": {name: values[-1] for name, values in parameters.items()},
                "body": body,
                "is_base64_encoded": not text,
            }
        else:
            event = {
                "version": "2.0",
                "path": target,
                "method": request.method,
                "headers": headers,
                "queryStringParameters": parameters,
                "body": body,
                "isBase64Encoded": not text,
                "requestContext": {
                    **self._context,
                    "identity": {**self._identity, **admitted.identity},
                    "timeEpoch": str(int(request.received * 1_000_000)),
                },
            }
        if limits.event_size(event, request.body) > limits.INVOKE_REQUEST:
            raise Rejected(self._answer(413, b"Request Entity Too Large", request.method))
        return event

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.response`."""
        method = event["method"]
        try:
            answer = answers.parse(payload)
            if not isinstance(answer, dict):
                raise answers.Malformed
            return answers.respond(
                answers.status(answer.get("statusCode")),
                answers.single_headers(answer.get("headers")),
                answers.into_bytes(
                    answers.text_body(answer.get("body")), base64=answers.flag(answer.get("isBase64Encoded"))
                ),
                method=method,
                default_type="application/octet-stream",
            )
        except answers.Malformed:
            return self._bad_gateway(method)

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.failure`; this door has one answer for every reason."""
        return self._bad_gateway(event["method"])

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:  # noqa: ARG002
        """See `FrontDoor.refuse`; the answer is that of an auth policy, the one thing this door knows, to everybody:
        https://docs.aws.amazon.com/vpc-lattice/latest/ug/auth-policies.html
        """
        text = (
            "AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: "
            f"{self._service}{request.path} because no service-based policy allows the vpc-lattice-svcs:Invoke action"
        )
        return self._answer(403, text.encode(), request.method)

    def _bad_gateway(self, method: str) -> Response:
        return self._answer(502, b"Bad Gateway", method)

    @staticmethod
    def _answer(status: int, body: bytes, method: str) -> Response:
        return answers.door_answer(status, body, (), method=method, content_type="text/plain")
