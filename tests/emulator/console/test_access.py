from __future__ import annotations

import pytest

from emulator.console.access import refusal
from emulator.http import Request

HOSTS = frozenset({"laptop.example"})


def asked(method: str, *headers: tuple[str, str]) -> str | None:
    return refusal(Request(method, "/.faas/", headers=headers), HOSTS)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.:8000",
        "shop.localhost:8000",
        "127.0.0.1:8000",
        "192.168.1.7:8000",
        "[::1]:8000",
        "laptop.example:8000",
    ],
)
def test_a_name_that_can_only_lead_here_is_answered(host: str) -> None:
    assert asked("GET", ("Host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "laptop.example.evil",
        "2130706433.",
        "",
        "[::1].evil",
        "localhost:8000; script-src *",
    ],
)
def test_any_other_name_is_refused_even_to_read(host: str) -> None:
    assert "does not answer to the host" in (asked("GET", ("Host", host)) or "")


def test_a_request_with_two_hosts_or_none_is_refused() -> None:
    assert asked("GET", ("Host", "localhost"), ("Host", "evil.example")) is not None
    assert asked("GET") is not None


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "http://localhost:8000"), ("Sec-Fetch-Site", "same-origin")],
        [("Origin", "http://LOCALHOST:8000")],
        [("Sec-Fetch-Site", "same-origin")],
        [],
    ],
)
def test_the_page_itself_and_a_tool_may_post(headers: list[tuple[str, str]]) -> None:
    assert asked("POST", ("Host", "localhost:8000"), *headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "https://evil.example")],
        [("Origin", "http://localhost:3000"), ("Sec-Fetch-Site", "same-site")],
        [("Origin", "http://127.0.0.1:8000")],
        [("Origin", "null")],
        [("Origin", "")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "cross-site")],
    ],
)
def test_a_page_of_another_origin_may_not(headers: list[tuple[str, str]]) -> None:
    assert "Only the console's own page" in (asked("POST", ("Host", "localhost:8000"), *headers) or "")
