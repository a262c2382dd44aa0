"""What viewers get where an origin has no good answer."""

from __future__ import annotations

import asyncio

import pytest

from emulator.blueprint import CACHING_OPTIMIZED, Behaviour, Distribution, ErrorAnswer
from emulator.http import BrokenOff, Request, Response
from tests.emulator.cdn.edge import Edge, behaviour, get, header, state


class Slow:
    """A streamed body that stops halfway, for the time being."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self._pieces = list(pieces)
        self._ends = ends
        self.closed = False

    async def read(self) -> bytes:
        if not self._pieces and not self._ends:
            await asyncio.sleep(60)
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed = True


def site(request: Request) -> Response:
    if request.path == "/lost":
        return Response(404, [("Content-Type", "text/html")], b"not here")
    if request.path == "/broken":
        return Response(500, [("Cache-Control", "max-age=20")], b"broken")
    if request.path == "/streamed":
        return Response(500, stream=Slow(b"broken"))
    if request.path == "/errors/sorry":
        return Response(200, [("Content-Type", "text/html"), ("X-Page", "1")], stream=Slow(b"sor", b"ry"))
    return Response(410, [], b"gone")


ERRORS = (
    ErrorAnswer(404, page="/errors/sorry", answer=200),
    ErrorAnswer(500, ttl=3, page="/errors/sorry"),
    ErrorAnswer(410, page="/errors/missing"),
)


def test_an_error_has_a_page_of_the_site_s_own() -> None:
    edge = Edge(site, Distribution((behaviour(),), errors=ERRORS))
    for path, status in (("/lost", 200), ("/broken", 500), ("/streamed", 500)):
        answer, again = edge.ask(get(path, Cookie="a=1", Host="localhost"), get(path, Host="localhost"))
        assert (answer.status, answer.body, state(answer)) == (status, b"sorry", "Error")
        assert header(answer, "x-page") == "1"
        assert (again.status, again.body) == (status, b"sorry")
        assert state(again) in {"Error 0", "Hit 0"}
    assert [request.path for request in edge.asked] == [
        "/lost",
        "/errors/sorry",
        "/broken",
        "/errors/sorry",
        "/streamed",
        "/errors/sorry",
    ]
    asked = edge.asked[1]
    assert (asked.header("host"), asked.header("cookie"), asked.client) == ("localhost", None, "192.0.2.7")


def test_the_page_is_kept_for_as_long_as_the_error() -> None:
    edge = Edge(site, Distribution((behaviour(),), errors=ERRORS))
    asked = []
    for after in (0, 2.9, 3.1, 19, 21):
        edge.now = 1_000_000.0 + after
        edge.ask(get("/broken"), get("/streamed"))
        asked.append([request.path for request in edge.asked].count("/broken"))
    assert asked == [1, 1, 1, 1, 2]
    assert [request.path for request in edge.asked].count("/streamed") == 3


def test_a_page_that_is_missing_is_the_answer_itself() -> None:
    edge = Edge(site, Distribution((behaviour(),), errors=ERRORS))
    [answer] = edge.ask(get("/other"))
    assert (answer.status, answer.body, len(edge.asked)) == (410, b"gone", 2)


def test_head_of_an_error_has_no_body() -> None:
    edge = Edge(site, Distribution((behaviour(),), errors=ERRORS))
    [answer] = edge.ask(get("/lost", method="HEAD"))
    assert (answer.status, answer.body) == (200, b"")


def test_a_post_that_fails_has_the_page_too() -> None:
    edge = Edge(site, Distribution((behaviour(),), errors=ERRORS))
    [answer] = edge.ask(get("/broken", method="POST"))
    assert (answer.status, answer.body, edge.asked[1].method) == (500, b"sorry", "GET")


def test_the_page_may_be_in_a_bucket_that_is_gone() -> None:
    behaviours = (Behaviour("/errors/*", "bucket", cache=CACHING_OPTIMIZED), behaviour())
    edge = Edge(site, Distribution(behaviours, errors=ERRORS))
    [answer] = edge.ask(get("/lost"))
    assert (answer.status, state(answer)) == (502, "Error")
    assert b"CloudFront wasn't able to connect to the origin." in answer.body
    assert b"http://127.0.0.1:9/files can't be reached" in answer.body


def test_an_origin_that_does_not_answer_is_not_waited_for() -> None:
    """It goes on by itself, and what it says in the end is heard by nobody."""
    stream = Slow(b"late", ends=False)

    async def main() -> None:
        release = asyncio.Event()

        async def answer(request: Request) -> Response:
            await release.wait()
            return Response(200, stream=stream)

        edge = Edge(answer, Distribution((Behaviour("*", "door"),)), patience=0.02)
        answered = await edge.cdn(get("/slow"))
        assert (answered.status, state(answered)) == (504, "Error")
        assert b"either the attempt failed or the origin closed the connection." in answered.body
        assert "0.02 s, the origin response timeout" in edge.log.text
        assert not stream.closed
        release.set()
        await asyncio.sleep(0.01)
        assert stream.closed

    asyncio.run(main())


def test_a_stream_that_falls_silent_breaks_off() -> None:
    async def main() -> None:
        stream = Slow(b"one", b"two", ends=False)
        edge = Edge(
            lambda request: Response(200, stream=stream), Distribution((Behaviour("*", "door"),)), patience=0.02
        )
        answer = await edge.cdn(get("/events"))
        assert answer.stream is not None
        assert [await answer.stream.read(), await answer.stream.read()] == [b"one", b"two"]
        with pytest.raises(BrokenOff):
            await answer.stream.read()
        answer.stream.close()
        assert stream.closed
        assert "GET /events: broken off, as nothing came for 0.02 s" in edge.log.text

    asyncio.run(main())


def test_a_debugger_has_all_the_time_in_the_world() -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(0.05)
        return Response(200, stream=Slow(b"x"))

    async def main() -> None:
        edge = Edge(answer, Distribution((Behaviour("*", "door"),)), patience=None)
        response = await edge.cdn(get())
        assert isinstance(response.stream, Slow)

    asyncio.run(main())


def test_who_gives_up_ends_the_request() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def answer(request: Request) -> Response:
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()
            raise AssertionError("unreachable")

        task = asyncio.create_task(Edge(answer).cdn(get()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(cancelled.wait(), 1)

    asyncio.run(main())
