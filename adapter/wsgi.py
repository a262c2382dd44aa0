"""The WSGI leg: one HTTPRequest into a PEP 3333 application, its answer out as one HTTPResponse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from io import BytesIO
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from . import database
from .afterwards import afterwards
from .http import Event, HTTPRequest, HTTPResponse, StreamedResponse
from .limits import DeadlineExceeded, alarm

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

_DEFAULT_PORTS = {"http": "80", "https": "443"}


class WSGILeg:
    """Calls a WSGI application; safe to call again and again, holds nothing of a request."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def respond(self, request: HTTPRequest, seconds: float | None) -> HTTPResponse:
        """The application's whole answer; what it raises passes through, `DeadlineExceeded` after ``seconds``."""
        status = ""
        headers: list[tuple[str, str]] = []
        chunks: list[bytes] = []  # what went through write(), which comes before the rest

        def start_response(
            new_status: str, new_headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            nonlocal status, headers
            if status and exc_info is None:
                raise AssertionError(_STARTED_TWICE)
            status, headers = new_status, new_headers
            return chunks.append

        if seconds is not None:
            alarm.set(seconds)
        close = None
        try:
            iterable: Iterable[bytes] = self._application(environ(request), start_response)
            # request_finished, and with it Django's care for its connections, hangs on close().
            close = getattr(iterable, "close", None)
            body = b"".join(iterable)
        except DeadlineExceeded:
            close = _abandoned(close)
            raise
        finally:
            alarm.deadline = None
            afterwards.end(close)
        if not status:
            raise AssertionError(_NOT_STARTED)
        code, reason = _parse_status(status)
        return HTTPResponse(code, reason, headers, b"".join(chunks) + body if chunks else body)

    def stream(self, request: HTTPRequest, seconds: float | None) -> StreamedResponse:
        """The application's answer as soon as its first bytes are there; `DeadlineExceeded` even while they flow."""
        started: list[tuple[str, list[tuple[str, str]]]] = []
        chunks = self._chunks(request, seconds, started)
        first = next(chunks, b"")
        if not started:
            chunks.close()
            raise AssertionError(_NOT_STARTED)
        status, headers = started[-1]
        code, reason = _parse_status(status)
        return StreamedResponse(code, reason, headers, first, chunks)

    def _chunks(
        self, request: HTTPRequest, seconds: float | None, started: list[tuple[str, list[tuple[str, str]]]]
    ) -> Generator[bytes]:
        written: list[bytes] = []
        sent = False

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            if sent and exc_info is not None and exc_info[1] is not None:
                raise exc_info[1]
            if started and exc_info is None:
                raise AssertionError(_STARTED_TWICE)
            started.append((status, headers))
            return written.append

        deadline = None if seconds is None else monotonic() + seconds
        close = None
        try:
            if seconds is not None:
                alarm.set(seconds)
            iterable: Iterable[bytes] = self._application(environ(request), start_response)
            close = getattr(iterable, "close", None)
            for chunk in chain(iterable, (b"",)):
                data = b"".join([*written, chunk])
                written.clear()
                if data:
                    sent = True
                    # Whoever sends the piece must not be interrupted in the midst of it.
                    alarm.deadline = None
                    yield data
                    if deadline is not None:
                        left = deadline - monotonic()
                        if left <= 0:
                            raise DeadlineExceeded
                        alarm.set(left)
        except DeadlineExceeded:
            close = _abandoned(close)
            raise
        finally:
            alarm.deadline = None
            afterwards.end(close)

    def open(self) -> None:
        """Nothing has to be opened."""

    def close(self) -> None:
        """Nothing is kept open."""


def _abandoned(close: Callable[[], object] | None) -> Callable[[], object]:
    """What ends a request that was broken off midway.

    A connection may be in the midst of an exchange with its server: nothing may be asked on it any more.
    """
    database.close_all()
    return close or database.abandon_request


_STARTED_TWICE = "start_response() was called a second time without exc_info (PEP 3333)"
_NOT_STARTED = "the application returned without calling start_response() (PEP 3333)"


@lru_cache(maxsize=64)
def _parse_status(status: str) -> tuple[int, str]:
    code, _, reason = status.partition(" ")
    return int(code), reason


def environ(request: HTTPRequest) -> dict[str, Any]:
    """The PEP 3333 environ of ``request``, as a web server would have made it.

    The event and the context are found under ``faas.event`` and ``faas.context``, and under the names that apig-wsgi
    gives them, whose values Django leaves out of its error reports for the "api" in them.
    """
    event, body, headers = request.event, request.body, request.headers
    # A copy has room for a browser's headers too: growing the map would cost more than filling it.
    env = _TEMPLATE.copy()
    try:
        for name, value in headers.items():
            env[_KEYS[name]] = value
    except KeyError:
        env = _TEMPLATE | _joined(headers)
    else:
        if len(env) != len(_TEMPLATE) + len(headers):
            env = _TEMPLATE | _joined(headers)
    # A REST API drops the header, and any front door may have re-coded the body: its length is what counts.
    if body or "CONTENT_LENGTH" in env:
        env["CONTENT_LENGTH"] = str(len(body))
    scheme = "http" if env.get("HTTP_X_FORWARDED_PROTO") == "http" else "https"
    if request.user:
        env["REMOTE_USER"] = request.user
    env["SERVER_NAME"], env["SERVER_PORT"] = server(env.get("HTTP_HOST", ""), env.get("HTTP_X_FORWARDED_PORT"), scheme)
    env["REQUEST_METHOD"] = request.method
    env["SCRIPT_NAME"] = request.script_name
    env["PATH_INFO"] = request.path.decode("latin-1")
    env["QUERY_STRING"] = request.query
    env["REMOTE_ADDR"] = request.client
    env["wsgi.url_scheme"] = scheme
    env["wsgi.input"] = BytesIO(body)
    env["wsgi.errors"] = sys.stderr
    env["faas.event"] = Event(event)
    env["faas.context"] = env["apig_wsgi.context"] = request.context
    env["apig_wsgi.full_event"] = event
    env["apig_wsgi.request_context"] = event.get("requestContext")
    return env


# Every key that is always there. No header can be in the way of these: each of theirs begins with HTTP_ or CONTENT_.
_TEMPLATE: dict[str, Any] = {
    "SERVER_NAME": "",
    "SERVER_PORT": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "django-faas",
    "REQUEST_METHOD": "",
    "SCRIPT_NAME": "",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "REMOTE_ADDR": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "",
    "wsgi.input": None,
    "wsgi.errors": None,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "faas.event": None,
    "faas.context": None,
    "apig_wsgi.context": None,
    "apig_wsgi.full_event": None,
    "apig_wsgi.request_context": None,
}
# Header name -> key in the environ, of names met before: a site sees the same few in every request.
_KEYS: dict[str, str] = {}


def _joined(headers: dict[str, str]) -> dict[str, str]:
    """The environ's part of headers of which a name is new, is to be dropped, or comes in several spellings.

    The values of the latter are joined as every server does.
    """
    sent: dict[str, str] = {}
    for name, value in headers.items():
        # X_Real_IP and X-Real-IP would share a key, and so would a long s and an S: they can only be meant to deceive.
        if "_" in name or not name.isascii():
            continue
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        if len(_KEYS) < 500:  # clients choose names; they must not be able to fill the memory
            _KEYS[name] = key
        sent[key] = sent[key] + ("; " if key == "HTTP_COOKIE" else ",") + value if key in sent else value
    return sent


@lru_cache(maxsize=64)
def server(host: str, forwarded_port: str | None, scheme: str) -> tuple[str, str]:
    """Name and port the client spoke to: the Host header's, the port else the front door's or the scheme's own."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    if not port.isdecimal():
        port = forwarded_port or _DEFAULT_PORTS[scheme]
    return name or "localhost", port
