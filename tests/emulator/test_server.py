from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator

import pytest

from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.server import Server


class Echo:
    """Answers with what it is told to, and keeps the requests."""

    def __init__(self, response: Response | None = None) -> None:
        self.requests: list[Request] = []
        self.response = response

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response or Response(200, [("X-Path", request.path)], b"seen")


@contextlib.asynccontextmanager
async def serving(echo: Echo) -> AsyncIterator[int]:
    sock = listen("127.0.0.1", 0, "a test")
    server = Server(echo, sock)
    await server.start()
    try:
        yield port_of(sock)
    finally:
        await server.stop()


def exchange(echo: Echo, *messages: bytes) -> bytes:
    """What comes back for ``messages`` on one connection, read to its end."""

    async def main() -> bytes:
        async with serving(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for message in messages:
                writer.write(message)
                await writer.drain()
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            await writer.wait_closed()
            return answer

    return asyncio.run(main())


def ask(echo: Echo, target: str = "/", method: str = "GET", headers: str = "", body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    return exchange(echo, head.encode("latin-1") + body)


def test_the_target_arrives_as_it_was_sent() -> None:
    for target in ("/a%2Fb/../c//d?x=%20y+z&&=1?", "/%e2%82%ac;p=1?", "/?", "/%", "/a b".replace(" ", "%20") + "#no"):
        echo = Echo()
        assert ask(echo, target).startswith(b"HTTP/1.1 200 OK\r\n")
        path, _, query = target.partition("?")
        assert (echo.requests[0].path, echo.requests[0].query) == (path, query)


def test_a_whole_url_as_target_is_read_for_its_path() -> None:
    for target, path, query in (
        ("http://example.com/a%2Fb?c", "/a%2Fb", "c"),
        ("http://example.com", "/", ""),
        ("http://example.com?q=/", "/", "q=/"),
    ):
        echo = Echo()
        ask(echo, target)
        assert (echo.requests[0].path, echo.requests[0].query) == (path, query)


def test_a_target_without_a_path_is_refused() -> None:
    echo = Echo()
    assert ask(echo, "*", "OPTIONS").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert echo.requests == []


def test_headers_keep_their_case_order_and_number() -> None:
    echo = Echo()
    ask(echo, headers="X-One: a\r\nx-TWO: \xe9\r\nX-One: b\r\nX-Three: \xce\xbb\r\nX_Under: c\r\n")
    request = echo.requests[0]
    assert request.headers[2:] == (
        ("X-One", "a"),
        ("x-TWO", "é"),  # Latin-1, as it is no UTF-8
        ("X-One", "b"),
        ("X-Three", "λ"),
        ("X_Under", "c"),
    )
    assert (request.client, request.scheme, request.protocol) == ("127.0.0.1", "http", "HTTP/1.1")


def test_bodies_arrive_whole_and_compressed_ones_as_they_are() -> None:
    packed = gzip.compress(b"x" * 1000)
    for headers, sent, body in (
        (f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n", packed, packed),
        ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        ("Content-Length: 3000000\r\n", b"\0" * 3_000_000, b"\0" * 3_000_000),
    ):
        echo = Echo()
        assert ask(echo, method="POST", headers=headers, body=sent).startswith(b"HTTP/1.1 200 ")
        assert echo.requests[0].body == body


def test_a_huge_body_is_read_to_its_end_but_not_kept() -> None:
    echo = Echo(Response(413, [], b"too large"))
    size = 40 * 1024 * 1024
    answer = ask(echo, method="POST", headers=f"Content-Length: {size}\r\n", body=b"\0" * size)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert 16 * 1024 * 1024 <= len(echo.requests[0].body) < size / 2


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async def main() -> None:
        echo = Echo()
        async with serving(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await asyncio.wait_for(reader.readuntil(b"seen"), 5)).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()
            await writer.wait_closed()
        assert echo.requests[0].body == b"abc"

    asyncio.run(main())


def test_the_answer_has_the_headers_given_and_no_others() -> None:
    headers = [("Set-Cookie", "a=1"), ("X-A", "é".encode().decode("latin-1")), ("Set-Cookie", "b=2"), ("Server", "S")]
    head, _, body = ask(Echo(Response(418, headers, b"tea"))).partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    assert status == b"HTTP/1.1 418 I'm a Teapot"
    names = [line.partition(b":")[0] for line in lines]
    assert names == [b"Set-Cookie", b"X-A", b"Set-Cookie", b"Server", b"Content-Length", b"Date", b"Connection"]
    assert body == b"tea"


def test_an_answer_without_a_body_gets_no_content_type() -> None:
    assert b"content-type" not in ask(Echo(Response(200, [], b""))).lower()
    assert b"content-length" not in ask(Echo(Response(204, [], b""))).lower()
    assert b"\r\nContent-Length: 12\r\n" in ask(Echo(Response(304, [("Content-Length", "12")], b"")))


def test_a_wrong_length_is_put_right() -> None:
    for claim in ("2", "200"):
        answer = ask(Echo(Response(200, [("Content-Length", claim)], b"12345")))
        assert answer.count(b"Content-Length") == 1
        assert b"\r\nContent-Length: 5\r\n" in answer
        assert answer.endswith(b"\r\n\r\n12345")


def test_head_keeps_the_length_the_function_gave() -> None:
    answer = ask(Echo(Response(200, [("Content-Length", "1234")], b"")), method="HEAD")
    assert b"\r\nContent-Length: 1234\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 4\r\n" in ask(Echo(Response(200, [], b"body")), method="HEAD")


def test_a_connection_serves_several_requests_and_an_old_client_one() -> None:
    answer = exchange(
        Echo(),
        b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /3 HTTP/1.0\r\n\r\n",
    )
    assert [answer.count(path) for path in (b"X-Path: /1", b"X-Path: /2", b"X-Path: /3")] == [1, 1, 1]


def test_what_is_not_http_is_refused_without_ado(caplog: pytest.LogCaptureFixture) -> None:
    for garbage in (
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(20),
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        echo = Echo()
        assert b" 400 Bad Request\r\n" in exchange(echo, garbage)
        assert echo.requests == []
    assert caplog.text == ""


def test_an_error_of_our_own_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Echo):
        async def __call__(self, request: Request) -> Response:
            raise LookupError("a bug")

    assert ask(Broken()).startswith(b"HTTP/1.1 500 ")
    assert "LookupError: a bug" in caplog.text


def test_a_client_that_leaves_in_the_middle_does_no_harm() -> None:
    async def main() -> None:
        echo = Echo()
        async with serving(echo) as port:
            with socket.create_connection(("127.0.0.1", port)) as gone:
                gone.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
                await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"X-Path: /next" in await asyncio.wait_for(reader.read(), 5)
            writer.close()
            await writer.wait_closed()
        assert [request.path for request in echo.requests] == ["/next"]

    asyncio.run(main())
