"""CORS as HTTP APIs and function URLs answer it by themselves; the two differ.

An HTTP API: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
A function URL: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html, and captured in
https://dev.to/rimutaka/aws-lambda-function-url-with-cors-explained-by-example-14df
"""

from __future__ import annotations

from .. import blueprint
from ..front_doors import identifiers
from ..http import Request, Response

_WILDCARDS = frozenset({"*", "http://*", "https://*"})


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what it may send: https://fetch.spec.whatwg.org/#cors-preflight-request"""
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


class HttpApiCors:
    """An HTTP API's.

    A preflight goes the way of every request where a route takes ``OPTIONS``, be it as ``ANY`` or ``$default``: to the
    authorizer, and to the function (https://github.com/aws/serverless-application-model/issues/1603). Else the API
    answers it. CORS headers of the function are dropped; the API's own go onto every answer, refusals as well: a
    browser says of a refused preflight that its status is wrong, not that headers are missing
    (https://dev.to/aws-builders/fixing-up-cors-errors-in-http-api-5fh4).
    """

    def __init__(self, cors: blueprint.Cors) -> None:
        self._cors = cors

    def preflight(self, request: Request, request_id: str) -> Response:
        """The API's own answer to a preflight; that an origin it does not know gets the same status is unproven."""
        response = Response(204, [("Apigw-Requestid", identifiers.extended_id(request_id))])
        self.finish(request, response)
        return response

    def finish(self, request: Request, response: Response) -> None:
        """See `Guard.finish`."""
        _replace(response, _granted(self._cors, request))


class FunctionUrlCors:
    """A function URL's: it answers a preflight, and adds to what the function says on everything else.

    So a function that sends CORS headers too sends them twice, and browsers refuse that.
    """

    def __init__(self, cors: blueprint.Cors) -> None:
        self._cors = cors

    def preflight(self, request: Request, request_id: str) -> Response:
        """Captured for an origin that is allowed; that another one gets the same status is unproven."""
        headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id)]
        response = Response(200, headers)
        self.finish(request, response)
        return response

    def finish(self, request: Request, response: Response) -> None:
        """See `Guard.finish`."""
        granted = _granted(self._cors, request)
        if is_preflight(request):
            _replace(response, granted)
        else:
            response.headers += granted


def _replace(response: Response, granted: list[tuple[str, str]]) -> None:
    kept = [(name, value) for name, value in response.headers if not name.lower().startswith("access-control-")]
    varies = any(name.lower() == "vary" and "origin" in value.lower() for name, value in kept)
    response.headers[:] = kept + [header for header in granted if not (varies and header[0] == "Vary")]


def _granted(cors: blueprint.Cors, request: Request) -> list[tuple[str, str]]:
    """The headers for the request's origin; none where there is no origin, or one that is not allowed.

    Which of them go onto an answer that is no preflight's is captured for a function URL (origin and credentials),
    and unproven for an HTTP API.
    """
    origin = request.header("origin")
    if origin is None or not any(_matches(allowed, origin) for allowed in cors.origins):
        return []
    if cors.origins == ("*",) and not cors.credentials:
        headers = [("Access-Control-Allow-Origin", "*")]
    else:
        # Captured for a function URL; that an HTTP API says Vary too is unproven, and needed by any cache between.
        headers = [("Vary", "Origin"), ("Access-Control-Allow-Origin", origin)]
    if is_preflight(request):
        headers += _listed("Access-Control-Allow-Headers", cors.headers)
        headers += _listed("Access-Control-Allow-Methods", cors.methods)
        if cors.max_age is not None:
            headers.append(("Access-Control-Max-Age", str(cors.max_age)))
    else:
        headers += _listed("Access-Control-Expose-Headers", cors.exposed)
    if cors.credentials:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return headers


def _matches(allowed: str, origin: str) -> bool:
    return allowed == origin or (allowed in _WILDCARDS and origin.startswith(allowed[:-1]))


def _listed(name: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, ",".join(values))] if values else []
