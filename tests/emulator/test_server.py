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


def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    async def main() -> None:
        echo = Echo()
        async with serving(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            count = 2000
            ahead = asyncio.ensure_future(send(writer, count))
            for number in range(count):
                assert b"X-Path: /%d\r\n" % number in await asyncio.wait_for(reader.readuntil(b"seen"), 5)
            await ahead
            writer.close()
            await writer.wait_closed()

    async def send(writer: asyncio.StreamWriter, count: int) -> None:
        for number in range(count):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            await writer.drain()

    asyncio.run(main())


def test_what_follows_a_good_request_is_refused_after_its_answer() -> None:
    answer = exchange(Echo(), b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
    good, bad = answer.split(b"HTTP/1.1 ")[1:]
    assert b"X-Path: /1" in good
    assert bad.startswith(b"400 Bad Request\r\n")
    assert bad.endswith(b"\r\n\r\nThis is no HTTP request: Invalid method encountered\n")


@pytest.mark.parametrize(
    ("framing", "sent"),
    [("", b""), ("Content-Length: 3\r\n", b"abc"), ("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")],
)
def test_a_wish_for_another_protocol_is_passed_over(framing: str, sent: bytes) -> None:
    echo = Echo()
    asking = f"PUT /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nExpect: x\r\n{framing}\r\n".encode()
    last = b"GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for messages in ((asking + sent + asking + sent + last,), (asking, sent, asking, sent[:1], sent[1:] + last)):
        echo.requests.clear()
        assert exchange(echo, *messages).count(b"HTTP/1.1 200 OK\r\n") == 3
        first, second, third = echo.requests
        assert (first.method, first.path, first.body) == ("PUT", "/1", b"abc" if sent else b"")
        assert ("Upgrade", "h2c") in first.headers
        assert second.body == first.body
        assert (third.method, third.path, third.body) == ("GET", "/2", b"")


def test_a_tunnel_is_refused() -> None:
    echo = Echo()
    answer = exchange(echo, b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert echo.requests == []


def test_a_request_names_its_host_once() -> None:
    for line in ("", "Host: a\r\nHost: b\r\n"):
        answer = exchange(Echo(), f"GET / HTTP/1.1\r\n{line}Connection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"Host" in answer.partition(b"\r\n\r\n")[2]
    assert exchange(Echo(), b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_endless_head_is_refused() -> None:
    for line in (b"GET /" + b"x" * 300_000, b"GET / HTTP/1.1\r\n" + b"X-One: 1\r\n" * 30_000):
        answer = exchange(Echo(), line)
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"larger than 262,144 bytes" in answer


def test_blanks_around_a_value_and_trailers_are_no_part_of_the_headers() -> None:
    echo = Echo()
    body = b"1\r\na\r\n0\r\nX-Late: 1\r\n\r\n"
    ask(echo, method="POST", headers="X-One: \t a b\t \r\nX-None:\r\nTransfer-Encoding: chunked\r\n", body=body)
    assert echo.requests[0].headers[2:] == (("X-One", "a b"), ("X-None", ""), ("Transfer-Encoding", "chunked"))


def test_a_client_is_told_to_go_on_once() -> None:
    async def main() -> None:
        echo = Echo()
        async with serving(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in (b"1", b"\r\n", b"a", b"\r\n", b"0\r\n\r\n"):
                await asyncio.sleep(0.01)
                writer.write(part)
            answer = await asyncio.wait_for(reader.readuntil(b"seen"), 5)
            assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
            writer.close()
            await writer.wait_closed()
        assert echo.requests[0].body == b"a"

    asyncio.run(main())


def test_a_header_that_would_break_out_of_its_line_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    for value in ("a\r\nSet-Cookie: b", "a\nb", "a\rb"):
        assert ask(Echo(Response(200, [("X-A", value)], b"body"))) == b""
        assert "a header with a line break" in caplog.text
        caplog.clear()


def test_a_large_answer_waits_for_a_slow_client() -> None:
    body = bytes(30_000_000)

    async def main() -> None:
        echo = Echo(Response(200, [], body))
        async with serving(echo) as port:
            with socket.create_connection(("127.0.0.1", port)) as slow:
                slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
                await asyncio.sleep(0.1)
                assert len(echo.requests) == 1  # nothing is made for whom has not taken what there was
                slow.setblocking(False)
                loop, got = asyncio.get_running_loop(), 0
                while got < 2 * len(body):
                    got += len(await asyncio.wait_for(loop.sock_recv(slow, 1 << 20), 5))

    asyncio.run(main())


def test_at_the_end_idle_connections_close_and_late_answers_are_given_up() -> None:
    async def main() -> None:
        begun, never = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            if request.path == "/slow":
                begun.set()
                await asyncio.sleep(0.05)
            elif request.path == "/never":
                await never.wait()
            return Response(200, [], b"seen")

        sock = listen("127.0.0.1", 0, "a test")
        server = Server(handler, sock)
        await server.start()
        readers = {}
        writers = []
        for path in ("/quick", "/slow", "/never"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(sock))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            readers[path] = reader
            writers.append(writer)
        await readers["/quick"].readuntil(b"seen")
        await begun.wait()
        await asyncio.wait_for(server.stop(), 5)
        assert await readers["/quick"].read() == b""
        slow = await readers["/slow"].read()
        assert slow.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in slow
        with contextlib.suppress(ConnectionResetError):
            assert await readers["/never"].read() == b""
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


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
