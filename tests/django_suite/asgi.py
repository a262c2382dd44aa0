"""The test client by ASGI: straight into Django's ASGI handler, or through a front door and the adapter's ASGI leg.

The event loop runs beside the test's thread, which meanwhile does what Django wants done in the one thread that holds
the test's connection and transaction: that is what asgiref's two functions see to.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, cast
from urllib.parse import quote_from_bytes

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test.client import AsyncClientHandler, ClientHandler, FakePayload

from adapter import LambdaHandler
from emulator.front_doors import Event, FrontDoor
from emulator.http import Request
from emulator.testing import EventHandler, as_request, beyond_http, carrying, header_list

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
        response, answer = async_to_sync(invoke)(self._django, event, _unsent(environ))
        response.wsgi_request = response.asgi_request  # type: ignore[attr-defined]
        return response, answer


class AsyncEventHandler(AsyncClientHandler):
    """Takes the scope of Django's `AsyncClient` and sends it through the front door and the adapter's ASGI leg."""

    def __init__(self, door: FrontDoor, enforce_csrf_checks: bool = True) -> None:
        super().__init__(enforce_csrf_checks)
        self._door = door
        self._django = ScopeHandler(enforce_csrf_checks)

    async def __call__(self, scope: Scope) -> Any:
        request_id = str(uuid.uuid4())
        event = json.loads(json.dumps(self._door.event(_from_scope(scope), request_id)))
        response, answer = await invoke(self._django, event, {"root_path": ""})
        return carrying(response, self._door.response(json.dumps(answer).encode(), event, request_id))


async def invoke(django: ScopeHandler, event: Event, unsent: Scope) -> tuple[HttpResponseBase, Event]:
    """Django's response to ``event``, and the answer that the adapter made of it; raises what Django raised."""
    outcome: list[HttpResponseBase | Exception] = []

    async def application(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("Django's ASGI handler knows http alone")
        scope |= unsent
        scope["path"] = scope["root_path"] + scope["path"]
        scope["_body_file"] = FakePayload((await receive())["body"])
        start = {"type": "http.response.start", "status": 500, "headers": []}
        content = b""
        try:
            response = await django(scope)
            content = await _content(response)
        except Exception as error:
            # Raised again in the test, which expects it there, and not made into the adapter's answer and log.
            outcome.append(error)
        else:
            outcome.append(response)
            start["status"] = response.status_code
            start["headers"] = [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in header_list(response)
            ]
        await send(start)
        await send({"type": "http.response.body", "body": content})

    def adapted() -> Event:
        handler = LambdaHandler(application)
        try:
            return handler(event)
        finally:
            handler.close()

    answer = await sync_to_async(adapted, thread_sensitive=False)()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0], answer


async def _content(response: HttpResponseBase) -> bytes:
    if not isinstance(response, StreamingHttpResponse):
        return cast("HttpResponse", response).content
    if response.is_async:
        return b"".join([chunk async for chunk in response])
    # In the thread of the test's connection, where Django's ASGI handler would list a sync stream, too.
    return b"".join(await sync_to_async(_listed)(response))


def _listed(response: StreamingHttpResponse) -> list[bytes]:
    return list(response)


def _unsent(environ: dict[str, Any]) -> Scope:
    """What a test wants in META and in the scope that no HTTP request carries."""
    beyond = {key: value for key, value in beyond_http(environ).items() if not key.startswith("wsgi.")}
    return {"root_path": _root_path(environ), "beyond": beyond}


def _root_path(environ: dict[str, Any]) -> str:
    return str(environ["SCRIPT_NAME"]).rstrip("/")


def _from_scope(scope: Scope) -> Request:
    """The HTTP request that a web server would have made this ASGI scope from."""
    query = scope.get("query_string", "")
    payload = scope.get("_body_file")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Request(
        method=scope["method"],
        # Django's client gives a path's bytes as Latin-1.
        path=quote_from_bytes(scope["path"].encode("latin-1"), "/~:@!$&'()*+,;="),
        query=query if isinstance(query, str) else query.decode("latin-1"),
        headers=tuple((name, value) for name, value in headers if value or name != "cookie"),
        body=payload.read() if payload else b"",
        client=scope["client"][0],
        scheme=scope["scheme"],
        port=int(scope["server"][1]),
        received=time.time(),
    )
