"""Which behaviour a path belongs to, and which requests go no further."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.blueprint import CACHING_DISABLED, CACHING_OPTIMIZED, Behaviour, Distribution
from emulator.cdn import default_distribution
from emulator.cdn.behaviours import _normalised, chooser
from emulator.http import Request, Response
from tests.emulator.cdn.edge import Edge, get, header

PATTERNS = ("/images/*.jpg", "images/*.gif", "/a??.jpg", "/docs/*", "/exact", "/gr%C3%B6%C3%9Fe/*", "/%7euser/*")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/images/a.jpg", "/images/*.jpg"),
        ("/images/a/b.jpg", "/images/*.jpg"),
        ("/images/.jpg", "/images/*.jpg"),
        ("/images/a.JPG", "*"),
        ("/Images/a.jpg", "*"),
        ("/x/images/a.jpg", "*"),
        ("/images/a.gif", "images/*.gif"),
        ("/a00.jpg", "/a??.jpg"),
        ("/a/0.jpg", "/a??.jpg"),
        ("/a0.jpg", "*"),
        ("/a000.jpg", "*"),
        ("/docs/", "/docs/*"),
        ("/docs", "*"),
        ("/exact", "/exact"),
        ("/exact/", "*"),
        # Compared is what RFC 3986 makes of the path.
        ("/%64ocs/a", "/docs/*"),
        ("//docs//a", "/docs/*"),
        ("/./docs/a", "/docs/*"),
        ("/x/../docs/a", "/docs/*"),
        ("/../docs/.", "/docs/*"),
        ("/docs/../a", "*"),
        ("/docs/a/..", "/docs/*"),
        ("/docs/..", "*"),
        ("/docs%2Fa", "*"),
        ("/gr%c3%b6%c3%9fe/a", "/gr%C3%B6%C3%9Fe/*"),
        ("/~user/a", "/%7euser/*"),
    ],
)
def test_the_first_pattern_that_matches_is_taken(path: str, pattern: str) -> None:
    behaviours = [Behaviour(pattern, "door") for pattern in (*PATTERNS, "*")]
    assert chooser(behaviours)(path).pattern == pattern


@given(st.lists(st.sampled_from(["", ".", "..", "a", "%61", "%2e%2E", "docs"]), max_size=6))
def test_a_normal_path_has_no_other_form(segments: list[str]) -> None:
    normal = _normalised(f"/{'/'.join(segments)}")
    assert normal.startswith("/")
    assert "//" not in normal
    assert not {".", ".."} & set(normal.split("/"))
    assert _normalised(normal) == normal


def test_the_origin_hears_the_path_as_it_was_sent() -> None:
    edge = Edge(lambda request: Response(200), Distribution((Behaviour("*", "door"),)))
    edge.ask(get("/a//b/../%7Ec;d", "x=%7E&y"))
    assert (edge.asked[0].path, edge.asked[0].query) == ("/a//b/../%7Ec;d", "x=%7E&y")


def test_the_origin_s_own_path_comes_before_it() -> None:
    staged = Behaviour("*", "door", cache=CACHING_OPTIMIZED, origin_path="/live")
    edge = Edge(lambda request: Response(200), Distribution((staged,)))
    edge.ask(get("/books/"), get("/books/"))
    assert [request.path for request in edge.asked] == ["/live/books/"]
    edge.cdn.invalidate(["/live/books/"])
    edge.ask(get("/books/"))
    assert len(edge.asked) == 1, "viewers and invalidations do not know of it"


def test_a_plain_project_has_its_files_kept_and_its_pages_not() -> None:
    distribution = default_distribution([("/static/", 0), ("/live/static/", 5)])
    assert [(item.pattern, item.origin, item.cache, item.cut) for item in distribution.behaviours] == [
        ("/static/*", "bucket", CACHING_OPTIMIZED, 0),
        ("/live/static/*", "bucket", CACHING_OPTIMIZED, 5),
        ("*", "door", CACHING_DISABLED, 0),
    ]
    assert {error.ttl for error in distribution.errors} == {0}


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (Request("POST", "/read"), 403, "not configured to allow the HTTP request method"),
        (Request("TRACE", "/"), 403, "not configured to allow the HTTP request method"),
        (Request("GET", "/", body=b"x"), 403, "must not have a body"),
        (Request("GET", "/" + "a" * 8_192), 413, "8,192 bytes"),
        (Request("GET", "/", "a" * 8_192), 413, "8,192 bytes"),
        (Request("GET", "/", headers=(("X-Long", "a" * 20_480),)), 413, "20,480"),
    ],
)
def test_what_the_cdn_refuses(asked: Request, status: int, said: str) -> None:
    reading = Behaviour("/read", "door", methods=("GET", "HEAD"))
    edge = Edge(lambda request: Response(200), Distribution((reading, Behaviour("*", "door"))))
    [answer] = edge.ask(asked)
    assert (answer.status, edge.asked) == (status, [])
    assert said.encode() in answer.body
    assert f"Request ID: {header(answer, 'x-amz-cf-id')}\n".encode() in answer.body
    assert {("Server", "CloudFront"), ("Content-Type", "text/html"), ("X-Cache", "Error from cloudfront")} <= set(
        answer.headers
    )
    assert str(status) in edge.log.text


def test_every_method_of_http_passes_where_it_may() -> None:
    edge = Edge(lambda request: Response(200), Distribution((Behaviour("*", "door"),)))
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"):
        edge.ask(Request(method, "/", body=b"" if method == "GET" else b"body"))
    assert len(edge.asked) == 7


def test_the_front_door_gets_the_secret_of_a_project_that_has_one() -> None:
    assert default_distribution([]).secrets == ()
    assert default_distribution([], "sesame").secrets == (("x-origin-verify", "sesame"),)
