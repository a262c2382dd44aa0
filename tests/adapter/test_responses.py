"""Django's answers in the form each front door expects."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import override_settings

from adapter import LambdaHandler
from tests.project.views import EVERY_BYTE

from .conftest import Make

# Django says so of every synchronous stream that it serves by ASGI, its own FileResponse included.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators:Warning")


def header(answer: dict[str, Any], name: str) -> list[str]:
    """Every value of a header, however the front door wants it told."""
    if name == "set-cookie" and "cookies" in answer:
        return list(answer["cookies"])
    found: list[str] = []
    for key, value in {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}.items():
        if key.lower() == name:
            found += value if isinstance(value, list) else [value]
    return found


def body(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()


def test_the_keys_are_those_the_front_door_knows(handler: LambdaHandler, make: Make, door: str) -> None:
    keys = {"statusCode", "body", "isBase64Encoded"}
    keys |= {"multiValueHeaders"} if door in {"rest_api", "http_api_1", "alb_multi_value"} else {"headers"}
    if door.startswith(("alb", "vpc_lattice")):
        keys.add("statusDescription")
    answer = handler(make(path="/teapot/"))
    assert set(answer) == keys
    assert answer["statusCode"] == 418
    if door.startswith("alb"):
        assert answer["statusDescription"] == "418 I'm a Teapot"


def test_every_cookie_is_set(handler: LambdaHandler, make: Make, door: str) -> None:
    answer = handler(make(path="/cookies/"))
    first, second = header(answer, "set-cookie")
    assert first.startswith("first=1; ")
    assert second.startswith('second="two words"; ')
    if door in {"http_api", "function_url"}:
        assert len(answer["cookies"]) == 2


def test_repeated_headers_are_all_sent(make: Make) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Vary", "Accept"), ("Link", "<a>"), ("vary", "Cookie")])
        return []

    answer = LambdaHandler(application)(make())
    assert ", ".join(header(answer, "vary")) == "Accept, Cookie"
    assert header(answer, "link") == ["<a>"]


@pytest.mark.parametrize(
    ("path", "text", "content"),
    [
        ("/binary/", False, EVERY_BYTE),
        ("/latin/", False, "café".encode("latin-1")),
        ("/greek/", True, "λάμδα".encode()),
        ("/compressed/", False, b"plain text, though said to be packed"),
        ("/download/", False, EVERY_BYTE),
        ("/streamed/", True, b"line 0\nline 1\nline 2\nline 3\nline 4\n"),
    ],
)
def test_a_body_is_text_only_where_its_bytes_survive(
    handler: LambdaHandler, make: Make, path: str, text: bool, content: bytes
) -> None:
    answer = handler(make(path=path))
    assert body(answer) == content
    assert answer["isBase64Encoded"] is not text


def test_a_download_keeps_its_name(handler: LambdaHandler, make: Make) -> None:
    (disposition,) = header(handler(make(path="/download/")), "content-disposition")
    assert disposition == "attachment; filename*=utf-8''%C3%BCbersicht%20%E2%82%AC.bin"


def test_a_redirect_is_passed_on(handler: LambdaHandler, make: Make) -> None:
    answer = handler(make(path="/redirect/"))
    assert answer["statusCode"] == 302
    assert header(answer, "location") == ["/seen/?next=/caf%C3%A9/"]


@pytest.mark.parametrize(("path", "status"), [("/unchanged/", 304), ("/empty/", 204)])
def test_an_answer_that_has_no_body_gets_none(handler: LambdaHandler, make: Make, path: str, status: int) -> None:
    answer = handler(make(path=path))
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (status, "", False)


def test_head_has_the_headers_of_get_and_no_body(handler: LambdaHandler, make: Make) -> None:
    answer = handler(make("HEAD", path="/binary/"))
    assert (answer["statusCode"], answer["body"]) == (200, "")
    assert header(answer, "content-type") == ["image/png"]


def test_djangos_own_error_page_is_passed_on(handler: LambdaHandler, make: Make) -> None:
    answer = handler(make(path="/broken/"))
    assert answer["statusCode"] == 500
    assert b"<h1>Server Error (500)</h1>" in body(answer)


@pytest.mark.parametrize("debug", [True, False])
def test_an_exception_that_escapes_the_application_is_logged_once_and_answered(
    make: Make, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise LookupError("lost")

    class Context:
        aws_request_id = "8476a536"

    with override_settings(DEBUG=debug):
        answer = LambdaHandler(application)(make(path="/x/"), Context())
    assert answer["statusCode"] == 500
    assert b"8476a536" in body(answer)
    assert (b"LookupError: lost" in body(answer)) is debug
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "LookupError: lost" in caplog.text


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/html; charset=utf-8", True),
        ("TEXT/CSS", True),
        ("application/json", True),
        ("application/vnd.api+json", True),
        ("application/problem+json; charset=utf-8", True),
        ("application/javascript", True),
        ("image/svg+xml", True),
        ("application/x-www-form-urlencoded", True),
        ("application/octet-stream", False),
        ("image/png", False),
        ("font/woff2", False),
        ("", False),
    ],
)
def test_the_content_type_decides_what_is_tried_as_text(content_type: str, text: bool, make: Make) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", content_type)] if content_type else [])
        return ["grün".encode()]

    answer = LambdaHandler(application)(make())
    assert answer["isBase64Encoded"] is not text
    assert body(answer) == "grün".encode()
