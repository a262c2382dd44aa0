"""What AWS really sent, and what Django must make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter import LambdaHandler
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

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("200 OK", [])
        return []

    context = object()
    LambdaHandler(application)(captured, context)
    (environ,) = environs
    assert environ["faas.event"] is environ["aws.event"] is environ["apig_wsgi.full_event"] is captured
    assert environ["faas.context"] is environ["aws.context"] is environ["apig_wsgi.context"] is context
    assert environ["apig_wsgi.request_context"] is captured["requestContext"]
