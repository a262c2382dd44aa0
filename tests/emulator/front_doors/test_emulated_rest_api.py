"""REST API: encoded paths, decoded queries, header names in their own case, strict reading of answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.front_doors import Failure, Rejected, RestApi
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
IDS = [("x-amzn-RequestId", REQUEST_ID), ("x-amz-apigw-id", "fCr32zHzQrWKbZ8=")]
TRACE = ("X-Amzn-Trace-Id", "Root=1-00000000-31f342b58a6d9ffc74e3b9e0")


def event(door: RestApi | None = None, **fields: Any) -> dict[str, Any]:
    return (door or RestApi()).event(Request(**{"method": "GET", "path": "/", **fields}), REQUEST_ID)


def answered(payload: bytes | dict[str, Any], door: RestApi | None = None, **fields: Any) -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return (door or RestApi()).response(raw, event(door, **fields), REQUEST_ID)


def rejected(door: RestApi | None = None, **fields: Any) -> Response:
    with pytest.raises(Rejected) as caught:
        event(door, **fields)
    return caught.value.response


def error(status: int, body: bytes, error_type: str) -> Response:
    return Response(status, [("Content-Type", "application/json"), *IDS, ("x-amzn-ErrorType", error_type)], body)


MALFORMED = error(502, b'{"message": "Internal server error"}', "InternalServerErrorException")


@pytest.mark.parametrize(
    ("sent", "path", "proxy"),
    [
        ("/", "/", None),
        ("//", "/", None),
        ("/proxy-value/", "/proxy-value/", "proxy-value"),
        ("/a//b", "/a//b", "a//b"),
        ("//a", "/a", "a"),
        ("/space%20value", "/space%20value", "space%20value"),
        ("/test%2Balias@gmail.com/plus/test+alias", "/test%2Balias@gmail.com/plus/test+alias", ...),
    ],
)
def test_without_a_stage_the_path_is_the_urls_as_sent(sent: str, path: str, proxy: object) -> None:
    made = event(path=sent)
    expected = path[1:] if proxy is ... else proxy
    assert made["path"] == made["requestContext"]["path"] == path
    assert made["pathParameters"] == (None if expected is None else {"proxy": expected})
    assert made["resource"] == made["requestContext"]["resourcePath"] == ("/" if expected is None else "/{proxy+}")
    assert made["requestContext"]["stage"] == "prod"


@pytest.mark.parametrize(
    ("sent", "path", "context_path"),
    [
        ("/live", "/", "/live"),
        ("/live/", "/", "/live/"),
        ("/live/proxy-value/", "/proxy-value/", "/live/proxy-value/"),
        ("/live//proxy-value", "/proxy-value", "/live//proxy-value"),
        ("/live/a//b", "/a//b", "/live/a//b"),
        ("//live/x", "/x", "/live/x"),
    ],
)
def test_with_a_stage_the_context_alone_shows_it(sent: str, path: str, context_path: str) -> None:
    made = event(RestApi("live"), path=sent)
    assert (made["path"], made["requestContext"]["path"]) == (path, context_path)
    assert made["requestContext"]["stage"] == "live"


@pytest.mark.parametrize("path", ["/", "/x", "/liver", "/Live/x"])
def test_outside_the_stage_the_answer_speaks_of_a_missing_token(path: str) -> None:
    assert rejected(RestApi("live"), path=path) == error(
        403, b'{"message":"Missing Authentication Token"}', "MissingAuthenticationTokenException"
    )


def test_what_is_empty_is_null() -> None:
    made = event()
    empty = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
    assert {name: made[name] for name in empty} == dict.fromkeys(empty)
    assert made["isBase64Encoded"] is False


def test_the_query_is_decoded_and_split_at_semicolons_too() -> None:
    made = event(query="a=x+y%2B&b=1;b=2&flag")
    assert made["queryStringParameters"] == {"a": "x y+", "b": "2", "flag": ""}
    assert made["multiValueQueryStringParameters"] == {"a": ["x y+"], "b": ["1", "2"], "flag": [""]}


def test_header_names_keep_the_clients_case_but_for_the_doors_own() -> None:
    sent = (
        ("tEsT-HEADeR", "1"),
        ("authorization", "Bearer x"),
        ("host", "shop.test"),
        ("USER-AGENT", "curl"),
        ("x-forwarded-for", "1.1.1.1"),
        ("Accept", "*/*"),
    )
    made = event(headers=sent)
    assert set(made["headers"]) == {
        "tEsT-HEADeR",
        "Authorization",
        "Host",
        "User-Agent",
        "Accept",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "X-Amzn-Trace-Id",
    }
    assert set(made["headers"]) == set(made["multiValueHeaders"])
    assert made["requestContext"]["identity"]["userAgent"] == "curl"


def test_repeats_are_all_in_the_lists_and_the_last_in_the_single_map() -> None:
    made = event(headers=(("x-tag", "one"), ("X-Tag", "two")))
    assert made["headers"]["X-Tag"] == "two"
    assert made["multiValueHeaders"]["X-Tag"] == ["one", "two"]
    assert "x-tag" not in made["headers"]


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Content-Length",
        "Content-MD5",
        "Expect",
        "Max-Forwards",
        "Proxy-Authenticate",
        "Server",
        "TE",
        "Transfer-Encoding",
        "Trailer",
        "Upgrade",
        "WWW-Authenticate",
    ],
)
def test_some_headers_are_dropped(name: str) -> None:
    assert name.lower() not in {header.lower() for header in event(headers=((name, "1"),))["headers"]}


@pytest.mark.parametrize("name", ["Via", "Referer", "Date", "Content-Encoding", "Range", "Authorization", "Cookie"])
def test_others_are_kept(name: str) -> None:
    assert event(headers=((name, "1"),))["headers"][name] == "1"


def test_a_signature_of_the_service_itself_is_dropped() -> None:
    made = event(headers=(("Authorization", "AWS4-HMAC-SHA256 Credential=x"),))
    assert "Authorization" not in made["headers"]


def test_the_method_can_be_overridden() -> None:
    made = event(method="POST", headers=(("X-HTTP-Method-Override", "patch"),))
    assert made["httpMethod"] == made["requestContext"]["httpMethod"] == "PATCH"
    assert event(method="POST", headers=(("X-HTTP-Method-Override", "a b"),))["httpMethod"] == "POST"


@pytest.mark.parametrize(
    ("binary_media_types", "content_type", "is_base64"),
    [
        (("*/*",), "application/json", True),
        (("*/*",), None, True),
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/png",), "IMAGE/PNG; q=1", True),
        (("image/png",), "image/jpeg", False),
        (("image/*",), "image/jpeg", True),
        (("image/*",), "text/plain", False),
        (("application/json",), None, True),
        (("image/png",), None, False),
    ],
)
def test_the_binary_media_types_decide_about_base64(
    binary_media_types: tuple[str, ...], content_type: str | None, is_base64: bool
) -> None:
    headers = () if content_type is None else (("Content-Type", content_type),)
    made = event(RestApi(binary_media_types=binary_media_types), method="POST", headers=headers, body=b"hi")
    assert (made["isBase64Encoded"], made["body"]) == ((True, "aGk=") if is_base64 else (False, "hi"))


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("image/png", b"hi"),
        ("image/png,*/*", b"hi"),
        ("image/png;q=0.9", b"hi"),
        ("image/jpg", b"aGk="),
        ("image/*", b"aGk="),
        ("*/*", b"aGk="),
        ("text/html,image/png", b"aGk="),
        (None, b"aGk="),
    ],
)
def test_base64_reaches_the_client_unless_the_first_accepted_type_is_binary(accept: str | None, body: bytes) -> None:
    door = RestApi(binary_media_types=("image/png",))
    headers = () if accept is None else (("accept", accept),)
    answer = {"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}
    assert answered(answer, door, headers=headers).body == body


def test_ten_megabytes_are_the_limit_of_a_body() -> None:
    response = rejected(method="POST", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (response.status, response.body) == (413, b'{"message":"Request Too Long"}')


def test_headers_have_a_limit_that_the_query_does_not_count_to() -> None:
    assert event(query="q" * 20_000, headers=(("X", "v" * 10_239),))
    assert rejected(headers=(("X", "v" * 10_240),)).status == 431


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.FUNCTION, MALFORMED),
        (Failure.RESPONSE_TOO_LARGE, MALFORMED),
        (
            Failure.DEADLINE,
            error(504, b'{"message": "Endpoint request timed out"}', "InternalServerErrorException"),
        ),
        (Failure.THROTTLED, error(500, b'{"message": "Internal server error"}', "InternalServerErrorException")),
    ],
)
def test_failures_have_their_own_answers(failure: Failure, expected: Response) -> None:
    assert RestApi().failure(failure, event(), REQUEST_ID) == expected


def test_an_ordinary_answer_passes_with_ids_and_trace_added() -> None:
    answer = {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "λ", "isBase64Encoded": False}
    assert answered(answer) == Response(200, [("Content-Type", "text/html"), *IDS, TRACE], "λ".encode())


@pytest.mark.parametrize(
    ("answer", "status", "headers"),
    [
        ({"statusCode": "201"}, 201, []),
        ({"headers": {"A": "1"}}, 200, [("A", "1")]),
        ({"statusCode": 200, "headers": None, "multiValueHeaders": None, "body": None}, 200, []),
        (
            {"statusCode": 200, "headers": {"A": True, "B": False, "C": 1}},
            200,
            [("A", "true"), ("B", "false"), ("C", "1")],
        ),
        (
            {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a", "b"]}},
            200,
            [("Set-Cookie", "a"), ("Set-Cookie", "b")],
        ),
        (
            {"statusCode": 200, "headers": {"x-a": "3", "B": "4"}, "multiValueHeaders": {"X-A": ["1", "2"]}},
            200,
            [("X-A", "1"), ("X-A", "2"), ("X-A", "3"), ("B", "4")],
        ),
        ({"statusCode": 200, "headers": {"x-a": "1"}, "multiValueHeaders": {"X-A": ["1"]}}, 200, [("X-A", "1")]),
    ],
)
def test_lenient_points(answer: dict[str, Any], status: int, headers: list[tuple[str, str]]) -> None:
    expected = [*headers, ("Content-Type", "application/json"), *IDS, TRACE]
    assert answered(answer) == Response(status, expected, b"")


@pytest.mark.parametrize(
    "payload",
    [
        b'"a string"',
        b"42",
        b"null",
        b"[]",
        b"{}",
        b"{broken",
        b"\xff",
        b"",
        b'{"body":"neither status nor headers"}',
        b'{"statusCode":200,"cookies":[]}',
        b'{"statusCode":200,"statusDescription":"200 OK"}',
        b'{"statusCode":200,"body":{}}',
        b'{"statusCode":200,"body":1}',
        b'{"statusCode":200,"headers":[]}',
        b'{"statusCode":200,"headers":{"a":[]}}',
        b'{"statusCode":200,"multiValueHeaders":{"a":"1"}}',
        b'{"statusCode":200,"multiValueHeaders":{"a":[["1"]]}}',
        b'{"statusCode":200,"isBase64Encoded":"true"}',
        b'{"statusCode":200,"body":NaN}',
    ],
)
def test_strict_points(payload: bytes) -> None:
    assert answered(payload) == MALFORMED


def test_headers_the_gateway_sets_itself_are_remapped() -> None:
    sent = {"content-length": "5", "Date": "today", "Server": "me", "Connection": "close", "Transfer-Encoding": "x"}
    response = answered({"statusCode": 200, "headers": sent, "body": "hello"})
    assert response.headers[:4] == [
        ("x-amzn-Remapped-content-length", "5"),
        ("x-amzn-Remapped-Date", "today"),
        ("x-amzn-Remapped-Server", "me"),
        ("x-amzn-Remapped-Connection", "close"),
    ]
    assert not {"content-length", "date", "server", "connection", "transfer-encoding"} & {
        name.lower() for name, _ in response.headers
    }
