"""The platform's limits, named before they are met."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import connection

from adapter import LambdaHandler
from adapter.front_doors import recognise
from adapter.options import Options
from tests.project import wsgi

from .conftest import Make


def answering(body: bytes, headers: list[tuple[str, str]]) -> Any:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [body]

    return application


class Context:
    aws_request_id = "8476a536"

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self.end - time.monotonic()) * 1000)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\x00\xff" * 4_000_000, "image/png"),
        (b"\x01" * 1_200_000, "text/plain"),
        ("✓".encode() * 2_200_000, "text/plain"),
    ],
    ids=["base64", "escaped", "text"],
)
def test_an_answer_over_the_limit_says_so(
    make: Make, body: bytes, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = LambdaHandler(answering(body, [("Content-Type", content_type)]))(make(path="/report/"))
    assert answer["statusCode"] == 500
    limit = recognise(make()).RESPONSE_LIMIT
    assert f"passes {limit:,} on" in answer["body"]
    (record,) = caplog.records
    assert "GET /report/ answered 200" in record.message
    assert "into the bucket" in record.message


@pytest.mark.parametrize(("spare", "status"), [(0, 200), (-1, 500)])
def test_the_limit_is_exact(make: Make, spare: int, status: int) -> None:
    limit = recognise(make()).RESPONSE_LIMIT
    headers = [("Content-Type", "text/plain")]
    frame = len(json.dumps(LambdaHandler(answering(b"", headers))(make()), separators=(",", ":")))
    body = b"x" * (limit - frame - spare)
    assert LambdaHandler(answering(body, headers))(make())["statusCode"] == status


@pytest.mark.parametrize("door", ["http_api", "http_api_1", "rest_api"], indirect=True)
def test_headers_over_the_limit_say_so(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    headers = [("Set-Cookie", f"c{number}={'x' * 1000}") for number in range(11)]
    answer = LambdaHandler(answering(b"ok", headers))(make())
    assert answer["statusCode"] == 500
    assert "passes 10,240 on" in answer["body"]
    assert "fewer or smaller cookies" in caplog.text


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=1", "a\nb", "a\rb"])
def test_a_line_break_in_a_header_is_refused(make: Make, value: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = LambdaHandler(answering(b"ok", [("X-Name", value)]))(make())
    assert answer["statusCode"] == 500
    assert "line break" in caplog.text
    assert "b=1" not in str(answer)


def slow(environ: Any, start_response: Any) -> list[bytes]:
    try:
        time.sleep(5)
    except Exception:  # what a careless view does
        time.sleep(5)
    return []


async def slow_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await asyncio.sleep(5)


@pytest.mark.parametrize(("application", "place"), [(slow, "time.sleep(5)"), (slow_asgi, "await asyncio.sleep(5)")])
def test_a_request_near_the_deadline_is_given_up_and_its_place_logged(
    make: Make, application: Any, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = LambdaHandler(application, options=Options(deadline_margin=0.2))
    started = time.monotonic()
    answer = handler(make(path="/slow/"), Context(0.4))
    assert time.monotonic() - started < 3
    assert answer["statusCode"] == 504
    assert "8476a536" in answer["body"]
    assert "0.2 s before the function's time limit" in caplog.text
    assert place in caplog.text
    handler.close()


def test_a_request_in_time_is_left_alone(make: Make) -> None:
    handler = LambdaHandler(answering(b"ok", []), options=Options(deadline_margin=0.05))
    assert handler(make(), Context(0.1))["statusCode"] == 200
    time.sleep(0.1)  # an alarm that was left behind would end the process here


def test_a_request_given_up_is_finished_for_django(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.project import views

    def sleeping(request: Any) -> None:
        connection.ensure_connection()
        time.sleep(5)

    finished: list[object] = []

    def note(**details: Any) -> None:
        finished.append(details)

    monkeypatch.setattr(views, "digest", sleeping)  # called from the view that reports
    request_finished.connect(note)
    try:
        answer = LambdaHandler(wsgi.application, options=Options(deadline_margin=0.1))(make(), Context(0.3))
    finally:
        request_finished.disconnect(note)
    assert answer["statusCode"] == 504
    assert len(finished) == 1


def test_without_a_deadline_nothing_is_measured(make: Make) -> None:
    assert (
        LambdaHandler(answering(b"ok", []), options=Options(deadline_margin=0))(make(), Context(0))["statusCode"] == 200
    )
    assert LambdaHandler(answering(b"ok", []))(make(), None)["statusCode"] == 200
