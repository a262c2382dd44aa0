"""The small function behind a function service, as the tests of this folder use it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.function.invocation import FunctionFailed
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from emulator.records import Record
from tests.emulator.helpers import Heard, alive

SCRIPT = Path(__file__).with_name("runtime_client.py")
# -X dev would double the start of each process.
COMMAND = (sys.executable, "-I", "-S", str(SCRIPT))


class Function:
    """The small function, what it logged, whom it started, and what was recorded."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.log = Heard()
        self.pids: set[int] = set()
        self.records: list[Record] = []
        self.changed: list[Record] = []
        concurrency = options.pop("concurrency", 2)
        idle_limit = options.pop("idle_limit", 300)
        variables = {**lambda_variables(folder, "eu-west-1"), "PATH": os.environ["PATH"]}
        spec = FunctionSpec(folder, COMMAND, variables, **options)
        self.service = FunctionService(
            {"small": spec}, concurrency, self.log, idle_limit=idle_limit, changed=self.changed.append
        )
        self._numbers = itertools.count(1)

    async def __call__(self, patience: float | None = 10, **event: Any) -> Any:
        request_id = f"id-{next(self._numbers)}"
        payload = json.dumps(event).encode()
        record = Record(request_id, "http", "a test", "small", "GET", "/", payload)
        self.records.append(record)
        invocation = await self.service.invoke("small", payload, request_id, patience, record=record)
        answer = json.loads(invocation.outcome.result())
        assert answer["event"] == event
        assert answer["id"] == request_id
        self.pids.add(answer["pid"])
        return answer

    async def recorded(self) -> Record:
        """The last record, when the function is done with it."""
        record = self.records[-1]
        for _ in range(500):
            if record in self.changed:
                return record
            await asyncio.sleep(0.01)
        raise AssertionError(f"not over: {record}")


def run(folder: Path, scenario: Callable[[Function], Awaitable[None]], **options: Any) -> Function:
    """Plays ``scenario``, and makes sure that no process is left of it."""

    async def main() -> Function:
        function = Function(folder, **options)
        function.service.start("small")
        try:
            await scenario(function)
        finally:
            await function.service.stop()
        return function

    function = asyncio.run(main())
    assert not [pid for pid in function.pids if alive(pid)]
    return function


async def failure(call: Awaitable[Any]) -> FunctionFailed:
    with pytest.raises(FunctionFailed) as caught:
        await call
    return caught.value
