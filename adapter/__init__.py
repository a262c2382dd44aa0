"""What runs inside the function: events into Django, Django's answers back."""

from .exceptions import (
    AdapterError,
    ConfigurationError,
    EventError,
    MalformedEventError,
    RuntimeAPIError,
    UnknownEventError,
)
from .handler import LambdaHandler

__all__ = [
    "AdapterError",
    "ConfigurationError",
    "EventError",
    "LambdaHandler",
    "MalformedEventError",
    "RuntimeAPIError",
    "UnknownEventError",
]
