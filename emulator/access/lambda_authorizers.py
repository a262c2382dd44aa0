"""Lambda authorizers: a function is asked whether a request may pass, and its answer kept for a while.

REST API: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
HTTP API: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import blueprint
from ..front_doors import answers, serialise
from ..front_doors.contract import Event, Refusal, Refused
from ..function.invocation import FunctionFailed
from ..http import Request
from . import identity, policies
from .errors import InvalidAccess

Ask = Callable[[str, bytes], Awaitable[bytes]]
"""Invokes a function by its name with an event in JSON and gives its answer; raises `FunctionFailed`."""

_KEPT = 1000
_TOKEN_SOURCE = "method.request.header.Authorization"  # noqa: S105  a header's name


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the function answered; a simple response is a policy about everything. ``latency`` in milliseconds."""

    policy: object
    principal: str | None
    context: dict[str, Any] | None
    latency: int = 0


class LambdaAuthorizing:
    """One authorizer at work, of a REST API (``rest``) or an HTTP API."""

    def __init__(
        self, authorizer: blueprint.LambdaAuthorizer, ask: Ask, *, rest: bool, clock: Callable[[], float]
    ) -> None:
        self._authorizer = authorizer
        self._function = ask
        self._clock = clock
        self._rest = rest
        self._token = rest and authorizer.kind == "token"
        written = authorizer.identity_sources or ((_TOKEN_SOURCE,) if self._token else ())
        self._sources = [identity.parse(source) for source in written]
        # A REST API's request authorizer that keeps nothing checks nothing before it asks.
        self._required = self._token or not rest or authorizer.ttl > 0
        self._validation = _compiled(authorizer) if self._token else None
        self._verdicts: dict[tuple[str, ...], tuple[float, Verdict]] = {}

    async def admit(self, request: Request, event: Event) -> Verdict:
        """What the authorizer says of a request it lets pass; raises `Refused`.

        ``event`` is what the front door would send to its function, of the authorizer's payload format.
        """
        known = tuple(source.read(request, event) for source in self._sources)
        if self._required:
            for source, value in zip(self._sources, known, strict=True):
                if not value:
                    raise self._refused(Refusal.UNAUTHORIZED, f"there is nothing in {source.written}")
        if self._validation is not None and not self._validation.search(known[0]):
            raise self._refused(
                Refusal.UNAUTHORIZED, f"the token does not match the validation {self._validation.pattern}"
            )
        arn = _arn(event)
        verdict = self._kept(known)
        if verdict is None:
            verdict = await self._ask(self._event(request, event, known, arn))
            self._keep(known, verdict)
        try:
            # A policy is kept as it is, and read for each request: it may say yes to one path and no to another.
            refusal = policies.refusal(verdict.policy, arn)
        except policies.MalformedPolicy as malformed:
            raise self._refused(Refusal.AUTHORIZER_FAILED, str(malformed)) from None
        if refusal is not None:
            denies = "denies" if refusal is Refusal.DENIED_EXPLICITLY else "does not allow"
            raise self._refused(refusal, f"its answer {denies} {arn}")
        return verdict

    async def _ask(self, event: Event) -> Verdict:
        started = time.perf_counter()
        try:
            payload = await self._function(self._authorizer.function, serialise(event))
        except FunctionFailed as failed:
            # These exact words of an exception, and no others, are a refusal; unproven for an HTTP API.
            if str(failed).rpartition(": ")[2] == "Unauthorized":
                raise self._refused(Refusal.UNAUTHORIZED, "it raised Unauthorized") from None
            raise self._refused(Refusal.AUTHORIZER_FAILED, str(failed)) from failed
        latency = round((time.perf_counter() - started) * 1000)
        try:
            answer = answers.parse(payload)
        except answers.Malformed:
            answer = None
        if not isinstance(answer, dict):
            raise self._refused(Refusal.AUTHORIZER_FAILED, f"its answer is no JSON object: {_short(payload)}")
        return self._verdict(answer, payload, latency)

    def _verdict(self, answer: dict[str, Any], payload: bytes, latency: int) -> Verdict:
        """The answer in the form that the authorizer is set to; another form fails, as on AWS."""
        context = answer.get("context")
        if not isinstance(context, dict | None):
            raise self._refused(Refusal.AUTHORIZER_FAILED, f"context has to be an object: {_short(payload)}")
        if self._authorizer.simple:
            allowed = answer.get("isAuthorized")
            if not isinstance(allowed, bool):
                raise self._refused(
                    Refusal.AUTHORIZER_FAILED,
                    f'simple responses are enabled, so its answer has to be {{"isAuthorized": true}} or false, with a '
                    f"context if need be: {_short(payload)}",
                )
            policy = {"Statement": {"Effect": "Allow" if allowed else "Deny", "Action": "*", "Resource": "*"}}
            return Verdict(policy, None, context, latency)
        principal = answer.get("principalId")
        # Documented as required; that an HTTP API insists on it is unproven.
        if not isinstance(principal, str) or "policyDocument" not in answer:
            raise self._refused(
                Refusal.AUTHORIZER_FAILED,
                f"its answer has to have principalId (text) and policyDocument, unless an HTTP API's authorizer has "
                f"simple responses enabled: {_short(payload)}",
            )
        if self._rest and any(isinstance(value, list | dict) for value in (context or {}).values()):
            raise self._refused(
                Refusal.AUTHORIZER_FAILED, "a REST API takes text, numbers, true and false in context, nothing nested"
            )
        return Verdict(answer["policyDocument"], principal, context, latency)

    def _event(self, request: Request, event: Event, known: Sequence[str], arn: str) -> Event:
        """What the function is asked with; captured for a REST API's both kinds and format 2.0:

        https://github.com/aws-powertools/powertools-lambda-typescript/tree/main/packages/parser/tests/events

        Format 1.0 is as documented. What stands in the place of identity sources where there are none is unproven.
        """
        asked = {name: value for name, value in event.items() if name not in ("version", "body", "isBase64Encoded")}
        if self._token:
            return {"type": "TOKEN", "methodArn": arn, "authorizationToken": known[0]}
        if event.get("version") == "2.0":
            sources = list(known) or None
            return {"version": "2.0", "type": "REQUEST", "routeArn": arn, "identitySource": sources, **asked}
        # Here what is empty is an object and never null.
        for name in (
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "pathParameters",
            "stageVariables",
        ):
            asked[name] = asked[name] or {}
        if not self._rest:
            joined = ",".join(known) or None
            sources_1 = {"identitySource": joined, "authorizationToken": joined}
            return {"version": "1.0", "type": "REQUEST", "methodArn": arn, **sources_1, **asked}
        # The function behind the door does not see this header, the authorizer does.
        length = {name: value for name, value in request.headers if name.lower() == "content-length"}
        asked["headers"] = dict(sorted({**asked["headers"], **length}.items()))
        lengths = {name: [value] for name, value in length.items()}
        asked["multiValueHeaders"] = dict(sorted({**asked["multiValueHeaders"], **lengths}.items()))
        return {"type": "REQUEST", "methodArn": arn, **asked}

    def _kept(self, known: tuple[str, ...]) -> Verdict | None:
        expires, verdict = self._verdicts.get(known, (0.0, None))
        return verdict if self._clock() < expires else None

    def _keep(self, known: tuple[str, ...], verdict: Verdict) -> None:
        if not known or self._authorizer.ttl <= 0:
            return
        self._verdicts[known] = (self._clock() + self._authorizer.ttl, verdict)
        if len(self._verdicts) > _KEPT:
            del self._verdicts[next(iter(self._verdicts))]

    def _refused(self, refusal: Refusal, reason: str) -> Refused:
        return Refused(refusal, f"the authorizer {self._authorizer.name}: {reason}")


def _compiled(authorizer: blueprint.LambdaAuthorizer) -> re.Pattern[str] | None:
    """The validation of a REST API's token; that it may match a part of the token is unproven."""
    if authorizer.validation is None:
        return None
    try:
        return re.compile(authorizer.validation)
    except re.error as error:
        raise InvalidAccess(
            f"The validation expression {authorizer.validation} of the authorizer {authorizer.name} can't be read: "
            f"{error}"
        ) from None


def _arn(event: Event) -> str:
    """What policies call the request: its API, stage, method and path.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
    """
    context = event["requestContext"]
    stage = context["stage"]
    if event.get("version") == "2.0":
        method, path = context["http"]["method"], event["rawPath"]
    else:
        method, path = event["httpMethod"], event["path"]
    if "version" in event:
        # An HTTP API's path begins with the stage, a REST API's does not.
        path = path.removeprefix(f"/{stage}")
    region = context["domainName"].split(".")[2]
    api = f"arn:aws:execute-api:{region}:{context['accountId']}:{context['apiId']}"
    return f"{api}/{stage}/{method}/{path.removeprefix('/')}"


def _short(payload: bytes) -> str:
    text = payload.decode("utf-8", "replace")
    return text if len(text) <= 200 else f"{text[:200]}..."
