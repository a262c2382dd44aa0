"""The test client by ASGI: straight into Django's ASGI handler, or through a front door and the adapter's ASGI leg.

The event loop runs beside the test's thread, which meanwhile does what Django wants done in the one thread that holds
the test's connection and transaction: that is what asgiref's two functions see to.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpResponseBase
from django.test.client import AsyncClientHandler, ClientHandler, FakePayload

from emulator.front_doors import Event, FrontDoor
from emulator.testing import EventHandler, as_request, async_invoke, beyond_http

Scope = dict[str, Any]


class ScopeHandler(AsyncClientHandler):
    """Django's own, but for ``beyond`` in the scope: what a test sets in META that no server puts into a scope."""

    async def get_response_async(self, request: Any) -> Any:
        request.META = {**request.scope.get("beyond", {}), **request.META}
        return await super().get_response_async(request)


class DirectHandler(ClientHandler):
    """Takes a WSGI environ and calls Django's ASGI handler as an ASGI server would."""

    def __init__(self, enforce_csrf_checks: bool = True) -> None:
        super().__init__(enforce_csrf_checks)
        self._django = ScopeHandler(enforce_csrf_checks)

    def __call__(self, environ: dict[str, Any]) -> Any:
        request = as_request(environ)
        response: Any = async_to_sync(self._django)(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "client": (request.client, 0),
                "server": (environ["SERVER_NAME"], environ["SERVER_PORT"]),
                "scheme": request.scheme,
                "method": request.method,
                "path": _root_path(environ) + environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
                "query_string": request.query.encode(),
                "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
                "_body_file": FakePayload(request.body),
                **_unsent(environ),
            }
        )
        response.wsgi_request = response.asgi_request
        return response


class EventScopeHandler(EventHandler):
    """Takes a WSGI environ and sends it through the front door and the adapter's ASGI leg."""

    def __init__(self, door: FrontDoor, enforce_csrf_checks: bool = True) -> None:
        super().__init__(door, enforce_csrf_checks)
        self._django = ScopeHandler(enforce_csrf_checks)

    def invoke(self, event: Event, environ: dict[str, Any]) -> tuple[HttpResponseBase, Event]:
        """See `EventHandler.invoke`."""
        response, answer = async_to_sync(async_invoke)(self._django, event, _unsent(environ))
        response.wsgi_request = response.asgi_request  # type: ignore[attr-defined]
        return response, answer


def _unsent(environ: dict[str, Any]) -> Scope:
    """What a test wants in META and in the scope that no HTTP request carries."""
    beyond = {key: value for key, value in beyond_http(environ).items() if not key.startswith("wsgi.")}
    return {"root_path": _root_path(environ), "beyond": beyond}


def _root_path(environ: dict[str, Any]) -> str:
    return str(environ["SCRIPT_NAME"]).rstrip("/")
