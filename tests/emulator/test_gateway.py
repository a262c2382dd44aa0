"""A front door at work, before a function that is written into the test."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from emulator.access import guard
from emulator.blueprint import Cors, Door, LambdaAuthorizer, Route
from emulator.event_loop import EventLoop
from emulator.front_doors import build
from emulator.front_doors.contract import INTEGRATION, SEPARATOR, Failure, Refusal, Refused
from emulator.function.invocation import FunctionFailed, Invocation, ResponseStream
from emulator.gateway import Gateway, Guard, SharedGateway
from emulator.http import BrokenOff, Request, Response
from emulator.records import LONGEST_PART, Record, Recorder
from tests.emulator.helpers import Heard

T = TypeVar("T")

ANSWER = b'{"statusCode": 201, "headers": {"content-type": "text/plain"}, "body": "hello"}'


def request(target: str = "/", method: str = "GET", *headers: tuple[str, str], body: bytes = b"") -> Request:
    path, _, query = target.partition("?")
    return Request(method, path, query, (("Host", "localhost"), *headers), body, received=1_700_000_000.0)


class Source:
    def __init__(self) -> None:
        self.aborted = False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Function:
    """Answers with ``answer``, fails with a `FunctionFailed`, or streams what a `ResponseStream` holds."""

    answer: bytes | FunctionFailed | ResponseStream = ANSWER
    events: list[Any] = field(default_factory=list)
    patience: list[float | None] = field(default_factory=list)
    cold: float | None = None

    async def __call__(
        self, event: bytes, request_id: str, patience: float | None, *, streaming: bool, record: Record | None
    ) -> Invocation:
        assert record is not None
        self.events.append(json.loads(event))
        self.patience.append(patience)
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        invocation = Invocation(request_id, event, outcome, cold=self.cold, record=record)
        record.init = self.cold
        if isinstance(self.answer, FunctionFailed):
            raise self.answer
        if isinstance(self.answer, ResponseStream) and streaming:
            invocation.stream = self.answer
        outcome.set_result(self.answer if isinstance(self.answer, bytes) else b"")
        return invocation


@dataclass
class Bench:
    """What stands around a gateway."""

    function: Function = field(default_factory=Function)
    log: Heard = field(default_factory=Heard)
    recorder: Recorder = field(default_factory=Recorder)

    def gateway(self, door: Door, function: Function | None = None, watch: Guard | None = None) -> Gateway:
        return Gateway(build(door), function or self.function, door.function, watch, self.recorder, self.log)

    @property
    def records(self) -> list[Record]:
        return self.recorder.since(0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def play(scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(scenario())


def door(kind: str = "http_api", *routes: tuple[str, str], **more: Any) -> Door:
    return Door(kind, "web", routes=tuple(Route(*route) for route in routes), **more)


async def nobody(function: str, event: bytes) -> bytes:
    raise AssertionError("nobody is to be asked")


def test_a_request_becomes_a_record_and_a_line(bench: Bench) -> None:
    bench.function.cold = 0.25
    response = play(lambda: bench.gateway(door(timeout=3.0))(request("/shop/?a=1")))
    assert (response.status, response.body) == (201, b"hello")
    [event] = bench.function.events
    assert (event["rawPath"], event["rawQueryString"]) == ("/shop/", "a=1")
    assert bench.function.patience == [3.0]
    [record] = bench.records
    assert (record.source, record.origin, record.function) == ("http", "http_api", "web")
    assert (record.title, record.target, record.status, record.error) == ("GET", "/shop/?a=1", 201, None)
    assert (json.loads(record.event), record.answer, record.ended) == (event, ANSWER, True)
    assert record.total is not None
    assert record.total > 0
    assert bench.log.text.endswith("  http_api  cold 250 ms\n")


def test_who_has_an_answer_finds_it_among_the_records(bench: Bench) -> None:
    async def scenario() -> list[bool]:
        await bench.gateway(door())(request())
        # Nothing that waits for an idle moment has had one.
        return [record.ended for record in bench.records]

    with asyncio.Runner(loop_factory=EventLoop) as runner:
        assert runner.run(scenario()) == [True]


@pytest.mark.parametrize(
    ("failure", "kind", "status", "body"),
    [
        (Failure.FUNCTION, "http_api", 500, b'{"message":"Internal Server Error"}'),
        (Failure.DEADLINE, "http_api", 503, b'{"message":"Service Unavailable"}'),
        (Failure.FUNCTION, "rest_api", 502, b'{"message": "Internal server error"}'),
        (Failure.FUNCTION, "function_url", 502, b"Internal Server Error"),
    ],
)
def test_a_function_that_fails_gets_the_doors_own_answer(
    bench: Bench, failure: Failure, kind: str, status: int, body: bytes
) -> None:
    bench.function.answer = FunctionFailed(failure, "Runtime.ExitError: it ended")
    response = play(lambda: bench.gateway(door(kind))(request("/x?y=1")))
    assert (response.status, response.body) == (status, body)
    [record] = bench.records
    assert (record.status, record.error, record.ended) == (status, "Runtime.ExitError: it ended", True)
    assert "GET /x?y=1: Runtime.ExitError: it ended\n" in bench.log.text


def test_a_door_that_answers_by_itself_asks_no_function(bench: Bench) -> None:
    response = play(lambda: bench.gateway(door("http_api", ("GET", "/known")))(request("/unknown")))
    assert response.status == 404
    assert bench.function.events == []
    [record] = bench.records
    assert (record.status, record.event, record.ended) == (404, b"", True)


class Bouncer:
    """Lets nobody in."""

    async def admit(self, request: Request, request_id: str) -> Any:
        raise Refused(Refusal.UNAUTHORIZED, "no token \x1b[2J", (("WWW-Authenticate", "Bearer"),))

    def finish(self, request: Request, response: Response) -> None:
        response.headers.append(("Access-Control-Allow-Origin", "*"))


def test_whoever_may_not_pass_is_told_and_so_is_the_terminal(bench: Bench) -> None:
    response = play(lambda: bench.gateway(door(), watch=Bouncer())(request("/")))
    assert (response.status, response.body) == (401, b'{"message":"Unauthorized"}')
    assert ("WWW-Authenticate", "Bearer") in response.headers
    assert ("Access-Control-Allow-Origin", "*") in response.headers
    assert bench.function.events == []
    assert "GET /: no token \\x1b[2J\n" in bench.log.text
    [record] = bench.records
    assert (record.status, record.error) == (401, "no token \x1b[2J")


def test_a_preflight_is_answered_by_the_door(bench: Bench) -> None:
    here = door("http_api", ("GET", "/"), cors=Cors(("https://a.example",), ("GET",)))
    preflight = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"))
    gateway = bench.gateway(here, watch=guard(here, nobody))
    response = play(lambda: gateway(request("/", "OPTIONS", *preflight)))
    assert response.status == 204
    assert ("Access-Control-Allow-Origin", "https://a.example") in response.headers
    assert bench.function.events == []


def test_of_a_long_event_the_function_gets_all_and_the_record_the_beginning(bench: Bench) -> None:
    body = b"x" * (LONGEST_PART + 1000)
    play(lambda: bench.gateway(door())(request("/", "POST", ("Content-Type", "text/plain"), body=body)))
    assert len(bench.function.events[0]["body"]) == len(body)
    assert len(bench.records[0].event) == LONGEST_PART


def streamed(*parts: bytes, error: str | None = None) -> ResponseStream:
    stream = ResponseStream()
    stream.begin(INTEGRATION, Source())
    for part in parts:
        stream.feed(part)
    stream.end(error)
    return stream


METADATA = b'{"statusCode": 200, "headers": {"x-one": "1"}}'


def test_a_streamed_answer_is_told_of_when_it_has_ended(bench: Bench) -> None:
    async def scenario() -> None:
        bench.function.answer = streamed(METADATA + SEPARATOR + b"one")
        response = await bench.gateway(door("function_url", streaming=True))(request("/drip"))
        assert response.stream is not None
        [record] = bench.records
        assert (record.ended, bench.log.text) == (False, "")
        assert [await response.stream.read(), await response.stream.read()] == [b"one", b""]
        response.stream.close()
        response.stream.close()
        assert (record.ended, record.status, record.answer, record.error) == (True, 200, METADATA, None)
        assert bench.log.text.count("GET    /drip  200") == 1
        assert ", begun after " in bench.log.text

    play(scenario)


def test_a_client_that_leaves_ends_the_record(bench: Bench) -> None:
    async def scenario() -> None:
        source = Source()
        stream = bench.function.answer = ResponseStream()
        stream.begin(INTEGRATION, source)
        stream.feed(METADATA + SEPARATOR + b"12345")
        response = await bench.gateway(door("function_url", streaming=True))(request("/drip"))
        assert response.stream is not None
        await response.stream.read()
        response.stream.close()
        assert source.aborted
        assert "GET /drip: the client left after 5 bytes\n" in bench.log.text
        assert bench.records[0].ended

    play(scenario)


def test_an_answer_that_breaks_off_breaks_the_connection(bench: Bench) -> None:
    async def scenario() -> None:
        stream = bench.function.answer = ResponseStream()
        stream.begin(INTEGRATION, Source())
        stream.feed(METADATA + SEPARATOR + b"12345")
        response = await bench.gateway(door("function_url", streaming=True))(request("/drip"))
        assert response.stream is not None
        assert await response.stream.read() == b"12345"
        stream.break_off(FunctionFailed(Failure.FUNCTION, "it ended"))
        with pytest.raises(BrokenOff):
            await response.stream.read()
        response.stream.close()
        assert bench.records[0].error == "it ended"
        assert "GET /drip: it ended; the client had got 5 bytes\n" in bench.log.text
        assert "the client left" not in bench.log.text

    play(scenario)


def test_a_streamed_answer_without_metadata_is_explained(bench: Bench) -> None:
    async def scenario() -> None:
        bench.function.answer = streamed(b"<html>")
        response = await bench.gateway(door("rest_api", streaming=True))(request("/"))
        assert (response.status, response.stream) == (502, None)
        await asyncio.sleep(0)
        [record] = bench.records
        assert record.ended
        assert record.error is not None
        assert "eight NUL bytes; rest_api can make nothing of this one" in record.error

    play(scenario)


def test_a_replay_gives_the_event_again(bench: Bench) -> None:
    async def scenario() -> Record:
        gateway = bench.gateway(door())
        await gateway(request("/shop/?a=1"))
        bench.function.answer = b'{"statusCode": 418, "body": "new"}'
        first = bench.records[0]
        again = Record(str(uuid.uuid4()), "http", "http_api", "web", first.title, first.target, first.event)
        bench.recorder.add(again)
        await gateway.replay(again)
        return again

    again = play(scenario)
    assert (again.status, json.loads(again.answer)["body"], again.ended) == (418, "new", True)
    assert again.total is not None
    first, second = bench.function.events
    assert first == second


@pytest.mark.parametrize(
    ("answer", "status"), [(METADATA + SEPARATOR + b"one", 200), (b"[" + SEPARATOR, 502), (ANSWER, 201)]
)
def test_the_replay_of_a_streamed_answer_is_read_whole(bench: Bench, answer: bytes, status: int) -> None:
    async def scenario() -> Record:
        gateway = bench.gateway(door("function_url", streaming=True))
        bench.function.answer = answer
        response = await gateway(request("/"))
        assert response.status == status
        event = json.dumps(bench.function.events[0]).encode()
        again = Record(str(uuid.uuid4()), "http", "function_url", "web", "GET", "/", event)
        await gateway.replay(again)
        return again

    again = play(scenario)
    assert (again.status, again.answer, again.ended) == (status, answer, True)


def test_a_load_balancer_asks_whether_all_is_well(bench: Bench) -> None:
    async def scenario() -> tuple[int, int]:
        gateway = bench.gateway(door("alb"))
        well = await gateway.check_health("/health")
        bench.function.answer = FunctionFailed(Failure.FUNCTION, "it ended")
        return well, await gateway.check_health("/health")

    assert play(scenario) == (201, 502)
    event = bench.function.events[0]
    assert (event["path"], event["headers"]["user-agent"]) == ("/health", "ELB-HealthChecker/2.0")
    assert [(record.target, record.status, record.ended) for record in bench.records] == [
        ("/health (health check)", 201, True),
        ("/health (health check)", 502, True),
    ]
    with pytest.raises(TypeError, match="http_api checks no health"):
        play(lambda: bench.gateway(door()).check_health("/health"))


def shared(bench: Bench, *doors: Door) -> tuple[SharedGateway, dict[str, Function]]:
    functions = {each.function: Function() for each in doors}
    gateways = [bench.gateway(each, functions[each.function], guard(each, nobody)) for each in doors]
    return SharedGateway(doors, gateways), functions


def routed(kind: str, function: str, *routes: tuple[str, str], **more: Any) -> Door:
    return Door(kind, function, routes=tuple(Route(*route) for route in routes), name="Api", **more)


@pytest.mark.parametrize("kind", ["http_api", "http_api_1", "rest_api"])
@pytest.mark.parametrize(
    ("method", "path", "owner"),
    [
        ("GET", "/", "rest"),
        ("GET", "/orders/7", "orders"),
        ("DELETE", "/orders/7", "deleter"),
        ("PUT", "/orders/7", "orders"),
        ("GET", "/orders/7/lines", "rest"),
    ],
)
def test_the_most_specific_route_of_all_functions_decides(
    bench: Bench, kind: str, method: str, path: str, owner: str
) -> None:
    everything = [("ANY", "/"), ("ANY", "/{proxy+}")]
    gateway, functions = shared(
        bench,
        routed(kind, "rest", *everything),
        routed(kind, "orders", ("any", "/orders/{id}")),
        routed(kind, "deleter", ("DELETE", "/orders/{id}")),
    )
    assert play(lambda: gateway(request(path, method))).status == 201
    assert {name for name, function in functions.items() if function.events} == {owner}
    [record] = bench.records
    assert record.function == owner


@pytest.mark.parametrize("kind", ["http_api", "http_api_1"])
def test_the_default_route_takes_what_is_left(bench: Bench, kind: str) -> None:
    gateway, functions = shared(
        bench, routed(kind, "orders", ("GET", "/orders")), routed(kind, "rest", ("ANY", "$default"))
    )
    play(lambda: gateway(request("/orders", "POST")))
    play(lambda: gateway(request("/orders", "GET")))
    assert [len(function.events) for function in functions.values()] == [1, 1]


def test_functions_of_one_api_may_take_different_formats(bench: Bench) -> None:
    gateway, functions = shared(
        bench, routed("http_api", "new", ("GET", "/new")), routed("http_api_1", "old", ("GET", "/old"))
    )
    for path in ("/new", "/old"):
        assert play(lambda path=path: gateway(request(path))).status == 201  # type: ignore[misc]
    assert [function.events[0]["version"] for function in functions.values()] == ["2.0", "1.0"]


@pytest.mark.parametrize(("kind", "status"), [("http_api", 404), ("rest_api", 403)])
def test_a_path_that_no_function_has_is_refused_before_anybody_is_asked(bench: Bench, kind: str, status: int) -> None:
    authorizer = LambdaAuthorizer("a", "gatekeeper", identity_sources=())
    gateway, functions = shared(
        bench,
        routed(kind, "one", ("GET", "/one"), authorizer=authorizer),
        routed(kind, "two", ("GET", "/two")),
    )
    assert play(lambda: gateway(request("/three"))).status == status
    assert not any(function.events for function in functions.values())
