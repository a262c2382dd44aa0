"""A request that nobody sent, for what only a request brings about. It leaves nothing behind.

Django answers it without the signals of a request, so that neither their receivers nor an access log take notice. Its
session is never saved, and what it sets for its thread (language, time zone, URLconf) is gone with it.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

from . import database
from .http import HTTPRequest
from .wsgi import environ

if TYPE_CHECKING:
    from django.core.handlers.wsgi import WSGIRequest
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.http import HttpResponseBase

T = TypeVar("T")

# Those of Django's middleware that look at nothing but the request: at no database, no cache, no other server.
_HARMLESS = frozenset(
    {
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.security.SecurityMiddleware",
    }
)
_DUMMY = "django.db.backends.dummy"
_WAYS_TO_A_DATABASE = ("connect", "cursor", "chunked_cursor")


class _QueryRefusedError(Exception):
    """Nobody may ask the database just now."""


def of_not_found() -> None:
    """Make the page for status 404: what every project has, and can be made without a view, a query or foreign code.

    Raises what the page's template and its context processors raise where they need a database, or middleware that is
    not Django's own.
    """
    _rehearse(_make_not_found)


def of_page(path: str, application: object) -> int:
    """GET ``path`` with all of the project's middleware, and undo what that did to databases; the answer's status."""
    return _rehearse(lambda: _get(path, application))


def _rehearse(function: Callable[[], T]) -> T:
    """Call ``function`` in the thread that answers requests, in a context that ends with it."""
    thread = sys.modules.get(f"{__package__}.request_thread")  # by ASGI
    if thread is None:
        return contextvars.copy_context().run(function)
    result: T = thread.run(lambda: contextvars.copy_context().run(function))
    return result


def _make_not_found() -> None:
    from django.conf import settings
    from django.utils.module_loading import import_string

    get_response: Callable[[WSGIRequest], HttpResponseBase] = _not_found
    for path in reversed(settings.MIDDLEWARE):
        if path in _HARMLESS:
            get_response = import_string(path)(get_response)
    with no_queries():
        get_response(_request("/not-found"))


def _not_found(request: WSGIRequest) -> HttpResponseBase:
    from django.http import Http404
    from django.urls import get_resolver

    resolver = get_resolver()
    with suppress(Http404):
        # A pattern for every path would match: its view is not called.
        resolver.resolve(request.path_info)
    handler: Callable[..., HttpResponseBase] = resolver.resolve_error_handler(404)
    return handler(request, exception=Http404())


def _get(path: str, application: object) -> int:
    from django.core.handlers.base import BaseHandler
    from django.core.handlers.wsgi import WSGIHandler

    if isinstance(application, WSGIHandler):
        handler: BaseHandler = application
    else:  # Django by ASGI, or inside of a wrapper
        handler = BaseHandler()
        handler.load_middleware()
    path, _, query = path.partition("?")
    with _rolled_back():
        response = handler.get_response(_request(path, query))
        # response.close() would send request_finished.
        for close in response._resource_closers:  # type: ignore[attr-defined]
            close()
    database.settle()
    return response.status_code


def _request(path: str, query: str = "") -> WSGIRequest:
    from django.core.handlers.wsgi import WSGIRequest

    class Rehearsal(WSGIRequest):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "session":
                value.save = _not_saved
            super().__setattr__(name, value)

    headers = {"host": allowed_host(), "user-agent": "django-faas priming", "x-forwarded-proto": "https"}
    return Rehearsal(
        environ(
            HTTPRequest(
                method="GET",
                path=unquote_to_bytes(path),
                raw_path=path,
                script_name="",
                query=query,
                headers=headers,
                repeated={},
                body=b"",
                client="127.0.0.1",
                event={},
                context=None,
            )
        )
    )


def _not_saved(must_create: bool = False) -> None:
    """In place of a session's ``save``."""


def allowed_host() -> str:
    """A name that ALLOWED_HOSTS lets pass."""
    from django.conf import settings

    return next((host.removeprefix(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")


def connections() -> list[BaseDatabaseWrapper]:
    """This thread's connection to each database, open or not; none where the project has no database."""
    from django.db import connections

    # Django makes do with a dummy where DATABASES is empty, and to ask the dummy for anything would load the ORM.
    return [connections[alias] for alias in connections if connections.settings[alias]["ENGINE"] != _DUMMY]


@contextmanager
def no_queries() -> Iterator[None]:
    """Let nobody reach a database from this thread: who tries gets an exception."""
    closed_off = connections()
    for connection in closed_off:
        for way in _WAYS_TO_A_DATABASE:
            setattr(connection, way, _refuse)
    try:
        yield
    finally:
        for connection in closed_off:
            for way in _WAYS_TO_A_DATABASE:
                delattr(connection, way)


def _refuse(*arguments: object, **options: object) -> NoReturn:  # noqa: ARG001 - in place of several methods
    raise _QueryRefusedError("INIT asks no database, save for the page that FAAS_PRIME_PATH names")


@contextmanager
def _rolled_back() -> Iterator[None]:
    """Undo what is done to databases, and with it what waits for a commit; one that can't be reached is passed over."""
    from django.db import Error, transaction

    with ExitStack() as stack:
        for connection in connections():
            with suppress(Error):
                stack.enter_context(transaction.atomic(using=connection.alias))
                stack.callback(transaction.set_rollback, True, using=connection.alias)
        yield
