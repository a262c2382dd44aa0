"""The guard as a whole: which rules a door can have, and in which order they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.access import InvalidAccess
from emulator.blueprint import Cors, Door, JwtAuthorizer, LambdaAuthorizer, Route
from emulator.front_doors import FRONT_DOORS
from emulator.front_doors.contract import ANYBODY, Refusal
from emulator.http import Response

from .helpers import Function, admit, event, made, refused, request

POLICY = {"principalId": "u", "policyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}
RULES: dict[str, Any] = {
    "cors": Cors(("*",)),
    "api_keys": ("k",),
    "jwt": JwtAuthorizer("pool", "https://issuer.example", ("shop",)),
    "lambda": LambdaAuthorizer("keeper", "keeper"),
}
MAY_HAVE = {
    "http_api": {"cors", "jwt", "lambda"},
    "http_api_1": {"cors", "jwt", "lambda"},
    "rest_api": {"api_keys", "lambda"},
    "function_url": {"cors"},
}


@pytest.mark.parametrize("kind", FRONT_DOORS)
@pytest.mark.parametrize("rule", RULES)
def test_a_door_has_the_rules_that_its_kind_knows(kind: str, rule: str) -> None:
    door = Door(kind.replace("_", "-"), "site", **{rule if rule in ("cors", "api_keys") else "authorizer": RULES[rule]})
    if rule in MAY_HAVE.get(kind, ()):
        made(door)
    else:
        with pytest.raises(InvalidAccess, match=kind):
            made(door)


@pytest.mark.parametrize("kind", FRONT_DOORS)
def test_a_door_without_rules_admits_everybody_and_adds_nothing(kind: str) -> None:
    guard = made(Door(kind, "site"))
    asked = request(
        "OPTIONS", "/x", headers=(("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"))
    )
    response = Response(200, [("Access-Control-Allow-Origin", "https://own.example")])
    assert admit(guard, asked) is ANYBODY
    guard.finish(asked, response)
    assert response.headers == [("Access-Control-Allow-Origin", "https://own.example")]


def test_the_authorizer_is_asked_before_the_key() -> None:
    authorizer = LambdaAuthorizer("keeper", "keeper", "token")
    door = Door("rest_api", "site", authorizer=authorizer, api_keys=("k",))
    function = Function(POLICY)
    guard = made(door, function)
    assert refused(guard, request()).refusal is Refusal.UNAUTHORIZED
    bearer = ("Authorization", "t")
    assert refused(guard, request(headers=(bearer,))).refusal is Refusal.NO_KEY
    assert len(function.events) == 1
    context = event(door, guard, request(headers=(bearer, ("X-Api-Key", "k"))))["requestContext"]
    assert (context["authorizer"]["principalId"], context["identity"]["apiKey"]) == ("u", "k")


def test_a_preflight_goes_to_the_authorizer_where_a_route_takes_it() -> None:
    """What puzzles many on AWS: a browser's preflight has no token, and is refused."""
    preflight = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"))
    door = Door("http_api", "site", cors=Cors(("*",)), authorizer=RULES["jwt"])
    refusal = refused(made(door), request("OPTIONS", headers=preflight))
    assert refusal.refusal is Refusal.UNAUTHORIZED
    assert refusal.headers == (("www-authenticate", "Bearer"),)
    assert "add a route OPTIONS /{proxy+} without an authorizer" in str(refusal)


@pytest.mark.parametrize("kind", ["http_api", "rest_api"])
def test_a_public_route_asks_nobody(kind: str) -> None:
    routes = (Route("ANY", "/{proxy+}"), Route("get", "/health", public=True), Route("ANY", "/health"))
    authorizer = LambdaAuthorizer("keeper", "keeper", identity_sources=("$request.header.Authorization",))
    guard = made(Door(kind, "site", routes=routes, authorizer=authorizer))
    assert admit(guard, request(path="/health")) is ANYBODY
    assert refused(guard, request("POST", "/health")).refusal is Refusal.UNAUTHORIZED
    assert refused(guard, request(path="/x")).refusal is Refusal.UNAUTHORIZED
