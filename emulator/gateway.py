"""One front door at work: HTTP in, event, function, answer, HTTP out; with a record and a line in the log for each."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Protocol

from . import blueprint
from .event_loop import when_idle
from .front_doors import Event, FrontDoor, LoadBalancer, Rejected, build, serialise
from .front_doors.contract import (
    ANYBODY,
    INTEGRATION,
    METADATA_LIMIT,
    SEPARATOR,
    Admitted,
    Failure,
    Refused,
    Streaming,
)
from .function.invocation import FunctionFailed, Invocation, ResponseStream
from .http import BrokenOff, Request, Response
from .log import Log, printable
from .records import Record, Recorder


class Guard(Protocol):
    """Who may pass a front door, and what browsers are told of it."""

    async def admit(self, request: Request, request_id: str) -> Admitted:
        """What the event says of whoever asks; raises `Refused`, or `Rejected` where there is an answer already."""
        ...

    def finish(self, request: Request, response: Response) -> None:
        """Add to a response what a browser has to know."""
        ...


class Function(Protocol):
    """What is asked for an answer; see `function.service.FunctionService.invoke`."""

    async def __call__(
        self, event: bytes, request_id: str, patience: float | None, *, streaming: bool, record: Record | None
    ) -> Invocation: ...


class Gateway:
    """Serves one front door: ``function`` answers whom the ``guard`` lets pass; ``name`` is the function's."""

    def __init__(
        self, door: FrontDoor, function: Function, name: str, guard: Guard | None, recorder: Recorder, log: Log
    ) -> None:
        self.door = door
        self.name = name
        self._function = function
        self._guard = guard
        self._recorder = recorder
        self._log = log

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        target = f"{request.path}?{request.query}" if request.query else request.path
        record = Record(request_id, "http", self.door.name, self.name, request.method, target, b"")
        response = await self._answer(request, request_id, record)
        if self._guard is not None:
            self._guard.finish(request, response)
        record.status = response.status

        def end() -> float:
            record.total = time.perf_counter() - started
            self._recorder.end(record)
            return record.total

        def log(seconds: float, began: float | None = None) -> None:
            self._log.access(request.method, target, response.status, seconds, self.door.name, record.cold, began)

        if isinstance(response.stream, _Body):
            began = time.perf_counter() - started
            response.stream.at_end(lambda: log(end(), began))
        else:
            seconds = end()
            # The client need not wait for the log.
            when_idle(lambda: log(seconds))
        return response

    async def replay(self, record: Record) -> None:
        """Give the function the event of ``record`` again; nobody but the record hears of the answer."""
        started = time.perf_counter()
        try:
            record.status = (await self._respond(json.loads(record.event), record.event, record)).status
        finally:
            record.total = time.perf_counter() - started
            self._recorder.end(record)

    async def check_health(self, path: str) -> int:
        """The status by which the function answers a load balancer's health check."""
        if not isinstance(self.door, LoadBalancer):
            raise TypeError(f"{self.door.name} checks no health")
        event = self.door.health_check(path)
        record = Record(
            str(uuid.uuid4()), "http", self.door.name, self.name, "GET", f"{path} (health check)", serialise(event)
        )
        self._recorder.add(record)
        await self.replay(record)
        return record.status or 0

    async def _answer(self, request: Request, request_id: str, record: Record) -> Response:
        try:
            admitted = ANYBODY if self._guard is None else await self._guard.admit(request, request_id)
            event = self.door.event(request, request_id, admitted)
        except Refused as refused:
            record.error = str(refused)
            self._recorder.add(record)
            self._log.caution(printable(f"{request.method} {request.path}: {refused}"))
            response = self.door.refuse(refused.refusal, request, request_id)
            response.headers += refused.headers
            return response
        except Rejected as rejected:
            self._recorder.add(record)
            return rejected.response
        payload = record.event = serialise(event)
        # Of a long one the record keeps the beginning only.
        self._recorder.add(record)
        streaming = self.door.streaming
        if streaming is None:
            return await self._respond(event, payload, record)
        try:
            invocation = await self._function(payload, request_id, self.door.timeout, streaming=True, record=record)
            record.cold = invocation.cold
            if invocation.stream is not None:
                return await self._begin(streaming, invocation.stream, event, record)
        except FunctionFailed as failed:
            return self._failed(failed, event, record)
        return self._read(invocation, event, record)

    async def _respond(self, event: Event, payload: bytes, record: Record) -> Response:
        try:
            invocation = await self._function(payload, record.id, self.door.timeout, streaming=False, record=record)
        except FunctionFailed as failed:
            return self._failed(failed, event, record)
        record.cold = invocation.cold
        return self._read(invocation, event, record)

    def _read(self, invocation: Invocation, event: Event, record: Record) -> Response:
        record.answer = invocation.outcome.result()
        if self.door.streaming is not None and SEPARATOR in record.answer:
            # The whole of an answer that would have been streamed to somebody who had asked for it.
            try:
                return self.door.streaming.begin(INTEGRATION, record.answer.partition(SEPARATOR)[0], event, record.id)
            except Rejected as rejected:
                return rejected.response
        return self.door.response(record.answer, event, record.id)

    def _failed(self, failed: FunctionFailed, event: Event, record: Record) -> Response:
        record.error = str(failed)
        self._log.error(f"{record.title} {record.target}: {failed}")
        return self.door.failure(failed.failure, event, record.id)

    async def _begin(self, streaming: Streaming, stream: ResponseStream, event: Event, record: Record) -> Response:
        """The response as far as it is known when the function's answer begins."""
        try:
            metadata, rest = None, b""
            if stream.content_type == INTEGRATION:
                metadata, rest = await _metadata(stream)
                record.answer = metadata or b""
            response = streaming.begin(stream.content_type, metadata, event, record.id)
        except Rejected as rejected:
            stream.close()
            record.error = (
                "a streamed answer has to begin with a JSON object (statusCode, headers, cookies) and eight NUL bytes; "
                f"{self.door.name} can make nothing of this one"
            )
            self._log.error(f"{record.title} {record.target}: {record.error}")
            return rejected.response
        except BaseException:
            stream.close()
            raise
        response.stream = _Body(stream, rest, streaming.cuts_after_error, record, self._log)
        return response


class SharedGateway:
    """One API with several functions or authorizers: the most specific of all their routes decides.

    ``gateways`` are those of ``doors``, in the same order.
    """

    def __init__(self, doors: Sequence[blueprint.Door], gateways: Sequence[Gateway]) -> None:
        routes = tuple(route for door in doors for route in door.routes)
        self._chooser = build(dataclasses.replace(doors[0], routes=routes))
        self._first = gateways[0]
        self._owners = {
            ("ANY" if route.path == "$default" else route.method.upper(), route.path): gateway
            for door, gateway in zip(doors, gateways, strict=True)
            for route in door.routes
        }

    async def __call__(self, request: Request) -> Response:
        try:
            event = self._chooser.event(request, str(uuid.uuid4()))
        except Rejected:
            return await self._first(request)
        path = event.get("resource") or event["routeKey"].rpartition(" ")[2]
        owner = self._owners.get((request.method, path)) or self._owners.get(("ANY", path)) or self._first
        return await owner(request)


async def _metadata(stream: ResponseStream) -> tuple[bytes | None, bytes]:
    """What comes before the separator, and what has come after it so far; see `Streaming.begin`."""
    head = bytearray()
    while data := await stream.read():
        head += data
        found = head.find(SEPARATOR)
        if 0 <= found <= METADATA_LIMIT:
            return bytes(head[:found]), bytes(head[found + len(SEPARATOR) :])
        if len(head) >= METADATA_LIMIT + len(SEPARATOR):
            return None, b""
    if stream.error is not None:
        raise FunctionFailed(Failure.FUNCTION, stream.error)
    return (None if head else b""), b""


class _Body:
    """The rest of a streamed answer on its way to the client; tells the log how it ends."""

    def __init__(self, stream: ResponseStream, first: bytes, cuts_after_error: bool, record: Record, log: Log) -> None:
        self._stream = stream
        self._first = first
        self._cuts_after_error = cuts_after_error
        self._record = record
        self._log = log
        self._sent = 0
        self._ended = False
        self._at_end: Callable[[], None] | None = None

    def at_end(self, call: Callable[[], None]) -> None:
        """Has ``call`` called once, when nothing more will be sent."""
        self._at_end = call

    async def read(self) -> bytes:
        data, self._first = self._first, b""
        try:
            data = data or await self._stream.read()
        except FunctionFailed as failed:
            self._failed(str(failed))
            raise BrokenOff from None
        self._sent += len(data)
        if not data and not self._stream.closed:
            self._ended = True
            if self._stream.error is not None:
                self._failed(self._stream.error)
                if self._cuts_after_error:
                    raise BrokenOff
        return data

    def close(self) -> None:
        self._stream.close()
        at_end, self._at_end = self._at_end, None
        if at_end is not None:
            if not self._ended:
                self._log.caution(f"{self._what}: the client left after {self._sent:,} bytes")
            at_end()

    @property
    def _what(self) -> str:
        return f"{self._record.title} {self._record.target}"

    def _failed(self, message: str) -> None:
        self._ended = True
        self._record.error = message
        self._log.error(f"{self._what}: {message}; the client had got {self._sent:,} bytes")
