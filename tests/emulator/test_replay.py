from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from emulator.blueprint import Door
from emulator.exceptions import EmulatorError
from emulator.front_doors import Failure, build
from emulator.function.invocation import FunctionFailed, Invocation
from emulator.gateway import Gateway
from emulator.http import Request
from emulator.records import LONGEST_PART, Record, Recorder
from emulator.replay import Replay
from tests.emulator.helpers import Heard

T = TypeVar("T")


@dataclass
class Stage:
    """A site behind one front door, and functions that events reach otherwise."""

    body: str = "old"
    recorder: Recorder = field(default_factory=Recorder)
    invoked: list[tuple[str, bytes]] = field(default_factory=list)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.gateway = Gateway(build(Door("http_api", "web")), self.web, "web", None, self.recorder, Heard())
        self.replay = Replay(self.recorder, [self.gateway], self.invoke)

    async def web(self, event: bytes, request_id: str, patience: float | None, **_: Any) -> Invocation:
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        outcome.set_result(json.dumps({"statusCode": 200, "body": self.body}).encode())
        return Invocation(request_id, event, outcome)

    async def invoke(self, function: str, event: bytes, record: Record) -> bytes:
        self.invoked.append((function, event))
        if self.error is not None:
            raise self.error
        return b'{"taken": 1}'

    async def again(self, identifier: str) -> Record:
        """The new record, once it has ended."""
        record = self.recorder.get(await self.replay(identifier))
        assert record is not None
        async with asyncio.timeout(5):
            while not record.ended:
                await asyncio.sleep(0)
        return record


@pytest.fixture
def stage() -> Stage:
    return Stage()


def play(scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(scenario())


def kept(stage: Stage, source: Any = "queue", origin: str = "jobs", event: bytes = b'{"Records":[]}') -> Record:
    record = stage.recorder.add(Record("first", source, origin, "web", "jobs", "1 message", event))
    stage.recorder.end(record)
    return record


def test_a_request_is_answered_by_the_function_as_it_is_now(stage: Stage) -> None:
    async def scenario() -> tuple[Record, Record]:
        await stage.gateway(Request("GET", "/shop/", "a=1", (("Host", "localhost"),)))
        [original] = stage.recorder.since(0)
        stage.body = "new"
        return original, await stage.again(original.id)

    original, again = play(scenario)
    assert again.id != original.id
    assert again.replay_of == original.id
    assert (again.title, again.target, again.event) == (original.title, "/shop/?a=1", original.event)
    assert [json.loads(record.answer)["body"] for record in (original, again)] == ["old", "new"]
    assert again.status == 200
    assert stage.invoked == []


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("queue", "jobs"),
        # Its record has the name of the door that asked, and this function answers both.
        ("authorizer", "http_api"),
    ],
)
def test_what_came_by_no_front_door_goes_to_the_function_itself(stage: Stage, source: str, origin: str) -> None:
    kept(stage, source, origin)
    again = play(lambda: stage.again("first"))
    assert stage.invoked == [("web", b'{"Records":[]}')]
    assert (again.source, again.answer, again.status, again.replay_of) == (source, b'{"taken": 1}', None, "first")
    assert again.total is not None


def test_a_replay_may_fail_and_be_replayed(stage: Stage) -> None:
    async def scenario() -> tuple[Record, Record]:
        kept(stage)
        stage.error = FunctionFailed(Failure.FUNCTION, "it ended")
        failed = await stage.again("first")
        stage.error = None
        return failed, await stage.again(failed.id)

    failed, again = play(scenario)
    assert (failed.error, failed.ended) == ("it ended", True)
    assert (again.error, again.replay_of) == (None, failed.id)


def test_what_cannot_be_replayed(stage: Stage) -> None:
    with pytest.raises(KeyError):
        play(lambda: stage.replay("unknown"))
    kept(stage, event=b"")
    with pytest.raises(EmulatorError, match="there is no event to replay"):
        play(lambda: stage.replay("first"))
    kept(stage, event=b"x" * (LONGEST_PART + 1))
    with pytest.raises(EmulatorError, match="over 1,048,576 bytes only the beginning is kept"):
        play(lambda: stage.replay("first"))
    assert len(stage.recorder.since(0)) == 1
