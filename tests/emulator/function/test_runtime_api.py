from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from emulator.front_doors import Failure
from emulator.function.invocation import ResponseStream
from emulator.function.runtime_api import PAYLOAD_LIMIT, Invocation, RuntimeAPI

BASE = "/2018-06-01/runtime"
Reply = tuple[int, dict[str, str], bytes]


class Told:
    """An environment that only writes down what it is told, and has one event for each ``next``."""

    def __init__(self, *, snapstart: bool = False, stream: ResponseStream | None = None) -> None:
        self.api = RuntimeAPI(self, snapstart=snapstart)
        self.stream = stream
        self.events: list[tuple[Any, ...]] = []
        self.next_event: bytes | None = b'{"hello": "world"}'

    def asks_for_next(self) -> None:
        self.events.append(("next",))
        if self.next_event is not None:
            outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self.invocation = Invocation("id-1", self.next_event, outcome, "arn:aws:lambda", 1_800_000_000)
            self.invocation.stream = self.stream
            self.api.deliver(self.invocation)

    def asks_for_restore(self) -> None:
        self.events.append(("restore",))
        self.api.restored()

    def waits_no_more(self) -> None:
        self.events.append(("waits_no_more",))

    def broke_off(self) -> None:
        self.events.append(("broke_off",))

    def answered(self, payload: bytes) -> None:
        self.events.append(("answered", payload))

    def failed(self, failure: Failure, message: str) -> None:
        self.events.append(("failed", failure, message))

    def init_failed(self, message: str) -> None:
        self.events.append(("init_failed", message))


class Client:
    """One kept connection, as a runtime has it."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=10)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, fields, encode_chunked=isinstance(body, Iterator))
        answer = self._connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()

    def close(self) -> None:
        self._connection.close()


def talk(conversation: Callable[[Client, Told], None], told: Told | None = None) -> Told:
    """Runs ``conversation`` in a thread against a Runtime API; returns what the environment was told."""

    async def main() -> Told:
        environment = told or Told()
        client = Client(await environment.api.start())
        try:
            await asyncio.to_thread(conversation, client, environment)
        finally:
            client.close()
            environment.api.close()
        return environment

    return asyncio.run(main())


def error_type(reply: Reply) -> tuple[int, str]:
    return reply[0], json.loads(reply[2])["errorType"]


def test_an_event_is_fetched_and_answered() -> None:
    def conversation(client: Client, told: Told) -> None:
        status, headers, body = client("GET", f"{BASE}/invocation/next")
        assert (status, body) == (200, b'{"hello": "world"}')
        assert headers["Content-Type"] == "application/json"
        assert headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
        assert headers["Lambda-Runtime-Deadline-Ms"] == "1800000000000"
        assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:aws:lambda"
        assert headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
        assert client("POST", f"{BASE}/invocation/id-1/response", b"[1]")[::2] == (202, b'{"status":"OK"}')
        assert client("GET", f"{BASE}/invocation/next")[0] == 200

    told = talk(conversation)
    assert told.events == [("next",), ("answered", b"[1]"), ("next",)]


def test_a_response_in_chunks_is_put_together() -> None:
    def conversation(client: Client, told: Told) -> None:
        client("GET", f"{BASE}/invocation/next")
        mode = {"Lambda_Runtime_Function_Response_Mode": "streaming", "Transfer_Encoding": "chunked"}
        chunks = iter([b"one, ", b"", b"x" * 100_000, b"two"])
        assert client("POST", f"{BASE}/invocation/id-1/response", chunks, **mode)[0] == 202

    assert talk(conversation).events[-1] == ("answered", b"one, " + b"x" * 100_000 + b"two")


def test_requests_in_small_pieces_with_trailers_are_understood() -> None:
    async def main() -> Told:
        told = Told()
        host, port = (await told.api.start()).split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {BASE}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"}")
        message = (
            f"POST {BASE}/invocation/id-1/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
            "4;ext=1\r\nab\r\n\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Halfway\r\n\r\n"
        )
        for byte in message.encode():
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readuntil(b'{"status":"OK"}')).startswith(b"HTTP/1.1 202 ")
        writer.close()
        await writer.wait_closed()
        told.api.close()
        return told

    failed = asyncio.run(main()).events[-1]
    assert failed[:2] == ("failed", Failure.FUNCTION)
    assert "Runtime.Halfway" in failed[2]


def test_an_answer_for_another_invocation_is_refused() -> None:
    def conversation(client: Client, told: Told) -> None:
        assert error_type(client("POST", f"{BASE}/invocation/id-1/response", b"1")) == (400, "InvalidRequestID")
        client("GET", f"{BASE}/invocation/next")
        assert error_type(client("POST", f"{BASE}/invocation/id-0/response", b"1")) == (400, "InvalidRequestID")
        assert error_type(client("POST", f"{BASE}/invocation/id-0/error", b"1")) == (400, "InvalidRequestID")

    assert talk(conversation).events == [("next",)]


def test_a_second_answer_and_a_next_too_early_are_refused() -> None:
    def conversation(client: Client, told: Told) -> None:
        client("GET", f"{BASE}/invocation/next")
        assert error_type(client("GET", f"{BASE}/invocation/next")) == (403, "InvalidStateTransition")
        client("POST", f"{BASE}/invocation/id-1/response", b"1")
        assert error_type(client("POST", f"{BASE}/invocation/id-1/response", b"2")) == (403, "InvalidStateTransition")
        assert error_type(client("POST", f"{BASE}/invocation/id-1/error", b"{}")) == (403, "InvalidStateTransition")

    assert talk(conversation).events == [("next",), ("answered", b"1")]


def test_the_largest_answer_is_taken_and_one_byte_more_is_not() -> None:
    def conversation(client: Client, told: Told) -> None:
        for size, status in ((PAYLOAD_LIMIT, 202), (PAYLOAD_LIMIT + 1, 413)):
            client("GET", f"{BASE}/invocation/next")
            reply = client("POST", f"{BASE}/invocation/id-1/response", b"x" * size)
            assert reply[0] == status
        assert json.loads(reply[2]) == {
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "RequestEntityTooLarge",
        }

    events = talk(conversation).events
    assert len(events[1][1]) == PAYLOAD_LIMIT
    assert events[3][:2] == ("failed", Failure.RESPONSE_TOO_LARGE)


def test_errors_are_told_in_one_line() -> None:
    def conversation(client: Client, told: Told) -> None:
        client("GET", f"{BASE}/invocation/next")
        report = json.dumps({"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": ["..."]}).encode()
        assert client("POST", f"{BASE}/invocation/id-1/error", report)[0] == 202
        client("GET", f"{BASE}/invocation/next")
        kind = {"Lambda_Runtime_Function_Error_Type": "Runtime.Odd"}
        assert client("POST", f"{BASE}/invocation/id-1/error", b"not JSON", **kind)[0] == 202

    events = talk(conversation).events
    assert events[1] == ("failed", Failure.FUNCTION, "KeyError: 'x'")
    assert events[3] == ("failed", Failure.FUNCTION, "Runtime.Odd")


def test_an_init_error_is_taken_before_the_first_next_only() -> None:
    def conversation(client: Client, told: Told) -> None:
        report = json.dumps({"errorType": "ImportError", "errorMessage": "no module"}).encode()
        assert client("POST", f"{BASE}/init/error", report)[0] == 202
        client("GET", f"{BASE}/invocation/next")
        assert error_type(client("POST", f"{BASE}/init/error", report)) == (403, "InvalidStateTransition")

    assert talk(conversation).events == [("init_failed", "ImportError: no module"), ("next",)]


def test_what_is_not_in_the_runtime_api_is_said_to_be_so() -> None:
    def conversation(client: Client, told: Told) -> None:
        assert client("GET", "/2018-06-01/ping")[::2] == (200, b"pong")
        assert client("GET", "/2018-06-01/runtime/nonsense")[0] == 404
        assert client("GET", "/")[0] == 404
        assert client("POST", f"{BASE}/invocation/next", b"")[0] == 405
        assert client("GET", f"{BASE}/invocation/id-1/response")[0] == 405

    assert talk(conversation).events == []


def test_what_is_not_http_gets_an_error_and_no_more() -> None:
    for garbage in (b"garbage\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"x" * 70_000):

        def conversation(client: Client, told: Told, garbage: bytes = garbage) -> None:
            with socket.create_connection((client._connection.host, client._connection.port), 10) as raw:
                raw.sendall(garbage)
                assert raw.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert client("GET", f"{BASE}/invocation/next")[0] == 200

        assert talk(conversation).events == [("next",)]


def test_a_waiting_runtime_that_goes_away_is_not_given_the_event() -> None:
    async def main() -> None:
        told = Told()
        told.next_event = None
        host, port = (await told.api.start()).split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {BASE}/invocation/next HTTP/1.1\r\n\r\n".encode())
        while not told.events:
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        told.next_event = b"{}"
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {BASE}/invocation/next HTTP/1.1\r\n\r\n".encode())
        assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        await writer.wait_closed()
        told.api.close()

    asyncio.run(main())


class Raw:
    """A connection written to and read from by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> Raw:
        host, port = address.split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def reply(self) -> tuple[int, bytes]:
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        return int(head.split()[1]), await self._reader.readexactly(length)

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def play(told: Told, scenario: Callable[[Raw, Raw], Awaitable[None]]) -> None:
    """Runs ``scenario`` with two connections."""

    async def main() -> None:
        address = await told.api.start()
        runtime, other = await Raw.open(address), await Raw.open(address)
        try:
            await asyncio.wait_for(scenario(runtime, other), 10)
        finally:
            await runtime.close()
            await other.close()
            told.api.close()

    asyncio.run(main())


async def heard(told: Told, event: str) -> None:
    while told.events[-1:] != [(event,)]:
        await asyncio.sleep(0.01)


NEXT = f"GET {BASE}/invocation/next HTTP/1.1\r\n\r\n"
STREAMED = (
    f"POST {BASE}/invocation/id-1/response HTTP/1.1\r\nContent-Type: text/x\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def test_a_streamed_answer_can_be_read_while_it_is_being_sent() -> None:
    told = Told(stream=(stream := ResponseStream()))

    async def scenario(runtime: Raw, other: Raw) -> None:
        runtime.send(NEXT)
        await runtime.reply()
        runtime.send(STREAMED)
        assert await told.invocation.outcome == b""
        assert stream.content_type == "text/x"
        for text in ("one", "two"):
            runtime.send(f"3\r\n{text}\r\n")
            assert await stream.read() == text.encode()
        # It is neither time for the next event nor for another answer.
        for request in (
            NEXT,
            f"POST {BASE}/invocation/id-1/response HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            f"POST {BASE}/invocation/id-1/error HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        ):
            other.send(request)
            status, body = await other.reply()
            assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")
        runtime.send("0\r\n\r\n")
        assert await runtime.reply() == (202, b'{"status":"OK"}')
        assert (await stream.read(), stream.error) == (b"", None)
        runtime.send(NEXT)
        assert (await runtime.reply())[0] == 200

    play(told, scenario)
    assert told.events == [("next",), ("answered", b""), ("next",)]


@pytest.mark.parametrize("body", [base64.b64encode(b'{"errorType": "E", "errorMessage": "m"}').decode(), "no base64"])
def test_an_error_in_the_trailers_is_known_at_the_streams_end(body: str) -> None:
    stream = ResponseStream()

    async def scenario(runtime: Raw, _: Raw) -> None:
        runtime.send(NEXT)
        await runtime.reply()
        trailers = f"Lambda-Runtime-Function-Error-Type: Function.E\r\nLambda-Runtime-Function-Error-Body: {body}\r\n"
        runtime.send(f"{STREAMED}3\r\none\r\n0\r\n{trailers}\r\n")
        assert (await runtime.reply())[0] == 202
        assert [await stream.read(), await stream.read()] == [b"one", b""]
        assert stream.error == ("E: m" if body != "no base64" else "Function.E")

    play(Told(stream=stream), scenario)


def test_a_reader_that_has_left_breaks_the_runtimes_connection() -> None:
    told = Told(stream=(stream := ResponseStream()))

    async def scenario(runtime: Raw, other: Raw) -> None:
        runtime.send(NEXT)
        await runtime.reply()
        runtime.send(f"{STREAMED}3\r\none\r\n")
        assert await stream.read() == b"one"
        stream.close()
        assert await stream.read() == b""
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await runtime.reply()
        assert told.events[-1] == ("broke_off",)
        other.send(NEXT)
        assert (await other.reply())[0] == 200

    play(told, scenario)


def test_a_reader_that_left_before_the_answer_began_breaks_the_connection_too() -> None:
    stream = ResponseStream()

    async def scenario(runtime: Raw, other: Raw) -> None:
        runtime.send(NEXT)
        await runtime.reply()
        stream.close()
        runtime.send(f"{STREAMED}3\r\none\r\n")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await runtime.reply()
        other.send(NEXT)
        assert (await other.reply())[0] == 200

    play(Told(stream=stream), scenario)


@pytest.mark.parametrize("streaming", [True, False])
def test_a_connection_lost_in_the_middle_of_an_answer_is_told(streaming: bool) -> None:
    told = Told(stream=ResponseStream() if streaming else None)

    async def scenario(runtime: Raw, other: Raw) -> None:
        runtime.send(NEXT)
        await runtime.reply()
        runtime.send(f"{STREAMED}30\r\none")
        while streaming and not told.invocation.outcome.done():
            await asyncio.sleep(0.01)
        await runtime.close()
        await heard(told, "broke_off")
        other.send(NEXT)
        assert (await other.reply())[0] == 200

    play(told, scenario)


def test_a_response_mode_that_does_not_exist_is_refused() -> None:
    def conversation(client: Client, told: Told) -> None:
        client("GET", f"{BASE}/invocation/next")
        mode = {"Lambda_Runtime_Function_Response_Mode": "Streaming"}
        reply = client("POST", f"{BASE}/invocation/id-1/response", b"{}", **mode)
        assert error_type(reply) == (400, "InvalidFunctionResponseMode")
        assert client("GET", f"{BASE}/invocation/next")[0] == 200

    for told in (Told(), Told(stream=ResponseStream())):
        events = talk(conversation, told).events
        assert events[1][:2] == ("failed", Failure.FUNCTION)
        assert events[1][2].startswith("Runtime.InvalidResponseModeHeader: ")


def test_a_runtime_is_restored_between_init_and_its_first_event() -> None:
    def conversation(client: Client, told: Told) -> None:
        report = json.dumps({"errorType": "HookError", "errorMessage": "no entropy"}).encode()
        assert error_type(client("POST", f"{BASE}/restore/error", report)) == (403, "InvalidStateTransition")
        assert client("GET", f"{BASE}/restore/next")[::2] == (200, b"")
        assert error_type(client("GET", f"{BASE}/restore/next")) == (403, "InvalidStateTransition")
        assert error_type(client("POST", f"{BASE}/init/error", report)) == (403, "InvalidStateTransition")
        assert client("POST", f"{BASE}/restore/error", report)[::2] == (202, b'{"status":"OK"}')
        assert client("GET", f"{BASE}/invocation/next")[0] == 200
        assert error_type(client("POST", f"{BASE}/restore/error", report)) == (403, "InvalidStateTransition")
        client("POST", f"{BASE}/invocation/id-1/response", b"1")
        assert error_type(client("GET", f"{BASE}/restore/next")) == (403, "InvalidStateTransition")

    events = talk(conversation, Told(snapstart=True)).events
    assert events == [("restore",), ("init_failed", "HookError: no entropy"), ("next",), ("answered", b"1")]


def test_a_runtime_may_be_held_at_its_snapshot() -> None:
    class Holding(Told):
        def asks_for_restore(self) -> None:
            self.events.append(("restore",))

    told = Holding(snapstart=True)

    async def scenario(runtime: Raw, other: Raw) -> None:
        runtime.send(f"GET {BASE}/restore/next HTTP/1.1\r\n\r\n")
        await heard(told, "restore")
        for request in (NEXT, f"POST {BASE}/restore/error HTTP/1.1\r\n\r\n"):
            other.send(request)
            assert (await other.reply())[0] == 403
        told.api.restored()
        assert await runtime.reply() == (200, b"")
        runtime.send(NEXT)
        assert (await runtime.reply())[0] == 200

    play(told, scenario)


def test_there_is_nothing_to_restore_without_snapstart() -> None:
    def conversation(client: Client, told: Told) -> None:
        assert client("GET", f"{BASE}/restore/next")[0] == 404
        assert client("POST", f"{BASE}/restore/error", b"{}")[0] == 404
        assert client("GET", f"{BASE}/invocation/next")[0] == 200

    assert talk(conversation).events == [("next",)]


def test_a_runtime_that_waits_no_more_is_told() -> None:
    told = Told()
    told.next_event = None

    async def scenario(runtime: Raw, _: Raw) -> None:
        runtime.send(NEXT)
        await heard(told, "next")
        await runtime.close()
        await heard(told, "waits_no_more")

    play(told, scenario)
