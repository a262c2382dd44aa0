"""Files in the bucket, and what passes through to the front door, with the distribution of a plain project."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from emulator.blueprint import Behaviour, Distribution
from emulator.bucket import BucketClient
from emulator.cdn import Cdn, default_distribution
from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.server import Server
from tests.emulator.helpers import Heard

DISTRIBUTION = default_distribution([("/static/", 0), ("/live/static/", 5)])


async def unreachable(request: Request) -> Response:
    raise AssertionError(request)


def through(
    request: Request, origin: Response | None = None, bucket: Response | None = None, fresh: bool = False
) -> tuple[Response, list[Request], list[Request], str]:
    """The CDN's answer; what the front door was asked, and for which objects the bucket; the log."""

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
        answer = await Cdn(DISTRIBUTION, keeps(to_door, origin), client, log, fresh=fresh)(request)
        await client.close()
        await store.stop()
        return answer, to_door, [asked for asked in to_bucket if "list-type=2" not in asked.query], log.text

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
    for path in ("/", "/static", "/statics/a.css", "/other/static/a.css", "/STATIC/a.css", "/static/../a.css"):
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
            cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
            assert cookies == (["a=1", "b=2"] if path == "/" else [])


def test_only_reading_is_allowed_on_the_bucket() -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer, to_door, to_bucket, log = through(Request(method, "/static/a.css"))
        assert (answer.status, to_door, to_bucket) == (403, [], [])
        assert b"supports only cachable requests" in answer.body
        assert b"Allowed here: GET, HEAD." in answer.body
        assert header(answer, "x-cache") == "Error from cloudfront"
        assert "403" in log
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

        log = Heard()
        answer = await Cdn(DISTRIBUTION, unreachable, client, log)(Request("GET", "/static/a.css"))
        await client.close()
        assert answer.status == 502
        assert endpoint.encode() in answer.body
        assert "can't be reached" in log.text

    asyncio.run(main())


# Compressed variants, in the emulated bucket

CSS = b"a { margin: 0 }\n" * 300
CHROMIUM = "gzip, deflate, br, zstd"
CODED = {"br": brotli.compress(CSS), "gzip": zlib.compress(CSS, 9, wbits=31)}
SUFFIXES = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}


class CountingClient(BucketClient):
    """Counts the requests it makes."""

    requests = 0

    async def get(self, path: str, headers: Mapping[str, str], method: str = "GET") -> Response:
        self.requests += 1
        return await super().get(path, headers, method)


class Bucket:
    """A bucket of one test's own; ``requests`` is how many `ask` has led to."""

    def __init__(self, url: str, client: Any, name: str) -> None:
        self.url = url
        self.name = name
        self.requests = 0
        self._client = client
        client.create_bucket(Bucket=name)

    def put(self, key: str, body: bytes = CSS, kind: str = "text/css; charset=utf-8", coding: str = "") -> str:
        """Puts an object, served with the headers given; returns its ETag."""
        answer = self._client.put_object(
            Bucket=self.name,
            Key=key,
            Body=body,
            ContentType=kind,
            CacheControl="public, max-age=60",
            **({"ContentEncoding": coding} if coding else {}),
        )
        return str(answer["ETag"])

    def put_with_variants(self, key: str, *codings: str) -> dict[str, str]:
        """Puts the stylesheet and its variants; returns the ETag of each, of the plain file by the empty name."""
        etags = {coding: self.put(key + SUFFIXES[coding], CODED[coding], coding=coding) for coding in codings}
        return {"": self.put(key), **etags}

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    @contextlib.asynccontextmanager
    async def cdn(self, fresh: bool = False) -> AsyncIterator[Cdn]:
        client = CountingClient(self.url, self.name, None)
        try:
            yield Cdn(DISTRIBUTION, unreachable, client, Heard(), fresh=fresh)
        finally:
            self.requests = client.requests
            await client.close()

    def ask(self, *requests: Request, fresh: bool = False) -> list[Response]:
        """What one CDN answers, one after another."""

        async def main() -> list[Response]:
            async with self.cdn(fresh) as cdn:
                return [await cdn(request) for request in requests]

        return asyncio.run(main())


@pytest.fixture
def bucket(bucket_server: tuple[str, Any], request: pytest.FixtureRequest) -> Bucket:
    return Bucket(*bucket_server, f"files-{zlib.crc32(request.node.nodeid.encode())}")


def get(path: str = "/static/site.css", accept: str | None = CHROMIUM, method: str = "GET", **headers: str) -> Request:
    sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if accept is not None:
        sent.append(("Accept-Encoding", accept))
    return Request(method, path, headers=tuple(sent))


def header(response: Response, name: str) -> str | None:
    values = [value for key, value in response.headers if key.lower() == name]
    return ", ".join(values) if values else None


@pytest.mark.parametrize(
    ("accept", "served"),
    [
        (CHROMIUM, "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("zstd", ""),
        ("identity;q=1, *;q=0", ""),
        ("", ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_viewer_gets_the_variant_that_suits_it(bucket: Bucket, method: str, accept: str | None, served: str) -> None:
    etags = bucket.put_with_variants("static/site.css", "br", "gzip")
    [answer] = bucket.ask(get(accept=accept, method=method))
    body = CODED.get(served, CSS)
    assert answer.status == 200
    assert answer.body == (body if method == "GET" else b"")
    if method == "HEAD":
        assert header(answer, "content-length") == str(len(body))
    assert header(answer, "content-encoding") == (served or None)
    assert header(answer, "content-type") == "text/css; charset=utf-8"
    assert header(answer, "vary") == "Accept-Encoding"
    assert header(answer, "etag") == etags[served]
    assert header(answer, "cache-control") == "public, max-age=60"
    assert header(answer, "x-cache") == "Miss from cloudfront"


def test_accept_encoding_may_come_in_several_lines(bucket: Bucket) -> None:
    bucket.put_with_variants("static/site.css", "br")
    lines = (("Accept-Encoding", "gzip"), ("accept-encoding", "br"))
    [answer] = bucket.ask(Request("GET", "/static/site.css", headers=lines))
    assert header(answer, "content-encoding") == "br"


def test_a_condition_is_about_the_form_that_is_chosen(bucket: Bucket) -> None:
    etags = bucket.put_with_variants("static/site.css", "br", "gzip")
    same, other, plain, failed = bucket.ask(
        get(If_None_Match=etags["br"]),
        get(If_None_Match=etags[""]),
        get(accept=None, If_None_Match=etags[""]),
        get(If_Match=etags["gzip"]),
    )
    assert (same.status, same.body, header(same, "vary")) == (304, b"", "Accept-Encoding")
    assert (other.status, other.body) == (200, CODED["br"])
    assert plain.status == 304
    assert failed.status == 412


def test_a_range_is_one_of_the_form_that_is_chosen(bucket: Bucket) -> None:
    etags = bucket.put_with_variants("static/site.css", "br")
    first, rest, plain, beyond = bucket.ask(
        get(Range="bytes=0-9"),
        get(Range="bytes=10-", If_Match=etags["br"]),
        get(accept="identity;q=1, *;q=0", Range="bytes=0-9"),
        get(Range="bytes=1000000-"),
    )
    assert [answer.status for answer in (first, rest, plain, beyond)] == [206, 206, 206, 416]
    assert header(first, "content-range") == f"bytes 0-9/{len(CODED['br'])}"
    assert header(first, "content-encoding") == "br"
    assert brotli.decompress(first.body + rest.body) == CSS, "a download goes on where it was broken off"
    assert plain.body == CSS[:10]
    assert header(plain, "content-range") == f"bytes 0-9/{len(CSS)}"
    assert header(plain, "content-encoding") is None


def test_one_look_up_a_file_and_moment(bucket: Bucket) -> None:
    bucket.put_with_variants("static/site.css", "br")
    bucket.put("static/plain.css")
    bucket.put("static/logo.png", b"\x89PNG", "image/png")
    counts = []
    for path in ("/static/site.css", "/static/plain.css", "/static/logo.png", "/static/none.css"):
        for times in (1, 3):
            answers = bucket.ask(*[get(path)] * times)
            counts.append((path, times, bucket.requests))
            assert {answer.status for answer in answers} == {404 if "none" in path else 200}
    assert counts == [
        ("/static/site.css", 1, 2),
        ("/static/site.css", 3, 2),
        ("/static/plain.css", 1, 2),
        ("/static/plain.css", 3, 2),
        ("/static/logo.png", 1, 1),
        ("/static/logo.png", 3, 1),
        ("/static/none.css", 1, 2),
        ("/static/none.css", 3, 4),
    ]


def test_files_without_variants_are_served_as_they_are(bucket: Bucket) -> None:
    bucket.put("static/plain.css")
    bucket.put("static/plain.css.map", b"{}", "application/json")
    plain, compressed = bucket.ask(get("/static/plain.css", accept="zstd"), get("/static/plain.css"))
    assert (plain.body, header(plain, "vary"), header(plain, "content-encoding")) == (CSS, None, None)
    assert (header(compressed, "vary"), header(compressed, "content-encoding")) == ("Accept-Encoding", "br")
    assert brotli.decompress(compressed.body) == CSS
    assert header(compressed, "etag") == f"W/{header(plain, 'etag')}"


def test_a_download_that_is_named_like_a_variant_is_none(bucket: Bucket) -> None:
    bucket.put("static/data.json", b"[]", "application/json")
    bucket.put("static/data.json.gz", b"an archive", "application/gzip")
    [answer] = bucket.ask(get("/static/data.json"))
    assert (answer.body, header(answer, "content-encoding")) == (b"[]", None)
    [answer] = bucket.ask(get("/static/data.json.gz"))
    assert (answer.body, header(answer, "content-type")) == (b"an archive", "application/gzip")


def test_a_bucket_s_files_may_lie_in_a_folder_of_their_own(bucket: Bucket) -> None:
    bucket.put_with_variants("assets/css/site.css", "br")
    files = Behaviour("/static/*", "bucket", cut=len("/static"), origin_path="/assets")

    async def main() -> Response:
        client = BucketClient(bucket.url, bucket.name, None)
        try:
            return await Cdn(Distribution((files, files)), unreachable, client, Heard())(get("/static/css/site.css"))
        finally:
            await client.close()

    answer = asyncio.run(main())
    assert (answer.body, header(answer, "content-encoding")) == (CODED["br"], "br")


def test_a_variant_itself_can_be_asked_for(bucket: Bucket) -> None:
    bucket.put_with_variants("static/site.css", "br")
    [answer] = bucket.ask(get("/static/site.css.br"))
    assert (answer.body, header(answer, "content-encoding")) == (CODED["br"], "br")


def test_variants_that_come_and_go_are_noticed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_with_variants("static/site.css", "br", "gzip")
    served = []

    async def main() -> None:
        async with bucket.cdn(fresh=True) as cdn:

            async def look() -> None:
                served.append(header(await cdn(get()), "content-encoding"))

            await look()
            await asyncio.to_thread(bucket.delete, "static/site.css.br")
            await look()  # it was thought to be there
            await asyncio.to_thread(bucket.put, "static/site.css.br", CODED["br"], coding="br")
            await look()
            monkeypatch.setattr("emulator.cdn.variants.time.monotonic", lambda now=time.monotonic: now() + 11)
            await look()

    asyncio.run(main())
    assert served == ["br", "gzip", "gzip", "br"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/static/a%20b+c.css", "static/a b+c.css"),
        ("/static/gr%C3%B6%C3%9Fe&x=1%3B.css", "static/größe&x=1;.css"),
        ("/static/%2541.css", "static/%41.css"),
        ("/live/static/a~b.CSS", "static/a~b.CSS"),
    ],
)
def test_variants_of_odd_names_are_found(bucket: Bucket, path: str, key: str) -> None:
    bucket.put_with_variants(key, "br")
    [answer] = bucket.ask(get(path))
    assert (header(answer, "content-encoding"), answer.body) == ("br", CODED["br"])


def test_an_edited_file_shows_at_the_next_look(bucket: Bucket) -> None:
    """What has not changed since is not fetched again."""

    async def main() -> list[tuple[bytes, str | None]]:
        async with bucket.cdn(fresh=True) as cdn:
            seen = []
            for step in ("look", "look", "edit", "look", "delete", "look"):
                if step == "look":
                    answer = await cdn(get("/static/edited.css", accept=None))
                    seen.append((answer.body[:1], header(answer, "x-cache")))
                elif step == "edit":
                    await asyncio.to_thread(bucket.put, "static/edited.css", b"b")
                else:
                    await asyncio.to_thread(bucket.delete, "static/edited.css")
            return seen

    bucket.put("static/edited.css", b"a")
    assert asyncio.run(main()) == [
        (b"a", "Miss from cloudfront"),
        (b"a", "RefreshHit from cloudfront"),
        (b"b", "Miss from cloudfront"),
        (b"<", "Error from cloudfront"),
    ]


@pytest.mark.parametrize("coding", ["", "br"])
def test_what_never_changes_is_not_asked_for_again(coding: str) -> None:
    forever = [("Cache-Control", "public, max-age=31536000, immutable"), ("ETag", '"e"')]

    async def main() -> list[str | None]:
        async def store(request: Request) -> Response:
            return Response(404) if "list-type=2" in request.query else Response(200, list(forever), b"x")

        sock = listen("127.0.0.1", 0, "a test")
        server = Server(store, sock)
        await server.start()
        client = BucketClient(f"http://127.0.0.1:{port_of(sock)}", "files", None)
        cdn = Cdn(DISTRIBUTION, unreachable, client, Heard(), fresh=True)
        answers = [await cdn(get("/static/a.0123abcd.css", accept=coding)) for _ in range(2)]
        await client.close()
        await server.stop()
        return [header(answer, "x-cache") for answer in answers]

    assert asyncio.run(main()) == ["Miss from cloudfront", "Hit from cloudfront"]


def test_an_invalidation_has_variants_looked_for_at_once(bucket: Bucket) -> None:
    async def main() -> list[str | None]:
        async with bucket.cdn() as cdn:
            before = await cdn(get("/static/late.css", accept="gzip"))
            await asyncio.to_thread(bucket.put, "static/late.css.gz", CODED["gzip"], coding="gzip")
            cdn.invalidate(["/static/late.css"])
            return [header(answer, "etag") for answer in (before, await cdn(get("/static/late.css", accept="gzip")))]

    bucket.put("static/late.css")
    weak, strong = asyncio.run(main())
    assert weak is not None
    assert strong is not None
    assert (weak[:2], strong[:1]) == ("W/", '"')


def test_a_browser_learns_that_it_has_the_file_while_files_are_edited(bucket: Bucket) -> None:
    """Compressed on the way, a file has a weak ETag, which the bucket itself would not know."""
    bucket.put("static/plain.css")
    first, *_ = bucket.ask(get("/static/plain.css"), fresh=True)
    etag = header(first, "etag")
    assert etag is not None
    assert etag.startswith("W/")
    _, second = bucket.ask(get("/static/plain.css"), get("/static/plain.css", If_None_Match=etag), fresh=True)
    assert (second.status, second.body, header(second, "etag")) == (304, b"", etag)
    assert header(second, "cache-control") == "no-cache"


def test_variants_are_asked_for_again_while_files_are_edited(bucket: Bucket) -> None:
    bucket.put_with_variants("static/site.css", "br")
    [answer] = bucket.ask(get(), fresh=True)
    assert (header(answer, "content-encoding"), header(answer, "cache-control")) == ("br", "no-cache")


@pytest.mark.parametrize(
    "listing",
    [Response(403, [], b"<Error/>"), Response(200, [], b"<html>not S3"), Response(200, [], b"")],
    ids=["forbidden", "html", "empty"],
)
def test_a_bucket_that_cannot_be_listed_serves_plain_files(listing: Response) -> None:
    async def main() -> None:
        async def store(request: Request) -> Response:
            return listing if "list-type=2" in request.query else Response(200, [("ETag", '"e"')], b"plain")

        sock = listen("127.0.0.1", 0, "a test")
        server = Server(store, sock)
        await server.start()
        client = BucketClient(f"http://127.0.0.1:{port_of(sock)}", "files", None)
        answer = await Cdn(DISTRIBUTION, unreachable, client, Heard())(get())
        await client.close()
        await server.stop()
        assert (answer.status, answer.body) == (200, b"plain")

    asyncio.run(main())
