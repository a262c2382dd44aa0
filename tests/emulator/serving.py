"""A function behind its front doors, served over HTTP in this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from emulator.front_doors import create
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from emulator.gateway import Gateway
from emulator.ports import listen, port_of
from emulator.records import Recorder
from emulator.server import Server
from tests.emulator.helpers import Heard, alive, descendants


class Site:
    """The ports of the front doors by their names, and what the log said."""

    def __init__(self, service: FunctionService, log: Heard) -> None:
        self._service = service
        self.recorder = Recorder()
        self.log = log
        self.ports: dict[str, int] = {}

    def gateway(self, door: str, *, streaming: bool = False) -> Gateway:
        """A front door before the function."""
        made = create(door, streaming=streaming)
        return Gateway(made, partial(self._service.invoke, "f"), "f", None, self.recorder, self.log)

    async def said(self, pattern: str) -> None:
        """Waits until the log has it."""
        for _ in range(1000):
            if re.search(pattern, self.log.text):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {pattern!r} in:\n{self.log.text}")

    async def send(
        self, target: str, door: str = "function_url", method: str = "GET", version: str = "1.1", headers: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[door])
        writer.write(f"{method} {target} HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n".encode())
        return reader, writer

    async def get(self, target: str, door: str = "function_url", method: str = "GET", version: str = "1.1") -> bytes:
        """All of the answer, head and framing included, as it came over a connection that serves this request only."""
        reader, writer = await self.send(target, door, method, version, "Connection: close\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 15)
        finally:
            await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def body(answer: bytes) -> tuple[int, bytes, bool]:
    """Status and body of an answer, and whether it is whole."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if b"transfer-encoding: chunked" not in head.lower():
        return status, rest, b"\r\nContent-Length: %d\r\n" % len(rest) in head + b"\r\n"
    parts, stream = [], io.BytesIO(rest)
    while line := stream.readline():
        if size := int(line, 16):
            parts.append(stream.read(size))
        last = stream.readline()
        if not size:
            return status, b"".join(parts), last == b"\r\n"
    return status, b"".join(parts), False


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    command: Sequence[str],
    *doors: str,
    streaming: bool = False,
    timeout: float = 10,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[Site]:
    """A function of one process behind ``doors``; no process may be left of it."""
    before = descendants(os.getpid())
    variables = {**lambda_variables(folder, "eu-west-1"), "PATH": os.environ["PATH"], **(variables or {})}
    log = Heard()
    service = FunctionService({"f": FunctionSpec(folder, tuple(command), variables, timeout)}, 1, log)
    site = Site(service, log)
    servers = []
    service.start("f")
    try:
        for name in doors or ("function_url",):
            sock = listen("127.0.0.1", 0, "a test")
            site.ports[name] = port_of(sock)
            servers.append(Server(site.gateway(name, streaming=streaming), sock))
            await servers[-1].start()
        yield site
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
        await service.stop()
    assert not [child for child in descendants(os.getpid()) - before if alive(child)]
