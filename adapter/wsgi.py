"""The WSGI leg: one HTTPRequest into a PEP 3333 application, its answer out as one HTTPResponse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .http import Event, HTTPRequest, HTTPResponse
from .limits import alarm

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

_BASE_ENVIRON: dict[str, Any] = {
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "django-faas",
    "wsgi.version": (1, 0),
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class WSGILeg:
    """Calls a WSGI application; safe to call again and again, holds nothing of a request."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, request: HTTPRequest, seconds: float | None = None) -> HTTPResponse:
        """The application's whole answer; what it raises passes through, `DeadlineExceeded` after ``seconds``."""
        if seconds is None:
            return self._call(request)
        alarm.set(seconds)
        try:
            return self._call(request)
        finally:
            alarm.clear()

    def _call(self, request: HTTPRequest) -> HTTPResponse:
        status = ""
        headers: list[tuple[str, str]] = []
        chunks: list[bytes] = []

        def start_response(
            new_status: str, new_headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            nonlocal status, headers
            if status and exc_info is None:
                raise AssertionError("start_response() was called a second time without exc_info (PEP 3333)")
            status, headers = new_status, new_headers
            return chunks.append

        iterable: Iterable[bytes] = self._application(environ(request), start_response)
        try:
            chunks.extend(iterable)
        finally:
            # request_finished, and with it Django's care for its connections, hangs on close().
            close = getattr(iterable, "close", None)
            if close is not None:
                close()
        if not status:
            raise AssertionError("the application returned without calling start_response() (PEP 3333)")
        code, _, reason = status.partition(" ")
        return HTTPResponse(int(code), reason, headers, b"".join(chunks))

    def close(self) -> None:
        """Nothing is kept open."""


def environ(request: HTTPRequest) -> dict[str, Any]:
    """The PEP 3333 environ of ``request``, as a web server would have made it.

    The event and the context are found under ``faas.event`` and ``faas.context``, and under the names that apig-wsgi
    gives them, whose values Django leaves out of its error reports for the "api" in them.
    """
    event, context, body, headers = request.event, request.context, request.body, request.headers
    env: dict[str, Any] = {_KEYS[name]: value for name, value in headers.items()}
    if len(env) < len(headers):
        env = _merged(headers)
    env.pop(_DROPPED, None)
    # A REST API drops the header, and any front door may have re-coded the body: its length is what counts.
    if body or "CONTENT_LENGTH" in env:
        env["CONTENT_LENGTH"] = str(len(body))
    scheme = "http" if env.get("HTTP_X_FORWARDED_PROTO") == "http" else "https"
    if request.user:
        env["REMOTE_USER"] = request.user
    # No header can be in the way of these: each of theirs begins with HTTP_ or CONTENT_.
    env.update(_BASE_ENVIRON)
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
    env["faas.context"] = env["apig_wsgi.context"] = context
    env["apig_wsgi.full_event"] = event
    env["apig_wsgi.request_context"] = event.get("requestContext")
    return env


def _merged(headers: dict[str, str]) -> dict[str, str]:
    """Headers that came in several spellings as one value each, joined as every server does."""
    sent: dict[str, str] = {}
    for name, value in headers.items():
        key = _KEYS[name]
        sent[key] = sent[key] + ("; " if key == "HTTP_COOKIE" else ",") + value if key in sent else value
    return sent


_DROPPED = ""


class _Keys(dict[str, str]):
    """Header name -> key in the environ; remembered, as a site sees the same few names in every request."""

    def __missing__(self, name: str) -> str:
        lower = name.lower()
        if "_" in name:
            # X_Real_IP and X-Real-IP would share a key: the former can only be meant to deceive.
            key = _DROPPED
        elif lower in {"content-type", "content-length"}:
            key = lower.replace("-", "_").upper()
        else:
            key = "HTTP_" + lower.replace("-", "_").upper()
        if len(self) < 500:  # clients choose names; they must not be able to fill the memory
            self[name] = key
        return key


_KEYS = _Keys()


@lru_cache(maxsize=64)
def server(host: str, forwarded_port: str | None, scheme: str) -> tuple[str, str]:
    """Name and port the client spoke to: the Host header's, the port else the front door's or the scheme's own."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    if not port.isdecimal():
        port = forwarded_port or _DEFAULT_PORTS[scheme]
    return name or "localhost", port
