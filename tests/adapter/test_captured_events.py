"""What AWS really sent, and what Django must make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import override_settings
from django.views.debug import ExceptionReporter

from adapter import LambdaHandler
from adapter.front_doors import read, recognise
from adapter.wsgi import environ
from tests.project.views import digest

from .conftest import CAPTURED

pytestmark = pytest.mark.parametrize("door", sorted(CAPTURED), indirect=True)

BODY = '{"message":"hello from the public internet","unicode":"lambda-λ"}'.encode()
QUERY = "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb&literalPlus=a+b&encodedPlus=a%2Bb&empty="


@pytest.fixture
def seen(captured: dict[str, Any], handler: LambdaHandler) -> dict[str, Any]:
    answer = handler(captured)
    assert answer["statusCode"] == 200
    report: dict[str, Any] = json.loads(answer["body"])
    return report


def test_django_sees_the_request_that_was_sent(seen: dict[str, Any], door: str) -> None:
    single = door == "alb"
    assert seen["method"] == "POST"
    assert seen["path"] == ("/live/capture/space value" if door == "rest_api" else "/capture/space value")
    assert seen["path_info"] == "/capture/space value"
    assert seen["GET"] == {
        "repeat": ["two"] if single else ["one", "two"],
        "redirect": ["https://example.com/a/b"],
        "literalPlus": ["a b"],
        "encodedPlus": ["a+b"],
        "empty": [""],
    }
    assert seen["COOKIES"] == {"session": "abc123", "theme": "dark"}
    assert seen["body"] == [len(BODY), digest(BODY)]
    assert seen["content_type"] == "application/json"
    assert seen["client"] == "68.8.83.18"


def test_the_headers_are_those_that_were_sent(seen: dict[str, Any], door: str) -> None:
    headers = seen["headers"]
    assert headers["X-Voker-Probe"] == ("second" if door == "alb" else "first,second")
    assert headers["Cookie"] == "session=abc123; theme=dark"
    assert headers["Content-Length"] == str(len(BODY))
    assert headers["User-Agent"] == "curl/8.7.1"


def test_scheme_host_and_port_are_the_front_doors(seen: dict[str, Any], captured: dict[str, Any], door: str) -> None:
    insecure = door.startswith("alb")
    host = (
        captured["multiValueHeaders"]["host"][0]
        if door == "alb_multi_value"
        else {name.lower(): value for name, value in captured["headers"].items()}["host"]
    )
    assert seen["secure"] is not insecure
    assert seen["port"] == ("80" if insecure else "443")
    assert seen["host"] == host
    assert seen["uri"].startswith(f"{'http' if insecure else 'https'}://{host}/")


def test_the_query_string_is_as_sent_where_the_front_door_keeps_it(seen: dict[str, Any], door: str) -> None:
    if door in {"http_api", "function_url"}:
        assert seen["query"] == QUERY
    else:
        assert sorted(seen["query"].split("&")) == sorted(
            pair for pair in QUERY.split("&") if not (door == "alb" and pair == "repeat=one")
        )


def test_the_event_and_context_reach_the_application(captured: dict[str, Any]) -> None:
    environs: list[dict[str, Any]] = []

    def application(env: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(env)
        start_response("200 OK", [])
        return []

    context = object()
    LambdaHandler(application)(captured, context)
    (env,) = environs
    assert env["apig_wsgi.full_event"] is captured
    assert dict(env["faas.event"]) == captured
    assert env["faas.context"] is env["apig_wsgi.context"] is context
    assert env["apig_wsgi.request_context"] is captured["requestContext"]


@override_settings(SESSION_COOKIE_NAME="session")
def test_djangos_error_report_shows_no_secret_of_the_event(captured: dict[str, Any]) -> None:
    captured["body"] = "password=hunter2"
    request = WSGIRequest(environ(read(recognise(captured), captured, None)))
    reporter = ExceptionReporter(request, LookupError, LookupError("on purpose"), None)
    for report in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert "faas.event" in report
        assert "hunter2" not in report
        assert "abc123" not in report, "the session cookie"
