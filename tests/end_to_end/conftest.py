from __future__ import annotations

import http.client
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent.parent
BOOKSHOP = ROOT / "samples/bookshop"
DOORS = ("http_api", "function_url", "rest_api", "alb", "alb_multi_value")


WSGI = pytest.param(("wsgi", "own"), id="wsgi")
FUNCTIONS = [
    WSGI,
    pytest.param(("asgi", "own"), id="asgi"),
    pytest.param(
        ("wsgi", "awslambdaric"),
        id="awslambdaric",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric has wheels for Linux only"
        ),
    ),
]
"""Interface and runtime of the functions that the sample is tried in."""


@dataclass
class Answer:
    """An HTTP response as it came: header names in lower case, in order."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The header's values as RFC 9110 lets them be joined, None without any."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value of each cookie that is set."""
        pairs = [value.split(";")[0].partition("=") for key, value in self.headers if key == "set-cookie"]
        return {name: value for name, _, value in pairs}


def send(
    port: int,
    method: str = "GET",
    target: str = "/",
    headers: Iterable[tuple[str, str | bytes]] = (),
    body: bytes | None = None,
) -> Answer:
    """One request with exactly these headers (and a Host, where none is given), the target not touched."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = list(headers)
        named = {name.lower() for name, _ in headers}
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        if "host" not in named:
            connection.putheader("Host", f"localhost:{port}")
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None and "content-length" not in named:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        received = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, received, response.read())
    finally:
        connection.close()


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nothing listens on."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, count):
        sockets: list[socket.socket] = []
        try:
            sockets.extend(socket.create_server(("127.0.0.1", port)) for port in range(first, first + count))
        except OSError:
            continue
        else:
            return first
        finally:
            for listener in sockets:
                listener.close()
    raise RuntimeError("no free ports")


@dataclass
class Emulator:
    """A running `django-faas emulate`: the CDN's port, the front doors' ports, and what it has printed."""

    process: subprocess.Popen[str]
    port: int
    doors: dict[str, int]
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def read(self) -> None:
        """Take in what is printed until the process and all it started have closed their end."""
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line)

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Until ``text`` has been printed."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the emulator never said {text!r}; it said:\n{self.output}")
            time.sleep(0.02)


@contextmanager
def emulating(
    project: Path, *options: str, doors: Iterable[str] = DOORS, environment: dict[str, str] | None = None
) -> Iterator[Emulator]:
    """`django-faas emulate` in the folder ``project``, ended as Ctrl-C ends it."""
    doors = tuple(doors)
    port = free_ports(len(doors) + 1)
    command = [sys.executable, "-m", "infra", "emulate", "--port", str(port)]
    for door in doors:
        command += ["--front-door", door]
    process = subprocess.Popen(
        [*command, *options],
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    emulator = Emulator(process, port, {door: port + 1 + index for index, door in enumerate(doors)})
    reader = threading.Thread(target=emulator.read)
    reader.start()
    try:
        emulator.wait_for("ready in")
        yield emulator
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
            reader.join(10)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample with its seed data, to be copied in turn by whoever changes anything."""
    folder = tmp_path_factory.mktemp("prepared") / "bookshop"
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(BOOKSHOP, folder, ignore=left_out)
    subprocess.run([sys.executable, "manage.py", "prepare"], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium, for one module at a time: while it is there, an event loop runs in this thread."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    quiet = ("quic", "gpu", "background-networking", "component-update", "sync")
    arguments = ["--no-sandbox", "--no-first-run", *(f"--disable-{feature}" for feature in quiet)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=arguments)
        try:
            yield browser
        finally:
            browser.close()
