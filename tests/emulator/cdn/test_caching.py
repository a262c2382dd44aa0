"""What is kept, for how long, and for whom."""

from __future__ import annotations

import asyncio
import itertools
from email.utils import formatdate

import pytest

from emulator.blueprint import (
    ALL_VIEWER_EXCEPT_HOST,
    CACHING_OPTIMIZED,
    CachePolicy,
    Distribution,
    ErrorAnswer,
    OriginRequestPolicy,
)
from emulator.cdn import freshness
from emulator.cdn.cache import Cache, Entry
from emulator.http import Request, Response
from tests.emulator.cdn.edge import KEPT, Edge, behaviour, get, header, state

NOW = 1_000_000.0


def door(*headers: tuple[str, str], status: int = 200, body: bytes = b"") -> Edge:
    """An edge whose door numbers its answers, where they have no body of their own."""
    numbers = itertools.count(1)
    return Edge(lambda request: Response(status, list(headers), body or str(next(numbers)).encode()))


@pytest.mark.parametrize(
    ("headers", "policy", "expected"),
    [
        ({}, KEPT, 60),
        ({"Cache-Control": "public"}, KEPT, 60),
        ({"Cache-Control": "max-age=5"}, KEPT, 5),
        ({"Cache-Control": "MAX-AGE = 5"}, KEPT, 5),
        ({"Cache-Control": 'max-age="5"'}, KEPT, 5),
        ({"Cache-Control": "max-age=5, s-maxage=9"}, KEPT, 9),
        ({"Cache-Control": "max-age=99999"}, KEPT, 3600),
        ({"Cache-Control": "max-age=soon"}, KEPT, 60),
        ({"Cache-Control": "max-age=5", "Expires": formatdate(NOW + 100, usegmt=True)}, KEPT, 5),
        ({"Expires": formatdate(NOW + 100, usegmt=True)}, KEPT, 100),
        ({"Expires": formatdate(NOW - 100, usegmt=True)}, KEPT, 0),
        ({"Expires": "0"}, KEPT, 0),
        ({"Cache-Control": "no-cache"}, KEPT, 0),
        ({"Cache-Control": 'no-cache="Set-Cookie", max-age=5'}, KEPT, 5),
        ({"Cache-Control": "no-store, max-age=5"}, KEPT, None),
        ({"Cache-Control": "private"}, KEPT, None),
        # A minimum goes over what the origin says.
        ({"Cache-Control": "no-store"}, CACHING_OPTIMIZED, 1),
        ({"Cache-Control": "max-age=0"}, CACHING_OPTIMIZED, 1),
        ({"Cache-Control": "no-cache"}, CACHING_OPTIMIZED, 1),
        ({}, CachePolicy(minimum=100, default=60, maximum=3600), 100),
    ],
)
def test_how_long_an_answer_is_kept(headers: dict[str, str], policy: CachePolicy, expected: float | None) -> None:
    assert freshness.lifetime(200, headers.items(), policy, NOW) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, {}, 10),
        (500, {"Cache-Control": "max-age=3"}, 10),
        (502, {"Cache-Control": "max-age=30"}, 30),
        (503, {}, 2),
        (504, {}, None),
        (403, {}, None),
        (403, {"Cache-Control": "max-age=3"}, 10),
        (401, {"Cache-Control": "max-age=30"}, None),
        (416, {"Cache-Control": "max-age=30"}, None),
        (404, {"Cache-Control": "max-age=99999"}, 3600),
    ],
)
def test_how_long_an_error_is_kept(status: int, headers: dict[str, str], expected: float | None) -> None:
    assert freshness.error_lifetime(status, headers.items(), KEPT, {503: 2, 504: 0}, NOW) == expected


def test_a_kept_answer_is_served_until_it_expires() -> None:
    edge = door(("Cache-Control", "max-age=5"), ("X-Own", "1"))
    seen = []
    for edge.now in (NOW, NOW + 1, NOW + 4.9, NOW + 5, NOW + 6):
        [answer] = edge.ask(get("/page"))
        seen.append((state(answer), answer.body, header(answer, "date"), header(answer, "x-own")))
    first, later = (formatdate(when, usegmt=True) for when in (NOW, NOW + 5))
    assert seen == [
        ("Miss", b"1", first, "1"),
        ("Hit 1", b"1", first, "1"),
        ("Hit 4", b"1", first, "1"),
        ("Miss", b"2", later, "1"),
        ("Hit 1", b"2", later, "1"),
    ]
    assert edge.log.text.count("cdn") == 3, "what the front door has not seen is in no other log"


def test_a_viewer_cannot_make_the_cdn_ask_again() -> None:
    edge = door()
    answers = edge.ask(get(), get(Cache_Control="no-cache", Pragma="no-cache"))
    assert [state(answer) for answer in answers] == ["Miss", "Hit 0"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_reading_is_answered_from_the_cache(method: str) -> None:
    edge = door()
    answers = edge.ask(get(), get(method=method), get(method=method), get())
    assert [state(answer) for answer in answers] == ["Miss", "Miss", "Miss", "Hit 0"]


def test_head_is_answered_from_what_get_has_left() -> None:
    edge = door(("ETag", '"e"'), body=b"page")
    before, whole, after = edge.ask(get(method="HEAD"), get(), get(method="HEAD"))
    assert [state(answer) for answer in (before, whole, after)] == ["Miss", "Miss", "Hit 0"]
    assert (after.status, after.body, header(after, "content-length"), header(after, "etag")) == (200, b"", "4", '"e"')


def test_nothing_is_kept_with_caching_disabled() -> None:
    edge = Edge(door(("Cache-Control", "max-age=60")).door, Distribution((behaviour(CachePolicy()),)))
    assert [(state(answer), answer.body) for answer in edge.ask(get(), get())] == [("Miss", b"1"), ("Miss", b"2")]


@pytest.mark.parametrize(
    ("policy", "same", "other"),
    [
        ({}, get("/a", "x=1", Cookie="a=1", Accept_Language="de"), get("/b")),
        ({}, get("/a", Host="one"), get("/a", Host="two")),
        ({"queries": ("*",)}, get("/a", "x=1"), get("/a", "x=2")),
        ({"queries": ("*",)}, get("/a", "x=1&y=2"), get("/a", "y=2&x=1")),
        ({"queries": ("x",)}, get("/a", "y=7&x=1"), get("/a", "x=2")),
        ({"queries": ("a b",)}, get("/a", "a+b=1"), get("/a", "a%20b=2")),
        ({"cookies": ("a",)}, get("/a", Cookie="b=2; a=1"), get("/a", Cookie="a=2")),
        ({"cookies": ("*",)}, get("/a", Cookie="b=2; a=1"), get("/a", Cookie="b=3; a=1")),
        ({"headers": ("Accept-Language",)}, get("/a", Accept_Language="de"), get("/a", Accept_Language="en")),
        ({"gzip": True}, get("/a", Accept_Encoding="deflate, gzip, br"), get("/a", Accept_Encoding="br")),
    ],
)
def test_the_policy_says_which_answers_are_the_same(policy: dict[str, object], same: Request, other: Request) -> None:
    settings = CachePolicy(default=60, maximum=60, **policy)  # type: ignore[arg-type]
    edge = Edge(door().door, Distribution((behaviour(settings),)))
    assert [state(answer) for answer in edge.ask(same, same, other, same)] == ["Miss", "Hit 0", "Miss", "Hit 0"]


def test_what_is_not_part_of_the_key_makes_no_difference() -> None:
    edge = door()
    answers = edge.ask(get("/a", "x=1", Cookie="a=1"), get("/a", "x=2", Cookie="a=2", Accept_Language="de"))
    assert [state(answer) for answer in answers] == ["Miss", "Hit 0"]


def test_every_header_in_the_key_keeps_nothing() -> None:
    edge = Edge(door().door, Distribution((behaviour(CachePolicy(default=60, maximum=60, headers=("*",))),)))
    assert [state(answer) for answer in edge.ask(get(), get())] == ["Miss", "Miss"]


def test_cookies_are_kept_with_an_answer_only_where_they_reach_the_origin() -> None:
    set_cookie = ("Set-Cookie", "session=1")
    for forward, seen in ((OriginRequestPolicy(), None), (OriginRequestPolicy(cookies=("session",)), "session=1")):
        edge = Edge(door(set_cookie).door, Distribution((behaviour(forward=forward),)))
        answers = edge.ask(get(Cookie="session=1; other=2"), get())
        assert [header(answer, "set-cookie") for answer in answers] == [seen, seen]
        assert edge.asked[0].header("cookie") == seen


@pytest.mark.parametrize(
    ("minimum", "forward", "states", "seen"),
    [
        (0, ALL_VIEWER_EXCEPT_HOST, ["Miss", "Miss"], "*"),
        (0, OriginRequestPolicy(), ["Miss", "Miss"], "*"),
        (1, OriginRequestPolicy(), ["Miss", "Hit 0"], None),
        (1, ALL_VIEWER_EXCEPT_HOST, ["Miss", "Hit 0"], "*"),
    ],
)
def test_what_varies_by_everything_is_asked_for_each_time(
    minimum: float, forward: OriginRequestPolicy, states: list[str], seen: str | None
) -> None:
    """Unless a minimum is set, whatever the origin says."""
    policy = CachePolicy(minimum=minimum, default=60, maximum=60)
    edge = Edge(door(("Vary", "*")).door, Distribution((behaviour(policy, forward=forward),)))
    answers = edge.ask(get(), get())
    assert [state(answer) for answer in answers] == states
    assert {header(answer, "vary") for answer in answers} == {seen}


def test_a_viewer_sees_what_the_answer_varies_by_here() -> None:
    vary = ("Vary", "Accept-Language, Cookie, User-Agent, accept-encoding")
    none = OriginRequestPolicy()
    for policy, seen in (
        (KEPT, "Cookie, accept-encoding"),
        (CachePolicy(default=60, maximum=60, headers=("User-Agent",)), "Cookie, User-Agent, accept-encoding"),
    ):
        edge = Edge(door(vary).door, Distribution((behaviour(policy, forward=none),)))
        assert [header(answer, "vary") for answer in edge.ask(get(), get())] == [seen, seen]
    edge = Edge(door(("Vary", "User-Agent")).door, Distribution((behaviour(forward=none),)))
    assert header(edge.ask(get())[0], "vary") is None


def test_what_has_expired_is_asked_after() -> None:
    """The origin hears the validators of what is kept, not those of the viewer, who is told by its own."""

    def answer(request: Request) -> Response:
        if request.header("if-none-match") == '"1"':
            return Response(304, [("Cache-Control", "max-age=9")])
        return Response(
            200,
            [("ETag", '"1"'), ("Last-Modified", "Mon, 05 Jan 1970 00:00:00 GMT"), ("Cache-Control", "max-age=5")],
            b"x",
        )

    edge = Edge(answer)
    edge.ask(get())
    edge.now += 6
    viewer = get(If_None_Match='"0", "1"', Range="bytes=0-0")
    [refreshed] = edge.ask(viewer)
    assert (refreshed.status, state(refreshed), header(refreshed, "cache-control")) == (304, "RefreshHit", "max-age=9")
    sent = edge.asked[-1]
    assert sent.header_values("if-none-match") == ['"1"']
    assert sent.header("if-modified-since") is None, "an edit within the same second would go unnoticed"
    assert sent.header("range") is None
    edge.now += 8
    [kept] = edge.ask(get())
    assert (kept.body, state(kept)) == (b"x", "Hit 8")
    assert len(edge.asked) == 2


def test_without_an_etag_the_date_is_what_is_asked_by() -> None:
    modified = "Mon, 05 Jan 1970 00:00:00 GMT"

    def answer(request: Request) -> Response:
        unchanged = request.header("if-modified-since") == modified
        return Response(304) if unchanged else Response(200, [("Last-Modified", modified), ("Expires", "0")], b"x")

    first, again = Edge(answer).ask(get(), get())
    assert [(state(first), first.body), (state(again), again.body)] == [("Miss", b"x"), ("RefreshHit", b"x")]


def test_what_has_changed_since_it_expired_takes_its_place() -> None:
    numbers = itertools.count(1)

    def answer(request: Request) -> Response:
        number = next(numbers)
        return Response(200, [("ETag", f'"{number}"'), ("Cache-Control", "no-cache")], str(number).encode())

    edge = Edge(answer)
    first, changed, unchanged = edge.ask(get(), get(If_None_Match='"1"'), get(If_None_Match='"3"'))
    assert [(first.body, first.status), (changed.body, changed.status)] == [(b"1", 200), (b"2", 200)]
    assert (unchanged.status, state(unchanged)) == (304, "Miss")
    assert [request.header("if-none-match") for request in edge.asked] == [None, '"1"', '"2"']


def test_a_broken_origin_is_covered_by_what_has_expired() -> None:
    """The origin is asked again only when the error caching minimum TTL has passed."""
    broken = False

    def answer(request: Request) -> Response:
        return Response(500, [], b"broken") if broken else Response(200, [("Cache-Control", "max-age=5")], b"page")

    edge = Edge(answer, Distribution((behaviour(),), errors=(ErrorAnswer(500, ttl=3),)))
    edge.ask(get())
    broken = True
    edge.now += 6
    assert [answer.body for answer in edge.ask(get(), get())] == [b"page", b"page"]
    assert len(edge.asked) == 2
    edge.now += 3
    assert edge.ask(get())[0].body == b"page"
    assert len(edge.asked) == 3
    assert edge.ask(get("/other"))[0].body == b"broken"


@pytest.mark.parametrize(
    ("between", "covered"),
    [
        (Response(200, [("Cache-Control", "private")], b"for one"), False),
        (Response(206, [("Content-Range", "bytes 0-1/4")], b"pa"), True),
    ],
)
def test_an_error_is_covered_by_what_was_right_to_the_last(between: Response, covered: bool) -> None:
    """A part of it says nothing new about the whole."""
    answers = iter([Response(200, [("Cache-Control", "max-age=5")], b"page"), between, Response(500, [], b"broken")])
    edge = Edge(lambda request: next(answers))
    bodies = []
    for _ in range(3):
        bodies.append(edge.ask(get())[0].body)
        edge.now += 6
    assert bodies == [b"page", between.body, b"page" if covered else b"broken"]


def test_a_client_s_error_is_not_covered() -> None:
    gone = False

    def answer(request: Request) -> Response:
        return Response(404, [], b"gone") if gone else Response(200, [("Cache-Control", "max-age=5")], b"page")

    edge = Edge(answer)
    edge.ask(get())
    gone = True
    edge.now += 6
    answers = edge.ask(get(), get())
    assert [(answer.status, state(answer)) for answer in answers] == [(404, "Error"), (404, "Error 0")]
    edge.now += 10
    gone = False
    assert edge.ask(get())[0].body == b"page"


def test_the_answer_to_a_range_or_a_condition_is_not_kept_for_others() -> None:
    def answer(request: Request) -> Response:
        if request.header("range"):
            return Response(206, [("Content-Range", "bytes 0-1/4")], b"pa")
        if request.header("if-none-match"):
            return Response(304, [])
        return Response(200, [("ETag", '"e"')], b"page")

    edge = Edge(answer)
    part, unchanged, whole, kept_part = edge.ask(
        get(Range="bytes=0-1"), get(If_None_Match='"e"'), get(), get(Range="bytes=2-3")
    )
    assert [part.status, unchanged.status, whole.status] == [206, 304, 200]
    assert (kept_part.status, kept_part.body, state(kept_part)) == (206, b"ge", "Hit 0")
    assert len(edge.asked) == 3


def test_an_origin_that_knows_no_ranges_fills_the_cache() -> None:
    edge = door(body=b"page")
    whole, part = edge.ask(get(Range="bytes=0-1"), get(Range="bytes=0-1"))
    assert (whole.status, whole.body) == (200, b"page")
    assert (part.status, part.body, header(part, "content-range")) == (206, b"pa", "bytes 0-1/4")


def test_redirects_are_kept() -> None:
    edge = door(("Location", "/there"), status=302)
    answers = edge.ask(get(), get())
    assert [(answer.status, state(answer), header(answer, "location")) for answer in answers] == [
        (302, "Miss", "/there"),
        (302, "Hit 0", "/there"),
    ]


@pytest.mark.parametrize(("said", "asked"), [("max-age=5", 2), ("private", 6)])
def test_requests_for_the_same_at_once_become_one(said: str, asked: int) -> None:
    """Unless the answer turns out to be for one viewer alone."""

    async def main() -> None:
        release = asyncio.Event()

        async def answer(request: Request) -> Response:
            await release.wait()
            return Response(200, [("Cache-Control", said)], request.path.encode())

        edge = Edge(answer)
        tasks = [asyncio.create_task(edge.cdn(get(path))) for path in ("/a", "/b") for _ in range(3)]
        await asyncio.sleep(0.01)
        assert len(edge.asked) == 2
        release.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.body for answer in answers] == [b"/a"] * 3 + [b"/b"] * 3
        assert len(edge.asked) == asked

    asyncio.run(main())


def test_who_waits_for_a_request_that_fails_asks_for_itself() -> None:
    async def main() -> None:
        release = asyncio.Event()
        fails = True

        async def answer(request: Request) -> Response:
            await release.wait()
            if fails:
                raise RuntimeError("the door is broken")
            return Response(200, [], b"page")

        edge = Edge(answer)
        first, second = (asyncio.create_task(edge.cdn(get())) for _ in range(2))
        await asyncio.sleep(0.01)
        release.set()
        with pytest.raises(RuntimeError):
            await first
        fails = False
        assert (await second).body == b"page"

    asyncio.run(main())


def test_a_streamed_answer_passes_through_and_is_not_kept() -> None:
    class Endless:
        closed = False

        async def read(self) -> bytes:
            return b"tick"

        def close(self) -> None:
            self.closed = True

    streams: list[Endless] = []

    def answer(request: Request) -> Response:
        streams.append(Endless())
        return Response(200, [("Cache-Control", "max-age=60")], stream=streams[-1])

    async def main() -> None:
        edge = Edge(answer)
        for _ in range(2):
            response = await edge.cdn(get(Accept_Encoding="br"))
            assert state(response) == "Miss"
            assert response.stream is not None
            assert await response.stream.read() == b"tick"
            response.stream.close()
        assert [stream.closed for stream in streams] == [True, True]

    asyncio.run(main())


def test_the_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.cdn.cache._MOST_BYTES", 10_000)
    monkeypatch.setattr("emulator.cdn.cache._LARGEST", 7_000)

    def entry(size: int) -> Entry:
        return Entry("/", 200, [], bytes(size), NOW, NOW)

    cache = Cache()
    for key in ("a", "b", "c"):
        cache.put(key, entry(1_000))
    assert cache.get("a") is not None
    cache.put("d", entry(1_000))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    cache.put("a", entry(4_000))
    assert [key for key in "cda" if cache.get(key)] == ["d", "a"]
    cache.put("a", entry(6_000))
    assert cache.get("a") is None, "it would leave too little room for others"
    cache.put("a", entry(0))
    for key in ("b", "c", "d"):
        cache.put(key, entry(0))
    assert all(cache.get(key) for key in "abcd"), "what has gone is not counted any more"


@pytest.mark.parametrize(
    ("items", "left"),
    [
        (["/a/x"], ["/a/X", "/a/x?q=1", "/a/y", "/b"]),
        (["/a/x*"], ["/a/X", "/a/y", "/b"]),
        (["/a/x?q=1", "/b"], ["/a/X", "/a/x", "/a/y"]),
        (["/a*"], ["/b"]),
        (["/*"], []),
        (["/"], ["/a/X", "/a/x", "/a/x?q=1", "/a/y", "/b"]),
        (["#STATIC"], ["/a/X", "/a/x", "/a/x?q=1", "/b"]),
        (["#stat", "#static*"], ["/a/X", "/a/x", "/a/x?q=1", "/a/y", "/b"]),
        (["#site", "/b"], ["/a/X", "/a/x", "/a/x?q=1"]),
    ],
)
def test_an_invalidation_forgets_what_it_names(items: list[str], left: list[str]) -> None:
    def answer(request: Request) -> Response:
        return Response(200, [("X-Tags", "Static, site,")] if request.path == "/a/y" else [], b"page")

    policy = CachePolicy(default=60, maximum=60, queries=("q",))
    edge = Edge(answer, Distribution((behaviour(policy),), tag_header="x-tags"))
    requests = [get("/a/x"), get("/a/x", "q=1"), get("/a/X"), get("/a/y"), get("/b", "other=1")]
    edge.ask(*requests)
    edge.cdn.invalidate(items)
    kept = [
        f"{request.path}?{request.query}" if "q=" in request.query else request.path
        for request, answer in zip(requests, edge.ask(*requests), strict=True)
        if state(answer) == "Hit 0"
    ]
    assert sorted(kept) == left


def test_what_was_asked_for_before_an_invalidation_is_not_kept_after_it() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def answer(request: Request) -> Response:
            await release.wait()
            return Response(200, [], b"page")

        edge = Edge(answer)
        old = asyncio.create_task(edge.cdn(get()))
        await asyncio.sleep(0.01)
        edge.cdn.invalidate(["/*"])
        release.set()
        assert [state(answer) for answer in (await old, await edge.cdn(get()), await edge.cdn(get()))] == [
            "Miss",
            "Miss",
            "Hit 0",
        ]

    asyncio.run(main())
