"""Django's test clients, their requests travelling as events: through a front door, the adapter and back.

The one place where the emulator and the adapter meet in a process: what a front door changes on the way shows in a
project's own tests.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.cookies import Morsel, SimpleCookie
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import quote_from_bytes

from asgiref.sync import SyncToAsync, sync_to_async
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test.client import AsyncClient, AsyncClientHandler, Client, ClientHandler, FakePayload

from adapter import LambdaHandler

from .front_doors import Event, FrontDoor, Rejected, create
from .http import Request, Response

__all__ = ["AsyncLambdaClient", "LambdaClient", "all_clients"]

Environ = dict[str, Any]
Scope = dict[str, Any]
Answered = tuple[HttpResponseBase, Event]
"""Django's response, and the answer that the adapter made of it."""

# Taken before anybody can have put anything in their place (`all_clients`).
_by_wsgi = ClientHandler.__call__
_by_asgi = AsyncClientHandler.__call__


class LambdaClient(Client):
    """A drop-in for `django.test.Client`.

    ``front_door`` is a name in `front_doors.FRONT_DOORS`; everything else is `Client`'s. The response carries the
    status, headers, cookies and body that the front door would send.
    """

    def __init__(self, *arguments: Any, front_door: str = "http_api", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.handler = EventHandler(create(front_door), self.handler.enforce_csrf_checks)


class AsyncLambdaClient(AsyncClient):
    """A drop-in for `django.test.AsyncClient`, by the adapter's ASGI leg; else as `LambdaClient`."""

    def __init__(self, *arguments: Any, front_door: str = "http_api", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.handler = AsyncEventHandler(create(front_door), self.handler.enforce_csrf_checks)


@contextmanager
def all_clients(front_door: str) -> Iterator[None]:
    """Has every test client go through ``front_door`` meanwhile: Django's own, and whatever is derived from them.

    The clients' handlers are changed in place, so it does not matter who has imported what before.
    """
    door = create(front_door)

    def by_wsgi(handler: ClientHandler, environ: Environ) -> HttpResponseBase:
        return through(door, environ, partial(invoke, partial(_by_wsgi, handler)))

    async def by_asgi(handler: AsyncClientHandler, scope: Scope) -> HttpResponseBase:
        return await async_through(door, scope, partial(_by_asgi, handler))

    with patch.object(ClientHandler, "__call__", by_wsgi), patch.object(AsyncClientHandler, "__call__", by_asgi):
        yield


class EventHandler(ClientHandler):
    """`ClientHandler` with a front door and the adapter between the request and Django."""

    def __init__(self, door: FrontDoor, enforce_csrf_checks: bool = True) -> None:
        super().__init__(enforce_csrf_checks)
        self._door = door

    def __call__(self, environ: Environ) -> Any:
        return through(self._door, environ, self.invoke)

    def invoke(self, event: Event, environ: Environ) -> Answered:
        """See `invoke`."""
        return invoke(partial(_by_wsgi, self), event, environ)


class AsyncEventHandler(AsyncClientHandler):
    """`AsyncClientHandler` with a front door and the adapter between the request and Django."""

    def __init__(self, door: FrontDoor, enforce_csrf_checks: bool = True) -> None:
        super().__init__(enforce_csrf_checks)
        self._door = door

    async def __call__(self, scope: Scope) -> Any:
        return await async_through(self._door, scope, partial(_by_asgi, self))


def through(door: FrontDoor, environ: Environ, invoke: Callable[[Event, Environ], Answered]) -> HttpResponseBase:
    """The response that ``door`` sends to the request in ``environ``."""
    request, request_id = as_request(environ), str(uuid.uuid4())
    try:
        event = _on_the_wire(door.event(request, request_id))
    except Rejected as rejected:
        return _refused("wsgi_request", rejected.response)
    response, answer = invoke(event, environ)
    return carrying(response, door.response(json.dumps(answer).encode(), event, request_id))


async def async_through(
    door: FrontDoor, scope: Scope, django: Callable[[Scope], Awaitable[HttpResponseBase]]
) -> HttpResponseBase:
    """The response that ``door`` sends to the request in ``scope``."""
    request, request_id = _request_of(scope), str(uuid.uuid4())
    try:
        event = _on_the_wire(door.event(request, request_id))
    except Rejected as rejected:
        return _refused("asgi_request", rejected.response)
    response, answer = await async_invoke(django, event, {})
    return carrying(response, door.response(json.dumps(answer).encode(), event, request_id))


def invoke(django: Callable[[Environ], HttpResponseBase], event: Event, environ: Environ) -> Answered:
    """What becomes of ``event`` by WSGI; ``environ`` is the test's own. Raises what Django raised."""
    outcome: list[HttpResponseBase | Exception] = []

    def application(seen: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            response = django({**beyond_http(environ), **seen, **as_mounted(environ, seen)})
            # Read here, and handed on as a list: the client's handler has closed the response, or closes it at the end
            # of its stream, and a second close() would be a second request_finished.
            content = list(response)
        except Exception as error:
            # Raised again in the test, which expects it there, and not made into the adapter's answer and log.
            outcome.append(error)
            start_response("500 Internal Server Error", [])
            return ()
        outcome.append(response)
        start_response(f"{response.status_code} {response.reason_phrase}", header_list(response))
        return content

    answer = LambdaHandler(application)(event)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0], answer


async def async_invoke(django: Callable[[Scope], Awaitable[HttpResponseBase]], event: Event, more: Scope) -> Answered:
    """What becomes of ``event`` by ASGI; ``more`` goes into the scope. Raises what Django raised.

    The adapter's event loop runs in a thread beside the test's own. What Django wants done in the thread of the test's
    connection and transaction is done there: asgiref keeps that thread in the context, which goes along.
    """
    outcome: list[HttpResponseBase | Exception] = []
    place: Any = SyncToAsync.thread_sensitive_context.get(None)

    async def application(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("Django's ASGI handler knows http alone")
        # The adapter keeps a thread of its own for a function's synchronous code.
        SyncToAsync.thread_sensitive_context.set(place)
        scope |= more
        scope["path"] = scope["root_path"] + scope["path"]
        scope["_body_file"] = FakePayload((await receive())["body"])
        start = {"type": "http.response.start", "status": 500, "headers": []}
        content = b""
        try:
            response = await django(scope)
            content = await _content(response)
        except Exception as error:
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

    answer = await asyncio.to_thread(adapted)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0], answer


def beyond_http(environ: Environ) -> Environ:
    """What a test sets and no front door could carry: ``REMOTE_USER`` and the like, headers that are no text."""
    return {
        key: value
        for key, value in environ.items()
        if not key.startswith(("HTTP_", "CONTENT_")) or not isinstance(value, str)
    }


def as_mounted(environ: Environ, seen: Environ) -> Environ:
    """The place that a test gives the application: below a prefix, or at a path that lacks its leading slash."""
    place = {"SCRIPT_NAME": environ["SCRIPT_NAME"]} if environ.get("SCRIPT_NAME") else {}
    if not environ["PATH_INFO"].startswith("/"):
        place["PATH_INFO"] = seen["PATH_INFO"][1:]
    return place


def as_request(environ: Environ) -> Request:
    """The HTTP request that a web server would have made this PEP 3333 environ from."""
    headers = [
        (key[5:].replace("_", "-").title(), _text(value))
        for key, value in environ.items()
        # The client's cookies are an empty text where it has none; a browser sends no such header.
        if key.startswith("HTTP_") and isinstance(value, str) and (value or key != "HTTP_COOKIE")
    ]
    port = environ.get("SERVER_PORT", "80")
    if "HTTP_HOST" not in environ:
        name = environ.get("SERVER_NAME", "testserver")
        headers.insert(0, ("Host", name if port in {"80", "443"} else f"{name}:{port}"))
    length = environ.get("CONTENT_LENGTH")
    body: bytes = environ["wsgi.input"].read(int(length)) if length else b""
    if length:
        headers.append(("Content-Length", str(len(body))))
    if environ.get("CONTENT_TYPE"):
        headers.append(("Content-Type", _text(environ["CONTENT_TYPE"])))
    return Request(
        method=environ["REQUEST_METHOD"],
        path=_path(environ["PATH_INFO"]),
        query=_text(environ.get("QUERY_STRING", "")),
        headers=tuple(headers),
        body=body,
        client=environ.get("REMOTE_ADDR", "127.0.0.1"),
        scheme=environ["wsgi.url_scheme"],
        port=int(port),
        received=time.time(),
    )


def _request_of(scope: Scope) -> Request:
    """The HTTP request that a web server would have made the ASGI scope of Django's client from."""
    query = scope.get("query_string", "")
    payload = scope.get("_body_file")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Request(
        method=scope["method"],
        path=_path(scope["path"]),
        query=query if isinstance(query, str) else query.decode("latin-1"),
        headers=tuple((name, value) for name, value in headers if value or name != "cookie"),
        body=payload.read() if payload else b"",
        client=scope["client"][0],
        scheme=scope["scheme"],
        port=int(scope["server"][1]),
        received=time.time(),
    )


def header_list(response: HttpResponseBase) -> list[tuple[str, str]]:
    """The response's headers and cookies, as Django hands them to a web server."""
    cookies = [("Set-Cookie", _set_cookie(morsel)) for morsel in response.cookies.values()]
    return [*response.items(), *cookies]


def carrying(response: HttpResponseBase, sent: Response) -> HttpResponseBase:
    """Django's response object, holding what the front door sent in place of what Django made."""
    response.status_code = sent.status
    # Front doors leave the length to the server that sends their answer.
    length = {"Content-Length": str(len(sent.body))} if response.has_header("Content-Length") else {}
    for name in [name for name, _ in response.items()]:
        del response[name]
    made = {_set_cookie(morsel): morsel for morsel in response.cookies.values()}
    response.cookies = SimpleCookie()
    for name, value in [*length.items(), *sent.headers]:
        if name.lower() == "set-cookie":
            if value in made:
                # The very object, as its attributes' types (a max-age as a number) show in no header.
                dict.__setitem__(response.cookies, made[value].key, made[value])
            else:
                response.cookies.load(value)
        elif name in response and name.lower() != "content-length":
            response[name] = f"{response[name]}, {value}"
        else:
            response[name] = value
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = _whole(sent.body) if response.is_async else [sent.body]
    elif isinstance(response, HttpResponse) and response.content != sent.body:
        response.content = sent.body
    return response


def _refused(request: str, sent: Response) -> HttpResponseBase:
    """A response that no Django has made; ``request`` is the attribute in which clients look for its request."""
    response = HttpResponse()
    setattr(response, request, None)
    return carrying(response, sent)


def _on_the_wire(event: Event) -> Event:
    """What does not survive JSON must not pass a test."""
    return cast(Event, json.loads(json.dumps(event)))


async def _content(response: HttpResponseBase) -> bytes:
    if not isinstance(response, StreamingHttpResponse):
        return cast(HttpResponse, response).content
    if response.is_async:
        return b"".join([chunk async for chunk in response])
    # In the thread of the test's connection, where Django's ASGI handler would list a sync stream, too.
    return b"".join(await sync_to_async(_listed)(response))


def _listed(response: StreamingHttpResponse) -> list[bytes]:
    return list(response)


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _set_cookie(morsel: Morsel[str]) -> str:
    return str(morsel.output(header="")).strip()


def _path(unquoted: str) -> str:
    """The path of a request, percent-encoded; both kinds of client give its bytes as Latin-1."""
    path = quote_from_bytes(unquoted.encode("latin-1"), "/~:@!$&'()*+,;=")
    return path if path.startswith("/") else f"/{path}"


def _text(native: str) -> str:
    """A WSGI string's bytes read as the front doors read them."""
    raw = native.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return native
