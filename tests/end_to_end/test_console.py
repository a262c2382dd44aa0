"""The console in headless Chromium, with invocations made up for it: what a person sees, and what no data can do."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from emulator.console import PREFIX, About, Console
from emulator.ports import listen, port_of
from emulator.records import Record, Recorder
from emulator.server import Server
from tests.emulator.console.records import answer, event, record

from .browser import Visit

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="pwned=1"><script>pwned=1</script>'


class Served:
    """A console on a port, in a thread of its own, and the records it shows."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = 0
        self.answers: dict[str, bytes] = {}
        self.start()

    def run(self, call: Callable[[], Any]) -> Any:
        """What ``call`` gives in the console's thread."""

        async def called() -> Any:
            result = call()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def start(self) -> None:
        sock = listen("127.0.0.1", self.port, "a test")
        self.port = port_of(sock)
        self.recorder = Recorder()
        facts = (("site", f"http://localhost:{self.port}/"),)
        self.server = Server(Console(self.recorder, self.replay, About("shop.settings", facts)), sock)
        self.run(self.server.start)

    def stop(self) -> None:
        self.run(self.server.stop)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def replay(self, identifier: str) -> str:
        old = self.recorder.get(identifier)
        if old is None:
            raise KeyError(identifier)
        new = record(f"{identifier}-again", old.target, replay_of=identifier, title=old.title)
        new.answer = self.answers.get(identifier, old.answer)
        self.recorder.add(new)
        self.recorder.end(new)
        return new.id

    def add(self, *records: Record, ended: bool = True) -> None:
        """Have the console show ``records``, each later than the one before."""

        def add() -> None:
            for one in records:
                self.recorder.add(one)
                if ended:
                    self.recorder.end(one)

        self.run(add)


@pytest.fixture
def served() -> Iterator[Served]:
    console = Served()
    try:
        yield console
    finally:
        console.close()


@contextmanager
def opened(browser: Browser, served: Served, *, allowed: str | None = None, **options: Any) -> Iterator[Page]:
    """The console's page; at its end nothing may have gone wrong in it but what has ``allowed`` in its text."""
    origin = f"http://localhost:{served.port}"
    context = browser.new_context(base_url=origin, locale="en-US", **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        context.set_default_timeout(10_000)
        visit = Visit(origin, context.new_page())
        visit.listen(context)
        visit.page.goto(PREFIX)
        expect(visit.page.locator("#live")).to_contain_text("Live")
        yield visit.page
        assert [trouble for trouble in visit.troubles if allowed is None or allowed not in trouble] == []
    finally:
        context.close()


def shown(page: Page) -> list[str]:
    """The paths in the list, from above."""
    return page.locator(".row:not([hidden]) .path > span").all_text_contents()


def test_invocations_show_as_they_come(chromium: Browser, served: Served) -> None:
    with opened(chromium, served, viewport={"width": 1440, "height": 900}) as page:
        expect(page.locator("#empty")).to_contain_text("Nothing has been invoked yet.")
        expect(page.locator("h1")).to_contain_text("shop.settings")
        running = record("a", "/books/%D0%B6%E2%80%AE/", status=None, init=0.41, billed=None, total=None)
        served.add(running, ended=False)
        row = page.get_by_role("row").filter(has_text="/books/")
        expect(row.locator(".status")).to_have_text("···")

        def end() -> None:
            running.status, running.billed, running.total = 201, 0.423, 0.424
            served.recorder.end(running)

        served.run(end)
        expect(row.locator(".status")).to_have_text("201")
        # Letters are decoded; what turns the direction of the text is not.
        assert row.locator(".path").inner_text() == "/books/ж%E2%80%AE/"
        for cell, text in {
            "method": "GET", "door": "http_api", "start": "cold", "duration": "12 ms", "billed": "423 ms",
            "memory": "91 MB",
        }.items():  # fmt: skip
            assert row.locator(f".{cell}").inner_text() == text
        served.add(record("b", "/later/"))
        expect(page.locator("#count")).to_have_text("2 invocations")
        assert shown(page) == ["/later/", "/books/ж%E2%80%AE/"]


def test_the_search_narrows_the_list_as_one_types(chromium: Browser, served: Served) -> None:
    served.add(
        record("a", "/books/", init=0.4),
        record("b", "/books/new/", title="POST", status=500, error="ValueError: no title", origin="rest_api"),
        record("c", "/%D0%BA%D0%BD%D0%B8%D0%B3%D0%B8/", status=404),
        record("d", "3 messages", title="orders", source="queue", origin="orders", status=None),
    )
    with opened(chromium, served) as page:
        for query, expected in {
            "books": "ba",
            "BOOKS -new": "a",
            "status:500": "b",
            "status:4xx": "c",
            "status:40": "c",
            "method:post": "b",
            "door:rest_api": "b",
            "door:": "dcba",
            "source:queue": "d",
            "cold": "a",
            "warm books": "b",
            "error": "b",
            "valueerror": "b",
            "книги": "c",
            "id:c": "c",
        }.items():
            page.get_by_role("searchbox").fill(query)
            found = page.locator(".row:not([hidden])").evaluate_all("rows => rows.map(row => row.dataset.id).join('')")
            assert found == expected, query
        page.get_by_role("searchbox").fill("nowhere")
        expect(page.locator("#unmatched")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="1 cold").click()
        assert shown(page) == ["/books/"]
        # What comes later is sifted too.
        served.add(record("e", "/warm/"), record("f", "/cold/", init=0.1))
        expect(page.locator("#count")).to_have_text("2 of 6 invocations")


def test_everything_can_be_done_by_keys(chromium: Browser, served: Served) -> None:
    served.add(*(record(name, f"/{name}/") for name in "abc"))
    served.answers["b"] = answer("<!doctype html><h1>Other books</h1>")
    with opened(chromium, served) as page:
        press = page.keyboard.press
        title = page.locator("#title")
        expect(page.locator(".row")).to_have_count(3)
        for key in ("j", "ArrowDown", "Enter"):
            press(key)
        expect(title).to_contain_text("/b/")
        expect(page.get_by_role("row", selected=True)).to_contain_text("/b/")
        press("k")
        expect(title).to_contain_text("/c/")
        press("j")
        expect(title).to_contain_text("/b/")
        press("c")
        expect(page.get_by_role("status")).to_contain_text("clipboard")
        assert page.evaluate("navigator.clipboard.readText()") == event(path="/b/").decode()
        press("r")
        expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
        expect(page.locator(".verdict")).to_have_text("The answers differ.")
        assert "+ <h1>Other books</h1>" in page.locator(".diff .added").all_inner_texts()[-1]
        expect(page.locator("#count")).to_have_text("4 invocations")
        press("Escape")
        expect(title).to_have_count(0)
        press("/")
        page.keyboard.type("jrc?")
        expect(page.get_by_role("searchbox")).to_have_value("jrc?")
        press("Escape")
        press("Escape")
        press("?")
        expect(page.get_by_role("dialog", name="Keys and search")).to_be_visible()
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        press("p")
        served.add(record("d", "/d/"))
        expect(page.locator("#live")).to_have_text("Paused")
        expect(page.locator(".row")).to_have_count(4)
        press("p")
        expect(page.locator(".row")).to_have_count(5)


def test_a_replay_that_changes_nothing_says_so(chromium: Browser, served: Served) -> None:
    served.add(record("a"))
    with opened(chromium, served) as page:
        page.locator(".row").click()
        page.get_by_role("button", name="Replay").click()
        expect(page.locator(".verdict")).to_have_text("The same answer, byte for byte.")
        page.get_by_role("link", name="the original").click()
        expect(page.locator(".kin")).to_have_count(0)
        page.go_back()
        expect(page.locator("#detail")).to_be_hidden()


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def test_bodies_show_as_what_they_are(chromium: Browser, served: Served) -> None:
    numbers = '{"n":12345678901234567890,"b":[],"a":{"x":null}}'
    image = base64.b64encode(picture()).decode()
    form = event("POST", "/form/", body="a=1&b=%C3%A9+x", headers={"content-type": "application/x-www-form-urlencoded"})
    served.add(
        record("json", "/json/", answer=answer(numbers, kind="application/json")),
        record("image", "/image/", answer=answer(image, kind="image/png", isBase64Encoded=True)),
        record("form", "/form/", title="POST", event=form, log=["START RequestId: x", "\x1b[31mred\x1b[0m"]),
    )
    with opened(chromium, served) as page:
        page.locator("#row-json").click()
        pre = page.get_by_role("region", name="Body")
        assert pre.inner_text() == '{\n  "n": 12345678901234567890,\n  "b": [],\n  "a": {\n    "x": null\n  }\n}'
        page.locator("#row-image").click()
        seen = page.get_by_role("img", name="The image in the body")
        assert seen.evaluate("image => image.decode().then(() => image.naturalWidth)") == 30
        page.locator("#row-form").click()
        expect(page.locator("iframe").content_frame.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
        page.get_by_role("button", name="Source").click()
        expect(pre).to_contain_text("<h1>Books</h1>")
        page.get_by_role("tab", name="Request").click()
        assert page.get_by_role("table", name="Form").inner_text().split() == ["a", "1", "b", "é", "x"]
        page.get_by_role("tab", name="Log").click()
        assert page.get_by_role("region", name="Log").inner_text().splitlines()[1] == "red"
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("tab", name="Event")).to_be_focused()
        assert json.loads(page.get_by_role("region", name="Event").inner_text()) == json.loads(form)


def test_no_data_becomes_a_part_of_the_page(chromium: Browser, served: Served) -> None:
    said = {"statusCode": 200, "headers": {HOSTILE: HOSTILE}, "cookies": [HOSTILE], "body": HOSTILE}
    odd = json.dumps(said).encode()
    links = "<a href='javascript:parent.pwned=1'>script</a> <a href='/out/'>out</a> <img src='/out/'>"
    fields = dict.fromkeys(("title", "origin", "function", "environment", "error"), HOSTILE)
    sent = event(body=HOSTILE, cookies=[HOSTILE])
    served.add(
        record("a", f"/?{HOSTILE}", event=sent, answer=odd, log=[HOSTILE], **fields),
        record("b", "/page/", answer=answer(HOSTILE + links)),
    )
    served.answers["a"] = odd.replace(b"pwned=1", b"pwned=2")
    # The browser tells of each thing that it blocks.
    with opened(chromium, served, allowed="") as page:
        asked: list[str] = []
        page.on("response", lambda response: asked.append(response.url))
        page.locator("#row-a").click()
        for tab in ("Request", "Event", "Log", "Answer"):
            page.get_by_role("tab", name=tab).click()
            expect(page.get_by_role("tabpanel")).to_contain_text("onerror")
        page.keyboard.press("r")
        expect(page.locator(".diff")).to_contain_text("pwned=2")
        page.locator("#row-b").click()
        page.get_by_role("tab", name="Answer").click()
        frame = page.locator("iframe").content_frame
        frame.get_by_role("link", name="script").click()
        assert page.frames[1].evaluate("() => window.origin") == "null"
        frame.get_by_role("link", name="out").click()
        page.wait_for_timeout(200)
        assert not [url for url in asked if "/out/" in url]
        assert page.evaluate("typeof pwned") == "undefined"
        assert page.locator("main img, main script").count() == 0


def test_the_page_holds_no_more_than_a_thousand(chromium: Browser, served: Served) -> None:
    with opened(chromium, served) as page:
        begin = time.time()
        for start in range(0, 1300, 100):
            served.add(*(record(str(n), f"/{n}/", started=begin + n) for n in range(start, start + 100)))
        expect(page.locator("#row-1299")).to_have_count(1, timeout=20_000)
        expect(page.locator(".row")).to_have_count(1000)
        assert shown(page)[-1] == "/300/"


def test_a_restarted_emulator_begins_a_new_list(chromium: Browser, served: Served) -> None:
    served.add(record("a", "/before/"))
    with opened(chromium, served, allowed="ERR_") as page:
        expect(page.locator(".row")).to_have_count(1)
        served.stop()
        expect(page.locator("#live")).to_have_text("Reconnecting")
        served.start()
        served.add(record("b", "/after/"))
        expect(page.locator("#row-b")).to_be_visible()
        assert shown(page) == ["/after/"]


def test_a_phone_shows_one_thing_at_a_time(chromium: Browser, served: Served) -> None:
    served.add(record("a", f"/{'long/' * 40}", init=0.4), record("b", "/b/"))
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with opened(chromium, served, **phone) as page:
        row = page.locator("#row-a")
        for cell in (".time", ".method", ".path", ".door", ".status", ".duration", ".start", ".billed", ".memory"):
            expect(row.locator(cell)).to_be_visible()
        row.tap()
        expect(page.locator("#detail")).to_be_visible()
        expect(page.locator("#grid")).to_be_hidden()
        for tab in page.get_by_role("tab").all():
            tab.tap()
            assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.go_back()
        expect(row).to_be_visible()


def test_differences_are_found_line_by_line(chromium: Browser, served: Served) -> None:
    with opened(chromium, served) as page:
        compare = "async ([a, b]) => { const c = await import('/.faas/compare.js'); return c.folded(c.compare(a, b)); }"
        assert page.evaluate(compare, ["a\nb\nc", "a\nx\nc"]) == [[" ", "a"], ["-", "b"], ["+", "x"], [" ", "c"]]
        assert page.evaluate(compare, ["a\nb\nc\nd", "b\nd\ne"]) == [
            ["-", "a"], [" ", "b"], ["-", "c"], [" ", "d"], ["+", "e"],
        ]  # fmt: skip
        lines = "\n".join(map(str, range(20)))
        assert page.evaluate(compare, [lines, f"{lines}\nmore"])[0] == ["…", "17 equal lines"]
        many = "\n".join(f"{n} a" for n in range(3000))
        assert len(page.evaluate(compare, [many, many.replace("a", "b")])) == 6000
