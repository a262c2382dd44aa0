"""What the console answers: its page, the invocations as JSON, the live feed of them, and the order to replay one."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import EmulatorError
from ..http import Request, Response
from ..records import Recorder
from .access import refusal
from .feed import Feed
from .reading import body_of, http_message, row, whole

PREFIX = "/.faas/"

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FILES = {path.name for path in _PAGE.iterdir() if path.suffix in _TYPES}
_INVOCATION = re.compile(r"api/invocations/(?P<id>[0-9A-Za-z-]+)(/(?P<part>page|replay))?")
# What every answer says: nobody may put it into a page of theirs, keep it, or guess at its type.
_GUARDED = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


@dataclass(frozen=True)
class About:
    """What the page tells of this emulator, and by what names it may be asked.

    ``facts`` are pairs such as ``("site", "http://127.0.0.1:8000/")``. ``hosts`` are names in lower case that lead here
    besides ``localhost`` and addresses. ``files`` are prefixes of paths that are served without a function: an answer's
    page is shown with the stylesheets and pictures from there, and nothing else.
    """

    project: str
    facts: tuple[tuple[str, str], ...] = ()
    hosts: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()


class Console:
    """Answers every path below `PREFIX`, and `PREFIX` without its last slash.

    ``replay`` sends the event of a record to its function again and gives the new record's id; it raises `KeyError`
    where the record is no longer kept, and `EmulatorError` where it can't be replayed.
    """

    def __init__(self, recorder: Recorder, replay: Callable[[str], Awaitable[str]], about: About) -> None:
        self._recorder = recorder
        self._replay = replay
        self._about = about
        self._run = secrets.token_hex(4)

    async def __call__(self, request: Request) -> Response:
        refused = refusal(request, self._about.hosts)
        if refused is not None:
            return _error(403, refused)
        if request.path + "/" == PREFIX:
            return Response(308, [("Location", PREFIX), *_GUARDED])
        path = request.path.removeprefix(PREFIX)
        invocation = _INVOCATION.fullmatch(path)
        allowed = "POST" if invocation is not None and invocation["part"] == "replay" else "GET"
        if request.method != allowed and (request.method, allowed) != ("HEAD", "GET"):
            return _error(405, f"This takes {allowed}, not {request.method}.", ("Allow", allowed))
        if invocation is not None:
            return await self._invocation(request, invocation["id"], invocation["part"])
        if path in {"api/invocations", "api/live"}:
            try:
                after = self._after(request)
            except ValueError:
                return _error(400, "after has to be the serial of an invocation, a whole number: after=0 gives all.")
            return self._live(request, after) if path == "api/live" else self._list(after)
        name = path or "index.html"
        if name in _FILES:
            return self._file(request, _PAGE / name)
        return _error(404, f"The console has nothing at {request.path}; its page is at {PREFIX}.")

    def _file(self, request: Request, path: Path) -> Response:
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"frame-src {_source(request, PREFIX + 'api/')}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )
        kind = _TYPES[path.suffix]
        return Response(
            200, [("Content-Type", kind), ("Content-Security-Policy", policy), *_GUARDED], path.read_bytes()
        )

    def _list(self, after: int) -> Response:
        records = self._recorder.since(after)
        serial = records[-1].serial if records else after
        return _json(200, {"run": self._run, "serial": serial, "invocations": [row(record) for record in records]})

    def _live(self, request: Request, after: int) -> Response:
        headers = [("Content-Type", "text/event-stream; charset=utf-8"), *_GUARDED]
        if request.method == "HEAD":
            return Response(200, headers)
        greeting = {"run": self._run, "project": self._about.project, "facts": self._about.facts}
        return Response(200, headers, stream=Feed(self._recorder, self._run, after, greeting))

    async def _invocation(self, request: Request, identifier: str, part: str | None) -> Response:
        if part == "replay":
            try:
                return _json(201, {"id": await self._replay(identifier)})
            except KeyError:
                return _forgotten(identifier)
            except EmulatorError as error:
                return _error(409, str(error))
        record = self._recorder.get(identifier)
        if record is None:
            return _forgotten(identifier)
        return _json(200, whole(record)) if part is None else self._page(request, record.answer)

    def _page(self, request: Request, answer: bytes) -> Response:
        """The HTML of an answer as a document of its own: without scripts, forms, an origin, or a way out."""
        message = http_message(answer)
        body = None if message is None else body_of(message)
        text = None if body is None or body.media_type != "text/html" else body.text
        if text is None:
            return _error(404, "There is no HTML in this answer.")
        files = "".join(f" {_source(request, prefix)}" for prefix in self._about.files)
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'{files}; img-src data:{files}; "
            "sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )
        headers = [("Content-Type", _TYPES[".html"]), ("Content-Security-Policy", policy), *_GUARDED]
        return Response(200, headers, text.encode(errors="replace"))

    def _after(self, request: Request) -> int:
        """Where the page left off, by its last message's id or in the query; raises ValueError."""
        query = re.search(r"(?:^|&)after=([^&]*)", request.query)
        place = request.header("last-event-id") or (query[1] if query else "")
        run, _, serial = place.rpartition(".")
        if run and run != self._run:
            return 0
        return int(serial or "0")


def _source(request: Request, path: str) -> str:
    """What lies below ``path`` here, for a Content-Security-Policy; it has no way to write an IPv6 address.

    https://www.w3.org/TR/CSP3/#grammardef-host-source
    """
    host = request.header("host") or ""
    return "'self'" if host.startswith("[") else f"{host}{path}"


def _json(status: int, content: dict[str, Any], *headers: tuple[str, str]) -> Response:
    body = json.dumps(content, separators=(",", ":")).encode()
    return Response(status, [("Content-Type", "application/json"), *headers, *_GUARDED], body)


def _error(status: int, message: str, *headers: tuple[str, str]) -> Response:
    return _json(status, {"error": message}, *headers)


def _forgotten(identifier: str) -> Response:
    return _error(404, f"There is no invocation {identifier}; only the last ones are kept.")
