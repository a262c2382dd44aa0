"""HTTP API with payload format 1.0: REST's event with names of its own, and answers read more strictly than by 2.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.front_doors import Failure, HttpApi, HttpApi1, Rejected
from emulator.front_doors.contract import Admitted
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
SHOWN_ID = "fCr32zHzQrWKbZ8="
APIGW_ID = ("Apigw-Requestid", SHOWN_ID)
SERVER_ERROR = Response(500, [("Content-Type", "application/json"), APIGW_ID], b'{"message":"Internal Server Error"}')


def event(stage: str | None = None, **fields: Any) -> dict[str, Any]:
    request = Request(**{"method": "GET", "path": "/", **fields})
    return HttpApi1(stage).event(request, REQUEST_ID)


def answered(payload: bytes | dict[str, Any], method: str = "GET") -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return HttpApi1().response(raw, event(method=method), REQUEST_ID)


def test_a_request_gives_an_event_of_the_captured_form() -> None:
    """The fields, their cases and their nulls are those of https://gist.github.com/metaskills/1eee9da3baaa5df9ac8426cc5fe12ca0."""
    made = event(
        "live",
        path="/live/shop/",
        query="colors[]=blue&colors[]=red",
        headers=(
            ("Host", "shop.example"),
            ("user-agent", "Mozilla/5.0"),
            ("Accept", "text/html"),
            ("X-Tag", "one"),
            ("x-tag", "two"),
            ("cookie", "signal1=test; signal2=control"),
        ),
        client="192.0.2.7",
        scheme="https",
        port=443,
        received=1585701862.125,
    )
    single = {
        "Content-Length": "0",
        "Host": "shop.example",
        "User-Agent": "Mozilla/5.0",
        "X-Amzn-Trace-Id": "Root=1-5e83e3e6-31f342b58a6d9ffc74e3b9e0",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "accept": "text/html",
        "cookie": "signal1=test; signal2=control",
        "x-tag": "two",
    }
    assert made == {
        "version": "1.0",
        "resource": "$default",
        "path": "/live/shop/",
        "httpMethod": "GET",
        "headers": single,
        "multiValueHeaders": {**{name: [value] for name, value in single.items()}, "x-tag": ["one", "two"]},
        "queryStringParameters": {"colors[]": "red"},
        "multiValueQueryStringParameters": {"colors[]": ["blue", "red"]},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "emulat0rh2",
            "domainName": "emulat0rh2.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "emulat0rh2",
            "extendedRequestId": SHOWN_ID,
            "httpMethod": "GET",
            "identity": {
                "accessKey": None,
                "accountId": None,
                "caller": None,
                "cognitoAmr": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": "192.0.2.7",
                "user": None,
                "userAgent": "Mozilla/5.0",
                "userArn": None,
            },
            "path": "/live/shop/",
            "protocol": "HTTP/1.1",
            "requestId": SHOWN_ID,
            "requestTime": "01/Apr/2020:00:44:22 +0000",
            "requestTimeEpoch": 1585701862125,
            "resourceId": "$default",
            "resourcePath": "$default",
            "stage": "live",
        },
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    assert list(made["headers"]) == list(single)


def test_the_path_is_encoded_and_the_query_decoded() -> None:
    made = event(path="/caf%C3%A9/a%2Fb", query="a=x+y%2B;b=1")
    assert made["path"] == made["requestContext"]["path"] == "/caf%C3%A9/a%2Fb"
    assert made["queryStringParameters"] == {"a": "x y+;b=1"}


def test_a_client_without_a_name_has_an_empty_one() -> None:
    assert event()["requestContext"]["identity"]["userAgent"] == ""


@pytest.mark.parametrize(("content_type", "body"), [("application/json", "λ"), ("image/png", "zrs="), (None, "zrs=")])
def test_text_goes_as_text_and_everything_else_as_base64(content_type: str | None, body: str) -> None:
    headers = () if content_type is None else (("Content-Type", content_type),)
    made = event(method="POST", headers=headers, body="λ".encode())
    assert (made["body"], made["isBase64Encoded"]) == (body, content_type != "application/json")


def test_whom_an_authorizer_admits_stands_in_the_context() -> None:
    admitted = Admitted({"claims": {"sub": "ada"}, "scopes": None}, {"userArn": "arn"})
    made = HttpApi1().event(Request("GET", "/"), REQUEST_ID, admitted)["requestContext"]
    assert made["authorizer"] == {"claims": {"sub": "ada"}, "scopes": None}
    assert made["identity"]["userArn"] == "arn"


def test_limits_and_unknown_stages_are_answered_as_by_format_2() -> None:
    for fields in ({"body": b"x" * (10 * 1024 * 1024 + 1)}, {"headers": (("X", "v" * 11_000),)}, {"path": "/x"}):
        answers = []
        for door in (HttpApi("live"), HttpApi1("live")):
            with pytest.raises(Rejected) as caught:
                door.event(Request(**{"method": "POST", "path": "/live", **fields}), REQUEST_ID)  # type: ignore[arg-type]
            answers.append(caught.value.response)
        assert answers[0] == answers[1]


@pytest.mark.parametrize("failure", Failure)
def test_failures_are_answered_as_by_format_2(failure: Failure) -> None:
    expected = HttpApi().failure(failure, HttpApi().event(Request("GET", "/"), REQUEST_ID), REQUEST_ID)
    assert HttpApi1().failure(failure, event(), REQUEST_ID) == expected


def test_an_answer_has_its_lists_before_its_single_headers() -> None:
    answer = {
        "statusCode": 201,
        "headers": {"x-a": "3", "Date": "today"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "X-A": ["1"]},
        "body": "λ",
    }
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "1"), ("X-A", "3"), ("Date", "today")]
    plain = ("Content-Type", "text/plain; charset=utf-8")
    assert answered(answer) == Response(201, [*headers, plain, APIGW_ID], "λ".encode())


def test_base64_is_decoded_whatever_the_client_accepts() -> None:
    assert answered({"statusCode": 200, "body": "iVBORwD/", "isBase64Encoded": True}).body == b"\x89PNG\0\xff"


@pytest.mark.parametrize("payload", [b'"text"', b"null", b"[]", b"{}", b'{"body":"x"}', b"{broken", b""])
def test_an_answer_without_a_status_is_an_internal_error(payload: bytes) -> None:
    assert answered(payload) == SERVER_ERROR
