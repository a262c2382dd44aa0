"""Function URL: where it differs from an HTTP API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.front_doors import Failure, FunctionUrl, Rejected
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
IDS = [("x-amzn-RequestId", REQUEST_ID), ("X-Amzn-Trace-Id", "Root=1-00000000-31f342b58a6d9ffc74e3b9e0")]


def event(**fields: Any) -> dict[str, Any]:
    return FunctionUrl().event(Request(**{"method": "GET", "path": "/", **fields}), REQUEST_ID)


def answered(payload: bytes | dict[str, Any]) -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return FunctionUrl().response(raw, event(), REQUEST_ID)


@pytest.mark.parametrize(
    ("sent", "decoded"),
    [
        ("/", "/"),
        ("/a%20b", "/a b"),
        ("/a/b/", "/a/b"),
        ("/pa2%25Fth/1", "/pa2%Fth/1"),
        ("/what%3Fnow", "/what?now"),
        ("/caf%E9", "/caf\ufffd"),
    ],
)
def test_the_raw_path_stays_encoded_and_the_other_loses_code_and_trailing_slash(sent: str, decoded: str) -> None:
    made = event(path=sent)
    assert made["rawPath"] == sent
    assert made["requestContext"]["http"]["path"] == decoded


def test_cookies_come_as_a_list_and_as_the_header() -> None:
    made = event(headers=(("Cookie", "a=1; b=2"),))
    assert made["cookies"] == ["a=1", "b=2"]
    assert made["headers"]["cookie"] == "a=1; b=2"


def test_the_context_names_the_url_whatever_host_was_asked_for() -> None:
    made = event(headers=(("Host", "localhost:8001"),))
    context = made["requestContext"]
    assert made["headers"]["host"] == "localhost:8001"
    assert context["accountId"] == "anonymous"
    assert len(context["domainPrefix"]) == 32
    assert context["domainName"] == f"{context['domainPrefix']}.lambda-url.us-east-1.on.aws"
    assert (context["stage"], context["requestId"]) == ("$default", REQUEST_ID)


def test_tls_headers_come_with_tls_alone() -> None:
    assert not [name for name in event()["headers"] if name.startswith("x-amzn-tls")]
    assert event(scheme="https")["headers"]["x-amzn-tls-version"] == "TLSv1.3"


def test_no_payload_means_no_body() -> None:
    made = event(method="POST", headers=(("Content-Type", "image/png"), ("Content-Length", "0")))
    assert "body" not in made
    assert made["isBase64Encoded"] is False
    assert made["headers"]["content-length"] == "0"


@pytest.mark.parametrize(
    ("content_type", "is_base64"),
    [
        ("multipart/form-data; boundary=x", True),
        ("application/x-www-form-urlencoded", True),
        ("text/plain", False),
        ("application/json", False),
    ],
)
def test_forms_are_base64_and_text_is_text(content_type: str, is_base64: bool) -> None:
    made = event(method="POST", headers=(("Content-Type", content_type),), body=b"a=1")
    assert (made["isBase64Encoded"], made["body"]) == ((True, "YT0x") if is_base64 else (False, "a=1"))


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (b'{"name": "Ada", "tags": [1, 2]}', b'{"name":"Ada","tags":[1,2]}'),
        (b'"hello"', b"hello"),
        (b"[1, 2]", b"[1,2]"),
        (b"42", b"42"),
        (b"true", b"true"),
        (b"null", b"null"),
        ('{"a": "λ"}'.encode(), '{"a":"λ"}'.encode()),
        (b"{broken", b"{broken"),
    ],
)
def test_whatever_has_no_status_is_a_200_in_compact_json(payload: bytes, body: bytes) -> None:
    assert answered(payload) == Response(200, [("Content-Type", "application/json"), *IDS], body)


@pytest.mark.parametrize(
    ("body", "sent"),
    [("text", b"text"), ({"a": [1, None]}, b'{"a":[1,null]}'), (5, b"5"), (False, b"false"), (None, b"")],
)
def test_a_body_may_be_any_json(body: object, sent: bytes) -> None:
    assert answered({"statusCode": "202", "body": body}) == Response(
        202, [("Content-Type", "application/json"), *IDS], sent
    )


def test_cookies_come_before_the_headers_own() -> None:
    response = answered({"statusCode": 200, "headers": {"Set-Cookie": "b=2"}, "cookies": ["a=1"], "body": ""})
    assert response.headers[:2] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


@pytest.mark.parametrize("failure", [Failure.FUNCTION, Failure.DEADLINE, Failure.RESPONSE_TOO_LARGE])
def test_a_function_without_an_answer_is_a_bad_gateway(failure: Failure) -> None:
    response = FunctionUrl().failure(failure, event(), REQUEST_ID)
    assert (response.status, response.body) == (502, b"Internal Server Error")
    assert ("x-amzn-RequestId", REQUEST_ID) in response.headers
    assert "X-Amzn-Trace-Id" not in dict(response.headers)


def test_a_throttled_function_answers_as_the_invoke_api_does() -> None:
    response = FunctionUrl().failure(Failure.THROTTLED, event(), REQUEST_ID)
    assert response.status == 429
    assert response.body == (
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'
    )


def test_a_request_over_the_limit_is_told_both_sizes() -> None:
    with pytest.raises(Rejected) as caught:
        event(method="POST", body=b"x" * 6_000_000)
    response = caught.value.response
    assert response.status == 413
    message = json.loads(response.body)["Message"]
    assert message.startswith("8000")
    assert message.endswith(" byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)")
    assert ("x-amzn-ErrorType", "RequestEntityTooLargeException") in response.headers


def test_there_is_no_limit_on_headers_that_is_known() -> None:
    assert event(headers=(("X", "v" * 20_000),))
