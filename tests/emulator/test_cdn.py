from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from emulator.bucket import BucketClient
from emulator.cdn import Cdn
from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.server import Server
from tests.emulator.helpers import Heard

PREFIXES = [("/static/", 0), ("/live/static/", 5)]


def through(
    request: Request, origin: Response | None = None, bucket: Response | None = None, fresh: bool = False
) -> tuple[Response, list[Request], list[Request], str]:
    """The CDN's answer; what the front door and what the bucket was asked; the log."""

    def keeps(requests: list[Request], response: Response | None) -> Callable[[Request], Awaitable[Response]]:
        async def handler(request: Request) -> Response:
            requests.append(request)
            return response or Response(200, [("Content-Type", "text/plain")], b"answer")

        return handler

    async def main() -> tuple[Response, list[Request], list[Request], str]:
        sock = listen("127.0.0.1", 0, "a test")
        to_door: list[Request] = []
        to_bucket: list[Request] = []
        store = Server(keeps(to_bucket, bucket), sock)
        await store.start()
        client = BucketClient(f"http://127.0.0.1:{port_of(sock)}", "files", None)
        log = Heard()
        answer = await Cdn(keeps(to_door, origin), client, PREFIXES, log, fresh)(request)
        await client.close()
        await store.stop()
        return answer, to_door, to_bucket, log.text

    return asyncio.run(main())


def test_static_paths_come_from_the_bucket_and_the_rest_from_the_front_door() -> None:
    for path, key in (
        ("/static/css/a%20b%2Fc.css", "/files/static/css/a%20b%2Fc.css"),
        ("/live/static/x.js", "/files/static/x.js"),
        ("/static/", "/files/static/"),
    ):
        answer, to_door, to_bucket, log = through(Request("GET", path, "v=1"))
        assert (to_door, [request.path for request in to_bucket]) == ([], [key])
        assert to_bucket[0].query == ""
        assert dict(answer.headers)["Server"] == "AmazonS3"
        assert "bucket" in log
    for path in ("/", "/static", "/statics/a.css", "/other/static/a.css", "/STATIC/a.css", "/%73tatic/a.css"):
        _, to_door, to_bucket, _ = through(Request("GET", path, "v=1"))
        assert ([request.path for request in to_door], to_bucket) == ([path], [])


def test_the_front_door_hears_the_viewers_host_and_what_a_cdn_adds() -> None:
    sent = (
        ("Host", "localhost:8000"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("x-amz-cf-id", "forged"),
        ("Cookie", "a=1"),
    )
    request = Request("POST", "/x", headers=sent, body=b"body", client="192.0.2.7")
    _, [received], _, _ = through(request)
    assert (received.method, received.body) == ("POST", b"body")
    assert received.header_values("host") == received.header_values("x-forwarded-host") == ["localhost:8000"]
    assert received.header_values("x-forwarded-for") == ["10.0.0.1, 192.0.2.7"]
    assert received.header_values("via")[0].startswith("1.1 proxy, 1.1 ")
    assert received.header("cookie") == "a=1"
    [identifier] = received.header_values("x-amz-cf-id")
    assert identifier != "forged"


def test_answers_say_where_they_came_from() -> None:
    for status, state in ((200, "Miss"), (302, "Miss"), (404, "Error"), (500, "Error")):
        for path in ("/", "/static/a.css"):
            response = Response(status, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"text")
            answer, *_ = through(Request("GET", path), response, response)
            headers = dict(answer.headers)
            assert (answer.status, answer.body) == (status, b"text")
            assert headers["X-Cache"] == f"{state} from cloudfront"
            assert "cloudfront.net" in headers["Via"]
            assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]


def test_only_reading_is_allowed_on_the_bucket() -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer, to_door, to_bucket, _ = through(Request(method, "/static/a.css"))
        assert (answer.status, to_door, to_bucket) == (405, [], [])
        assert ("Allow", "GET, HEAD") in answer.headers
    answer, _, [asked], _ = through(
        Request("HEAD", "/static/a.css"), bucket=Response(200, [("Content-Length", "9"), ("ETag", '"e"')])
    )
    assert (asked.method, answer.body) == ("HEAD", b"")
    assert {("Content-Length", "9"), ("ETag", '"e"')} <= set(answer.headers)


def test_conditions_and_ranges_reach_the_bucket_and_nothing_private_does() -> None:
    sent = (("Range", "bytes=0-3"), ("If-None-Match", '"e"'), ("Cookie", "session=1"), ("Accept-Encoding", "br"))
    answer, _, [asked], _ = through(
        Request("GET", "/static/a.css", headers=sent),
        bucket=Response(
            206, [("Content-Range", "bytes 0-3/9"), ("x-amz-request-id", "1"), ("Server", "moto")], b"abcd"
        ),
    )
    assert (asked.header("range"), asked.header("if-none-match")) == ("bytes=0-3", '"e"')
    assert asked.header("cookie") is None
    assert asked.header("accept-encoding") is None
    assert answer.status == 206
    names = [name.lower() for name, _ in answer.headers]
    assert "content-range" in names
    assert "x-amz-request-id" not in names
    assert names.count("server") == 1


def test_compressed_files_stay_compressed() -> None:
    answer, *_ = through(
        Request("GET", "/static/a.css"), bucket=Response(200, [("Content-Encoding", "gzip")], b"\x1f\x8b not really")
    )
    assert answer.body == b"\x1f\x8b not really"
    assert ("Content-Encoding", "gzip") in answer.headers


@pytest.mark.parametrize(
    ("said", "fresh", "passed_on"),
    [
        ("public, max-age=60", True, "no-cache"),
        ("public, max-age=60", False, "public, max-age=60"),
        ("public, max-age=31536000, immutable", True, "public, max-age=31536000, immutable"),
    ],
)
def test_while_files_are_edited_browsers_ask_again_for_what_may_change(said: str, fresh: bool, passed_on: str) -> None:
    stored = Response(200, [("Cache-Control", said)], b"body {}")
    answer, *_ = through(Request("GET", "/static/a.css"), bucket=stored, fresh=fresh)
    assert dict(answer.headers)["Cache-Control"] == passed_on


def test_a_bucket_that_is_gone_is_named() -> None:
    async def main() -> None:
        with listen("127.0.0.1", 0, "a test") as sock:
            endpoint = f"http://127.0.0.1:{port_of(sock)}"
        client = BucketClient(endpoint, "files", None)

        async def origin(request: Request) -> Response:
            raise AssertionError(request)

        log = Heard()
        answer = await Cdn(origin, client, PREFIXES, log)(Request("GET", "/static/a.css"))
        await client.close()
        assert answer.status == 502
        assert endpoint.encode() in answer.body
        assert "can't be reached" in log.text

    asyncio.run(main())
