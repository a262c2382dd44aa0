"""What every front door is: HTTP in, event out; the function's answer in, HTTP out; and its own error answers."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..http import Request, Response

Event = dict[str, Any]


class Failure(enum.Enum):
    """Why there is no answer from the function to hand on."""

    FUNCTION = "the function raised, crashed or ran into its own time limit"
    DEADLINE = "the front door's own time limit passed; the function goes on"
    THROTTLED = "no environment was free and no more may be started"
    RESPONSE_TOO_LARGE = "the function's answer is over the service's limit"


class Refusal(enum.Enum):
    """Why a request may not pass."""

    UNAUTHORIZED = "what the authorizer needs is missing, or is no valid token"
    DENIED = "the authorizer says no"
    DENIED_EXPLICITLY = "the authorizer's policy denies it in so many words"
    NO_KEY = "there is no API key with the request, or not one of those that count"
    AUTHORIZER_FAILED = "the authorizer gave no answer, or one that makes no sense"


class Refused(Exception):
    """A request may not pass; the front door says so in its own words (`FrontDoor.refuse`).

    The text tells the person at the terminal why; ``headers`` go onto the door's answer.
    """

    def __init__(self, refusal: Refusal, reason: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason or refusal.value)
        self.refusal = refusal
        self.headers = headers


class Rejected(Exception):
    """The front door answers by itself: no such route, or a request over one of its limits."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(frozen=True)
class Admitted:
    """What an authorizer or an API key says of a request that may pass, in the event's own words.

    ``authorizer`` is ``requestContext.authorizer`` (None: the event has none); ``identity`` goes over what the door
    itself writes into ``requestContext.identity``.
    """

    authorizer: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)


ANYBODY = Admitted()
"""A request that nobody has asked about."""


class Streaming(Protocol):
    """How a front door passes on an answer while the function still makes it.

    Such an answer is metadata in JSON, eight NUL bytes and the body as it is, posted with the content type
    `INTEGRATION`; an answer with another content type is the body alone.
    """

    cuts_after_error: bool
    """Whether the client's connection breaks when the function reports an error after its answer has begun; else the
    body ends there, as if it were whole."""

    def begin(self, content_type: str, metadata: bytes | None, event: Mapping[str, Any], request_id: str) -> Response:
        """The response's status and headers; raises `Rejected` where the door can make nothing of the metadata.

        ``metadata`` is None where the answer is the body alone or its NUL bytes did not come within `METADATA_LIMIT`,
        and empty for an answer without a single byte.
        """
        ...


INTEGRATION = "application/vnd.awslambda.http-integration-response"
SEPARATOR = bytes(8)
METADATA_LIMIT = 16 * 1024
"""Bytes within which the separator has to come; documented for REST APIs:
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html"""


class FrontDoor(Protocol):
    """One front door; an instance holds its settings (stage, identifiers) and no request's state."""

    name: str
    timeout: float | None
    """Seconds the door waits for the function, cold start included; None where it waits as long as the function may."""
    streaming: Streaming | None
    """None where the door waits for the whole answer."""

    def event(self, request: Request, request_id: str, admitted: Admitted = ANYBODY) -> Event:
        """The event AWS would send for ``request``; raises `Rejected` where the door answers alone.

        ``request_id`` is a UUID; doors that show another form of id derive it from this one.
        """
        ...

    def response(self, payload: bytes, event: Mapping[str, Any], request_id: str) -> Response:
        """The HTTP response for the JSON ``payload`` the function answered ``event`` with.

        A payload the door can't understand becomes the door's own error answer, as on AWS; never an exception.
        """
        ...

    def failure(self, failure: Failure, event: Mapping[str, Any], request_id: str) -> Response:
        """The door's own answer where the function gave none."""
        ...

    def refuse(self, refusal: Refusal, request: Request, request_id: str) -> Response:
        """The door's own answer to a request that may not pass."""
        ...
