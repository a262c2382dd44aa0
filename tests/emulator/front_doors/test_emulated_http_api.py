"""HTTP API: payload format 2.0, its stage rule, its lenient reading of answers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from emulator.front_doors import Failure, HttpApi, Rejected
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
APIGW_ID = ("Apigw-Requestid", "fCr32zHzQrWKbZ8=")


def event(stage: str | None = None, **fields: Any) -> dict[str, Any]:
    request = Request(**{"method": "GET", "path": "/", **fields})
    return HttpApi(stage).event(request, REQUEST_ID)


def answered(payload: bytes | dict[str, Any], method: str = "GET") -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return HttpApi().response(raw, event(method=method), REQUEST_ID)


def rejected(stage: str | None = None, **fields: Any) -> Response:
    with pytest.raises(Rejected) as caught:
        event(stage, **fields)
    return caught.value.response


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/", "/"),
        ("/a%20b/", "/a b/"),
        ("/a%2Fb", "/a/b"),
        ("/a%252Fb", "/a%2Fb"),
        ("/a+b", "/a+b"),
        ("/a//b", "/a//b"),
        ("/caf%C3%A9", "/café"),
        ("/caf%E9", "/caf\ufffd"),
        ("/what%3Fnow/x", "/what"),
        ("/50%", "/50%"),
    ],
)
def test_the_path_is_decoded_once_and_cut_at_an_encoded_question_mark(sent: str, seen: str) -> None:
    made = event(path=sent)
    assert made["rawPath"] == made["requestContext"]["http"]["path"] == seen


def test_without_a_stage_the_default_stage_shows_in_the_context_alone() -> None:
    made = event(path="/x")
    assert (made["rawPath"], made["requestContext"]["stage"]) == ("/x", "$default")
    assert event("$default", path="/x") == made


def test_with_a_stage_the_path_begins_with_it() -> None:
    made = event("live", path="/live/x%20y")
    assert (made["rawPath"], made["requestContext"]["stage"]) == ("/live/x y", "live")


@pytest.mark.parametrize("path", ["/", "/x", "/liver/x", "/LIVE/x"])
def test_a_path_outside_the_stage_is_not_found(path: str) -> None:
    response = rejected("live", path=path)
    assert response == Response(404, [("Content-Type", "application/json"), APIGW_ID], b'{"message":"Not Found"}')


def test_what_is_empty_is_absent() -> None:
    made = event()
    assert not {"cookies", "queryStringParameters", "body", "pathParameters", "stageVariables"} & set(made)
    assert (made["rawQueryString"], made["isBase64Encoded"]) == ("", False)


def test_the_query_is_kept_raw_and_given_decoded_with_repeats_joined() -> None:
    made = event(query="b=1&a=x+y&b=2%2C3&flag&=v&&c=%FF")
    assert made["rawQueryString"] == "b=1&a=x+y&b=2%2C3&flag&=v&&c=%FF"
    assert made["queryStringParameters"] == {"": "v", "a": "x y", "b": "1,2,3", "c": "\ufffd", "flag": ""}


def test_header_names_are_lower_case_and_repeats_joined_by_a_comma() -> None:
    made = event(headers=(("X-Tag", "one"), ("Host", "shop.test:8000"), ("x-tag", "two")))
    assert made["headers"]["x-tag"] == "one,two"
    assert made["headers"]["host"] == "shop.test:8000"
    assert "X-Tag" not in made["headers"]


def test_the_domain_is_the_apis_own_whatever_host_was_asked_for() -> None:
    context = event(headers=(("Host", "shop.test"),))["requestContext"]
    assert context["domainName"] == "emulat0rh2.execute-api.us-east-1.amazonaws.com"
    assert context["domainPrefix"] == context["apiId"] == "emulat0rh2"


def test_cookies_move_from_the_header_to_a_list() -> None:
    made = event(headers=(("Cookie", "a=1;b=2"), ("Cookie", " c=x=y ;")))
    assert made["cookies"] == ["a=1", "b=2", "c=x=y"]
    assert "cookie" not in made["headers"]


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/csv", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("application/problem+json", False),
        ("image/png", False),
        ("", False),
        (None, False),
    ],
)
def test_text_goes_as_text_and_everything_else_as_base64(content_type: str | None, text: bool) -> None:
    headers = () if content_type is None else (("Content-Type", content_type),)
    made = event(method="POST", headers=headers, body="λ".encode())
    assert made["isBase64Encoded"] is not text
    assert made["body"] == ("λ" if text else base64.b64encode("λ".encode()).decode())


def test_text_that_is_not_utf_8_loses_the_bytes_that_are_not() -> None:
    assert event(method="POST", headers=(("Content-Type", "text/plain"),), body=b"a\xff")["body"] == "a\ufffd"


def test_an_empty_body_that_was_announced_gets_a_type() -> None:
    assert "content-type" in event(method="POST", headers=(("Content-Length", "0"),))["headers"]
    assert "content-type" not in event()["headers"]


def test_ten_megabytes_are_the_limit_of_a_body() -> None:
    response = rejected(method="POST", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (response.status, response.body) == (413, b'{"message":"Request Entity Too Large"}')
    assert response.headers == [("Content-Type", "application/json"), APIGW_ID]


def test_request_line_and_headers_share_their_limit() -> None:
    assert event(path="/", headers=(("X", "v" * 10_235),))
    assert rejected(path="/", headers=(("X", "v" * 10_236),)).status == 431
    assert rejected(path="/", query="q" * 6_000, headers=(("X", "v" * 6_000),)).status == 431


@pytest.mark.parametrize(
    ("failure", "status", "body"),
    [
        (Failure.FUNCTION, 500, b'{"message":"Internal Server Error"}'),
        (Failure.DEADLINE, 503, b'{"message":"Service Unavailable"}'),
        (Failure.THROTTLED, 503, b'{"message":"Service Unavailable"}'),
        (Failure.RESPONSE_TOO_LARGE, 500, b'{"message":"Internal Server Error"}'),
    ],
)
def test_failures_have_their_own_answers(failure: Failure, status: int, body: bytes) -> None:
    response = HttpApi().failure(failure, event(), REQUEST_ID)
    assert response == Response(status, [("Content-Type", "application/json"), APIGW_ID], body)


def test_an_ordinary_answer_passes_with_the_request_id_added() -> None:
    response = answered({"statusCode": 201, "headers": {"Content-Type": "text/html", "x-a": "1,2"}, "body": "λ"})
    assert response == Response(201, [("Content-Type", "text/html"), ("x-a", "1,2"), APIGW_ID], "λ".encode())


def test_cookies_come_as_one_header_each_and_before_the_headers_own() -> None:
    response = answered({"statusCode": 200, "headers": {"set-cookie": "c=3"}, "cookies": ["a=1; Path=/", "b=2"]})
    pairs = [value for name, value in response.headers if name.lower() == "set-cookie"]
    assert pairs == ["a=1; Path=/", "b=2", "c=3"]


def test_an_answer_with_a_status_and_no_type_is_plain_text() -> None:
    assert dict(answered({"statusCode": 200, "body": "x"}).headers)["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (b'{"name": "Ada",  "age":1}', b'{"name": "Ada",  "age":1}'),
        (b'"hello"', b"hello"),
        (b'"caf\\u00e9"', "café".encode()),
        (b"42", b"42"),
        (b"null", b"null"),
        (b"[1, 2]", b"[1, 2]"),
        (b'{"name": "Ada", "age":', b'{"name": "Ada", "age":'),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"", b""),
        (b'{"headers": {"x": "1"}, "body": "b"}', b'{"headers": {"x": "1"}, "body": "b"}'),
    ],
)
def test_whatever_has_no_status_is_the_body_of_a_200(payload: bytes, body: bytes) -> None:
    assert answered(payload) == Response(200, [("Content-Type", "application/json"), APIGW_ID], body)


@pytest.mark.parametrize(
    "answer",
    [
        {"body": {"a": 1}},
        {"body": 1},
        {"headers": []},
        {"headers": {"x": ["1"]}},
        {"cookies": "a=1"},
        {"cookies": [{}]},
        {"isBase64Encoded": "yes"},
    ],
)
def test_a_field_of_the_wrong_form_is_an_internal_error(answer: dict[str, Any]) -> None:
    response = answered({"statusCode": 200, **answer})
    assert (response.status, response.body) == (500, b'{"message":"Internal Server Error"}')


def test_nulls_and_scalars_are_read_leniently() -> None:
    answer = {"statusCode": "200", "headers": {"A": True, "B": 3, "C": None}, "cookies": None, "body": None}
    response = answered(answer)
    assert (response.status, response.body) == (200, b"")
    assert response.headers[:3] == [("A", "true"), ("B", "3"), ("C", "")]


def test_half_a_surrogate_pair_does_not_stop_an_answer() -> None:
    assert answered(b'{"statusCode":200,"body":"a\\ud800"}').body == b"a?"
