from __future__ import annotations

import io
import re

import pytest

from emulator.log import Log, printable


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
