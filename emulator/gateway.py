"""One front door at work: HTTP in, event, function, answer, HTTP out; and a line in the log for each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from .front_doors import Event, FrontDoor, Rejected, serialise
from .front_doors.contract import INTEGRATION, METADATA_LIMIT, SEPARATOR, Failure, Streaming
from .function.invocation import FunctionFailed, ResponseStream
from .function.pool import Pool
from .http import BrokenOff, Request, Response
from .log import Log


class Gateway:
    """Serves one front door from the function's ``pool``."""

    def __init__(self, door: FrontDoor, pool: Pool, log: Log) -> None:
        self._door = door
        self._pool = pool
        self._log = log

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        response, cold = await self._answer(request)
        began = time.perf_counter() - started
        target = f"{request.path}?{request.query}" if request.query else request.path

        def access(seconds: float, began: float | None) -> None:
            self._log.access(request.method, target, response.status, seconds, self._door.name, cold, began)

        if isinstance(response.stream, _Body):
            response.stream.at_end(lambda: access(time.perf_counter() - started, began))
        else:
            access(began, None)
        return response

    async def _answer(self, request: Request) -> tuple[Response, float | None]:
        request_id = str(uuid.uuid4())
        try:
            event = self._door.event(request, request_id)
        except Rejected as rejected:
            return rejected.response, None
        streaming = self._door.streaming
        try:
            invocation = await self._pool.invoke(
                serialise(event), request_id, self._door.timeout, streaming=streaming is not None
            )
            if streaming is not None and invocation.stream is not None:
                return await self._begin(streaming, invocation.stream, request, event, request_id), invocation.cold
        except FunctionFailed as failed:
            self._log.error(f"{request.method} {request.path}: {failed}")
            return self._door.failure(failed.failure, event, request_id), None
        return self._door.response(invocation.outcome.result(), event, request_id), invocation.cold

    async def _begin(
        self, streaming: Streaming, stream: ResponseStream, request: Request, event: Event, request_id: str
    ) -> Response:
        """The response as far as it is known when the function's answer begins."""
        what = f"{request.method} {request.path}"
        try:
            metadata, rest = None, b""
            if stream.content_type == INTEGRATION:
                metadata, rest = await _metadata(stream)
            response = streaming.begin(stream.content_type, metadata, event, request_id)
        except Rejected as rejected:
            stream.close()
            self._log.error(
                f"{what}: a streamed answer has to begin with a JSON object (statusCode, headers, cookies) and eight "
                f"NUL bytes; {self._door.name} can make nothing of this one"
            )
            return rejected.response
        except BaseException:
            stream.close()
            raise
        response.stream = _Body(stream, rest, streaming.cuts_after_error, what, self._log)
        return response


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

    def __init__(self, stream: ResponseStream, first: bytes, cuts_after_error: bool, what: str, log: Log) -> None:
        self._stream = stream
        self._first = first
        self._cuts_after_error = cuts_after_error
        self._what = what
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

    def _failed(self, message: str) -> None:
        self._ended = True
        self._log.error(f"{self._what}: {message}; the client had got {self._sent:,} bytes")
