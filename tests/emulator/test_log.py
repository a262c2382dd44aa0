from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from emulator.log import JsonLog, Log, Place, Ready, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO) -> str:
    log = Log(stream)
    log.access("GET", "/shop/?q=1", 200, 0.0124, "http_api")
    log.access("POST", "/shop/", 500, 1.5, "rest_api", cold=0.812)
    log.function("fn-1", "from the view")
    return stream.getvalue()


def test_a_request_is_one_line_a_person_can_read() -> None:
    first, second, third = written(io.StringIO()).splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  GET    /shop/\?q=1  200  12 ms  http_api", first)
    assert second.endswith("POST   /shop/  500  1500 ms  rest_api  cold 812 ms")
    assert third == "fn-1 | from the view"


def test_colours_are_for_terminals_and_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in written(io.StringIO())
    assert "\x1b[32m200\x1b[0m" in written(Terminal())
    assert "\x1b[31m500\x1b[0m" in written(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in written(Terminal())


def test_a_path_cannot_draw_on_the_terminal() -> None:
    assert printable("/café/€") == "/café/€"
    assert printable("/a\x1b[2J\x07\x85b") == "/a\\x1b[2J\\x07\\x85b"


def test_a_terminal_that_has_gone_away_stops_nothing() -> None:
    stream = io.StringIO()
    log = Log(stream)
    stream.close()
    log.note("nobody hears this")


def objects(tell: Callable[[Log], None]) -> list[dict[str, Any]]:
    stream = io.StringIO()
    tell(JsonLog(stream))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_answers_where_is_a_table() -> None:
    stream = io.StringIO()
    places = [Place("site", "http://127.0.0.1:8000/", "all of it"), Place("http_api", "http://127.0.0.1:8001/", "")]
    Log(stream).ready(Ready("mysite.settings, wsgi", places, 0.456))
    assert stream.getvalue().splitlines() == [
        "django-faas  mysite.settings, wsgi",
        "  site      http://127.0.0.1:8000/  all of it",
        "  http_api  http://127.0.0.1:8001/  ",
        "ready in 0.46 s; Ctrl-C stops",
    ]


def test_programs_get_an_object_a_line() -> None:
    def tell(log: Log) -> None:
        log.ready(Ready("mysite.settings", [Place("site", "http://127.0.0.1:1/", "all")], 0.45678))
        log.access("GET", "/a?b=1", 200, 0.0123456789, "http_api", 0.25, 0.01)
        log.access("GET", "/a", 304, 0.5, "bucket")
        log.function("fn-1", "two\nlines \x1b[2J")
        log.note("a")
        log.caution("b")
        log.error("c\ud800")

    found = objects(tell)
    for each in found:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each.pop("time"))
    request = {"type": "request", "method": "GET"}
    assert found == [
        {"type": "ready", "title": "mysite.settings", "urls": {"site": "http://127.0.0.1:1/"}, "seconds": 0.457},
        {
            **request,
            "target": "/a?b=1",
            "status": 200,
            "seconds": 0.012346,
            "source": "http_api",
            "init": 0.25,
            "began": 0.01,
        },
        {**request, "target": "/a", "status": 304, "seconds": 0.5, "source": "bucket"},
        {"type": "function", "environment": "fn-1", "message": "two\nlines \x1b[2J"},
        {"type": "note", "message": "a"},
        {"type": "caution", "message": "b"},
        {"type": "error", "message": "c\ud800"},
    ]


def test_times_are_in_utc_to_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_225_599.0079)
    assert objects(lambda log: log.note("x"))[0]["time"] == "2025-12-31T23:59:59.007Z"


def test_objects_are_never_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    JsonLog(stream).error("x")
    assert "\x1b" not in stream.getvalue()
