"""Everything the adapter raises on purpose.

AdapterError
├── ConfigurationError      the environment or the settings name something that is not there
├── ServiceError            a service of AWS can't be reached, or refuses
├── EventError
│   ├── UnknownEventError   the event is of no kind the adapter serves
│   └── MalformedEventError the event's kind is known, one of its fields is not what that kind promises
├── MessageError            a queue's message names no task that can be run here
├── CommandFailed           a scheduled command has ended with an error
├── AnswerError             the application's answer can't pass through the front door; the client gets a 500 instead
├── RuntimeAPIError         the function service did not answer as its protocol says
├── RuntimeFault            an event or an answer that the runtime can't turn into what the other side takes
└── UnsupportedTask         SQS can't carry a task as it is (in `adapter.tasks`, as it is Django's InvalidTask, too)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AdapterError(Exception):
    """Root of the adapter's errors; the text says what was found and what to do, so no traceback is needed."""


class ConfigurationError(AdapterError):
    """A setting or an environment variable names something that can't be used."""


class ServiceError(AdapterError):
    """A service of AWS can't be reached, or refuses; ``code`` is the service's own, empty where it gave none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RuntimeAPIError(AdapterError):
    """The Runtime API answered with something its protocol does not allow here."""


class RuntimeFault(AdapterError):
    """An invocation fails for a reason that the Runtime API has a name for, such as ``Runtime.MarshalError``."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class EventError(AdapterError):
    """An event can't be turned into what it asks for; the invocation fails, the environment lives on."""


class UnknownEventError(EventError):
    """The event carries the marks of no front door and of no trigger; ``hint`` says more where more is known."""

    def __init__(self, event: object, hint: str = "") -> None:
        super().__init__(
            f"No front door and no trigger sends an event like this one: {outline(event)}. An event of an HTTP API or "
            "a function URL has requestContext.http, a load balancer's has requestContext.elb, a REST API's has "
            "httpMethod and path; a queue's has Records of SQS, a management command a list under manage, a deployment "
            "LifecycleEventHookExecutionId. In the Lambda console's test dialogue, choose the template 'API Gateway "
            f"HTTP API' or 'AWS Proxy'.{hint and ' '}{hint}"
        )


class MalformedEventError(EventError):
    """A field of the event is not what its ``sender`` promises; ``remedy`` is for events that people write."""

    def __init__(
        self,
        sender: str,
        problem: str,
        event: object,
        remedy: str = "Send it as it was made, whole and unchanged.",
    ) -> None:
        super().__init__(
            f"This looks like an event of {sender}, but {problem}. What arrived: {outline(event)}. {remedy}"
        )


class MessageError(AdapterError):
    """A message names no task that can be run here; the queue keeps it, or hands it to its dead-letter queue."""


class CommandFailed(AdapterError):
    """A command that nobody waits for has ended with an error: the invocation fails, so that somebody hears of it."""


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
