"""The ASGI leg: one HTTPRequest into an ASGI 3 application, its answer out as one HTTPResponse.

One event loop serves the whole process, and one lifespan: clients and pools that the application keeps on its loop
stay usable from one invocation to the next.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterator, MutableMapping
from functools import lru_cache, partial
from types import CoroutineType, FrameType
from typing import Any, NoReturn
from urllib.parse import quote_from_bytes

from . import database, request_thread
from .afterwards import afterwards
from .event_loop import Loop
from .exceptions import ConfigurationError
from .http import Event, HTTPRequest, HTTPResponse, StreamedResponse, reason_phrase
from .limits import DeadlineExceeded
from .wsgi import server

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
RawHeaders = list[tuple[bytes, bytes]]
ASGIApplication = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

logger = logging.getLogger("adapter")

# Seconds that an application gets to end by itself when it is told to, and again when it is cancelled.
_PATIENCE = 0.1
_VERSION = {"version": "3.0", "spec_version": "2.4"}


class ASGILeg:
    """Calls an ASGI application; starts its lifespan at once, ends it with `close`."""

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application
        self.open()

    def open(self) -> None:
        """Start a loop and the application's lifespan."""
        request_thread.keep()
        self._loop = Loop()
        try:
            self._lifespan = Lifespan(self._application, self._loop)
        except BaseException:
            self._loop.close()
            raise

    def respond(self, request: HTTPRequest, seconds: float | None) -> HTTPResponse:
        """The application's whole answer; what it raises passes through, `DeadlineExceeded` after ``seconds``."""
        exchange = _Exchange(request.body)
        deadline = end = None
        try:
            task = self._begin(request, exchange)
            try:
                if not task.done():
                    deadline = self._deadline(seconds)
                    self._run(task, exchange, deadline, lambda: exchange.complete)
                elif not self._loop.idle:
                    self._loop.call_soon(self._loop.stop)
                    self._loop.run_forever()
                if not exchange.complete:
                    _raise_failure(task)
            except BaseException:
                self._abandon(task, exchange)
                raise
            if not task.done() or task.cancelled() or task.exception() is not None:
                end = partial(self._conclude, task, exchange, deadline)
        finally:
            afterwards.end(end, request_thread.run)
        return HTTPResponse(*exchange.start(), b"".join(exchange.chunks))

    def stream(self, request: HTTPRequest, seconds: float | None) -> StreamedResponse:
        """The application's answer as soon as its first bytes are there; `DeadlineExceeded` even while they flow."""
        exchange = _Streaming(request.body)
        chunks = self._chunks(request, exchange, seconds)
        first = next(chunks, b"")
        return StreamedResponse(*exchange.start(), first, chunks)

    def _chunks(self, request: HTTPRequest, exchange: _Streaming, seconds: float | None) -> Generator[bytes]:
        deadline = self._deadline(seconds)
        end = None
        try:
            task = self._begin(request, exchange)
            try:
                while exchange.chunks or not (exchange.complete or task.done()):
                    if exchange.chunks:
                        data = b"".join(exchange.chunks)
                        exchange.chunks.clear()
                        yield data
                    else:
                        exchange.taken.set()
                        self._run(task, exchange, deadline, lambda: exchange.complete or bool(exchange.chunks))
                if not exchange.complete:
                    _raise_failure(task)
            except BaseException:
                if not exchange.complete:
                    self._abandon(task, exchange)
                raise
            finally:
                if exchange.complete:
                    end = partial(self._conclude, task, exchange, deadline)
        finally:
            afterwards.end(end, request_thread.run)

    def _deadline(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._loop.time() + seconds

    def _begin(self, request: HTTPRequest, exchange: _Exchange) -> asyncio.Task[None]:
        scope = build_scope(request, self._lifespan.state)
        called = self._application(scope, exchange.receive, exchange.send)
        return self._loop.begin(called if isinstance(called, CoroutineType) else _awaited(called))

    def _run(
        self, task: asyncio.Task[None], exchange: _Exchange, deadline: float | None, enough: Callable[[], bool]
    ) -> None:
        """Turn the loop until the application has done ``enough``, or all; `DeadlineExceeded` shows where it stood."""
        running, late = True, False

        def wake(_: object = None) -> None:
            # A task's callback waits for its turn, which may come when the loop runs for somebody else.
            if running:
                self._loop.stop()

        def expire() -> None:
            nonlocal late
            late = True
            self._loop.stop()

        timer = None if deadline is None else self._loop.call_at(deadline, expire)
        exchange.tell = wake
        task.add_done_callback(wake)
        try:
            while not (task.done() or enough()):
                if late:
                    raise DeadlineExceeded("the application was at\n" + self._whereabouts(task))
                self._loop.run_forever()
        finally:
            running = False
            task.remove_done_callback(wake)
            if timer is not None:
                timer.cancel()

    def _conclude(self, task: asyncio.Task[None], exchange: _Exchange, deadline: float | None) -> None:
        """Let an application that has answered come to its end; what it raises passes through."""
        try:
            self._run(task, exchange, deadline, lambda: False)
        except DeadlineExceeded as error:
            self._abandon(task, exchange)
            raise TimeoutError("the application went on after its answer until the time limit was near") from error
        if not task.cancelled():
            task.result()

    def _abandon(self, task: asyncio.Task[None], exchange: _Exchange) -> None:
        """End an application that nobody listens to any more: by itself, cancelled, or left behind.

        A synchronous view can't be cancelled in its thread, which is not waited for.
        """
        exchange.leave()
        if not task.done():
            task.add_done_callback(_log_failure)
            self._loop.run_until_complete(_wait_for(task))
        if not task.done() or task.cancelled() or task.exception() is not None:
            database.abandon_request()

    def _whereabouts(self, task: asyncio.Task[None]) -> str:
        """Where the application stands: its task, and those it started, as Django does for the view."""
        tasks = (task, *(asyncio.all_tasks(self._loop) - {task, self._lifespan.task}))
        stacks = [list(_frames(each.get_coro())) for each in tasks]
        return "\n".join(
            "".join(traceback.format_list([traceback.extract_stack(frame, 1)[0] for frame in frames]))
            for frames in stacks
            if not any(frame.f_code is _Exchange.receive.__code__ for frame in frames)
        )

    def close(self) -> None:
        """End the lifespan and the loop; the leg can't be called until it is opened again."""
        if not self._loop.is_closed():
            self._lifespan.shut_down()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def _frames(awaitable: Any) -> Iterator[FrameType]:
    """Where each coroutine of a chain of awaits stands, outermost first."""
    while frame := getattr(awaitable, "cr_frame", None):
        yield frame
        awaitable = awaitable.cr_await


async def _wait_for(task: asyncio.Task[None]) -> None:
    before = asyncio.all_tasks()
    await asyncio.wait({task}, timeout=_PATIENCE)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_PATIENCE)
    await asyncio.sleep(0)
    # A generator that nobody will iterate over any more is closed by a task of its own.
    if last := asyncio.all_tasks() - before:
        await asyncio.wait(last, timeout=_PATIENCE)


def _raise_failure(task: asyncio.Task[None]) -> NoReturn:
    """Raise what kept the application from completing its answer."""
    if not task.cancelled():
        task.result()
    raise RuntimeError(_INCOMPLETE)


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, _GoneError):
        logger.error("The application failed when it was told that the client has left", exc_info=error)


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


class _GoneError(OSError):
    """The client has left, or is taken to have; an OSError by the message format, "disconnected client"."""

    def __str__(self) -> str:
        return "the client has left"


class _Exchange:
    """One request's two channels."""

    def __init__(self, body: bytes) -> None:
        self.chunks: list[bytes] = []
        self.complete = False
        self.tell: Callable[[], object] | None = None
        """Called when there is an answer to be taken."""
        self._open = True
        self._body: bytes | None = body
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._over: asyncio.Event | None = None

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._open:
            if self._over is None:
                self._over = asyncio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body" and self._status is not None and self._open:
            body = message.get("body")
            if body:
                self.chunks.append(body)
            if not message.get("more_body", False):
                self.complete, self._open = True, False
                if self._over is not None:
                    self._over.set()
                if self.tell is not None:
                    self.tell()
        elif not (self._open or self.complete):
            if self._over is None:
                raise _GoneError
            # Whoever listens hears of it: Django's handler will cancel the view, and must not see it fail before.
            await asyncio.Event().wait()
        elif kind == "http.response.start" and self._status is None:
            self._status = message["status"]
            self._headers = [
                (str(name, "latin-1"), str(value, "latin-1")) for name, value in message.get("headers", ())
            ]
        else:
            raise RuntimeError(f"the application sent {kind!r} where ASGI does not allow it")

    def leave(self) -> None:
        """The client has left: the application is told, and can send nothing more."""
        self._open = False
        if self._over is not None:
            self._over.set()

    def start(self) -> tuple[int, str, list[tuple[str, str]]]:
        """Status, reason and headers."""
        if self._status is None:
            raise RuntimeError(_INCOMPLETE)
        return self._status, reason_phrase(self._status), self._headers


class _Streaming(_Exchange):
    """An exchange of which each piece is taken before the application makes the next."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.taken = asyncio.Event()

    async def send(self, message: Message) -> None:
        await super().send(message)
        if self.chunks and not self.complete:
            self.taken.clear()
            if self.tell is not None:
                self.tell()
            await self.taken.wait()
            if not self._open:
                raise _GoneError

    def leave(self) -> None:
        super().leave()
        if self._over is None:
            self.taken.set()


_INCOMPLETE = "the application returned before its response was complete"


class Lifespan:
    """The application's lifespan: started once, or found not to be supported, as Django's is not."""

    def __init__(self, application: ASGIApplication, loop: asyncio.AbstractEventLoop) -> None:
        self.state: dict[str, Any] = {}
        self._loop = loop
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._from_application: asyncio.Queue[Message] = asyncio.Queue()
        scope: Scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        self.task = loop.create_task(_awaited(application(scope, self._to_application.get, self._from_application.put)))
        answer = loop.run_until_complete(self._tell("lifespan.startup"))
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise ConfigurationError(f"The application's lifespan startup failed: {answer.get('message', '')}")

    async def _tell(self, kind: str) -> Message | None:
        """The application's answer to a lifespan event, None when it ended without one."""
        await self._to_application.put({"type": kind})
        answer = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait({answer, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() or not self._from_application.empty():
            return await answer
        answer.cancel()
        self.task.exception()  # an application without lifespan raises; taken here, asyncio need not report it
        return None

    def shut_down(self) -> None:
        """Tell the application that the process ends, and wait for it."""
        if not self.task.done():
            self._loop.run_until_complete(self._tell("lifespan.shutdown"))
            self._loop.run_until_complete(asyncio.wait({self.task}, timeout=1))
