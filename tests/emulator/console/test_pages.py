from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import emulator.console
from emulator.console import PREFIX, About, Console
from emulator.exceptions import EmulatorError
from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.records import Recorder
from emulator.server import Server

from .records import HTML, answer, record

PAGE = Path(emulator.console.__file__).parent / "page"
LOCAL = ("Host", "localhost:8000")


async def no_replay(identifier: str) -> str:
    raise KeyError(identifier)


def console(recorder: Recorder | None = None, replay: Any = no_replay) -> Console:
    about = About(
        "shop.settings", (("site", "http://localhost:8000/"),), frozenset({"laptop"}), ("/static/", "/media/")
    )
    return Console(recorder or Recorder(), replay, about)


def ask(
    target: Console,
    path: str = "",
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (LOCAL,),
    query: str = "",
) -> Response:
    return asyncio.run(_call(target, Request(method, PREFIX + path, query, headers)))


async def _call(target: Console, request: Request) -> Response:
    return await target(request)


def policy(response: Response) -> str:
    return dict(response.headers)["Content-Security-Policy"]


def told(response: Response) -> Any:
    return json.loads(response.body)


def test_the_page_and_all_it_is_made_of_come_from_here() -> None:
    page = ask(console())
    assert page.status == 200
    assert dict(page.headers)["Content-Type"] == "text/html; charset=utf-8"
    assert page.body == ask(console(), "index.html").body
    for path in PAGE.iterdir():
        part = ask(console(), path.name)
        assert (part.status, part.body) == (200, path.read_bytes())
        elsewhere = re.sub(rb'xmlns="[^"]+"|https\?:\\/\\/', b"", part.body)
        assert not re.search(rb"https?://|@import|//cdn", elsewhere), path.name


def test_the_slash_at_the_end_may_be_forgotten() -> None:
    response = asyncio.run(_call(console(), Request("GET", "/.faas", headers=(LOCAL,))))
    assert (response.status, dict(response.headers)["Location"]) == (308, "/.faas/")


def test_no_part_of_the_page_makes_markup_out_of_text() -> None:
    for path in PAGE.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|eval\(", path.read_text())


def test_the_policy_lets_nothing_in_or_out() -> None:
    said = policy(ask(console()))
    assert said.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    for part in (
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "frame-src localhost:8000/.faas/api/;",
    ):
        assert part in said
    assert "unsafe" not in said
    assert dict(ask(console()).headers)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["other", "../pages.py", "%2e%2e/pages.py", "page", "api", "api/invocations/", "//etc"]
)
def test_there_is_nothing_else(path: str) -> None:
    assert ask(console(), path).status == 404


def test_a_foreign_host_gets_nothing_at_all() -> None:
    for path in ("", "api/invocations", "api/live", "style.css"):
        assert ask(console(), path, headers=(("Host", "evil.example"),)).status == 403


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("", "POST", "GET"),
        ("api/invocations", "DELETE", "GET"),
        ("api/invocations/a", "POST", "GET"),
        ("api/invocations/a/replay", "GET", "POST"),
        ("api/invocations/a/replay", "HEAD", "POST"),
    ],
)
def test_other_methods_are_told_which_one_is_meant(path: str, method: str, allowed: str) -> None:
    response = ask(console(), path, method)
    assert (response.status, dict(response.headers)["Allow"]) == (405, allowed)


def test_the_invocations_after_a_serial_are_listed() -> None:
    recorder = Recorder()
    for name in "abc":
        recorder.add(record(name))
    recorder.end(recorder.get("a"))  # type: ignore[arg-type]
    listed = told(ask(console(recorder), "api/invocations"))
    assert [row["id"] for row in listed["invocations"]] == ["b", "c", "a"]
    assert listed["serial"] == 4
    later = told(ask(console(recorder), "api/invocations", query="after=3"))
    assert [row["id"] for row in later["invocations"]] == ["a"]
    none = told(ask(console(recorder), "api/invocations", query="after=4"))
    assert (none["serial"], none["invocations"]) == (4, [])
    assert ask(console(recorder), "api/invocations", query="after=x").status == 400


def test_one_invocation_is_told_whole_or_said_to_be_gone() -> None:
    recorder = Recorder()
    recorder.end(recorder.add(record("a", log=["hello"])))
    one = told(ask(console(recorder), "api/invocations/a"))
    assert (one["log"], one["response"]["body"]["text"]) == (["hello"], HTML)
    gone = ask(console(recorder), "api/invocations/b")
    assert gone.status == 404
    assert "no invocation b" in told(gone)["error"]


def test_the_html_of_an_answer_is_a_document_that_can_do_nothing() -> None:
    recorder = Recorder()
    recorder.end(recorder.add(record("a")))
    recorder.end(recorder.add(record("b", answer=answer("{}", kind="application/json"))))
    page = ask(console(recorder), "api/invocations/a/page")
    assert page.body.decode() == HTML
    said = policy(page)
    assert said == (
        "default-src 'none'; style-src 'unsafe-inline' localhost:8000/static/ localhost:8000/media/; "
        "img-src data: localhost:8000/static/ localhost:8000/media/; "
        "sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    assert ask(console(recorder), "api/invocations/b/page").status == 404
    assert ask(console(recorder), "api/invocations/c/page").status == 404


def test_replay_gives_the_new_invocation() -> None:
    asked = []

    async def replay(identifier: str) -> str:
        asked.append(identifier)
        return "new"

    response = ask(
        console(replay=replay), "api/invocations/old/replay", "POST", (LOCAL, ("Origin", "http://localhost:8000"))
    )
    assert (response.status, told(response), asked) == (201, {"id": "new"}, ["old"])


def test_a_page_elsewhere_can_not_replay() -> None:
    async def replay(identifier: str) -> str:
        raise AssertionError("replayed")

    headers = (LOCAL, ("Origin", "https://evil.example"))
    assert ask(console(replay=replay), "api/invocations/old/replay", "POST", headers).status == 403


def test_what_can_not_be_replayed_says_why() -> None:
    async def replay(identifier: str) -> str:
        raise EmulatorError("Its event was cut off.")

    response = ask(console(replay=replay), "api/invocations/old/replay", "POST")
    assert (response.status, told(response)) == (409, {"error": "Its event was cut off."})
    assert ask(console(), "api/invocations/old/replay", "POST").status == 404


class Listener:
    """A page that listens to the live feed over HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def message(self) -> dict[str, str]:
        """The next message's fields."""
        fields = {}
        async with asyncio.timeout(5):
            while line := (await self.reader.readline()).decode().rstrip("\r\n"):
                # The sizes of chunks are no fields.
                if ": " in line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
            return fields or await self.message()

    async def ids(self) -> list[str]:
        return [row["id"] for row in json.loads((await self.message())["data"])]


@contextlib.asynccontextmanager
async def listening(target: Console, *headers: str) -> AsyncIterator[Listener]:
    server = Server(target, sock := listen("127.0.0.1", 0, "a test"))
    port = port_of(sock)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    head = "\r\n".join([f"GET {PREFIX}api/live HTTP/1.1", f"Host: localhost:{port}", *headers])
    writer.write(f"{head}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield Listener(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await server.stop()


def test_the_feed_tells_what_there_is_and_then_each_change() -> None:
    async def main() -> None:
        recorder = Recorder()
        first = recorder.add(record("a"))
        async with listening(console(recorder)) as page:
            hello = await page.message()
            assert hello["event"] == "hello"
            assert json.loads(hello["data"])["facts"] == [["site", "http://localhost:8000/"]]
            message = await page.message()
            assert re.fullmatch(r"[0-9a-f]{8}\.1", message["id"])
            assert [row["ended"] for row in json.loads(message["data"])] == [False]
            recorder.end(first)
            assert await page.ids() == ["a"]
            recorder.add(record("b"))
            assert await page.ids() == ["b"]

    asyncio.run(main())


def test_many_changes_at_once_are_one_message() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with listening(console(recorder)) as page:
            await page.message()
            recorder.add(record("first"))
            assert await page.ids() == ["first"]
            for number in range(300):
                recorder.add(record(str(number)))
                await asyncio.sleep(0)
            messages = [await page.ids()]
            while sum(map(len, messages)) < 300:
                messages.append(await page.ids())
            assert len(messages) < 20

    asyncio.run(main())


def test_a_page_goes_on_where_it_left_off_save_after_a_restart() -> None:
    async def main() -> None:
        recorder = Recorder()
        for name in "abc":
            recorder.add(record(name))
        target = console(recorder)
        async with listening(target) as page:
            run = json.loads((await page.message())["data"])["run"]
        for place, expected in ((f"{run}.2", ["c"]), ("anotherrun.2", ["a", "b", "c"]), ("2", ["c"])):
            async with listening(target, f"Last-Event-ID: {place}") as page:
                await page.message()
                assert await page.ids() == expected

    asyncio.run(main())


def test_a_page_that_leaves_is_forgotten() -> None:
    async def main() -> None:
        recorder = Recorder()
        async with listening(console(recorder)) as page:
            await page.message()
            page.writer.close()
            for _ in range(200):
                if not recorder._followers:
                    break
                await asyncio.sleep(0.01)
            assert not recorder._followers
        async with listening(console(recorder)) as page:
            await page.message()
            recorder.add(record("a"))
            await page.ids()
        for _ in range(200):
            if not recorder._followers:
                break
            await asyncio.sleep(0.01)
        assert not recorder._followers

    asyncio.run(main())


def test_asking_for_the_head_of_the_feed_ends() -> None:
    response = ask(console(), "api/live", "HEAD")
    assert (response.status, response.stream) == (200, None)
