"""An API Gateway HTTP API with payload format 1.0: the event of a REST API in all but some names.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

An event as it came: https://gist.github.com/metaskills/1eee9da3baaa5df9ac8426cc5fe12ca0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..http import Request, Response
from . import answers, bodies, format_1, query
from .contract import Admitted, Event
from .http_api import HttpApi
from .routes import Match

# As in the captured event, against the documentation, by which all names are lower-case. Those in lower case here were
# sent otherwise; what becomes of names that no capture has is unproven.
_CASES = {
    **format_1.CASES,
    "accept": "accept",
    "accept-encoding": "accept-encoding",
    "cache-control": "cache-control",
    "content-length": "Content-Length",
    "content-type": "Content-Type",
    "via": "via",
}
_IDENTITY = dict.fromkeys(sorted([*format_1.IDENTITY, "cognitoAmr"]))


class HttpApi1(HttpApi):
    """The door as a whole; all but the two formats, the event's and the answer's, is `HttpApi`'s."""

    name = "http_api_1"

    def _event(
        self,
        request: Request,
        headers: dict[str, list[str]],
        path: str,  # noqa: ARG002
        route: Match,
        shown_id: str,
        admitted: Admitted,
    ) -> Event:
        """See `HttpApi._event`.

        Sources disagree whether ``path`` is decoded. AWS's own test tool has it encoded, and path parameters decoded:
        https://github.com/aws/aws-lambda-dotnet/blob/master/Tools/LambdaTestTool-v2/tests/
        Amazon.Lambda.TestTool.Tests.Common/HttpContextTestCases.cs; that it is decoded is said, without a capture, in
        https://github.com/middleapi/standard-server/pull/93.
        """
        context = format_1.context(
            request,
            self._constants,
            {**_IDENTITY, "userAgent": headers.get("user-agent", ("",))[-1]},
            admitted,
            method=request.method,
            path=request.path,
            request_id=shown_id,
            extended_id=shown_id,
            resource=route.path,
            resource_id=route.key,
        )
        text = not request.body or bodies.is_text(headers.get("content-type", ("",))[-1])
        parameters = query.decoded(request.query)
        named = format_1.named(request, headers, _CASES)
        event = format_1.event(request, named, parameters, route, context, path=request.path, base64=not text)
        return {"version": "1.0", **event}

    def _method(self, event: Mapping[str, Any]) -> str:
        return str(event["httpMethod"])

    def _understood(self, payload: bytes, method: str) -> Response:
        """See `HttpApi._understood`; this format has no shorter form of an answer, and no list of cookies."""
        answer = answers.parse(payload)
        if not isinstance(answer, dict):
            raise answers.Malformed
        return answers.respond(
            answers.status(answer.get("statusCode")),
            format_1.response_headers(answer),
            answers.into_bytes(
                answers.text_body(answer.get("body")), base64=answers.flag(answer.get("isBase64Encoded"))
            ),
            method=method,
            default_type="text/plain; charset=utf-8",
        )
