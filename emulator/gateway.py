"""One front door at work: HTTP in, event, function, answer, HTTP out; and a line in the log for each."""

from __future__ import annotations

import time
import uuid

from .front_doors import FrontDoor, Rejected, serialise
from .function.pool import Pool
from .function.runtime_api import FunctionFailed
from .http import Request, Response
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
        target = f"{request.path}?{request.query}" if request.query else request.path
        self._log.access(request.method, target, response.status, time.perf_counter() - started, self._door.name, cold)
        return response

    async def _answer(self, request: Request) -> tuple[Response, float | None]:
        request_id = str(uuid.uuid4())
        try:
            event = self._door.event(request, request_id)
        except Rejected as rejected:
            return rejected.response, None
        try:
            invocation = await self._pool.invoke(serialise(event), request_id, self._door.timeout)
        except FunctionFailed as failed:
            self._log.error(f"{request.method} {request.path}: {failed}")
            return self._door.failure(failed.failure, event, request_id), None
        return self._door.response(invocation.outcome.result(), event, request_id), invocation.cold
