"""The WSGI leg: one HTTPRequest into a PEP 3333 application, its answer out as one HTTPResponse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .http import HTTPRequest, HTTPResponse

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

    def __call__(self, request: HTTPRequest) -> HTTPResponse:
        """The application's whole answer; whatever the application raises passes through."""
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
        # Django's cookies come with a space before them, which is no part of the value (RFC 9110, 5.5).
        stripped = [(name, value.strip()) for name, value in headers]
        return HTTPResponse(int(code), reason, stripped, b"".join(chunks))

    def close(self) -> None:
        """Nothing is kept open."""


def environ(request: HTTPRequest) -> dict[str, Any]:
    """The PEP 3333 environ of ``request``, as a web server would have made it.

    The event and the context are found under ``faas.event`` and ``faas.context``, and under the names that Mangum and
    apig-wsgi give them.
    """
    event, context = request.event, request.context
    env = _BASE_ENVIRON.copy()
    env["REQUEST_METHOD"] = request.method
    env["SCRIPT_NAME"] = request.script_name
    env["PATH_INFO"] = request.path.decode("latin-1")
    env["QUERY_STRING"] = request.query
    env["REMOTE_ADDR"] = request.client
    env["wsgi.input"] = BytesIO(request.body)
    env["wsgi.errors"] = sys.stderr
    env["faas.event"] = env["aws.event"] = env["apig_wsgi.full_event"] = event
    env["faas.context"] = env["aws.context"] = env["apig_wsgi.context"] = context
    env["apig_wsgi.request_context"] = event.get("requestContext")

    for name, value in request.headers:
        # X_Real_IP and X-Real-IP would share a key: the former can only be meant to deceive.
        if "_" in name:
            continue
        key = "HTTP_" + name.replace("-", "_").upper()
        if key in env:
            env[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        else:
            env[key] = value

    content_type = env.pop("HTTP_CONTENT_TYPE", None)
    if content_type is not None:
        env["CONTENT_TYPE"] = content_type
    # A REST API drops the header, and any front door may have re-coded the body: its length is what counts.
    if env.pop("HTTP_CONTENT_LENGTH", None) is not None or request.body:
        env["CONTENT_LENGTH"] = str(len(request.body))

    scheme = env["wsgi.url_scheme"] = "http" if env.get("HTTP_X_FORWARDED_PROTO") == "http" else "https"
    env["SERVER_NAME"], env["SERVER_PORT"] = server(env.get("HTTP_HOST", ""), env.get("HTTP_X_FORWARDED_PORT"), scheme)
    return env


def server(host: str, forwarded_port: str | None, scheme: str) -> tuple[str, str]:
    """Name and port the client spoke to: the Host header's, the port else the front door's or the scheme's own."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    if not port.isdecimal():
        port = forwarded_port or _DEFAULT_PORTS[scheme]
    return name or "localhost", port
