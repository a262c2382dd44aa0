"""Answers that reach the client while the function makes them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.bucket import BucketClient
from emulator.cdn import Cdn, default_distribution
from emulator.ports import listen, port_of
from emulator.server import Server
from tests.emulator.helpers import until
from tests.emulator.serving import Site, body, hang_up, serving

COMMAND = (sys.executable, "-I", "-S", str(Path(__file__).parent / "function" / "streaming_runtime.py"))
DOORS = ("function_url", "rest_api")
THROTTLED = (429, 500)


def play(folder: Path, scenario: Callable[[Site], Awaitable[None]], *doors: str, **options: Any) -> Site:
    options = {"streaming": True, **options}

    async def main() -> Site:
        async with serving(folder, COMMAND, *(doors or DOORS), **options) as site:
            await scenario(site)
            async with asyncio.timeout(5):
                # The one environment may still be on its way back from the last answer, and nobody waits for it long.
                while (after := body(await site.get("/after", next(iter(site.ports)))))[0] in THROTTLED:
                    await asyncio.sleep(0.05)
            status, data, whole = after
            assert (status, whole) == (201, True) or not options["streaming"]
            assert data == b"hello" or not options["streaming"]
        return site

    return asyncio.run(main())


def has_text(path: Path) -> bool:
    """Whether it is written, not only made."""
    return path.exists() and path.read_text() != ""


@pytest.mark.parametrize("door", DOORS)
def test_what_the_function_sends_arrives_at_once(tmp_path: Path, door: str) -> None:
    async def scenario(site: Site) -> None:
        reader, writer = await site.send("/pauses", door)
        # The function waits for each of these files before it goes on, so nothing can come too early.
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head
        started = time.perf_counter()
        (tmp_path / "first").touch()
        assert await asyncio.wait_for(reader.readexactly(8), 5) == b"3\r\none\r\n"
        assert time.perf_counter() - started < 2
        (tmp_path / "second").touch()
        assert await asyncio.wait_for(reader.readexactly(13), 5) == b"3\r\ntwo\r\n0\r\n\r\n"
        # The connection is good for more.
        writer.write(b"GET /again HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"hello\r\n0\r\n\r\n"), 5)).startswith(b"HTTP/1.1 201 ")
        await hang_up(writer)

    site = play(tmp_path, scenario, door)
    assert re.search(rf"GET    /pauses  201  \d+ ms, begun after \d+ ms  {door}  cold \d+ ms\n", site.log.text)
    assert site.log.text.count("/pauses") == 1


def test_the_cdn_holds_nothing_back(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        sock = listen("127.0.0.1", 0, "a test")
        gateway = site.gateway("function_url", streaming=True)
        bucket = BucketClient("http://127.0.0.1:9", "files", None)
        server = Server(Cdn(default_distribution([]), gateway, bucket, site.log), sock)
        site.ports["cdn"] = port_of(sock)
        await server.start()
        reader, writer = await site.send("/pauses", "cdn")
        assert b"\r\nX-Cache: Miss from cloudfront\r\n" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        (tmp_path / "first").touch()
        assert await asyncio.wait_for(reader.readexactly(8), 5) == b"3\r\none\r\n"
        (tmp_path / "second").touch()
        await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
        await hang_up(writer)
        await server.stop()

    play(tmp_path, scenario)


def test_status_headers_and_cookies_come_from_the_metadata(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        for door in DOORS:
            answer = await site.get("/headers", door)
            head = answer.partition(b"\r\n\r\n")[0].decode()
            assert re.findall(r"(?m)^Set-Cookie: (.*)\r$", head) == ["a=1; Path=/", "b=2"]
            assert "\r\nX-One: 1\r\n" in head
            assert "\r\nContent-Length" not in head
            assert f"\r\nContent-Type: application/{'json' if door == 'rest_api' else 'octet-stream'}\r\n" in head
            assert re.search(r"(?im)^x-amzn-requestid: [0-9a-f-]{36}\r$", head)
            assert body(answer) == (201, b"body...", True)

    play(tmp_path, scenario)


def test_answers_without_a_body_have_none(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        for door in DOORS:
            head, _, rest = (await site.get("/nothing", door)).partition(b"\r\n\r\n")
            assert (head.split()[1], rest) == (b"204", b"")
            assert b"chunked" not in head
            head, _, rest = (await site.get("/headers", door, "HEAD")).partition(b"\r\n\r\n")
            assert (head.split()[1], rest) == (b"201", b"")
            # A REST API calls this header x-amzn-Remapped-Content-Length.
            assert b"Content-Length: 7\r\n" in head

    play(tmp_path, scenario)


def test_a_client_that_knows_no_chunks_gets_the_body_until_the_connection_ends(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        head, _, rest = (await site.get("/hello", version="1.0")).partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert rest == b"hello"

    play(tmp_path, scenario)


def test_a_slow_client_slows_the_function_down_and_memory_stays_flat(tmp_path: Path) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def sent() -> int:
        return int((tmp_path / "sent").read_text() or 0)

    async def scenario(site: Site) -> None:
        reader, writer = await site.send("/big", headers="Connection: close\r\n")
        assert await asyncio.to_thread(until, lambda: (tmp_path / "sent").exists() and sent() > 0)
        before, unchanged = -1, 0
        while unchanged < 20:
            await asyncio.sleep(0.02)
            unchanged = unchanged + 1 if sent() == before else 0
            before = sent()
        assert before < 20_000_000  # what the sockets of two connections hold, and little more
        base, peak, size = resident(), 0, 0
        while data := await reader.read(1 << 20):
            size += len(data)
            peak = max(peak, resident())
        assert size > 100_000_000
        assert peak - base < 20_000_000
        assert sent() == 1600 * 65536
        await hang_up(writer)

    play(tmp_path, scenario, "function_url")


def test_every_byte_of_a_big_answer_arrives(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        assert body(await site.get("/big")) == (201, bytes(range(256)) * 256 * 1600, True)

    play(tmp_path, scenario, "function_url")


def test_a_client_that_leaves_ends_the_answer_and_the_function_goes_on(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        pids = set()
        for _ in range(2):
            reader, writer = await site.send("/endless")
            head = await asyncio.wait_for(reader.readuntil(b"begin"), 5)
            pids.add(re.search(rb"X-Pid: (\d+)", head))
            await hang_up(writer)
            assert await asyncio.to_thread(until, lambda: has_text(tmp_path / "status"))
            assert (tmp_path / "left").read_text() in {"BrokenPipeError", "ConnectionResetError"}
            assert (tmp_path / "status").read_text() == "403"  # the invocation is over: there is nothing to report
            (tmp_path / "status").unlink()
        assert len({found[1] for found in pids if found}) == 1

    site = play(tmp_path, scenario)
    assert len(re.findall(r"GET /endless: the client left after [\d,]+ bytes\n", site.log.text)) == 2
    assert len(re.findall(r"GET    /endless  201  ", site.log.text)) == 2


def test_a_client_that_leaves_in_a_silence_is_noticed(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        reader, writer = await site.send("/pauses")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        await hang_up(writer)
        await site.said("GET /pauses: the client left after 0 bytes")
        # The function's next piece finds nobody, by which its connection to the Runtime API is broken; it ends by that.
        (tmp_path / "first").touch()
        (tmp_path / "second").touch()

    play(tmp_path, scenario)


def test_an_error_in_the_middle(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        assert body(await site.get("/late-error", "function_url")) == (201, b"partial", True)
        assert await asyncio.to_thread(until, lambda: has_text(tmp_path / "status"))
        assert (tmp_path / "status").read_text() == "202"
        assert body(await site.get("/late-error", "rest_api")) == (201, b"partial", False)

    site = play(tmp_path, scenario)
    assert site.log.text.count("GET /late-error: Function.Boom: half of it; the client had got 7 bytes") == 2
    assert "client left" not in site.log.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/exit", "Runtime.ExitError: Runtime exited with error: exit status 4, before it had answered"),
        ("/killed", "Runtime.ExitError: Runtime exited with error: signal: killed, before it had answered"),
        ("/hangs-up", "Runtime.TruncatedResponse: the runtime's connection broke in the middle of an answer"),
        ("/hangs", "Sandbox.Timedout: Task timed out after 1.00 seconds, the function's time limit (--timeout)"),
    ],
)
def test_an_answer_that_breaks_off_breaks_the_clients_connection(tmp_path: Path, path: str, told: str) -> None:
    async def scenario(site: Site) -> None:
        for door in DOORS:
            (tmp_path / "first").unlink(missing_ok=True)
            reader, writer = await site.send(path, door)
            head = await asyncio.wait_for(reader.readuntil(b"partial\r\n"), 5)
            (tmp_path / "first").touch()
            assert body(head + await asyncio.wait_for(reader.read(), 5)) == (201, b"partial", False)
            await hang_up(writer)

    site = play(tmp_path, scenario, timeout=1 if path == "/hangs" else 10)
    assert site.log.text.count(f"GET {path}: {told}") == 2


def test_errors_before_the_answer_begins_are_the_front_doors(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        for path in ("/error", "/early-error", "/no-metadata", "/wrong-metadata", "/endless-metadata"):
            assert body(await site.get(path, "function_url")) == (502, b"Internal Server Error", True)
            assert body(await site.get(path, "rest_api")) == (502, b'{"message": "Internal server error"}', True)
        for path in ("/empty", "/plain", "/buffered"):
            assert body(await site.get(path, "rest_api")) == (502, b'{"message": "Internal server error"}', True)

    log = play(tmp_path, scenario).log.text
    assert log.count("GET /error: KeyError: 'x'") == 2
    assert log.count("GET /early-error: Function.Boom: before the metadata was there") == 2
    assert log.count("eight NUL bytes; function_url can make nothing of this one") == 3
    assert log.count("eight NUL bytes; rest_api can make nothing of this one") == 6


def test_a_function_url_passes_on_what_has_no_metadata(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        for path, kind, content in (
            ("/empty", "application/octet-stream", rb""),
            ("/plain", "text/x-plain", rb"\{no metadata\}"),
            # A whole answer is shown with its JSON around it.
            ("/buffered", "application/json", rb'\{"statusCode": 201, .*"body": "whole"\}'),
        ):
            answer = await site.get(path)
            status, data, whole = body(answer)
            assert (status, whole) == (200, True)
            assert f"\r\nContent-Type: {kind}\r\n".encode() in answer
            assert re.fullmatch(content, data)

    play(tmp_path, scenario, "function_url")


def test_a_front_door_that_waits_gets_the_bytes_as_they_are(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        status, data, _ = body(await site.get("/hello", "http_api"))
        assert status == 200
        assert data.startswith(b'{"statusCode": 201, ')
        assert data.endswith(bytes(8) + b"hello")
        assert body(await site.get("/hello", "rest_api"))[0] == 502
        assert body(await site.get("/hello", "alb"))[0] == 502
        # Nor is it more than a buffered answer may be, or has broken off, without notice.
        for path in ("/big", "/late-error"):
            assert body(await site.get(path, "http_api"))[0] == 500
        assert body(await site.get("/hello", "http_api"))[0] == 200

    log = play(tmp_path, scenario, "http_api", "rest_api", "alb", streaming=False).log.text
    assert "GET /big: Function.ResponseSizeTooLarge" in log
    assert "GET /late-error: Function.Boom: half of it" in log
