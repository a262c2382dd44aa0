"""Our reading and writing of events for projects that stay on Mangum.

    from adapter.mangum import HANDLERS
    from mangum import Mangum

    handler = Mangum(application, custom_handlers=HANDLERS)

Mangum keeps its event loop, its lifespan and its settings; ``text_mime_types`` alone has no effect, as what is text is
seen from the body itself.
"""

from __future__ import annotations

from typing import Any

from . import front_doors
from .asgi import Scope, build_scope
from .http import HTTPResponse, reason_phrase

__all__ = ["HANDLERS"]


class EventHandler:
    """One event, in the shape that Mangum asks of a handler class."""

    door: front_doors.FrontDoor

    @classmethod
    def infer(cls, event: Any, context: Any, config: Any) -> bool:  # noqa: ARG003
        """Whether this class's front door sent the event."""
        return isinstance(event, dict) and cls.door.recognises(event)

    def __init__(self, event: dict[str, Any], context: Any, config: dict[str, Any]) -> None:
        self._event = event
        self._excluded = frozenset(config["exclude_headers"])
        self._request = front_doors.read(self.door, event, context)
        base_path = config["api_gateway_base_path"].strip("/")
        prefix = f"/{base_path}".encode()
        if base_path and (self._request.path == prefix or self._request.path.startswith(prefix + b"/")):
            self._request.script_name += prefix.decode("latin-1")
            self._request.path = self._request.path[len(prefix) :] or b"/"

    @property
    def scope(self) -> Scope:
        """The ``http`` scope; Mangum adds ``state`` where the application has a lifespan."""
        return build_scope(self._request, {})

    @property
    def body(self) -> bytes:
        return self._request.body

    def __call__(self, response: dict[str, Any]) -> dict[str, Any]:
        """The answer in the front door's form, made from Mangum's ``status``, ``headers`` and ``body``."""
        headers = [
            (name, value.decode("latin-1"))
            for raw_name, value in response["headers"]
            if (name := raw_name.decode("latin-1")).lower() not in self._excluded
        ]
        status = response["status"]
        return self.door.write(HTTPResponse(status, reason_phrase(status), headers, response["body"]), self._event)


HANDLERS: list[Any] = [
    type(f"Handler_{door.NAME}", (EventHandler,), {"door": door, "__doc__": EventHandler.__doc__})
    for door in front_doors.FRONT_DOORS
]
