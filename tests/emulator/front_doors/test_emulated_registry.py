"""Front doors by name, and what all of them do alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.exceptions import EmulatorError
from emulator.front_doors import (
    FRONT_DOORS,
    Failure,
    InvalidStage,
    Rejected,
    UnknownFrontDoor,
    create,
    serialise,
)
from emulator.http import Request

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
LIMITED = ("http_api", "http_api_1", "rest_api", "function_url", "vpc_lattice", "vpc_lattice_1")


def seen(event: dict[str, Any]) -> dict[str, str]:
    """The headers the function sees, lower-case names, last value."""
    if event.get("headers") is None:
        return {name: values[-1] for name, values in event["multiValueHeaders"].items()}
    return {name.lower(): value[-1] if isinstance(value, list) else value for name, value in event["headers"].items()}


def event(name: str, **fields: Any) -> dict[str, Any]:
    request = Request(**{"method": "GET", "path": "/", **fields})
    return create(name).event(request, REQUEST_ID)


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_a_front_door_knows_the_name_it_was_made_by(name: str) -> None:
    assert create(name).name == name
    assert create(name.replace("_", "-")).name == name


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownFrontDoor, match=r"http_api, http_api_1, .*, vpc_lattice, vpc_lattice_1$") as caught:
        create("api_gateway")
    assert isinstance(caught.value, EmulatorError)
    assert "'api_gateway'" in str(caught.value)


@pytest.mark.parametrize("stage", ["/live", "", "a b", "x" * 129, "live\n"])
@pytest.mark.parametrize("name", ["http_api", "http_api_1", "rest_api"])
def test_a_stage_that_api_gateway_refuses_is_refused(name: str, stage: str) -> None:
    with pytest.raises(InvalidStage):
        create(name, stage=stage)


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"http_api", "http_api_1", "rest_api"}))
def test_doors_without_stages_pay_a_stage_no_heed(name: str) -> None:
    request = Request("GET", "/live/x")
    assert create(name, stage="live").event(request, REQUEST_ID) == create(name).event(request, REQUEST_ID)


def test_timeouts_are_those_of_the_gateways() -> None:
    timeouts = {name: create(name).timeout for name in FRONT_DOORS}
    assert timeouts == {
        "http_api": 30.0,
        "http_api_1": 30.0,
        "function_url": None,
        "rest_api": 29.0,
        "alb": None,
        "alb_multi_value": None,
        "vpc_lattice": None,
        "vpc_lattice_1": None,
    }


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_scheme_and_port_are_the_connections_own_whatever_the_client_claims(name: str) -> None:
    claims = (("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))
    headers = seen(event(name, headers=claims, scheme="http", port=8000))
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == "8000"


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_the_peers_address_is_appended_to_what_the_client_claims(name: str) -> None:
    claims = (("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"))
    assert seen(event(name, client="9.9.9.9"))["x-forwarded-for"] == "9.9.9.9"
    assert seen(event(name, headers=claims, client="9.9.9.9"))["x-forwarded-for"] == "1.1.1.1, 2.2.2.2, 9.9.9.9"


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_headers_about_the_connection_never_reach_the_function(name: str) -> None:
    connection = ("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization")
    headers = seen(event(name, headers=tuple((header, "x") for header in connection)))
    assert not set(headers) & {header.lower() for header in connection}


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"rest_api"}))
def test_a_chunked_body_arrives_with_its_length(name: str) -> None:
    headers = seen(event(name, method="POST", headers=(("Transfer-Encoding", "chunked"),), body=b"abc"))
    assert headers["content-length"] == "3"


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_an_http_api_alone_gives_a_length_where_there_was_no_body(name: str) -> None:
    assert seen(event(name)).get("content-length") == ("0" if name.startswith("http_api") else None)


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"http_api"}))
def test_several_cookie_headers_become_one(name: str) -> None:
    headers = seen(event(name, headers=(("Cookie", "a=1"), ("cookie", "b=2; c=3"))))
    assert headers["cookie"] == "a=1; b=2; c=3"


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"alb", "alb_multi_value"}))
def test_a_gateway_keeps_the_clients_trace_and_replaces_what_is_none(name: str) -> None:
    root = "Root=1-00000001-000000000000000000000001"
    assert seen(event(name, headers=(("X-Amzn-Trace-Id", root),)))["x-amzn-trace-id"] == root
    made = seen(event(name, headers=(("X-Amzn-Trace-Id", "junk"),), received=1.5))["x-amzn-trace-id"]
    assert made == "Root=1-00000001-31f342b58a6d9ffc74e3b9e0"


@pytest.mark.parametrize("name", LIMITED)
def test_an_event_over_the_invoke_limit_is_too_large_though_its_body_is_not(name: str) -> None:
    headers = (("Content-Type", "application/octet-stream"),)
    fits = Request("POST", "/", headers=headers, body=b"\0" * 4_700_000)
    over = Request("POST", "/", headers=headers, body=b"\0" * 4_720_000)
    door = create(name)
    assert len(serialise(door.event(fits, REQUEST_ID))) < 6_291_456
    with pytest.raises(Rejected) as caught:
        door.event(over, REQUEST_ID)
    assert caught.value.response.status == 413


def test_the_invoke_limit_counts_json_escapes() -> None:
    request = Request("POST", "/", headers=(("Content-Type", "text/plain"),), body=b"\1" * 1_050_000)
    with pytest.raises(Rejected):
        create("http_api").event(request, REQUEST_ID)


def test_events_are_serialised_as_compact_utf_8() -> None:
    assert serialise({"a": "λ", "b": [1]}) == '{"a":"λ","b":[1]}'.encode()
    # What the quick way refuses: half of a surrogate pair, an integer of more than 64 bits.
    assert serialise({"a": "λ\ud800", "b": 2**70}) == f'{{"a":"λ?","b":{2**70}}}'.encode()


@pytest.mark.parametrize("name", FRONT_DOORS)
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_have_none(name: str, status: int) -> None:
    payload = json.dumps({"statusCode": status, "headers": {}, "body": "x"}).encode()
    response = create(name).response(payload, event(name), REQUEST_ID)
    assert (response.status, response.body) == (status, b"")


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"rest_api", "alb_multi_value"}))
def test_an_answer_to_head_keeps_the_length_the_function_gave(name: str) -> None:
    payload = json.dumps({"statusCode": 200, "headers": {"Content-Length": "1234"}, "body": "x"}).encode()
    head = create(name).response(payload, event(name, method="HEAD"), REQUEST_ID)
    assert head.body == b""
    assert ("Content-Length", "1234") in head.headers
    get = create(name).response(payload, event(name), REQUEST_ID)
    assert get.body == b"x"
    assert "content-length" not in {header.lower() for header, _ in get.headers}


@pytest.mark.parametrize("name", FRONT_DOORS)
@pytest.mark.parametrize("failure", Failure)
def test_a_failure_answered_to_head_gives_the_length_alone(name: str, failure: Failure) -> None:
    door = create(name)
    full = door.failure(failure, event(name), REQUEST_ID)
    head = door.failure(failure, event(name, method="HEAD"), REQUEST_ID)
    assert full.body
    assert (head.status, head.body) == (full.status, b"")
    assert ("Content-Length", str(len(full.body))) in head.headers


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"alb_multi_value"}))
@pytest.mark.parametrize("headers", [{"X-A": "1\r\nX-B: 2"}, {"X-A\r\nX-B": "1"}, {"X A": "1"}, {"": "1"}, {"X": "\0"}])
def test_a_header_that_breaks_out_of_its_line_fails_as_a_whole(name: str, headers: dict[str, str]) -> None:
    door = create(name)
    payload = json.dumps({"statusCode": 200, "headers": headers, "body": ""}).encode()
    assert door.response(payload, event(name), REQUEST_ID) == door.failure(Failure.FUNCTION, event(name), REQUEST_ID)


@pytest.mark.parametrize("name", sorted(set(FRONT_DOORS) - {"alb_multi_value"}))
def test_connection_headers_of_the_function_stay_inside(name: str) -> None:
    headers = {"Transfer-Encoding": "chunked", "Keep-Alive": "5", "X-Kept": "yes"}
    payload = json.dumps({"statusCode": 200, "headers": headers, "body": ""}).encode()
    sent = dict(create(name).response(payload, event(name), REQUEST_ID).headers)
    assert sent["X-Kept"] == "yes"
    assert not {"Transfer-Encoding", "Keep-Alive"} & set(sent)


@pytest.mark.parametrize("name", FRONT_DOORS)
@pytest.mark.parametrize("body", ["not base64!", "aGVsbG8", "aGVsbG8=x"])
def test_a_body_that_says_base64_and_is_not_is_the_doors_error(name: str, body: str) -> None:
    door = create(name)
    payload = json.dumps({"statusCode": 200, "headers": {}, "body": body, "isBase64Encoded": True}).encode()
    assert door.response(payload, event(name), REQUEST_ID) == door.failure(Failure.FUNCTION, event(name), REQUEST_ID)


@pytest.mark.parametrize("name", FRONT_DOORS)
def test_a_base64_body_arrives_as_its_bytes(name: str) -> None:
    payload = b'{"statusCode":200,"headers":{},"body":"iVBORwD/","isBase64Encoded":true}'
    assert create(name).response(payload, event(name), REQUEST_ID).body == b"\x89PNG\0\xff"


@pytest.mark.parametrize("name", FRONT_DOORS)
@pytest.mark.parametrize("status", [0, 99, 100, 199, 600, 1000, -200, 200.0, True, None, "abc", "2000", "", [200], {}])
def test_a_status_that_is_none_is_the_doors_error(name: str, status: object) -> None:
    door = create(name)
    payload = json.dumps({"statusCode": status, "headers": {}, "body": ""}).encode()
    assert door.response(payload, event(name), REQUEST_ID) == door.failure(Failure.FUNCTION, event(name), REQUEST_ID)
