"""A browser that keeps account of every answer it got and of everything that went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from .conftest import Emulator

# Browsers ask for it where a page names no icon, and neither Django's admin nor a new project has one.
UNASKED = "/favicon.ico"


@dataclass
class Visit:
    """One visitor's window on ``origin``: the answers in the order they came, and the troubles, one line each."""

    origin: str
    page: Page
    answers: list[Response] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    stood_in_for: set[str] = field(default_factory=set)

    def stand_in_for(self, url: str, json: object) -> None:
        """Answer in place of a ``url`` on another host, which would be a trouble otherwise."""
        self.stood_in_for.add(url)
        self.page.route(url, lambda route: route.fulfill(json=json))

    def answer(self, pattern: str) -> Response:
        """The last answer whose decoded path ``pattern`` matches as a whole."""
        for response in reversed(self.answers):
            if re.fullmatch(pattern, path_of(response)):
                return response
        raise AssertionError(f"nothing was asked that matches {pattern}, but {[path_of(one) for one in self.answers]}")

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.troubles.append(f"JavaScript: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith(UNASKED):
            self.troubles.append(f"console: {message.text} ({message.location['url']})")

    def _request(self, request: Request) -> None:
        here = request.url.startswith((f"{self.origin}/", "data:", "blob:"))
        if not here and request.url not in self.stood_in_for:
            self.troubles.append(f"asked elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        # Chromium itself ends what is still on its way when a visitor goes on to the next page.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"failed: {request.url} ({request.failure})")

    def _response(self, response: Response) -> None:
        self.answers.append(response)
        if response.status >= 400 and not response.url.endswith(UNASKED):
            self.troubles.append(f"answered {response.status}: {response.url}")


@contextmanager
def visiting(browser: Browser, emulator: Emulator) -> Iterator[Visit]:
    """A new visitor, without cookies or cache; anything wrong that the journey met is an error at its end."""
    origin = f"http://localhost:{emulator.port}"
    context = browser.new_context(base_url=origin, locale="en-US", viewport={"width": 1280, "height": 900})
    try:
        context.set_default_timeout(20_000)
        visit = Visit(origin, context.new_page())
        visit.listen(context)
        try:
            yield visit
            assert not visit.troubles
        except BaseException as error:
            error.add_note(f"in the browser: {visit.troubles}\nthe emulator said:\n{emulator.output[-6000:]}")
            raise
    finally:
        context.close()


def path_of(response: Response) -> str:
    return unquote(urlsplit(response.url).path)


def width_of(image: Locator) -> int:
    """The width in pixels of the file that ``image`` shows, once it is there; an error where it can't be shown."""
    image.scroll_into_view_if_needed()
    return int(image.evaluate("image => image.decode().then(() => image.naturalWidth)"))


def came_from_the_bucket(response: Response) -> bool:
    return response.headers.get("server") == "AmazonS3" and "cloudfront" in response.headers.get("x-cache", "")
