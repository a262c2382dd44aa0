"""Load balancer: single and lists, queries never decoded, one megabyte each way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.front_doors import Failure, LoadBalancer, Rejected
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
SERVER = ("Server", "awselb/2.0")
BAD_GATEWAY = Response(
    502,
    [("Content-Type", "text/html"), SERVER],
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"</body>\r\n</html>\r\n",
)


def event(*, multi_value: bool = False, **fields: Any) -> dict[str, Any]:
    request = Request(**{"method": "GET", "path": "/", **fields})
    return LoadBalancer(multi_value=multi_value).event(request, REQUEST_ID)


def answered(payload: bytes | dict[str, Any], *, multi_value: bool = False) -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return LoadBalancer(multi_value=multi_value).response(raw, event(multi_value=multi_value), REQUEST_ID)


def rejected(**fields: Any) -> Response:
    with pytest.raises(Rejected) as caught:
        event(**fields)
    return caught.value.response


def test_the_path_stays_as_sent() -> None:
    assert event(path="//a%20b%2Fc/")["path"] == "//a%20b%2Fc/"


def test_the_query_is_never_decoded_and_the_last_value_wins() -> None:
    made = event(query="a=x+y&b%5B%5D=%2B&a=2;3&flag&&")
    assert made["queryStringParameters"] == {"a": "2;3", "b%5B%5D": "%2B", "flag": ""}
    assert "multiValueQueryStringParameters" not in made


def test_with_lists_every_value_is_there_and_the_single_maps_are_null() -> None:
    made = event(multi_value=True, query="a=1&a=2", headers=(("X-Tag", "one"), ("x-tag", "two")))
    assert made["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert made["multiValueHeaders"]["x-tag"] == ["one", "two"]
    assert made["headers"] is made["queryStringParameters"] is None


def test_without_lists_the_last_header_wins() -> None:
    made = event(headers=(("X-Tag", "one"), ("x-tag", "two")))
    assert made["headers"]["x-tag"] == "two"
    assert "multiValueHeaders" not in made


def test_what_is_empty_is_an_empty_map_and_an_empty_body() -> None:
    made = event()
    assert (made["queryStringParameters"], made["body"], made["isBase64Encoded"]) == ({}, "", False)
    assert event(multi_value=True)["multiValueQueryStringParameters"] == {}


@pytest.mark.parametrize(
    ("headers", "is_base64"),
    [
        ((("Content-Type", "text/html; charset=utf-8"),), False),
        ((("Content-Type", "application/json"),), False),
        ((("Content-Type", "application/javascript"),), False),
        ((("Content-Type", "application/xml"),), False),
        ((("Content-Type", "application/x-www-form-urlencoded"),), True),
        ((), True),
        ((("Content-Type", "application/json"), ("Content-Encoding", "gzip")), True),
    ],
)
def test_encoded_content_and_unknown_types_are_base64(headers: tuple[tuple[str, str], ...], is_base64: bool) -> None:
    made = event(method="POST", headers=headers, body=b"hi")
    assert (made["isBase64Encoded"], made["body"]) == ((True, "aGk=") if is_base64 else (False, "hi"))


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ((), "Root=1-00000000-31f342b58a6d9ffc74e3b9e0"),
        ((("X-Amzn-Trace-Id", "Root=1-a-b"),), "Self=1-00000000-31f342b58a6d9ffc74e3b9e0;Root=1-a-b"),
        ((("X-Amzn-Trace-Id", "App=x"),), "Root=1-00000000-31f342b58a6d9ffc74e3b9e0;App=x"),
    ],
)
def test_a_trace_is_added_to_and_never_lost(sent: tuple[tuple[str, str], ...], seen: str) -> None:
    assert event(headers=sent)["headers"]["x-amzn-trace-id"] == seen


TARGET_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/emulated-function/0123456789abcdef"


def test_a_health_check_has_one_header_and_no_client() -> None:
    assert LoadBalancer().health_check("/up/") == {
        "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}},
        "httpMethod": "GET",
        "path": "/up/",
        "queryStringParameters": {},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": False,
    }
    lists = LoadBalancer(multi_value=True).health_check()
    assert (lists["path"], lists["headers"]) == ("/", None)
    assert lists["multiValueHeaders"] == {"user-agent": ["ELB-HealthChecker/2.0"]}


def test_one_megabyte_is_the_limit_of_a_body() -> None:
    assert event(method="POST", body=b"x" * 1024 * 1024)
    response = rejected(method="POST", body=b"x" * (1024 * 1024 + 1))
    assert response.status == 413
    assert b"<h1>413 Request Entity Too Large</h1>" in response.body


def test_a_websocket_is_a_bad_request() -> None:
    response = rejected(headers=(("Connection", "Upgrade"), ("Upgrade", "WebSocket")))
    assert response.status == 400


def test_headers_have_a_limit() -> None:
    assert rejected(headers=(("X", "v" * 64 * 1024),)).status == 400


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_a_bad_gateway(failure: Failure) -> None:
    assert LoadBalancer().failure(failure, event(), REQUEST_ID) == BAD_GATEWAY


def test_an_ordinary_answer_passes() -> None:
    answer = {"statusCode": 200, "statusDescription": "200 OK", "headers": {"Content-Type": "text/html"}, "body": "λ"}
    assert answered(answer) == Response(200, [("Content-Type", "text/html"), SERVER], "λ".encode())


def test_the_functions_own_server_header_stands() -> None:
    assert answered({"statusCode": 200, "headers": {"server": "me", "content-type": "a/b"}}).headers == [
        ("server", "me"),
        ("content-type", "a/b"),
    ]


def test_each_mode_reads_its_own_header_map() -> None:
    answer = {"statusCode": 200, "headers": {"X-S": "1"}, "multiValueHeaders": {"Set-Cookie": ["a", "b"]}}
    single, lists = answered(answer).headers, answered(answer, multi_value=True).headers
    assert ("X-S", "1") in single
    assert "Set-Cookie" not in dict(single)
    assert lists[:2] == [("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert "X-S" not in dict(lists)


@pytest.mark.parametrize(
    "payload",
    [
        b'"text"',
        b"null",
        b"[]",
        b"{}",
        b"{broken",
        b'{"statusCode":"200"}',
        b'{"statusCode":200,"headers":{"A":1}}',
        b'{"statusCode":200,"headers":{"A":true}}',
        b'{"statusCode":200,"headers":{"A":null}}',
        b'{"statusCode":200,"headers":[]}',
        b'{"statusCode":200,"body":{}}',
        b'{"statusCode":200,"isBase64Encoded":1}',
    ],
)
def test_strict_points(payload: bytes) -> None:
    assert answered(payload) == BAD_GATEWAY


@pytest.mark.parametrize("values", ["1", [1], None])
def test_lists_of_headers_hold_text_alone(values: object) -> None:
    assert answered({"statusCode": 200, "multiValueHeaders": {"A": values}}, multi_value=True) == BAD_GATEWAY


def test_an_answer_over_one_megabyte_is_a_bad_gateway() -> None:
    frame = len(json.dumps({"statusCode": 200, "body": ""}))
    assert answered({"statusCode": 200, "body": "x" * (1024 * 1024 - frame)}).status == 200
    assert answered({"statusCode": 200, "body": "x" * (1024 * 1024 - frame + 1)}) == BAD_GATEWAY
