"""For any request and any answer: an event that is JSON, a response that can be sent, never an exception."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.blueprint import Door, Route
from emulator.front_doors import FRONT_DOORS, Failure, FrontDoor, Rejected, RestApi, build, create, serialise
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
ROUTES = (Route("GET", "/"), Route("ANY", "/live/{name}"), Route("POST", "/{first}/{rest+}"))
DOORS = [
    *(create(name) for name in FRONT_DOORS),
    create("http_api", stage="live"),
    create("rest_api", stage="live"),
    RestApi(binary_media_types=("image/*",)),
    *(build(Door(kind, "site", routes=ROUTES)) for kind in ("http_api", "http_api_1", "rest_api")),
]

text = st.text(st.characters(codec="utf-8"), max_size=20)
known_names = st.sampled_from(
    [
        "Host",
        "cookie",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "X-Forwarded-For",
        "X-Amzn-Trace-Id",
        "Authorization",
        "Accept",
        "accept",
        "X-HTTP-Method-Override",
        "Upgrade",
        "content-encoding",
    ]
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PURGE"]),
    path=st.one_of(text, st.just("live/x"), st.from_regex(r"(live)?/?(%[0-9A-F]{2}|[a-z/;+])*", fullmatch=True)).map(
        lambda path: "/" + path.replace("?", "")
    ),
    query=st.one_of(text, st.from_regex(r"([a-c]=(%[0-9A-F]{2}|[a-z+;=])*&?)*", fullmatch=True)),
    headers=st.lists(st.tuples(st.one_of(known_names, text), text), max_size=6).map(tuple),
    body=st.binary(max_size=40),
    client=st.sampled_from(["127.0.0.1", "::1"]),
    scheme=st.sampled_from(["http", "https"]),
    port=st.integers(1, 65535),
    received=st.floats(0, 4e9),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "statusCode": st.sampled_from([200, 204, 304, 404, "201", "x", None, 200.0]) | json_values,
        "headers": st.dictionaries(st.sampled_from(["Content-Type", "date", "Content-Length", "Bad Name"]), json_values)
        | json_values,
        "multiValueHeaders": st.dictionaries(text, st.lists(st.text(max_size=5), max_size=3)) | json_values,
        "cookies": st.lists(text, max_size=2) | json_values,
        "body": st.text(max_size=20) | st.sampled_from(["aGk=", "aGk"]) | json_values,
        "isBase64Encoded": st.booleans() | json_values,
    },
)
payloads = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    answers.map(lambda answer: json.dumps(answer).encode()),
)


def assert_sendable(response: Response) -> None:
    assert 200 <= response.status <= 599
    assert isinstance(response.body, bytes)
    for name, value in response.headers:
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
        value.encode("utf-8")


def assert_strings(value: object) -> None:
    """Every leaf is a value of JSON, every key a string."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for entry in value.values():
            assert_strings(entry)
    elif isinstance(value, list):
        for entry in value:
            assert_strings(entry)
    else:
        assert value is None or isinstance(value, str | bool | int)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@given(request_=requests)
@settings(max_examples=60, deadline=None)
def test_any_request_gives_an_event_that_is_json_or_the_doors_own_answer(door: FrontDoor, request_: Request) -> None:
    own = event = None
    try:
        event = door.event(request_, REQUEST_ID)
    except Rejected as rejected:
        own = rejected.response
    if event is None:
        assert own is not None
        assert_sendable(own)
        assert own.status in (400, 403, 404)
        return
    assert_strings(event)
    assert json.loads(serialise(event)) == event
    assert door.event(request_, REQUEST_ID) == event
    for failure in Failure:
        assert_sendable(door.failure(failure, event, REQUEST_ID))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@given(payload=payloads, method=st.sampled_from(["GET", "HEAD"]))
@settings(max_examples=120, deadline=None)
def test_any_payload_gives_a_response_that_can_be_sent(door: FrontDoor, payload: bytes, method: str) -> None:
    event = door.event(Request(method, "/live/x"), REQUEST_ID)
    response = door.response(payload, event, REQUEST_ID)
    assert_sendable(response)
    if method == "HEAD" or response.status in (204, 304):
        assert response.body == b""


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("depth", [200, 900, 990, 100_000])
def test_json_nested_without_end_is_answered_too(door: FrontDoor, depth: int) -> None:
    event = door.event(Request("GET", "/live/x"), REQUEST_ID)
    nested = b"[" * depth + b"]" * depth
    assert_sendable(door.response(nested, event, REQUEST_ID))
    assert_sendable(door.response(b'{"statusCode":200,"body":' + nested + b"}", event, REQUEST_ID))
