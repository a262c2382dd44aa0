"""What runs inside the function: events into Django, Django's answers back."""

from .afterwards import after_response
from .exceptions import (
    AdapterError,
    ConfigurationError,
    EventError,
    MalformedEventError,
    RuntimeAPIError,
    ServiceError,
    UnknownEventError,
)
from .handler import LambdaHandler
from .invocation import Invocation, current_invocation

__all__ = [
    "AdapterError",
    "ConfigurationError",
    "EventError",
    "Invocation",
    "LambdaHandler",
    "MalformedEventError",
    "RuntimeAPIError",
    "ServiceError",
    "UnknownEventError",
    "after_response",
    "current_invocation",
]
