"""Mangum with our handlers, and Mangum without them."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from adapter import LambdaHandler, MalformedEventError
from adapter.mangum import HANDLERS
from tests.project import asgi

from .conftest import CAPTURED, Make

mangum = pytest.importorskip("mangum", reason="the extra `mangum` is not installed")

# Where the two scopes differ on captured events, and why ours is right.
EVERYWHERE = {
    "raw_path": "Mangum gives None",
    "asgi": "Mangum speaks an older version of the specification",
    "extensions": "Mangum gives none",
    "state": "Mangum adds its own later",
    "faas.event": "ours",
    "faas.context": "ours",
    "headers": "Mangum gives lists for pairs",
}
DIFFERENCES: dict[str, dict[str, str]] = {
    "http_api": {},
    "function_url": {},
    "rest_api": {
        "path": "Mangum leaves the stage out of a path that root_path belongs to",
        "root_path": "Mangum does not see the stage",
    },
    "alb": {},
    "alb_multi_value": {},
}


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """The event loop that Mangum takes from the thread, and would else make and leave behind."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def scope_of(event: dict[str, Any], **options: Any) -> dict[str, Any]:
    scopes: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    mangum.Mangum(application, lifespan="off", **options)(copy.deepcopy(event), None)
    return scopes[0]


@pytest.mark.parametrize("name", sorted(CAPTURED))
def test_our_scope_is_mangums_but_for_what_is_named(name: str) -> None:
    ours, theirs = scope_of(CAPTURED[name], custom_handlers=HANDLERS), scope_of(CAPTURED[name])
    differing = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    assert differing <= {*EVERYWHERE, *DIFFERENCES[name]}, {key: (ours.get(key), theirs.get(key)) for key in differing}
    assert differing >= set(DIFFERENCES[name]), "a difference that is listed is gone"
    header_pairs = {tuple(pair) for pair in theirs["headers"]}
    if name == "rest_api":
        assert set(ours["headers"]) >= {pair for pair in header_pairs if pair[0] != b"x-voker-probe"}
    else:
        assert set(ours["headers"]) >= header_pairs


@pytest.mark.parametrize("door", sorted(CAPTURED), indirect=True)
def test_mangum_answers_with_our_handlers_as_our_own_handler_does(captured: dict[str, Any]) -> None:
    own = LambdaHandler(asgi.application, interface="asgi")
    try:
        expected = own(copy.deepcopy(captured))
    finally:
        own.close()
    answer = mangum.Mangum(asgi.application, lifespan="off", custom_handlers=HANDLERS)(captured, None)
    assert json.loads(answer["body"]) == json.loads(expected["body"])
    assert answer["statusCode"] == 200


def test_a_base_path_and_left_out_headers_are_honoured(make: Make) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-secret", b"1"), (b"x-open", b"2")]})
        await send({"type": "http.response.body", "body": f"{scope['root_path']} {scope['path']}".encode()})

    handler = mangum.Mangum(
        application,
        lifespan="off",
        custom_handlers=HANDLERS,
        api_gateway_base_path="/shop",
        exclude_headers=["X-Secret"],
    )
    answer = handler(make(path="/shop/books/"), None)
    assert answer["body"] == "L3Nob3AgL3Nob3AvYm9va3Mv", "base64 of what the application said, as it named no type"
    assert "x-secret" not in str(answer)
    assert "x-open" in str(answer)


def test_a_malformed_event_teaches_under_mangum_too(make: Make) -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None: ...

    with pytest.raises(MalformedEventError, match="body is not text"):
        mangum.Mangum(application, lifespan="off", custom_handlers=HANDLERS)({**make(), "body": 5}, None)
