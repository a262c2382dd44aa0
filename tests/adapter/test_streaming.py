"""Answers that leave piece by piece, on either leg, as a runtime takes them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from adapter import LambdaHandler
from adapter.asgi import ASGILeg
from adapter.limits import DeadlineExceeded
from adapter.options import Options
from adapter.streaming import Stream

from . import streaming_views
from .conftest import minimal_event
from .service import ACCEPTED, Request, Service, read_headers, run, service
from .service import event as invoke
from .test_limits import Context as TimedContext

__all__ = ["service"]

Interface = Literal["wsgi", "asgi"]
Pieces = Callable[[], Iterator[Any]]

# Django's ASGI handler forgets the file with the request's body when it fails or is cancelled.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemporaryFile")

STREAMS = Options(streams=True)
PLAIN = [("Content-Type", "text/plain")]


class Context(TimedContext):
    """That of a runtime which takes an answer in pieces."""

    streams = True

    def __init__(self, seconds: float = 60) -> None:
        super().__init__(seconds)


@pytest.fixture(params=["wsgi", "asgi"])
def interface(request: pytest.FixtureRequest) -> Interface:
    interface: Interface = request.param
    return interface


@pytest.fixture(params=["function_url", "rest_api"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def handling(application: Any, interface: Interface, options: Options = STREAMS) -> Iterator[LambdaHandler]:
    """A handler of which nothing is left behind, whatever was done with it."""
    handler = LambdaHandler(application, interface=interface, options=options)
    try:
        yield handler
        leg = handler._leg
        if isinstance(leg, ASGILeg):
            assert asyncio.all_tasks(leg._loop) == set()
    finally:
        handler.close()


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> Iterator[None]:
    """What was there before takes long to look through, after each of the tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_unretrieved(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio logs what nobody asked for when it is thrown away."""
    yield
    gc.collect()
    complaints = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert [line for line in complaints if "never retrieved" in line or "pending" in line] == []


def event(door: str = "function_url", path: str = "/", method: str = "GET", **headers: str) -> dict[str, Any]:
    return minimal_event(door, method, path, {"host": "example.com", **headers})


def begun(handler: LambdaHandler, event: dict[str, Any], context: Any = None) -> Stream:
    answer: Any = handler(event, context or Context())
    assert isinstance(answer, Stream)
    return answer


def read(stream: Stream) -> tuple[dict[str, Any], bytes]:
    """The prelude and the body of an answer that is taken as the runtime does it."""
    try:
        prelude, nothing, body = b"".join(stream).partition(bytes(8))
    finally:
        stream.close()
    assert nothing
    found: dict[str, Any] = json.loads(prelude)
    return found, body


def body(answer: Any) -> bytes:
    """That of an answer in whichever form it came."""
    return read(answer)[1] if isinstance(answer, Stream) else answer["body"].encode()


def get(handler: LambdaHandler, path: str = "/", **options: Any) -> tuple[dict[str, Any], bytes]:
    return read(begun(handler, event(path=path, **options)))


def serving(
    interface: Interface, pieces: Pieces, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> Any:
    """An application whose body is what ``pieces()`` yields; with None for headers it names none."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterator[Any]:
        start_response(f"{status} Somehow", headers or [])
        return pieces()

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        start = {"type": "http.response.start", "status": status}
        if headers is not None:
            start["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send(start)
        for piece in pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    return wsgi if interface == "wsgi" else asgi


def of(*pieces: Any) -> Pieces:
    return lambda: iter(pieces)


@pytest.fixture
def django(interface: Interface) -> Iterator[LambdaHandler]:
    """Django with views that stream."""
    streaming_views.log.clear()
    with override_settings(ROOT_URLCONF=streaming_views.__name__):
        application = get_wsgi_application() if interface == "wsgi" else get_asgi_application()
        with handling(application, interface) as handler:
            yield handler


@pytest.fixture
def finished() -> Iterator[list[object]]:
    """One entry for each request that Django has finished."""
    seen: list[object] = []

    def note(**details: Any) -> None:
        seen.append(details["sender"])

    request_finished.connect(note)
    yield seen
    request_finished.disconnect(note)


# What leaves


def test_an_answer_is_its_prelude_eight_nuls_and_its_bytes(interface: Interface, door: str) -> None:
    headers = [*PLAIN, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "Cookie"), ("Vary", "Accept")]
    with handling(serving(interface, of(b"\x00\xff", b"end"), 201, headers), interface) as handler:
        stream = begun(handler, event(door))
        assert stream.content_type == "application/vnd.awslambda.http-integration-response"
        prelude, body = read(stream)
    assert body == b"\x00\xffend"
    if door == "function_url":
        assert prelude == {
            "statusCode": 201,
            "headers": {"content-type": "text/plain", "vary": "Cookie, Accept"},
            "cookies": ["a=1", "b=2"],
        }
    else:
        assert prelude == {
            "statusCode": 201,
            "multiValueHeaders": {
                "content-type": ["text/plain"],
                "set-cookie": ["a=1", "b=2"],
                "vary": ["Cookie", "Accept"],
            },
        }


def test_no_piece_is_made_before_the_one_before_it_was_taken(interface: Interface) -> None:
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"piece %d" % number

    with handling(serving(interface, pieces), interface) as handler:
        stream = begun(handler, event())
        assert made == [0]
        assert next(stream).endswith(bytes(8) + b"piece 0")
        assert made == [0]
        assert next(stream) == b"piece 1"
        assert made == [0, 1]
        assert next(stream) == b"piece 2"
        assert list(stream) == []
        stream.close()


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((), b""),
        ((b"",), b""),
        ((b"", b"a", b"", b"", b"b", b""), b"ab"),
        ((memoryview(b"ab"), bytearray(b"cd")), b"abcd"),
    ],
)
def test_pieces_of_any_size_and_kind(interface: Interface, pieces: tuple[Any, ...], body: bytes) -> None:
    with handling(serving(interface, of(*pieces)), interface) as handler:
        stream = begun(handler, event())
        taken = list(stream)
        stream.close()
    assert all(type(piece) is bytes for piece in taken)
    assert b"" not in taken  # a chunk of no bytes would be the end of a chunked body
    assert b"".join(taken).partition(bytes(8))[2] == body


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_without_a_body_ends_the_application(
    interface: Interface, door: str, method: str, status: int
) -> None:
    ended: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"not wanted"
            yield b"not made"
        finally:
            ended.append(True)

    headers = [("Content-Length", "18")]
    with handling(serving(interface, pieces, status, headers), interface) as handler:
        stream = begun(handler, event(door, method=method))
        assert ended
        prelude, body = read(stream)
        assert get(handler)[0]["statusCode"] == status
    assert (prelude["statusCode"], body) == (status, b"")
    assert "18" in str(prelude)


def test_what_is_written_leaves_with_the_next_piece() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        write(b"two ")
        return []

    with handling(application, "wsgi") as handler:
        assert get(handler)[1] == b"one two "


def test_a_late_error_page_replaces_headers_that_have_not_left_and_no_others() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("X-Old", "1")])
        if environ["PATH_INFO"] == "/late":
            yield b"so far"
        try:
            raise LookupError("gone")
        except LookupError as error:
            start_response("500 Oops", [], (type(error), error, error.__traceback__))
        yield b"sorry"

    with handling(application, "wsgi") as handler:
        assert get(handler) == ({"statusCode": 500, "headers": {}}, b"sorry")
        stream = begun(handler, event(path="/late"))
        next(stream)
        with pytest.raises(LookupError):
            next(stream)


# Django


def test_a_streaming_response_leaves_piece_by_piece(
    django: LambdaHandler, interface: Interface, door: str, finished: list[object]
) -> None:
    stream = begun(django, event(door, f"/{interface}/pieces/"))
    assert streaming_views.log == ["made 0"]
    assert next(stream).endswith(b"piece 0\n")
    assert next(stream) == b"piece 1\n"
    assert streaming_views.log == ["made 0", "made 1"]
    assert finished == []
    assert next(stream) == b"piece 2\n"
    assert list(stream) == []
    assert streaming_views.log == ["made 0", "made 1", "made 2", "ended"]
    assert len(finished) == 1


def test_a_synchronous_view_streams_by_asgi_too() -> None:
    streaming_views.log.clear()
    with (
        override_settings(ROOT_URLCONF=streaming_views.__name__),
        handling(get_asgi_application(), "asgi") as handler,
    ):
        stream = begun(handler, event(path="/sync/pieces/"))
        assert next(stream).endswith(b"piece 0\n")
        assert streaming_views.log == ["made 0"]
        stream.close()
        assert streaming_views.log == ["made 0", "ended"]


def test_a_file_leaves_piece_by_piece(django: LambdaHandler, door: str) -> None:
    stream = begun(django, event(door, "/download/"))
    pieces = list(stream)
    stream.close()
    prelude, _, body = b"".join(pieces).partition(bytes(8))
    assert body == streaming_views.FILE
    assert str(len(body)) in prelude.decode()
    assert "all.bin" in prelude.decode()
    assert max(map(len, pieces)) < 70_000


def test_server_sent_events_leave_one_by_one(django: LambdaHandler, interface: Interface) -> None:
    stream = begun(django, event(path=f"/{interface}/events/"))
    head = next(stream)
    assert b"text/event-stream" in head
    assert head.endswith(bytes(8) + b"event: tick\ndata: 0\n\n")
    assert next(stream) == b"event: tick\ndata: 1\n\n"
    stream.close()


def test_a_whole_response_streams_as_one_piece(django: LambdaHandler, finished: list[object]) -> None:
    prelude, body = get(django, "/whole/")
    assert body == b"whole"
    assert [cookie.partition(";")[0] for cookie in prelude["cookies"]] == ["first=1", "second=2"]
    assert len(finished) == 1


def test_a_reader_that_leaves_ends_the_view(
    django: LambdaHandler, interface: Interface, finished: list[object]
) -> None:
    stream = begun(django, event(path=f"/{interface}/pieces/"))
    next(stream)
    stream.close()
    assert streaming_views.log == ["made 0", "ended"]
    assert len(finished) == 1
    assert get(django, "/whole/")[1] == b"whole"


def test_an_answer_that_nobody_takes_ends_the_view(
    django: LambdaHandler, interface: Interface, finished: list[object]
) -> None:
    begun(django, event(path=f"/{interface}/pieces/")).close()
    assert streaming_views.log == ["made 0", "ended"]
    assert len(finished) == 1


def test_an_exception_on_the_way_passes_out(
    django: LambdaHandler, interface: Interface, finished: list[object]
) -> None:
    stream = begun(django, event(path=f"/{interface}/broken/"))
    assert next(stream).endswith(b"so far\n")
    with pytest.raises(LookupError, match="on the way"):
        next(stream)
    stream.close()
    assert len(finished) == 1
    assert get(django, "/whole/")[1] == b"whole"


def test_a_view_that_is_too_slow_for_its_first_byte_gets_a_504(
    django: LambdaHandler, interface: Interface, finished: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    prelude, body = read(begun(django, event(path=f"/{interface}/silent/"), Context(0.8)))
    assert time.monotonic() - started < 1.5
    assert prelude["statusCode"] == 504
    assert b"took too long" in body
    assert len(finished) == 1
    assert f"in {interface.replace('wsgi', 'sync').replace('asgi', 'async')}_silent" in caplog.text
    assert "in receive" not in caplog.text  # where Django waits for the client to leave
    assert streaming_views.log == ([] if interface == "wsgi" else ["cancelled"])
    assert get(django, "/whole/")[1] == b"whole"


def test_a_view_that_is_too_slow_on_the_way_is_broken_off(
    django: LambdaHandler, interface: Interface, finished: list[object]
) -> None:
    started = time.monotonic()
    stream = begun(django, event(path=f"/{interface}/slow/"), Context(0.8))
    assert next(stream).endswith(b"so far\n")
    with pytest.raises(DeadlineExceeded):
        next(stream)
    stream.close()
    assert time.monotonic() - started < 1.5
    assert streaming_views.log == ["ended"]
    assert len(finished) == 1
    assert get(django, "/whole/")[1] == b"whole"


@pytest.mark.parametrize("streams", [True, False])
def test_a_synchronous_view_by_asgi_is_not_waited_for_past_the_deadline(
    streams: bool, finished: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        override_settings(ROOT_URLCONF=streaming_views.__name__),
        handling(get_asgi_application(), "asgi", Options(streams=streams)) as handler,
    ):
        started = time.monotonic()
        assert b"took too long" in body(handler(event(path="/sync/silent/"), Context(0.6)))
        assert time.monotonic() - started < 1.5  # the view takes 2 s
        assert len(finished) == 1
        assert body(handler(event(path="/whole/"), Context())) == b"whole"
        time.sleep(1.9)
        for _ in range(2):
            assert body(handler(event(path="/whole/"), Context())) == b"whole"


# What goes wrong


def test_the_access_line_is_written_whatever_happens_at_the_end() -> None:
    sizes: list[int] = []

    def rest() -> Generator[bytes]:
        try:
            yield b"two"
        finally:
            raise LookupError("at the end")

    stream = Stream({"statusCode": 200}, b"one", rest(), sizes.append)
    assert next(stream) == b'{"statusCode":200}' + bytes(8) + b"one"
    assert next(stream) == b"two"
    with pytest.raises(LookupError):
        stream.close()
    assert sizes == [6]


def test_an_exception_before_the_first_byte_is_a_whole_500(
    interface: Interface, door: str, caplog: pytest.LogCaptureFixture
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"%d" % (1 // 0)

    with handling(serving(interface, pieces), interface) as handler:
        prelude, body = read(begun(handler, event(door)))
        assert prelude["statusCode"] == 500
        assert b"Internal Server Error" in body
        assert "ZeroDivisionError" in caplog.text
        assert get(handler)[0]["statusCode"] == 500


def test_an_application_that_answers_nothing_gets_a_500(interface: Interface) -> None:
    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return [b"no status"]

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"no status"})

    with handling(wsgi if interface == "wsgi" else asgi, interface) as handler:
        assert get(handler)[0]["statusCode"] == 500


def test_an_asgi_answer_that_is_not_completed_breaks_off() -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"some", "more_body": True})

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        with pytest.raises(RuntimeError, match="before its response was complete"):
            next(stream)


def test_headers_over_the_limit_are_refused_and_the_application_ended(
    interface: Interface, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"ok"
            yield b"ok"
        finally:
            ended.append(True)

    headers = [("Set-Cookie", f"c{number}={'x' * 1000}") for number in range(11)]
    with handling(serving(interface, pieces, headers=headers), interface) as handler:
        prelude, body = read(begun(handler, event("rest_api")))
        assert prelude["statusCode"] == 500
        assert b"passes 10,240 on" in body
        assert "fewer or smaller cookies" in caplog.text
        assert ended
        assert read(begun(handler, event("rest_api", method="HEAD")))[1] == b""


def test_a_line_break_in_a_header_is_refused(interface: Interface) -> None:
    application = serving(interface, of(b"ok"), headers=[("X-Name", "a\r\nSet-Cookie: b=1")])
    with handling(application, interface) as handler:
        prelude, body = get(handler)
    assert prelude["statusCode"] == 500
    assert b"b=1" not in body


def test_our_own_answers_stream_as_well(interface: Interface, door: str) -> None:
    options = Options(streams=True, origin_secrets=(b"s3cret",))
    with handling(serving(interface, of(b"ok")), interface, options) as handler:
        prelude, body = read(begun(handler, event(door)))
        assert prelude["statusCode"] == 403
        assert b"its own address only" in body
        assert read(begun(handler, event(door, **{"x-origin-verify": "s3cret"})))[1] == b"ok"


@pytest.mark.parametrize("door", ["http_api", "http_api_1", "alb", "alb_multi_value", "vpc_lattice_2"])
def test_a_front_door_that_cannot_stream_gets_a_whole_answer(interface: Interface, door: str) -> None:
    with handling(serving(interface, of(b"a", b"b"), headers=PLAIN), interface) as handler:
        answer = handler(event(door, **{"x-forwarded-for": "192.0.2.1"}), Context())
    assert (answer["statusCode"], answer["body"]) == (200, "ab")


@pytest.mark.parametrize(
    "context", [type(None), lambda: SimpleNamespace(aws_request_id="id"), lambda: TimedContext(60)]
)
def test_a_runtime_that_cannot_stream_gets_a_whole_answer(
    interface: Interface, door: str, context: Callable[[], Any]
) -> None:
    with handling(serving(interface, of(b"a", b"b"), headers=PLAIN), interface) as handler:
        answer = handler(event(door), context())
    assert (answer["statusCode"], answer["body"]) == (200, "ab")


def test_without_the_option_the_answer_is_whole(interface: Interface) -> None:
    with handling(serving(interface, of(b"a", b"b"), headers=PLAIN), interface, Options()) as handler:
        assert handler(event(), Context())["body"] == "ab"


def test_only_a_whole_answer_has_the_six_megabyte_limit(interface: Interface) -> None:
    pieces = of(*[b"x" * 1_000_000] * 7)
    with handling(serving(interface, pieces, headers=PLAIN), interface) as handler:
        assert len(get(handler)[1]) == 7_000_000
        answer = handler(event(), None)
    assert answer["statusCode"] == 500
    assert "passes 6,291,556 on" in answer["body"]


def test_time_in_which_a_piece_is_sent_is_not_interrupted() -> None:
    """An exception in the midst of a chunk would leave half of it on the wire."""
    with handling(serving("wsgi", of(b"a", b"b")), "wsgi", Options(streams=True, deadline_margin=0.1)) as handler:
        stream = begun(handler, event(), Context(0.2))
        next(stream)
        time.sleep(0.2)
        with pytest.raises(DeadlineExceeded):
            list(stream)


def test_an_iterable_whose_close_fails_has_still_answered(caplog: pytest.LogCaptureFixture) -> None:
    class Body(list[bytes]):
        def close(self) -> None:
            raise LookupError("in close")

    def application(environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", PLAIN)
        return Body([b"all ", b"there"])

    with handling(application, "wsgi") as handler:
        assert get(handler)[1] == b"all there"
        assert handler(event(), None)["body"] == "all there"
        begun(handler, event()).close()
        assert caplog.text.count("LookupError: in close") == 3


def test_a_generator_that_will_not_end_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    def stubborn() -> Iterator[bytes]:
        while True:
            try:
                yield b"on"
            except GeneratorExit:
                yield b"and on"
                return

    with handling(serving("wsgi", stubborn), "wsgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
        assert "generator ignored GeneratorExit" in caplog.text


# The ASGI leg's own loop


async def answer(send: Any, body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("context", [type(None), Context], ids=["whole", "streamed"])
def test_an_application_goes_on_after_its_last_piece(context: Callable[[], Any]) -> None:
    done: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)
            await asyncio.sleep(0.01)
            done.append("work")

    with handling(application, "asgi") as handler:
        assert body(handler(event(), context())) == b"ok"
        assert done == ["work"]


def test_an_answer_that_loses_its_body_lets_the_application_go_on() -> None:
    done: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)
            await asyncio.sleep(0.15)  # longer than one gets that is to end
            done.append("work")

    with handling(application, "asgi") as handler:
        assert read(begun(handler, event(method="HEAD")))[1] == b""
        assert done == ["work"]


@pytest.mark.parametrize("context", [type(None), Context], ids=["whole", "streamed"])
def test_what_fails_after_the_last_piece_is_logged_and_changes_nothing(
    context: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)
            if scope["path"] == "/later":
                await asyncio.sleep(0)
            raise LookupError("afterwards")

    with handling(application, "asgi") as handler:
        for number, path in enumerate(["/", "/later"], 1):
            assert body(handler(event(path=path), context())) == b"ok"
            assert caplog.text.count("LookupError: afterwards") == number


@pytest.mark.parametrize("streams", [True, False])
def test_an_application_that_works_on_past_the_deadline_has_still_answered(
    streams: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)
            await asyncio.sleep(5)

    with handling(application, "asgi", Options(streams=streams)) as handler:
        assert body(handler(event(), Context(0.7))) == b"ok"
        assert "went on after its answer" in caplog.text
        assert "await asyncio.sleep(5)" in caplog.text


@pytest.mark.parametrize("context", [type(None), Context], ids=["whole", "streamed"])
def test_a_request_finds_the_loop_as_the_one_before_it_did(context: Callable[[], Any]) -> None:
    """Nobody's call to stop the loop may be left for the next to find."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for _ in range(int(scope["path"][1:])):
                await asyncio.sleep(0)
            await answer(send)

    with handling(application, "asgi") as handler:
        for turns in (0, 3, 0, 0, 5, 1, 2, 0, 4):
            assert body(handler(event(path=f"/{turns}"), context())) == b"ok"


PIECE = {"type": "http.response.body", "body": b"one", "more_body": True}


def test_an_application_that_sends_is_told_that_the_reader_has_left(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(2):
                try:
                    await send(PIECE)
                except OSError as error:
                    seen.append(str(error))
            await send(PIECE)

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
    assert seen == ["the client has left"] * 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_an_application_that_listens_is_told_there_and_can_end_what_sends() -> None:
    seen: list[str] = []

    async def sending(send: Any) -> None:
        try:
            while True:
                with contextlib.suppress(OSError):
                    await send(PIECE)
                    await asyncio.sleep(0)
                seen.append("failed")
        except asyncio.CancelledError:
            seen.append("cancelled")

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("none here")
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        task = asyncio.ensure_future(sending(send))
        seen.append((await receive())["type"])
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
        assert seen == ["http.disconnect", "cancelled"]


def test_a_generator_that_is_dropped_when_the_reader_has_left_ends_at_once() -> None:
    seen: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            await asyncio.sleep(0.01)
            seen.append("ended")

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            async for piece in pieces():
                await send({**PIECE, "body": piece})

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
        assert seen == ["ended"]


def test_what_fails_when_the_reader_has_left_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            try:
                await send({"type": "http.response.body", "body": b"one", "more_body": True})
            finally:
                raise LookupError("while it tidied up")

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
    assert "LookupError: while it tidied up" in caplog.text


def test_an_application_that_hears_nothing_is_cancelled() -> None:
    seen: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            with contextlib.suppress(OSError):
                await send({"type": "http.response.body", "body": b"one", "more_body": True})
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

    with handling(application, "asgi") as handler:
        stream = begun(handler, event())
        next(stream)
        stream.close()
        assert seen == ["cancelled"]


@pytest.mark.parametrize("context", [type(None), Context], ids=["whole", "streamed"])
def test_an_application_that_cancels_itself_gets_a_500(context: Callable[[], Any]) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise asyncio.CancelledError

    with handling(application, "asgi") as handler:
        assert b"Internal Server Error" in body(handler(event(), context()))


def test_the_lifespan_state_is_each_requests_own() -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["name"] = "kept"
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        body = scope["state"].pop("name").encode()
        await answer(send, body)

    handler = LambdaHandler(application, options=STREAMS)
    for _ in range(2):
        assert get(handler)[1] == b"kept"
    begun(handler, event()).close()
    assert get(handler)[1] == b"kept"
    handler.close()


# Through the runtime loop

SITE = """
import asyncio
import os
import time
from pathlib import Path

from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", USE_TZ=True)

from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

from adapter import LambdaHandler


def sync_clock():
    try:
        while True:
            yield "data: tick\\n\\n"
            time.sleep(0.02)
    finally:
        print("ended", flush=True)


async def async_clock():
    try:
        while True:
            yield "data: tick\\n\\n"
            await asyncio.sleep(0.02)
    finally:
        print("ended", flush=True)


def clock(request):
    return StreamingHttpResponse(sync_clock() if interface == "wsgi" else async_clock())


def download(request, name):
    return FileResponse(Path(__file__).with_name(name).open("rb"))


def peak(request):
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return HttpResponse(status["VmHWM"].split()[0])


request_finished.connect(lambda **details: print("finished", flush=True), weak=False)
urlpatterns = [path("clock", clock), path("peak", peak), path("<name>", download)]
interface = os.environ["FAAS_INTERFACE"]
handler = LambdaHandler(get_wsgi_application() if interface == "wsgi" else get_asgi_application())
"""
MEGABYTE = 1 << 20


def ticks(request: Request) -> None:
    assert request.read_chunk().endswith(bytes(8) + b"data: tick\n\n")
    for _ in range(2):
        assert request.read_chunk() == b"data: tick\n\n"


def test_a_client_that_leaves_ends_the_events(service: Service, tmp_path: Path, interface: Interface) -> None:
    def leave(request: Request) -> None:
        ticks(request)
        request.hang_up()

    clock, whole = invoke(event(path="/clock")), invoke(event(path="/function.py"))
    service.answers = [clock, leave, clock, leave, whole, ACCEPTED]
    result = run(service, tmp_path, SITE, FAAS_INTERFACE=interface, FAAS_INVOKE_MODE="response_stream")
    assert result.stdout.split() == ["ended", "finished"] * 2 + ["finished"]
    assert result.stderr.count("The client left") == 2
    assert b"sync_clock" in service.requests[-1].body


def test_a_process_that_is_told_to_end_ends_the_events(service: Service, tmp_path: Path, interface: Interface) -> None:
    def terminate(request: Request) -> None:
        ticks(request)
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        request.stream.read()

    service.answers = [invoke(event(path="/clock")), terminate]
    result = run(service, tmp_path, SITE, FAAS_INTERFACE=interface, FAAS_INVOKE_MODE="response_stream")
    assert "ended" in result.stdout.split()  # where the signal meets the loop decides what else is told, and when
    assert result.returncode == 0


def test_events_end_at_the_time_limit(service: Service, tmp_path: Path, interface: Interface) -> None:
    def begin(request: Request) -> None:
        near = str(int((time.time() + 1.2) * 1000))
        request.answer(invoke(event(path="/clock"), **{"Lambda-Runtime-Deadline-Ms": near}))

    service.answers = [begin, ACCEPTED, invoke(event(path="/function.py")), ACCEPTED]
    result = run(service, tmp_path, SITE, FAAS_INTERFACE=interface, FAAS_INVOKE_MODE="response_stream")
    request = service.requests[1]
    assert request.trailers["lambda-runtime-function-error-type"] == "DeadlineExceeded"
    assert len(request.chunks) > 2
    assert result.stdout.split() == ["ended", "finished", "finished"]
    assert "time limit" in result.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from where Linux tells it")
def test_a_large_download_takes_no_memory_to_speak_of(service: Service, tmp_path: Path, interface: Interface) -> None:
    sizes = {"small": 3 * MEGABYTE, "large": 100 * MEGABYTE}
    taken: list[int] = []
    peaks: list[int] = []

    def take(request: Request) -> None:
        size = len(request.read_chunk().partition(bytes(8))[2])
        while chunk := request.read_chunk():
            size += len(chunk)
            request.chunks.clear()
        assert read_headers(request.stream) == {}
        taken.append(size)
        request.answer(ACCEPTED)

    def note(request: Request) -> None:
        request.read()
        peaks.append(int(request.body.partition(bytes(8))[2]))
        request.answer(ACCEPTED)

    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        service.answers += [invoke(event(path=f"/{name}")), take, invoke(event(path="/peak")), note]
    run(service, tmp_path, SITE, FAAS_INTERFACE=interface, FAAS_INVOKE_MODE="response_stream")
    assert taken == list(sizes.values())
    assert (peaks[1] - peaks[0]) * 1024 < 20 * MEGABYTE
