"""Django's test client, its requests travelling as events: through a front door, the adapter and back.

The one place where the emulator and the adapter meet in a process: what a front door changes on the way shows in a
project's own tests.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote_from_bytes

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.test.client import Client, ClientHandler

from adapter import LambdaHandler

from .front_doors import Event, FrontDoor, Rejected, create
from .http import Request, Response

__all__ = ["LambdaClient"]

Environ = dict[str, Any]


class LambdaClient(Client):
    """A drop-in for `django.test.Client`.

    ``front_door`` is one of ``http_api``, ``function_url``, ``rest_api``, ``alb``, ``alb_multi_value``; everything else
    is `Client`'s. The response carries the status, headers, cookies and body that the front door would send.
    """

    def __init__(self, enforce_csrf_checks: bool = False, *, front_door: str = "http_api", **options: Any) -> None:
        super().__init__(enforce_csrf_checks, **options)
        self.handler = EventHandler(create(front_door), enforce_csrf_checks)


class EventHandler(ClientHandler):
    """`ClientHandler` with a front door and the adapter between the request and Django."""

    def __init__(self, door: FrontDoor, enforce_csrf_checks: bool = True) -> None:
        super().__init__(enforce_csrf_checks)
        self._door = door

    def __call__(self, environ: Environ) -> Any:
        request, request_id = as_request(environ), str(uuid.uuid4())
        try:
            event = self._door.event(request, request_id)
        except Rejected as rejected:
            response: HttpResponseBase = HttpResponse()
            response.wsgi_request = None  # type: ignore[attr-defined]
            return carrying(response, rejected.response)
        # Through JSON, as on the wire: what does not survive it must not pass a test.
        event = json.loads(json.dumps(event))
        response, answer = self.invoke(event, environ)
        return carrying(response, self._door.response(json.dumps(answer).encode(), event, request_id))

    def invoke(self, event: Event, environ: Environ) -> tuple[HttpResponseBase, Event]:
        """Django's response to ``event``, and the answer that the adapter made of it; raises what Django raised."""
        outcome: list[HttpResponseBase | Exception] = []

        def application(seen: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
            try:
                response = super(EventHandler, self).__call__(
                    {**beyond_http(environ), **seen, **as_mounted(environ, seen)}
                )
                # Read here, and handed on as a list: the client's handler has closed the response, or closes it at
                # the end of its stream, and a second close() would be a second request_finished.
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
    path = quote_from_bytes(environ["PATH_INFO"].encode("latin-1"), "/~:@!$&'()*+,;=")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path if path.startswith("/") else "/" + path,
        query=_text(environ.get("QUERY_STRING", "")),
        headers=tuple(headers),
        body=body,
        client=environ.get("REMOTE_ADDR", "127.0.0.1"),
        scheme=environ["wsgi.url_scheme"],
        port=int(port),
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


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _set_cookie(morsel: Morsel[str]) -> str:
    return str(morsel.output(header="")).strip()


def _text(native: str) -> str:
    """A WSGI string's bytes read as the front doors read them."""
    raw = native.encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return native
