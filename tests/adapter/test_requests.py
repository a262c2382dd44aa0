"""Requests that captured events do not show: encodings, stages, bodies, addresses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from adapter import LambdaHandler
from tests.project.views import EVERY_BYTE, digest

from .conftest import Make


def see(handler: LambdaHandler, event: dict[str, Any]) -> dict[str, Any]:
    answer = handler(event)
    assert answer["statusCode"] == 200, answer
    report: dict[str, Any] = json.loads(answer["body"])
    return report


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/caf%C3%A9/", "/café/"),
        ("/%E2%9C%93", "/✓"),
        ("/a%252Fb", "/a%2Fb"),
        ("/a%2Fb/", "/a/b/"),
        ("/a+b/", "/a+b/"),
        ("//a//b/", "//a//b/"),
        ("/100%25/", "/100%/"),
        ("/%3Fq", "/?q"),
        ("/", "/"),
    ],
)
def test_a_path_is_decoded_once(handler: LambdaHandler, make: Make, door: str, sent: str, seen: str) -> None:
    # An HTTP API has done the decoding; what it sends is taken as it is.
    event = make(path=seen if door == "http_api" else sent)
    assert see(handler, event)["path"] == seen


def test_a_decoded_percent_sign_is_not_decoded_again(handler: LambdaHandler, make: Make, door: str) -> None:
    event = make(path="/a%2Fb" if door == "http_api" else "/a%252Fb")
    assert see(handler, event)["path"] == "/a%2Fb"


def test_a_binary_body_arrives_unharmed(handler: LambdaHandler, make: Make) -> None:
    event = make("PUT", body=base64.b64encode(EVERY_BYTE).decode(), isBase64Encoded=True)
    seen = see(handler, event)
    assert seen["body"] == [256, digest(EVERY_BYTE)]
    assert seen["headers"]["Content-Length"] == "256"


def test_a_multipart_form_without_content_length_is_read(handler: LambdaHandler, make: Make) -> None:
    lines = [
        b"--line",
        b'Content-Disposition: form-data; name="title"',
        b"",
        "Fähre".encode(),
        b"--line",
        b'Content-Disposition: form-data; name="cover"; filename="a b.png"',
        b"Content-Type: image/png",
        b"",
        EVERY_BYTE,
        b"--line--",
        b"",
    ]
    event = make(
        "POST",
        headers={"content-type": "multipart/form-data; boundary=line"},
        body=base64.b64encode(b"\r\n".join(lines)).decode(),
        isBase64Encoded=True,
    )
    seen = see(handler, event)
    assert seen["POST"] == {"title": ["Fähre"]}
    assert seen["FILES"] == {"cover": [["a b.png", "image/png", 256, digest(EVERY_BYTE)]]}


@pytest.mark.parametrize("field", ["body", "headers", "multiValueHeaders", "queryStringParameters", "cookies"])
def test_a_field_may_be_null(handler: LambdaHandler, make: Make, field: str) -> None:
    assert see(handler, {**make(path="/x/"), field: None})["path"] == "/x/"


def test_headers_with_underscores_never_reach_the_application(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(headers={"x_real_user": "admin", "x-real-user": "guest"}))
    assert seen["headers"]["X-Real-User"] == "guest"


def test_a_header_of_other_than_latin_letters_arrives_as_its_utf_8_bytes(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(headers={"x-city": "Αθήνα"}))
    assert seen["headers"]["X-City"].encode("latin-1").decode() == "Αθήνα"


def test_a_request_without_host_and_address_is_served(handler: LambdaHandler, make: Make) -> None:
    event = make(headers={"user-agent": "curl/8"})
    for headers in (event.get("headers"), event.get("multiValueHeaders")):
        if headers is not None:
            del headers["host"]
    seen = see(handler, event)
    assert seen["host"] == "localhost"
    assert seen["client"] == ""


@pytest.mark.parametrize("door", ["alb", "alb_multi_value"], indirect=True)
def test_the_balancer_names_the_client_last(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(headers={"x-forwarded-for": "6.6.6.6, 203.0.113.9"}))
    assert seen["client"] == "203.0.113.9"


@pytest.mark.parametrize("door", ["alb"], indirect=True)
def test_the_balancers_query_is_not_decoded_twice(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(queryStringParameters={"a": "%2B", "b": "+", "d%5B%5D": "1"}))
    assert seen["GET"] == {"a": ["+"], "b": [" "], "d[]": ["1"]}


@pytest.mark.parametrize("door", ["rest_api"], indirect=True)
@pytest.mark.parametrize(
    ("requested", "path", "script_name"),
    [
        ("/live/books/", "/books/", "/live"),
        ("/live", "/", "/live"),
        ("/live/", "/", "/live"),
        ("/live//books", "/books", "/live"),
        ("/books/", "/books/", ""),
        (None, "/books/", ""),
    ],
)
def test_a_rest_stage_becomes_the_script_name(
    handler: LambdaHandler, make: Make, requested: str | None, path: str, script_name: str
) -> None:
    seen = see(handler, make(path=path, requestContext={"path": requested, "stage": "live"}))
    assert seen["path_info"] == path
    assert seen["path"] == script_name + path


@pytest.mark.parametrize("door", ["rest_api"], indirect=True)
def test_a_rest_query_is_encoded_again(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(multiValueQueryStringParameters={"q": ["a&b=c", "ü +"], "leer": [""]}))
    assert seen["GET"] == {"q": ["a&b=c", "ü +"], "leer": [""]}
    only_single = see(handler, make(queryStringParameters={"q": "a&b"}))
    assert only_single["GET"] == {"q": ["a&b"]}


@pytest.mark.parametrize("door", ["http_api"], indirect=True)
@pytest.mark.parametrize(
    ("domain", "raw_path", "path", "path_info"),
    [
        ("abc.execute-api.eu-west-1.amazonaws.com", "/live/books/", "/live/books/", "/books/"),
        ("abc.execute-api.eu-west-1.amazonaws.com", "/live", "/live/", "/"),
        ("abc.execute-api.eu-west-1.amazonaws.com", "/lively/", "/lively/", "/lively/"),
        ("books.example.com", "/live/books/", "/live/books/", "/live/books/"),
    ],
)
def test_a_named_http_stage_becomes_the_script_name_on_the_apis_own_domain(
    handler: LambdaHandler, make: Make, domain: str, raw_path: str, path: str, path_info: str
) -> None:
    event = make(path=raw_path)
    event["requestContext"].update(stage="live", domainName=domain)
    seen = see(handler, event)
    assert (seen["path"], seen["path_info"]) == (path, path_info)


@pytest.mark.parametrize("door", ["function_url"], indirect=True)
def test_a_function_urls_cookies_arrive_once(handler: LambdaHandler, make: Make) -> None:
    seen = see(handler, make(headers={"cookie": "a=1; b=2"}, cookies=["a=1", "b=2"]))
    assert seen["headers"]["Cookie"] == "a=1; b=2"


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("example.com:8443", None, "8443"),
        ("example.com", "8000", "8000"),
        ("[::1]:9000", None, "9000"),
        ("[::1]", None, "443"),
        ("example.com", None, "443"),
    ],
)
def test_the_port_is_the_hosts_then_the_front_doors_then_the_schemes(
    handler: LambdaHandler, make: Make, host: str, port: str | None, expected: str
) -> None:
    headers = {"host": host} | ({"x-forwarded-port": port} if port else {})
    assert see(handler, make(headers=headers))["port"] == expected
