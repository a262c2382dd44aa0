"""CORS: what a browser of another origin is told, as captured where there is a capture."""

from __future__ import annotations

import pytest

from emulator.blueprint import Cors, Door, Route
from emulator.front_doors import build
from emulator.front_doors.contract import ANYBODY, Refusal
from emulator.http import Request, Response

from .helpers import REQUEST_ID, admit, made, rejected, request

SITE = "https://localhost:8080"
CORS = Cors((SITE,), ("GET", "POST"), ("authorization", "content-type", "x-books-authorization"), credentials=True)
OPEN = Cors(("*",), ("*",), ("*",), ("x-total",), 300)
ROUTES = (Route("GET", "/books"), Route("POST", "/books"))


def preflight(origin: str = SITE, path: str = "/books") -> Request:
    headers = (("Origin", origin), ("Access-Control-Request-Method", "GET"))
    return request("OPTIONS", path, headers=(*headers, ("Access-Control-Request-Headers", "authorization")))


def finished(door: Door, asked: Request, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    response = Response(200, list(headers))
    made(door).finish(asked, response)
    return response.headers


def test_a_function_url_answers_a_preflight_as_captured() -> None:
    response = rejected(made(Door("function_url", "site", cors=CORS)), preflight())
    assert (response.status, response.body) == (200, b"")
    # Date, Content-Length and Connection are the server's.
    assert response.headers == [
        ("Content-Type", "application/json"),
        ("x-amzn-RequestId", REQUEST_ID),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", SITE),
        ("Access-Control-Allow-Headers", "authorization,content-type,x-books-authorization"),
        ("Access-Control-Allow-Methods", "GET,POST"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


def test_a_function_url_adds_to_what_the_function_says_so_that_it_is_there_twice() -> None:
    door = Door("function_url", "site", cors=CORS)
    asked = request(headers=(("Origin", SITE),))
    own = [("access-control-allow-origin", SITE), ("access-control-allow-methods", "GET, OPTIONS, POST")]
    assert admit(made(door), asked) is ANYBODY
    assert finished(door, asked, *own) == [
        *own,
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", SITE),
        ("Access-Control-Allow-Credentials", "true"),
    ]


def test_a_function_url_s_preflight_stays_as_it_is_when_finished_like_every_answer() -> None:
    guard = made(Door("function_url", "site", cors=CORS))
    response = rejected(guard, preflight())
    headers = list(response.headers)
    guard.finish(preflight(), response)
    assert sorted(response.headers) == sorted(headers)


def test_an_http_api_answers_a_preflight_where_no_route_takes_it() -> None:
    guard = made(Door("http_api", "site", routes=ROUTES, cors=OPEN))
    response = rejected(guard, preflight())
    assert (response.status, response.body) == (204, b"")
    assert response.headers == [
        ("Apigw-Requestid", "fCr32zHzQrWKbZ8="),
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Allow-Methods", "*"),
        ("Access-Control-Max-Age", "300"),
    ]
    # Without a browser's question, a method without a route is not found.
    assert rejected(made(Door("http_api", "site", routes=ROUTES, api_keys=(), cors=OPEN)), preflight()).status == 204
    assert admit(guard, request("OPTIONS", "/books")) is ANYBODY


@pytest.mark.parametrize("routes", [(), (Route("ANY", "/{proxy+}"),), (Route("OPTIONS", "/books"),)])
def test_an_http_api_hands_a_preflight_to_the_function_where_a_route_takes_it(routes: tuple[Route, ...]) -> None:
    door = Door("http_api", "site", routes=routes, cors=CORS)
    assert admit(made(door), preflight()) is ANYBODY
    # What the function makes of it keeps its status, and gets the API's headers.
    assert finished(door, preflight(), ("Allow", "GET"), ("Vary", "Accept, Origin")) == [
        ("Allow", "GET"),
        ("Vary", "Accept, Origin"),
        ("Access-Control-Allow-Origin", SITE),
        ("Access-Control-Allow-Headers", "authorization,content-type,x-books-authorization"),
        ("Access-Control-Allow-Methods", "GET,POST"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


@pytest.mark.parametrize("origin", [(("Origin", "https://elsewhere.example"),), ()])
def test_an_http_api_drops_what_the_function_says_of_cors(origin: tuple[tuple[str, str], ...]) -> None:
    asked = request(headers=origin)
    own = [("Content-Type", "text/html"), ("access-control-allow-origin", "https://mine.example")]
    assert finished(Door("http_api", "site", cors=CORS), asked, *own) == own[:1]
    granted = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "x-total")]
    assert finished(Door("http_api_1", "site", cors=OPEN), asked, *own) == own[:1] + (granted if origin else [])


def test_an_http_api_s_refusals_carry_its_headers() -> None:
    door = Door("http_api", "site", cors=CORS)
    asked = request(headers=(("Origin", SITE),))
    response = build(door).refuse(Refusal.UNAUTHORIZED, asked, REQUEST_ID)
    made(door).finish(asked, response)
    assert ("Access-Control-Allow-Origin", SITE) in response.headers


@pytest.mark.parametrize(
    ("allowed", "origin", "granted"),
    [
        (("https://a.example",), "https://a.example", True),
        (("https://a.example",), "http://a.example", False),
        (("https://a.example",), "https://a.example.evil.example", False),
        (("https://a.example", "http://localhost:3000"), "http://localhost:3000", True),
        (("https://*",), "https://b.example", True),
        (("https://*",), "http://b.example", False),
        (("https://a*",), "https://a.example", False),
        (("*",), "null", True),
    ],
)
def test_which_origins_are_allowed(allowed: tuple[str, ...], origin: str, granted: bool) -> None:
    for kind in ("http_api", "function_url"):
        headers = finished(Door(kind, "site", cors=Cors(allowed)), request(headers=(("Origin", origin),)))
        assert bool(headers) is granted
        expected = [("Access-Control-Allow-Origin", "*" if allowed == ("*",) else origin)] if granted else []
        assert [header for header in headers if header[0] != "Vary"] == expected


def test_a_preflight_over_a_limit_is_rejected_as_every_request() -> None:
    asked = preflight()
    large = request("OPTIONS", "/books", headers=(*asked.headers, ("X-Large", "x" * 11_000)))
    assert rejected(made(Door("http_api", "site", routes=ROUTES, cors=CORS)), large).status == 431


def test_an_origin_that_is_not_allowed_gets_no_header_in_answer_to_its_preflight() -> None:
    for door in (Door("http_api", "site", routes=ROUTES, cors=CORS), Door("function_url", "site", cors=CORS)):
        names = {name for name, _ in rejected(made(door), preflight("https://elsewhere.example")).headers}
        assert not any(name.startswith("Access-Control") for name in names)
