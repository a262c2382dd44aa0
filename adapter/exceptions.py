"""Everything the adapter raises on purpose.

AdapterError
├── ConfigurationError      the environment or the settings name something that is not there
├── EventError
│   ├── UnknownEventError   the event is of no kind the adapter serves
│   └── MalformedEventError the event's kind is known, one of its fields is not what that kind promises
├── AnswerError             the application's answer can't pass through the front door; the client gets a 500 instead
├── RuntimeAPIError         the function service did not answer as its protocol says
└── RuntimeFault            an event or an answer that the runtime can't turn into what the other side takes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AdapterError(Exception):
    """Root of the adapter's errors; the text says what was found and what to do, so no traceback is needed."""


class ConfigurationError(AdapterError):
    """A setting or an environment variable names something that can't be used."""


class RuntimeAPIError(AdapterError):
    """The Runtime API answered with something its protocol does not allow here."""


class RuntimeFault(AdapterError):
    """An invocation fails for a reason that the Runtime API has a name for, such as ``Runtime.MarshalError``."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class EventError(AdapterError):
    """An event can't be turned into an HTTP request; the invocation fails, the environment lives on."""


class UnknownEventError(EventError):
    """The event carries the marks of no front door."""

    def __init__(self, event: object) -> None:
        super().__init__(
            f"No front door sends an event like this one: {outline(event)}. An event of an HTTP API or a function URL "
            "has requestContext.http, a load balancer's has requestContext.elb, a REST API's has httpMethod and path. "
            "In the Lambda console's test dialogue, choose the template 'API Gateway HTTP API' or 'AWS Proxy'."
        )


class MalformedEventError(EventError):
    """A field of the event is not what its front door promises."""

    def __init__(self, door: str, problem: str, event: object) -> None:
        super().__init__(
            f"This looks like an event of the front door {door}, but {problem}. What arrived: {outline(event)}. "
            "Send the event as the front door made it, whole and unchanged."
        )


class AnswerError(AdapterError):
    """The application's answer can't be sent as it is."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}.")
        self.problem = problem


def outline(event: object) -> str:
    """The event's shape without its values, which may be secret: ``{path: text of 6, headers: map of 3}``."""
    if not isinstance(event, Mapping):
        return _kind(event)
    return "{" + ", ".join(f"{key}: {_kind(value)}" for key, value in list(event.items())[:24]) + "}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return f"map of {len(value)}"
    if isinstance(value, (str, list)):
        return f"{'text' if isinstance(value, str) else 'list'} of {len(value)}"
    return type(value).__name__
