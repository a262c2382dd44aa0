"""What the doors say to those who may not pass, and in the event of those who may."""

from __future__ import annotations

import pytest

from emulator.front_doors import FRONT_DOORS, create
from emulator.front_doors.contract import Admitted, Refusal
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
REQUEST = Request("GET", "/")
REST_IDS = [("x-amzn-RequestId", REQUEST_ID), ("x-amz-apigw-id", "fCr32zHzQrWKbZ8=")]


@pytest.mark.parametrize(
    ("refusal", "status", "body", "error_type"),
    [
        (Refusal.UNAUTHORIZED, 401, b'{"message":"Unauthorized"}', "UnauthorizedException"),
        (
            Refusal.DENIED,
            403,
            b'{"Message":"User is not authorized to access this resource"}',
            "AccessDeniedException",
        ),
        (
            Refusal.DENIED_EXPLICITLY,
            403,
            b'{"Message":"User is not authorized to access this resource with an explicit deny"}',
            "AccessDeniedException",
        ),
        (Refusal.NO_KEY, 403, b'{"message":"Forbidden"}', "ForbiddenException"),
        (Refusal.AUTHORIZER_FAILED, 500, b'{"message":null}', "AuthorizerConfigurationException"),
    ],
)
def test_a_rest_api_refuses(refusal: Refusal, status: int, body: bytes, error_type: str) -> None:
    headers = [("Content-Type", "application/json"), *REST_IDS, ("x-amzn-ErrorType", error_type)]
    assert create("rest_api").refuse(refusal, REQUEST, REQUEST_ID) == Response(status, headers, body)


@pytest.mark.parametrize("name", ["http_api", "http_api_1"])
@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        (Refusal.UNAUTHORIZED, 401, b'{"message":"Unauthorized"}'),
        (Refusal.DENIED, 403, b'{"message":"Forbidden"}'),
        (Refusal.DENIED_EXPLICITLY, 403, b'{"message":"Forbidden"}'),
        (Refusal.AUTHORIZER_FAILED, 500, b'{"message":"Internal Server Error"}'),
    ],
)
def test_an_http_api_refuses(name: str, refusal: Refusal, status: int, body: bytes) -> None:
    headers = [("Content-Type", "application/json"), ("Apigw-Requestid", "fCr32zHzQrWKbZ8=")]
    assert create(name).refuse(refusal, REQUEST, REQUEST_ID) == Response(status, headers, body)


def test_a_function_url_refuses() -> None:
    response = create("function_url").refuse(Refusal.DENIED, REQUEST, REQUEST_ID)
    assert response.status == 403
    assert response.body == (
        b'{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: '
        b'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}'
    )


@pytest.mark.parametrize("name", FRONT_DOORS)
@pytest.mark.parametrize("refusal", Refusal)
def test_every_door_has_an_answer_to_every_refusal(name: str, refusal: Refusal) -> None:
    door = create(name)
    full = door.refuse(refusal, REQUEST, REQUEST_ID)
    head = door.refuse(refusal, Request("HEAD", "/"), REQUEST_ID)
    assert full.status >= 400
    assert (head.status, head.body) == (full.status, b"")
    assert ("Content-Length", str(len(full.body))) in head.headers


@pytest.mark.parametrize("name", ["http_api", "http_api_1", "function_url", "rest_api"])
def test_what_an_authorizer_says_stands_in_the_context_word_for_word(name: str) -> None:
    door = create(name)
    said = {"lambda": {"tenant": "acme", "level": 3}, "principalId": "ada"}
    assert door.event(REQUEST, REQUEST_ID, Admitted(said))["requestContext"]["authorizer"] == said
    assert "authorizer" not in door.event(REQUEST, REQUEST_ID)["requestContext"]


def test_a_key_stands_in_the_identity_beside_what_the_door_knows() -> None:
    identity = {"apiKey": "secret", "apiKeyId": "abc"}
    made = create("rest_api").event(REQUEST, REQUEST_ID, Admitted(identity=identity))["requestContext"]["identity"]
    assert (made["apiKey"], made["apiKeyId"], made["sourceIp"]) == ("secret", "abc", "127.0.0.1")


@pytest.mark.parametrize("name", ["alb", "alb_multi_value"])
def test_a_load_balancers_event_has_no_place_for_it(name: str) -> None:
    door = create(name)
    assert door.event(REQUEST, REQUEST_ID, Admitted({"a": 1}, {"b": "2"})) == door.event(REQUEST, REQUEST_ID)
