"""The ASGI leg: one HTTPRequest into an ASGI 3 application, its answer out as one HTTPResponse.

One event loop serves the whole process, and one lifespan: clients and pools that the application keeps on its loop
stay usable from one invocation to the next.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from functools import lru_cache
from types import CoroutineType
from typing import Any
from urllib.parse import quote_from_bytes

from .event_loop import Loop
from .exceptions import ConfigurationError
from .http import Event, HTTPRequest, HTTPResponse, reason_phrase
from .limits import DeadlineExceeded
from .wsgi import server

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
RawHeaders = list[tuple[bytes, bytes]]
ASGIApplication = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_VERSION = {"version": "3.0", "spec_version": "2.4"}


class ASGILeg:
    """Calls an ASGI application; starts its lifespan at once, ends it with `close`."""

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application
        self._loop = Loop()
        try:
            self._lifespan = Lifespan(application, self._loop)
        except BaseException:
            self._loop.close()
            raise

    def respond(self, request: HTTPRequest, seconds: float | None) -> HTTPResponse:
        """The application's whole answer; what it raises passes through, `DeadlineExceeded` after ``seconds``."""
        exchange = _Exchange(request.body)
        scope = build_scope(request, self._lifespan.state)
        called = self._application(scope, exchange.receive, exchange.send)
        task = self._loop.begin(called if isinstance(called, CoroutineType) else _awaited(called))
        if not task.done() or not self._loop.idle:
            if seconds is None:
                self._loop.run_until_complete(task)
            else:
                self._run_in_time(task, seconds)
        task.result()
        return exchange.response()

    def _run_in_time(self, task: asyncio.Task[None], seconds: float) -> None:
        """Run the task; past its time it is cancelled, left behind if it won't end, and shown where it stood."""
        stack: list[str] = []

        def expire() -> None:
            stack.extend(_stack(task.get_coro()))
            task.cancel()
            # A synchronous view can't be cancelled in its thread; the thread is waited for no longer than this.
            self._loop.call_later(0.1, self._loop.stop)

        timer = self._loop.call_later(max(seconds, 0.001), expire)
        try:
            self._loop.run_until_complete(task)
        except (asyncio.CancelledError, RuntimeError):
            if not stack:
                raise
            raise DeadlineExceeded("the application was at\n" + "".join(stack)) from None
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the lifespan and the loop; the leg can't be called after it."""
        if not self._loop.is_closed():
            self._lifespan.shut_down()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def _stack(awaitable: Any) -> Iterator[str]:
    """Where each coroutine of a chain of awaits stands, outermost first."""
    while frame := getattr(awaitable, "cr_frame", None):
        yield from traceback.format_list(traceback.extract_stack(frame, 1))
        awaitable = awaitable.cr_await


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable


def build_scope(request: HTTPRequest, state: dict[str, Any]) -> Scope:
    """The ``http`` scope of ``request`` (asgi.readthedocs.io, HTTP & WebSocket message format 2.4).

    The event and the context are found under ``faas.event`` and ``faas.context``, and under Mangum's ``aws.*`` names.
    """
    headers = _headers(request)
    found = dict(headers)
    sent_length, length = found.get(b"content-length"), b"%d" % len(request.body)
    if sent_length != length and (request.body or sent_length):
        # A REST API drops the header, and any front door may have re-coded the body: its length is what counts.
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        headers.append((b"content-length", length))
    if request.user:
        headers.append((b"remote-user", request.user.encode()))
    scheme = "http" if found.get(b"x-forwarded-proto") == b"http" else "https"
    root_path, raw_path = request.script_name, request.raw_path
    path = request.path
    if root_path:
        path = root_path.encode("latin-1") + path
        root_path = root_path.encode("latin-1").decode("utf-8", "replace")
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": request.method,
        "scheme": scheme,
        "path": path.decode("utf-8", "replace"),
        "raw_path": (quote_from_bytes(path) if raw_path is None else raw_path).encode(),
        "query_string": request.query.encode("latin-1"),
        "root_path": root_path,
        "headers": headers,
        "client": (request.client, 0) if request.client else None,
        "server": _server(found.get(b"host", b""), found.get(b"x-forwarded-port"), scheme),
        "state": state.copy(),
        "extensions": {},
        "faas.event": Event(request.event),
        "faas.context": request.context,
        "aws.event": request.event,
        "aws.context": request.context,
    }


@lru_cache(maxsize=64)
def _server(host: bytes, forwarded_port: bytes | None, scheme: str) -> tuple[str, int | None]:
    forwarded = None if forwarded_port is None else forwarded_port.decode("latin-1")
    name, port = server(host.decode("latin-1"), forwarded, scheme)
    return name, int(port) if port.isdecimal() else None


def _headers(request: HTTPRequest) -> RawHeaders:
    headers, repeated = request.headers, request.repeated
    if not repeated:
        try:
            names = [_NAMES[name] for name in headers]
        except KeyError:
            pass
        else:
            # All values in one go; unless one has a line break in it, which only a hand-made event can bring.
            values = "\n".join(headers.values()).encode("latin-1").split(b"\n")
            if len(values) == len(names):
                return list(zip(names, values, strict=False))
    raw = []
    for name, value in headers.items():
        # X_Real_IP and X-Real-IP share a key in Django's META: the former can only be meant to deceive.
        if "_" in name or not name.isascii():
            continue
        raw_name = name.lower().encode()
        # Django's RemoteUserMiddleware believes it under ASGI, and no front door keeps a client from sending it.
        if raw_name == b"remote-user":
            continue
        if len(_NAMES) < 500:  # clients choose names; they must not be able to fill the memory
            _NAMES[name] = raw_name
        raw.extend([(raw_name, one.encode("latin-1")) for one in repeated.get(name, (value,))])
    return raw


# Header name -> its form in a scope, of names met before: a site sees the same few in every request.
_NAMES: dict[str, bytes] = {}


class _Exchange:
    """One request's two channels."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []
        self._complete = False
        self._disconnected: asyncio.Event | None = None

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._complete:
            if self._disconnected is None:
                self._disconnected = asyncio.Event()
            await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body" and self._status is not None and not self._complete:
            self._chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._complete = True
                if self._disconnected is not None:
                    self._disconnected.set()
        elif kind == "http.response.start" and self._status is None:
            self._status = message["status"]
            self._headers = [
                (str(name, "latin-1"), str(value, "latin-1")) for name, value in message.get("headers", ())
            ]
        else:
            raise RuntimeError(f"the application sent {kind!r} where ASGI does not allow it")

    def response(self) -> HTTPResponse:
        if self._status is None or not self._complete:
            raise RuntimeError("the application returned before its response was complete")
        return HTTPResponse(self._status, reason_phrase(self._status), self._headers, b"".join(self._chunks))


class Lifespan:
    """The application's lifespan: started once, or found not to be supported, as Django's is not."""

    def __init__(self, application: ASGIApplication, loop: asyncio.AbstractEventLoop) -> None:
        self.state: dict[str, Any] = {}
        self._loop = loop
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._from_application: asyncio.Queue[Message] = asyncio.Queue()
        scope: Scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        self._task = loop.create_task(
            _awaited(application(scope, self._to_application.get, self._from_application.put))
        )
        answer = loop.run_until_complete(self._tell("lifespan.startup"))
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise ConfigurationError(f"The application's lifespan startup failed: {answer.get('message', '')}")

    async def _tell(self, kind: str) -> Message | None:
        """The application's answer to a lifespan event, None when it ended without one."""
        await self._to_application.put({"type": kind})
        answer = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() or not self._from_application.empty():
            return await answer
        answer.cancel()
        self._task.exception()  # an application without lifespan raises; taken here, asyncio need not report it
        return None

    def shut_down(self) -> None:
        """Tell the application that the process ends, and wait for it."""
        if not self._task.done():
            self._loop.run_until_complete(self._tell("lifespan.shutdown"))
            self._loop.run_until_complete(asyncio.wait({self._task}, timeout=1))
