"""Work that is done once the answer has left."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapter import LambdaHandler, after_response, database
from adapter.afterwards import afterwards
from adapter.options import Options

from .conftest import minimal_event
from .invocations import python
from .service import ACCEPTED, NEXT, RESPONSE, Request, Service, event, run, service
from .test_streaming import Context, Interface, interface

__all__ = ["interface", "service"]

EVENT = minimal_event("function_url", "GET", "/", {"host": "example.com"})


@pytest.fixture(params=[False, True], ids=["before", "after"])
def deferred(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the runtime is ours."""
    monkeypatch.setattr(afterwards, "deferred", request.param)
    return bool(request.param)


def doing(interface: Interface, view: Callable[[], object]) -> Any:
    """An application that calls ``view`` and answers "ok"."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        view()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        await asyncio.sleep(0)
        view()
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return wsgi if interface == "wsgi" else asgi


def test_work_is_done_in_order_and_once(interface: Interface, deferred: bool) -> None:
    log: list[str] = []

    def view() -> None:
        after_response(log.append, "first")
        after_response(lambda **options: log.append(options["text"]), text="second")
        log.append("view")

    with closing(LambdaHandler(doing(interface, view))) as handler:
        for _ in range(2):
            log.clear()
            assert handler(EVENT)["body"] == "ok"
            assert log == (["view"] if deferred else ["view", "first", "second"])
            afterwards.run()
            assert log == ["view", "first", "second"]


def test_outside_of_a_request_it_is_done_at_once() -> None:
    log: list[str] = []
    after_response(log.append, "done")
    assert log == ["done"]
    with pytest.raises(ZeroDivisionError):
        after_response(divmod, 1, 0)


def test_what_work_leaves_in_its_turn_is_done_at_once(interface: Interface, deferred: bool) -> None:
    log: list[str] = []

    def work() -> None:
        after_response(log.append, "inner")
        log.append("outer")

    with closing(LambdaHandler(doing(interface, lambda: after_response(work)))) as handler:
        handler(EVENT)
        afterwards.run()
    assert log == ["inner", "outer"]


def test_a_failure_is_logged_and_the_rest_done(
    interface: Interface, deferred: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []

    def failing(token: str) -> None:
        raise LookupError("no such address")

    def view() -> None:
        after_response(failing, "s3cret")
        after_response(log.append, "done")

    with closing(LambdaHandler(doing(interface, view))) as handler:
        assert handler(EVENT)["statusCode"] == 200
        afterwards.run()
    assert log == ["done"]
    assert "LookupError: no such address" in caplog.text
    assert "failing" in caplog.messages[0]
    assert "s3cret" not in caplog.text


def test_a_thread_of_the_view_may_leave_work_too(interface: Interface, deferred: bool) -> None:
    log: list[str] = []

    def view() -> None:
        thread = threading.Thread(target=after_response, args=(log.append, "done"))
        thread.start()
        thread.join()
        assert log == []

    with closing(LambdaHandler(doing(interface, view))) as handler:
        assert handler(EVENT)["statusCode"] == 200
        afterwards.run()
    assert log == ["done"]


def test_a_coroutine_function_is_refused() -> None:
    async def work() -> None: ...

    with pytest.raises(TypeError, match=r"async_to_sync\(.*work\)"):
        after_response(work)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("ending", ["raises", "is too slow", "answers nothing"])
def test_nothing_is_carried_over_to_the_next_request(
    interface: Interface, deferred: bool, ending: str, streams: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    first = True

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        nonlocal first
        if first:
            first = False
            after_response(log.append, "work")
            if ending == "raises":
                raise LookupError
            if ending == "is too slow":
                time.sleep(5)
            return []
        start_response("200 OK", [])
        return [b"ok"]

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal first
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        if first:
            first = False
            after_response(log.append, "work")
            if ending == "raises":
                raise LookupError
            if ending == "is too slow":
                await asyncio.sleep(5)
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})

    options = Options(streams=streams)
    with closing(LambdaHandler(wsgi if interface == "wsgi" else asgi, interface=interface, options=options)) as handler:
        for status in ("504" if ending == "is too slow" else "500", "200"):
            answer: Any = handler(EVENT, Context(0.7))
            text = b"".join(answer).decode() if streams else str(answer)
            assert status in text
            if streams:
                answer.close()
            afterwards.run()
            assert log == ["work"]
    assert not afterwards.open


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_it_finds_no_connection_that_was_broken_off(
    deferred: bool, streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted query leaves its connection in the midst of an exchange with the server."""
    log: list[str] = []
    monkeypatch.setattr(database, "close_all", lambda: log.append("connections"))

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            time.sleep(5)
            yield b"late"

        def close(self) -> None:
            log.append("close")

    def application(environ: dict[str, Any], start_response: Any) -> Body:
        after_response(log.append, "work")
        start_response("200 OK", [])
        return Body()

    handler = LambdaHandler(application, options=Options(streams=streams))
    handler(EVENT, Context(0.7))
    afterwards.run()
    assert log == ["connections", "work", "close"]


def test_work_of_an_answer_in_pieces_waits_for_its_end(interface: Interface, deferred: bool) -> None:
    log: list[str] = []

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        after_response(log.append, "work")
        yield b"two"

    async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            after_response(log.append, "work")
            await send({"type": "http.response.body", "body": b"two", "more_body": True})
            await send({"type": "http.response.body"})

    application = wsgi if interface == "wsgi" else asgi
    with closing(LambdaHandler(application, interface=interface, options=Options(streams=True))) as handler:
        stream: Any = handler(EVENT, Context())
        assert next(stream).endswith(b"one")
        assert next(stream) == b"two"
        assert log == []
        assert list(stream) == []
        stream.close()
        assert log == ([] if deferred else ["work"])
        afterwards.run()
        assert log == ["work"]


SITE = """
import os
from pathlib import Path

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(__file__).with_name("shop.db"))}},
)

import django

django.setup()

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from adapter import LambdaHandler, after_response


def note(what):
    answered = "after" if Path(__file__).with_name("answered").exists() else "before"
    print(what, answered, "open" if connection.connection else "closed", flush=True)


class Closing:
    def close(self):
        note("close")
        super().close()


class Whole(Closing, HttpResponse):
    pass


class Streamed(Closing, StreamingHttpResponse):
    pass


def prepare():
    connection.ensure_connection()
    after_response(note, "work")


def sync_pieces():
    yield b"one"
    prepare()
    yield b"two"


async def async_pieces():
    yield b"one"
    await sync_to_async(prepare)()
    yield b"two"


def sync_whole(request):
    prepare()
    return Whole("whole")


async def async_whole(request):
    await sync_to_async(prepare)()
    return Whole("whole")


def sync_streamed(request):
    return Streamed(sync_pieces())


async def async_streamed(request):
    return Streamed(async_pieces())


request_finished.connect(lambda **details: note("finished"), weak=False)
urlpatterns = [path(view.__name__, view) for view in (sync_whole, async_whole, sync_streamed, async_streamed)]
interface = os.environ["FAAS_INTERFACE"]
handler = LambdaHandler(get_wsgi_application() if interface == "wsgi" else get_asgi_application())
"""


WHOLE = [(interface, view) for interface in ("wsgi", "asgi") for view in ("sync_whole", "async_whole")]
STREAMED = [("wsgi", "sync_streamed"), ("asgi", "async_streamed")]


@pytest.mark.parametrize(
    ("mode", "interface", "view"),
    [
        *[("buffered", *each) for each in WHOLE + STREAMED],
        *[("response_stream", *each) for each in [*WHOLE, *STREAMED, ("asgi", "sync_streamed")]],
    ],
)
def test_it_waits_until_the_answer_has_left(
    service: Service, tmp_path: Path, mode: str, interface: Interface, view: str
) -> None:
    def take(request: Request) -> None:
        request.read()
        (tmp_path / "answered").touch()
        request.answer(ACCEPTED)

    def begin(request: Request) -> None:
        (tmp_path / "answered").unlink()
        request.answer(event({**EVENT, "rawPath": f"/{view}"}))

    service.answers = [event({**EVENT, "rawPath": f"/{view}"}), take, begin, take]
    result = run(service, tmp_path, SITE, FAAS_INTERFACE=interface, FAAS_INVOKE_MODE=mode)
    assert service.lines == [NEXT, RESPONSE] * 2
    body = b"onetwo" if "streamed" in view else b"whole"
    assert body in service.requests[1].body
    if mode == "response_stream":
        assert [chunk.partition(bytes(8))[2] or chunk for chunk in service.requests[1].chunks] == (
            [b"one", b"two"] if "streamed" in view else [b"whole"]
        )
    assert result.stdout.splitlines() == ["work after open", "close after open", "finished after closed"] * 2


def test_under_awss_own_runtime_it_is_done_before(tmp_path: Path, interface: Interface) -> None:
    """Whoever calls the handler gets the answer when all is done."""
    (tmp_path / "project.py").write_text(SITE)
    code = f"""
        import project
        answer = project.handler({{**{EVENT!r}, "rawPath": "/sync_whole"}})
        print(answer["body"])
        project.handler.close()
    """
    result = python(code, tmp_path, FAAS_INTERFACE=interface)
    assert result.stdout.splitlines() == ["work before open", "close before open", "finished before closed", "whole"]
