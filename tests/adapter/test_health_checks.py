"""A load balancer's own checks, which name no host and come from no client."""

from __future__ import annotations

from typing import Any

import pytest

from adapter import LambdaHandler
from adapter.options import Options

from .conftest import Make

pytestmark = pytest.mark.parametrize("door", ["alb", "alb_multi_value"], indirect=True)


def check(make: Make, door: str, path: str = "/", forwarded_for: str | None = None) -> dict[str, Any]:
    headers = {"user-agent": "ELB-HealthChecker/2.0"} | ({"x-forwarded-for": forwarded_for} if forwarded_for else {})
    event = make(path=path)
    if door == "alb":
        event["headers"] = headers
    else:
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    return event


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("400 Bad Request", [("Content-Type", "text/plain")])
    return [b"DisallowedHost"]


def test_a_check_is_answered_without_the_application(make: Make, door: str) -> None:
    answer = LambdaHandler(application, options=Options())(check(make, door))
    assert answer["statusCode"] == 200


def test_path_and_answer_can_be_chosen(make: Make, door: str) -> None:
    handler = LambdaHandler(application, options=Options(health_check_path="/up/", health_check_status=204))
    answer = handler(check(make, door, "/up/"))
    assert (answer["statusCode"], answer["statusDescription"], answer["body"]) == (204, "204 No Content", "")
    assert handler(check(make, door, "/"))["statusCode"] == 400, "another path is the application's own"


def test_a_check_needs_no_origin_secret(make: Make, door: str) -> None:
    handler = LambdaHandler(application, options=Options(origin_secrets=(b"secret",), health_check_path="/up/"))
    assert handler(check(make, door, "/up/"))["statusCode"] == 200
    assert handler(check(make, door, "/"))["statusCode"] == 403, "what goes on to the application does"


def test_a_client_cannot_pass_for_the_balancer(make: Make, door: str) -> None:
    event = check(make, door, forwarded_for="203.0.113.9")
    assert LambdaHandler(application, options=Options())(event)["statusCode"] == 400
    guarded = LambdaHandler(application, options=Options(origin_secrets=(b"secret",)))
    assert guarded(event)["statusCode"] == 403
