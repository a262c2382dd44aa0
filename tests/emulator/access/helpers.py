from __future__ import annotations

import asyncio
import json
from typing import Any

from emulator.access import Ask, Guard, guard
from emulator.blueprint import Door
from emulator.front_doors import Event, Rejected, build
from emulator.front_doors.contract import Admitted, Refused
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Function:
    """An authorizer's function: answers with ``answer`` (or what it makes of the event), and remembers the events."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.names: list[str] = []
        self.events: list[dict[str, Any]] = []

    async def __call__(self, name: str, event: bytes) -> bytes:
        self.names.append(name)
        self.events.append(json.loads(event))
        answer = self.answer(self.events[-1]) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


async def nobody(name: str, event: bytes) -> bytes:
    raise AssertionError(f"{name} was asked")


def made(door: Door, ask: Ask = nobody, clock: Clock | None = None) -> Guard:
    return guard(door, ask, clock=clock or Clock())


def request(method: str = "GET", path: str = "/", **fields: Any) -> Request:
    return Request(method=method, path=path, received=NOW, **fields)


def admit(guard: Guard, asked: Request) -> Admitted:
    return asyncio.run(guard.admit(asked, REQUEST_ID))


def refused(guard: Guard, asked: Request) -> Refused:
    try:
        admitted = admit(guard, asked)
    except Refused as refused:
        return refused
    raise AssertionError(f"{asked} was admitted: {admitted}")


def rejected(guard: Guard, asked: Request) -> Response:
    try:
        admitted = admit(guard, asked)
    except Rejected as rejected:
        return rejected.response
    raise AssertionError(f"{asked} was admitted: {admitted}")


def event(door: Door, guard: Guard, asked: Request) -> Event:
    """What the door's function gets in the end."""
    return build(door).event(asked, REQUEST_ID, admit(guard, asked))
