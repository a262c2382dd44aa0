"""API keys of a REST API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.blueprint import Door, LambdaAuthorizer, Route
from emulator.front_doors.contract import Refusal

from .helpers import Function, admit, event, made, refused, rejected, request

DOOR = Door("rest_api", "site", api_keys=("first-key-of-twenty-chars", "another-key"))


@pytest.mark.parametrize("name", ["x-api-key", "X-API-Key"])
def test_a_key_that_counts_shows_in_the_event(name: str) -> None:
    asked = request(headers=((name, "another-key"),))
    identity = event(DOOR, made(DOOR), asked)["requestContext"]["identity"]
    assert (identity["apiKey"], len(identity["apiKeyId"])) == ("another-key", 10)
    assert identity["sourceIp"] == "127.0.0.1"


def test_a_lambda_authorizer_is_told_of_the_key() -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    function = Function({"principalId": "u", "policyDocument": policy})
    guard = made(replace(DOOR, authorizer=LambdaAuthorizer("keeper", "keeper")), function)
    admit(guard, request(headers=(("x-api-key", "another-key"),)))
    assert function.events[0]["requestContext"]["identity"]["apiKey"] == "another-key"
    # The key is looked at when the authorizer has let the request pass.
    assert refused(guard, request()).refusal is Refusal.NO_KEY
    assert "apiKey" not in function.events[1]["requestContext"]["identity"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((), "no X-Api-Key header"),
        ((("x-api-key", "Another-Key"),), "none of the door's"),
        ((("x-api-key", ""),), "none"),
    ],
)
def test_any_other_is_refused(headers: tuple[tuple[str, str], ...], said: str) -> None:
    refusal = refused(made(DOOR), request(headers=headers))
    assert refusal.refusal is Refusal.NO_KEY
    assert said in str(refusal)


def test_a_path_without_a_resource_is_refused_before_the_key_is_looked_at() -> None:
    door = Door("rest_api", "site", routes=(Route("GET", "/pets"),), api_keys=("k",))
    assert rejected(made(door), request(path="/other")).body == b'{"message":"Missing Authentication Token"}'
    assert refused(made(door), request(path="/pets")).refusal is Refusal.NO_KEY
