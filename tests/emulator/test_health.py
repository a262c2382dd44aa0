from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator import health
from emulator.blueprint import Door
from emulator.front_doors import Failure, build
from emulator.function.invocation import FunctionFailed, Invocation
from emulator.gateway import Gateway
from emulator.health import HealthChecks
from emulator.records import Recorder
from tests.emulator.helpers import Heard


def test_only_a_change_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each status is one check's; 0 is a function that fails."""
    monkeypatch.setattr(health, "INTERVAL", 0)
    statuses = iter([200, 200, 500, 500, 0, 200, 200, 404])
    log, recorder = Heard(), Recorder()
    paths = []
    done = asyncio.Event()

    async def function(event: bytes, request_id: str, patience: float | None, **_: Any) -> Invocation:
        paths.append(event)
        status = next(statuses, None)
        if status is None:
            done.set()
            await asyncio.sleep(60)
        if status == 0:
            raise FunctionFailed(Failure.FUNCTION, "it ended")
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        outcome.set_result(b'{"statusCode": %d, "body": ""}' % (status or 200))
        return Invocation(request_id, event, outcome)

    async def scenario() -> None:
        gateway = Gateway(build(Door("alb", "web")), function, "web", None, recorder, log)
        checks = asyncio.create_task(HealthChecks("alb", "/well/", gateway, log).run())
        await asyncio.wait_for(done.wait(), 5)
        checks.cancel()
        await asyncio.gather(checks, return_exceptions=True)
        assert checks.cancelled()

    asyncio.run(scenario())
    said = [line.partition("  ")[2] for line in log.text.splitlines() if "function is" in line]
    assert said == [
        "alb: the function is unhealthy: it answers /well/ with 500, not 200",
        "alb: the function is healthy again",
        "alb: the function is unhealthy: it answers /well/ with 404, not 200",
    ]
    assert all(b'"/well/"' in event for event in paths)
    assert log.text.count("it ended") == 1
