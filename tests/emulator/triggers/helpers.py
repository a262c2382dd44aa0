from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import emulator
from emulator.front_doors.contract import Failure
from emulator.function.invocation import FunctionFailed
from emulator.ports import listen, port_of
from emulator.records import Record, Recorder
from emulator.triggers.delivery import Postman
from tests.emulator.helpers import Heard

FAILED = FunctionFailed(Failure.FUNCTION, "it raised")
THROTTLED = FunctionFailed(Failure.THROTTLED, "all environments are busy")


class Functions:
    """Stands in for the function service: ``answer`` gets each event; an exception that it returns is raised."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any] = lambda event: None) -> None:
        self.answer = answer
        self.calls: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self.seconds = 0.0
        self.running = self.most = 0

    async def invoke(self, function: str, event: bytes, record: Record) -> bytes:
        self.calls.append((function, json.loads(event)))
        self.times.append(time.monotonic())
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        answer = self.answer(json.loads(event))
        if isinstance(answer, FunctionFailed):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    @property
    def events(self) -> list[Any]:
        return [event for _, event in self.calls]


class Around:
    """What triggers need around them."""

    def __init__(self, functions: Functions) -> None:
        self.log, self.recorder = Heard(), Recorder()
        self.postman = Postman(functions.invoke, self.recorder, self.log)

    @property
    def records(self) -> list[Record]:
        return self.recorder.since(0)


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.02)


@contextmanager
def moto_server(store: Path, *origins: str) -> Iterator[str]:
    """The URL of moto's S3, with a bucket called shop, and SQS, as `BucketServer` starts them, but without asyncio."""
    sock = listen("127.0.0.1", 0, "a test")
    script = Path(emulator.__file__).with_name("bucket_server.py")
    command = [sys.executable, "-P", str(script), f"--fd={sock.fileno()}", "--bucket=shop", f"--store={store}"]
    with subprocess.Popen(
        [*command, *(f"--origin={origin}" for origin in origins)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(sock.fileno(),),
        start_new_session=True,
    ) as process:
        url = f"http://127.0.0.1:{port_of(sock)}"
        sock.close()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield url
        finally:
            process.stdin.close()
