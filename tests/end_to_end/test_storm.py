"""A thousand requests while processes are killed, and two hundred clients at once: each gets its own answer or the
front door's word for what went wrong; and in the end nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import aiohttp
import pytest

from emulator.front_doors import create
from emulator.front_doors.contract import Failure
from emulator.http import Request
from tests.emulator.helpers import ROOT, alive, until

from .conftest import Emulator, emulating

pytestmark = pytest.mark.emulated

DOORS = ("http_api", "rest_api", "function_url", "alb")
THROTTLED = True
"""Whether a request that finds no free process is refused; else it waits for one."""

SITE = """
import hashlib, os, time
from django.http import HttpResponse
from django.urls import path

DEBUG = True
SECRET_KEY = "storm"
ROOT_URLCONF = "site_of_storm"

def answer(request, token, milliseconds):
    with open("handled", "a") as file:
        file.write(f"{token}\\n")
    time.sleep(milliseconds / 1000)
    return HttpResponse(f"{token} {hashlib.sha256(request.body).hexdigest()}", headers={"X-Token": token})

urlpatterns = [path("<token>/<int:milliseconds>/", answer)]
"""
MANAGE = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_storm")
from django.core.management import execute_from_command_line
execute_from_command_line()
"""
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "site_of_storm.py").write_text(SITE)
    (tmp_path / "manage.py").write_text(MANAGE)
    return tmp_path


@contextlib.contextmanager
def storm(project: Path, *options: str) -> Iterator[tuple[Emulator, Callable[[], set[int]]]]:
    """The emulator, and what tells of all the processes that come from it: who is their parent does not matter."""
    mark = uuid.uuid4().hex
    environment = {"PYTHONPATH": str(ROOT), "FAAS_STORM": mark}

    def processes() -> set[int]:
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"FAAS_STORM={mark}".encode() in (folder / "environ").read_bytes() and alive(int(folder.name)):
                    found.add(int(folder.name))
        return found

    with emulating(project, "--no-reload", *options, doors=DOORS, environment=environment) as emulator:
        yield emulator, processes
    assert until(lambda: not processes(), 5)


def is_function(process: int) -> bool:
    with contextlib.suppress(OSError):
        return b"adapter.runtime" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def own_words(door: str, failure: Failure) -> tuple[int, bytes]:
    """Status and body of the front door's answer where the function gives none."""
    front_door, request_id = create(door), str(uuid.uuid4())
    event = front_door.event(Request("GET", "/", headers=(("Host", "localhost"),)), request_id)
    answer = front_door.failure(failure, event, request_id)
    return answer.status, answer.body


def play(scenario: Callable[[aiohttp.ClientSession], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        unlimited = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=unlimited, timeout=aiohttp.ClientTimeout(60)) as session:
            await scenario(session)

    asyncio.run(main())


@pytest.mark.parametrize(("requests", "last"), [(1000, signal.SIGTERM), (100, signal.SIGINT)])
def test_processes_are_killed_at_any_moment(project: Path, requests: int, last: signal.Signals) -> None:
    chance = random.Random(requests)
    most_kills = requests // 20
    failed = {door: own_words(door, Failure.FUNCTION) for door in DOORS}
    outcomes: Counter[str] = Counter()
    answered: set[str] = set()
    killed = 0

    async def one(session: aiohttp.ClientSession, port: int, door: str, token: str) -> None:
        target = f"http://127.0.0.1:{port}/{token}/{chance.choice((0, 0, 0, 0, 30))}/"
        # Not GET, which this client would send again by itself where a connection is lost.
        async with session.post(target) as answer:
            body = await answer.read()
            if (answer.status, body) == (200, f"{token} {NOTHING}".encode()):
                assert answer.headers["X-Token"] == token
                outcomes["answered"] += 1
                answered.add(token)
            else:
                assert (answer.status, body) == failed[door]
                outcomes["failed"] += 1

    # More processes than clients, so that no request is refused for want of one while a dead one is still counted.
    with storm(project, "--concurrency", "10") as (emulator, processes):

        async def client(session: aiohttp.ClientSession, tokens: Iterator[int]) -> None:
            for number in tokens:
                door = DOORS[number % len(DOORS)]
                await one(session, emulator.doors[door], door, f"t{number}")

        async def killer() -> None:
            nonlocal killed
            while killed < most_kills:
                await asyncio.sleep(chance.uniform(0.0, 0.15))
                functions = sorted(filter(is_function, await asyncio.to_thread(processes)))
                if functions:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(chance.choice(functions), signal.SIGKILL)
                        killed += 1

        async def scenario(session: aiohttp.ClientSession) -> None:
            tokens = iter(range(requests))
            killing = asyncio.create_task(killer())
            await asyncio.gather(*(client(session, tokens) for _ in range(4)))
            killing.cancel()
            # What comes after is as if nothing had been.
            before = outcomes["failed"]
            await asyncio.sleep(0.5)
            await client(session, iter(range(requests, requests + 20)))
            assert outcomes["failed"] == before
            await ended_at_work(session, emulator, project, processes, last)

        play(scenario)

    assert outcomes.total() == requests + 20
    assert killed > most_kills / 2
    # A process has one request at a time, so that no more than one goes with it.
    assert 0 < outcomes["failed"] <= killed
    handled = Counter((project / "handled").read_text().split())
    assert answered <= handled.keys()
    assert set(handled.values()) == {1}
    assert "Traceback" not in emulator.output


async def ended_at_work(
    session: aiohttp.ClientSession,
    emulator: Emulator,
    project: Path,
    processes: Callable[[], set[int]],
    last: signal.Signals,
) -> None:
    """The signal comes in the middle of requests, as a terminal sends it: to the foreground's whole process group."""
    port = emulator.doors["http_api"]
    going = [asyncio.ensure_future(session.post(f"http://127.0.0.1:{port}/last{number}/20000/")) for number in range(3)]
    handled = project / "handled"
    assert await asyncio.to_thread(until, lambda: handled.read_text().count("last") == len(going))
    assert len(list(filter(is_function, processes()))) >= len(going)
    os.killpg(emulator.process.pid, last)
    assert await asyncio.to_thread(emulator.process.wait, 10) == 0
    assert await asyncio.to_thread(until, lambda: not processes(), 5)
    await asyncio.gather(*going, return_exceptions=True)


def test_two_hundred_clients_at_once(project: Path) -> None:
    chance = random.Random(200)
    refused = {door: own_words(door, Failure.THROTTLED) for door in DOORS}
    uploads = [(bytes([number]) * 300_000) for number in range(8)]
    throttled = 0

    with storm(project, "--concurrency", "4") as (emulator, _processes):

        async def client(session: aiohttp.ClientSession, name: int) -> None:
            for number in range(5):
                await one(session, DOORS[(name + number) % len(DOORS)], f"c{name}n{number}")

        async def one(session: aiohttp.ClientSession, door: str, token: str) -> None:
            nonlocal throttled
            upload = chance.choice(uploads) if chance.random() < 0.1 else b""
            expected = f"{token} {hashlib.sha256(upload).hexdigest()}"
            target = f"http://127.0.0.1:{emulator.doors[door]}/{token}/{chance.choice((0, 0, 0, 40))}/"
            while True:
                async with session.post(target, data=upload) as answer:
                    body = await answer.read()
                    if (answer.status, body) == (200, expected.encode()):
                        return
                    assert (answer.status, body) == refused[door]
                throttled += 1
                await asyncio.sleep(chance.uniform(0.05, 0.5))

        async def scenario(session: aiohttp.ClientSession) -> None:
            for number in range(20):
                await one(session, DOORS[number % len(DOORS)], f"warm{number}")
            before = memory(emulator)
            await asyncio.gather(*(client(session, name) for name in range(200)))
            # What is under way, and the emulator's record of what was, which has a limit of 64 MB; nothing else stays.
            assert memory(emulator) - before < 150

        play(scenario)

    assert (throttled > 0) is THROTTLED
    handled = Counter((project / "handled").read_text().split())
    assert len(handled) == 1020
    assert set(handled.values()) == {1}


def memory(emulator: Emulator) -> float:
    """MB that the emulator's own process has had at its most."""
    status = Path(f"/proc/{emulator.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
