"""The corners of PEP 3333."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from django.core.signals import request_finished, request_started

from adapter import ConfigurationError, LambdaHandler
from tests.project import wsgi

from .conftest import Make


class Body:
    def __init__(self, chunks: list[bytes], fail: bool = False) -> None:
        self.chunks, self.fail, self.closed = chunks, fail, 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.fail:
            raise OSError("the disk is gone")

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("fail", [False, True])
def test_the_iterable_is_closed_once_whatever_happens(make: Make, fail: bool) -> None:
    result = Body([b"a", b"b"], fail)

    def application(environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return result

    answer = LambdaHandler(application)(make())
    assert result.closed == 1
    assert answer["statusCode"] == (500 if fail else 200)


def test_what_is_written_comes_before_what_is_returned(make: Make) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"one ")
        write(b"two ")
        return [b"three"]

    assert LambdaHandler(application)(make())["body"] == "one two three"


def test_a_generator_may_start_its_response_late(make: Make) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        yield b"made"

    answer = LambdaHandler(application)(make())
    assert (answer["statusCode"], answer["body"]) == (201, "made")


def test_a_late_error_replaces_the_headers(make: Make) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Old", "1"), ("Content-Type", "text/plain")])
        try:
            raise ValueError
        except ValueError:
            start_response("500 Oops", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"sorry"]

    answer = LambdaHandler(application)(make())
    assert answer["statusCode"] == 500
    assert "X-Old" not in str(answer)


@pytest.mark.parametrize("calls", [0, 2])
def test_an_application_that_breaks_the_protocol_gets_a_500(
    make: Make, calls: int, caplog: pytest.LogCaptureFixture
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for _ in range(calls):
            start_response("200 OK", [])
        return []

    assert LambdaHandler(application)(make())["statusCode"] == 500
    assert "PEP 3333" in caplog.text


def test_the_environ_satisfies_the_standard_librarys_validator(make: Make) -> None:
    @validator
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(4)]

    event = make("POST", path="/a", headers={"x-forwarded-for": "192.0.2.1"}, body="four and more")
    assert LambdaHandler(application)(event)["body"] == "four"


def test_django_starts_and_finishes_each_request_once(make: Make) -> None:
    seen: list[str] = []

    def started(**_: Any) -> None:
        seen.append("started")

    def finished(**_: Any) -> None:
        seen.append("finished")

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        LambdaHandler(wsgi.application)(make(path="/streamed/"))
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    assert seen == ["started", "finished"]


def test_an_unknown_interface_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'wsgi' or 'asgi'"):
        LambdaHandler(wsgi.application, interface="fcgi")  # type: ignore[arg-type]
