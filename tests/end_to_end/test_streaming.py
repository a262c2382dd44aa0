"""Answers that leave chunk by chunk: from a view through the runtime loop, the front door and the CDN to the client."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Emulator, emulating, send

pytestmark = pytest.mark.emulated

VIEWS = """
import asyncio, os, tempfile, time
from pathlib import Path
from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from adapter import after_response

MARKS = Path(os.environ["MARKS"])

def numbers():
    try:
        for number in range(1000):
            MARKS.write_text(f"made {number}")
            yield f"data: {number} {time.time()}\\n\\n"
            time.sleep(0.2 if number < 3 else 0.02)
    finally:
        MARKS.write_text(f"ended after {number}")

async def numbers_later():
    try:
        for number in range(1000):
            MARKS.write_text(f"made {number}")
            yield f"data: {number} {time.time()}\\n\\n"
            await asyncio.sleep(0.2 if number < 3 else 0.02)
    finally:
        MARKS.write_text(f"ended after {number}")

def events(request):
    return StreamingHttpResponse(numbers(), content_type="text/event-stream")

async def events_later(request):
    return StreamingHttpResponse(numbers_later(), content_type="text/event-stream")

def large(request):
    file = tempfile.TemporaryFile()
    for _ in range(100):
        file.write(os.urandom(1 << 20))
    file.seek(0)
    return FileResponse(file, content_type="application/octet-stream")

async def large_later(request):
    async def pieces():
        for _ in range(1600):
            yield os.urandom(1 << 16)
    return StreamingHttpResponse(pieces(), content_type="application/octet-stream")

def breaks(request):
    def pieces():
        yield "first"
        raise LookupError("on purpose")
    return StreamingHttpResponse(pieces())

async def breaks_later(request):
    async def pieces():
        yield "first"
        raise LookupError("on purpose")
    return StreamingHttpResponse(pieces())

def memory(request):
    status = Path("/proc/self/status").read_text()
    return JsonResponse({"peak": int(status.partition("VmHWM:")[2].split()[0]) * 1024})

def later(request):
    after_response(lambda: (time.sleep(0.5), MARKS.write_text("done")))
    MARKS.write_text("left")
    return JsonResponse({})

urlpatterns = [
    path("events/", events), path("events-later/", events_later), path("large/", large),
    path("large-later/", large_later), path("breaks/", breaks), path("breaks-later/", breaks_later),
    path("memory/", memory), path("later/", later),
]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", "."], cwd=folder, check=True)
    (folder / "mysite/urls.py").write_text(VIEWS)
    return folder


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def emulator(request: pytest.FixtureRequest, project: Path) -> Iterator[Emulator]:
    options = ("--interface", request.param, "--invoke-mode", "response_stream", "--concurrency", "1")
    doors = ("function_url", "rest_api", "http_api")
    with emulating(project, *options, doors=doors, environment={"MARKS": str(project / "marks")}) as emulator:
        yield emulator


@pytest.fixture(params=["cdn", "function_url", "rest_api"])
def port(request: pytest.FixtureRequest, emulator: Emulator) -> int:
    return emulator.port if request.param == "cdn" else emulator.doors[request.param]


def opened(port: int, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    return connection


def later(emulator: Emulator, path: str) -> str:
    """The view's form for the interface: Django reads an iterator of the other kind to its end before it sends any."""
    return path.removesuffix("/") + "-later/" if ", asgi," in emulator.output else path


def test_a_piece_is_there_before_the_next_one_is_made_and_a_client_that_left_ends_the_view(
    emulator: Emulator, project: Path, port: int
) -> None:
    marks = project / "marks"
    with opened(port, later(emulator, "/events/")) as connection:
        received = b""
        while b"data: 0" not in received:
            received += connection.recv(65536)
        assert b"data: 1" not in received
        assert marks.read_text() == "made 0"
        assert re.match(rb"HTTP/1\.1 200 ", received)
        assert b"text/event-stream" in received
    deadline = time.monotonic() + 15
    while not marks.read_text().startswith("ended") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert re.fullmatch(r"ended after \d+", marks.read_text())
    assert send(port, target="/memory/").status == 200


def test_a_hundred_megabytes_pass_with_little_memory(emulator: Emulator, port: int) -> None:
    before = int(re.findall(r"\d+", send(port, target="/memory/").text)[0])
    assert len(send(port, target=later(emulator, "/large/")).body) == 100 << 20
    after = int(re.findall(r"\d+", send(port, target="/memory/").text)[0])
    assert after - before < 20 << 20


def test_a_view_that_breaks_off_is_logged_with_its_traceback_once(emulator: Emulator) -> None:
    port = emulator.doors["function_url"]
    reports = emulator.output.count("[ERROR] (request")
    assert send(port, target=later(emulator, "/breaks/")).body == b"first"
    emulator.wait_for("the client had got 5 bytes")
    emulator.wait_for('raise LookupError("on purpose")')
    assert emulator.output.count("[ERROR] (request") == reports + 1
    assert send(port, target="/memory/").status == 200


def test_a_door_that_cannot_stream_gets_the_whole_answer(emulator: Emulator) -> None:
    answer = send(emulator.doors["http_api"], target="/large/")
    assert answer.status == 500
    assert b"passes 6,291,556 on" in answer.body


@pytest.mark.parametrize("door", ["function_url", "http_api"])
def test_work_after_the_response_delays_nobody_but_the_next(emulator: Emulator, project: Path, door: str) -> None:
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(send(emulator.doors[door], target="/later/").status))
    thread.start()
    thread.join(20)
    assert answers == [200]
    assert (project / "marks").read_text() == "left"
    assert send(emulator.doors[door], target="/memory/").status == 200
    assert (project / "marks").read_text() == "done"
