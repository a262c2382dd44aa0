"""The ASGI leg: scope, channels, one loop and one lifespan a process."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from adapter import ConfigurationError, LambdaHandler

from .conftest import Make


@contextmanager
def handling(application: Any, **options: Any) -> Iterator[LambdaHandler]:
    handler = LambdaHandler(application, **options)
    try:
        yield handler
    finally:
        handler.close()


async def respond(send: Any, body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


def test_the_scope_tells_all_that_a_server_would(make: Make, door: str) -> None:
    scopes: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        scopes.append(scope)
        await respond(send)

    path = "/café/a%2Fb" if door == "http_api" else "/caf%C3%A9/a%252Fb"
    event = make("POST", path=path, headers={"x-forwarded-port": "8443", "x-forwarded-for": "192.0.2.7"}, body="hi")
    with handling(application) as handler:
        handler(event)
    (scope,) = scopes
    assert scope["method"] == "POST"
    assert scope["path"] == "/café/a%2Fb"
    assert scope["raw_path"] == b"/caf%C3%A9/a%252Fb"
    assert scope["root_path"] == ""
    assert scope["scheme"] == "https"
    assert scope["server"] == ("example.com", 8443)
    assert scope["client"] == (("192.0.2.7", 0) if door.startswith(("alb", "vpc_lattice")) else None)
    assert (b"host", b"example.com") in scope["headers"]
    assert (b"content-length", b"2") in scope["headers"]
    assert scope["http_version"] == "1.1"
    assert scope["aws.event"] is event
    assert dict(scope["faas.event"]) == event


def test_the_body_arrives_and_the_disconnect_only_after_the_response(make: Make) -> None:
    received: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("none here")
        received.append(await receive())
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await respond(send)
        received.append(await waiting)

    with handling(application) as handler:
        assert handler(make("POST", body="hello"))["body"] == "ok"
    assert received == [
        {"type": "http.request", "body": b"hello", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_one_loop_and_one_lifespan_serve_every_request(make: Make) -> None:
    loops: set[int] = set()
    events: list[str] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        loops.add(id(asyncio.get_running_loop()))
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                events.append(kind)
                if kind == "lifespan.startup":
                    scope["state"]["pool"] = "kept"
                await send({"type": kind + ".complete"})
                if kind == "lifespan.shutdown":
                    return
        await respond(send, scope["state"]["pool"].encode())

    with handling(application) as handler:
        assert events == ["lifespan.startup"]
        assert [handler(make())["body"] for _ in range(3)] == ["kept"] * 3
    assert events == ["lifespan.startup", "lifespan.shutdown"]
    assert len(loops) == 1


def test_a_failed_startup_stops_the_boot() -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(ConfigurationError, match="no database"):
        LambdaHandler(application)


def test_context_variables_are_fresh_for_each_request(make: Make) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="fresh")

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = variable.get().encode()
        variable.set("stale")
        if scope["type"] == "http":
            await respond(send, body)

    with handling(application) as handler:
        assert [handler(make())["body"] for _ in range(2)] == ["fresh", "fresh"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200}],
        [{"type": "http.response.body", "body": b"too early"}],
        [{"type": "http.response.start", "status": 200}, {"type": "http.response.start", "status": 200}],
    ],
)
def test_an_application_that_breaks_the_protocol_gets_a_500(make: Make, messages: list[dict[str, Any]]) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)

    with handling(application) as handler:
        assert handler(make())["statusCode"] == 500


def test_a_callable_that_does_not_show_its_interface_can_be_told(make: Make) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await respond(send)

    with handling(functools.partial(application), interface="asgi") as handler:
        assert handler(make())["body"] == "ok"
