"""What the CDN compresses on the way."""

from __future__ import annotations

import dataclasses
import gzip

import brotli  # type: ignore[import-untyped]
import pytest

from emulator.blueprint import CachePolicy, Distribution
from emulator.http import Request, Response
from tests.emulator.cdn.edge import Edge, behaviour, get, header, state

POLICY = CachePolicy(default=60, maximum=60, gzip=True, brotli=True)
TEXT = b"all work and no play\n" * 60
DECODED = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}


def edge(response: Response, policy: CachePolicy = POLICY, compress: bool = True) -> Edge:
    distribution = Distribution((behaviour(policy, compress=compress),))
    return Edge(lambda request: dataclasses.replace(response, headers=list(response.headers)), distribution)


def page(body: bytes = TEXT, kind: str = "text/html; charset=utf-8", status: int = 200, **more: str) -> Response:
    return Response(status, [("Content-Type", kind), *((k.replace("_", "-"), v) for k, v in more.items())], body)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip, deflate", "gzip"),
        ("br", "br"),
        ("br;q=0, gzip", "gzip"),
        ("deflate, zstd", None),
        ("", None),
    ],
)
def test_in_the_best_coding_that_the_viewer_reads(accept: str, coding: str | None) -> None:
    first, second = edge(page()).ask(get(Accept_Encoding=accept), get(Accept_Encoding=accept))
    for answer in (first, second):
        assert header(answer, "content-encoding") == coding
        assert header(answer, "vary") == (None if coding is None else "Accept-Encoding")
        assert DECODED[coding](answer.body) == TEXT
    assert (state(first), state(second)) == ("Miss", "Hit 0")


@pytest.mark.parametrize(
    ("response", "compressed"),
    [
        (page(), True),
        (page(status=404), True),
        (page(status=403, Cache_Control="max-age=5"), True),
        (page(status=500), False),
        (page(status=302), False),
        (page(status=206), False),
        (page(b"x" * 999), False),
        (page(b"x" * 1_000), True),
        (page(b"x" * 10_000_000), True),
        (page(b"x" * 10_000_001), False),
        (page(kind="TEXT/CSS"), True),
        (page(kind="application/wasm"), True),
        (page(kind="image/png"), False),
        (page(kind="font/woff2"), False),
        (page(kind="text/markdown"), False),
        (page(kind=""), False),
        (page(Content_Encoding="identity"), False),
    ],
    ids=lambda value: "" if isinstance(value, bool) else f"{value.status}-{len(value.body)}-{value.headers}",
)
def test_what_is_compressed(response: Response, compressed: bool) -> None:
    [answer] = edge(response).ask(get(Accept_Encoding="gzip"))
    assert (header(answer, "content-encoding") == "gzip") == compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == response.body


def test_only_where_the_behaviour_and_its_policy_say_so() -> None:
    for policy, compress in ((POLICY, False), (CachePolicy(default=60, maximum=60), True), (CachePolicy(), True)):
        [answer] = edge(page(), policy, compress).ask(get(Accept_Encoding="br, gzip"))
        assert (answer.body, header(answer, "content-encoding")) == (TEXT, None)
    [answer] = edge(page(), CachePolicy(default=60, maximum=60, gzip=True)).ask(get(Accept_Encoding="br, gzip"))
    assert header(answer, "content-encoding") == "gzip"


def test_not_for_a_viewer_of_http_1_0() -> None:
    old = Request("GET", "/", headers=(("Accept-Encoding", "gzip"),), protocol="HTTP/1.0")
    [answer] = edge(page()).ask(old)
    assert answer.body == TEXT


@pytest.mark.parametrize(("etag", "seen"), [('"e"', 'W/"e"'), ('W/"e"', 'W/"e"'), ("e", None)])
def test_an_etag_is_weakened(etag: str, seen: str | None) -> None:
    plain, compressed = edge(page(ETag=etag)).ask(get(), get(Accept_Encoding="br"))
    assert (header(plain, "etag"), header(compressed, "etag")) == (etag, seen)


def test_a_range_of_what_is_kept_compressed_is_one_of_its_bytes() -> None:
    asked = get(Accept_Encoding="gzip")
    whole, part = edge(page(ETag='"e"')).ask(asked, get(Accept_Encoding="gzip", Range="bytes=0-9"))
    assert (part.status, part.body) == (206, whole.body[:10])
    assert header(part, "content-range") == f"bytes 0-9/{len(whole.body)}"
    assert header(part, "content-encoding") == "gzip"


def test_what_has_not_changed_stays_compressed() -> None:
    def answer(request: Request) -> Response:
        unchanged = request.header("if-none-match") == '"e"'
        return Response(304) if unchanged else page(ETag='"e"', Cache_Control="no-cache")

    both = Edge(answer, Distribution((behaviour(POLICY, compress=True),)))
    _, again = both.ask(get(Accept_Encoding="br"), get(Accept_Encoding="br"))
    assert (state(again), brotli.decompress(again.body), header(again, "etag")) == ("RefreshHit", TEXT, 'W/"e"')


def test_head_says_what_get_has_got() -> None:
    whole, head = edge(page()).ask(get(Accept_Encoding="br"), get(method="HEAD", Accept_Encoding="br"))
    assert header(head, "content-length") == str(len(whole.body))
    assert header(head, "content-encoding") == "br"
