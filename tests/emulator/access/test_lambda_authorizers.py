"""Lambda authorizers: what the function is asked, what is made of its answer, and how long that is kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from emulator.access import InvalidAccess
from emulator.blueprint import Door, LambdaAuthorizer, Route
from emulator.front_doors import Failure
from emulator.front_doors.contract import Admitted, Refusal
from emulator.function.invocation import FunctionFailed

from .helpers import NOW, REQUEST_ID, Clock, Function, admit, event, made, refused, rejected, request

BEARER = (("Authorization", "Bearer foo"),)
REST = LambdaAuthorizer("keeper", "keeper", identity_sources=("method.request.header.Authorization",))
TOKEN = replace(REST, kind="token")
HTTP = LambdaAuthorizer("keeper", "keeper", identity_sources=("$request.header.Authorization",))
SIMPLE = replace(HTTP, simple=True)
ROUTES = (Route("POST", "/lambda"), Route("ANY", "/pets/{id}"))


def rest(authorizer: LambdaAuthorizer = REST, **fields: Any) -> Door:
    return Door("rest_api", "site", authorizer=authorizer, **{"stage": "prod", "routes": ROUTES, **fields})


def http(authorizer: LambdaAuthorizer = HTTP, kind: str = "http_api", **fields: Any) -> Door:
    return Door(kind, "site", authorizer=authorizer, **{"routes": ROUTES, **fields})


def policy(effect: str = "Allow", resource: str = "*", **more: Any) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "user", "policyDocument": document, **more}


def post(path: str = "/lambda", **fields: Any) -> Any:
    sent = (
        ("Accept-Encoding", "gzip, deflate"),
        ("Accept", "*/*"),
        ("User-Agent", "HTTPie/3.2.2"),
        ("Content-Length", "0"),
        *BEARER,
    )
    return request(
        "POST", path, **{"headers": sent, "client": "15.248.3.126", "scheme": "https", "port": 443, **fields}
    )


# The events that the function gets; what is compared against was captured:
# https://github.com/aws-powertools/powertools-lambda-typescript/tree/main/packages/parser/tests/events


def test_a_rest_api_s_token_authorizer_is_asked_as_captured() -> None:
    function = Function(policy())
    admit(made(rest(TOKEN), function), post("/prod/lambda"))
    assert function.names == ["keeper"]
    assert function.events == [
        {
            "type": "TOKEN",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:emulat0rv1/prod/POST/lambda",
            "authorizationToken": "Bearer foo",
        }
    ]


def test_a_rest_api_s_request_authorizer_is_asked_as_captured() -> None:
    """Left out: ids, times and the trace; and CloudFront's headers, as the captured API has its edge in front."""
    function = Function(policy())
    admit(made(rest(), function), post("/prod/lambda"))
    asked = function.events[0]
    context = asked["requestContext"]
    for name in ("resourceId", "extendedRequestId", "requestTime", "requestTimeEpoch", "requestId", "deploymentId"):
        assert context.pop(name)
    assert asked["headers"].pop("X-Amzn-Trace-Id") == asked["multiValueHeaders"].pop("X-Amzn-Trace-Id")[0]
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": "Bearer foo",
        "Content-Length": "0",
        "User-Agent": "HTTPie/3.2.2",
        "X-Forwarded-For": "15.248.3.126",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    assert asked == {
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:emulat0rv1/prod/POST/lambda",
        "resource": "/lambda",
        "path": "/lambda",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "pathParameters": {},
        "stageVariables": {},
        "requestContext": {
            "resourcePath": "/lambda",
            "httpMethod": "POST",
            "path": "/prod/lambda",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "domainPrefix": "emulat0rv1",
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": "15.248.3.126",
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": "HTTPie/3.2.2",
                "user": None,
            },
            "domainName": "emulat0rv1.execute-api.us-east-1.amazonaws.com",
            "apiId": "emulat0rv1",
        },
    }


def test_an_http_api_s_authorizer_is_asked_in_format_2_as_captured() -> None:
    """Left out: ids, times and the trace."""
    function = Function(policy())
    admit(made(http(), function), post())
    asked = function.events[0]
    context = asked["requestContext"]
    for name in ("requestId", "time", "timeEpoch"):
        assert context.pop(name)
    assert asked["headers"].pop("x-amzn-trace-id")
    # Documented, and not in the capture, is that a type is added to a request of length 0.
    assert asked["headers"].pop("content-type")
    assert asked == {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:us-east-1:123456789012:emulat0rh2/$default/POST/lambda",
        "identitySource": ["Bearer foo"],
        "routeKey": "POST /lambda",
        "rawPath": "/lambda",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "authorization": "Bearer foo",
            "content-length": "0",
            "user-agent": "HTTPie/3.2.2",
            "x-forwarded-for": "15.248.3.126",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "emulat0rh2",
            "domainName": "emulat0rh2.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "emulat0rh2",
            "http": {
                "method": "POST",
                "path": "/lambda",
                "protocol": "HTTP/1.1",
                "sourceIp": "15.248.3.126",
                "userAgent": "HTTPie/3.2.2",
            },
            "routeKey": "POST /lambda",
            "stage": "$default",
        },
    }


@pytest.mark.parametrize("kind", ["http_api", "http_api_1"])
def test_an_authorizer_s_format_1_is_as_documented_whatever_the_door_s_is(kind: str) -> None:
    sources = ("$request.header.Authorization", "$request.querystring.key")
    function = Function(policy())
    door = http(replace(HTTP, payload="1.0", identity_sources=sources), kind, stage="live")
    admit(made(door, function), post("/live/lambda", query="key=123", body=b"text"))
    asked = function.events[0]
    assert list(asked)[:5] == ["version", "type", "methodArn", "identitySource", "authorizationToken"]
    assert asked["version"] == "1.0"
    assert asked["methodArn"] == "arn:aws:execute-api:us-east-1:123456789012:emulat0rh2/live/POST/lambda"
    assert asked["identitySource"] == asked["authorizationToken"] == "Bearer foo,123"
    assert (asked["resource"], asked["pathParameters"]) == ("/lambda", {})
    assert not {"body", "isBase64Encoded"} & set(asked)


def test_the_arn_has_the_path_that_was_asked_for_and_not_its_route() -> None:
    function = Function(policy())
    admit(made(http(stage="live"), function), post("/live/pets/7"))
    assert function.events[0]["routeArn"].endswith("/live/POST/pets/7")
    assert function.events[0]["routeKey"] == "ANY /pets/{id}"
    admit(made(rest(routes=()), function), post("/prod/prod/x"))
    assert function.events[1]["methodArn"].endswith("/prod/POST/prod/x")


# What the door's own function gets to know


def test_a_rest_api_shows_principal_and_context_as_text() -> None:
    context = {"tenantId": "tenant-1", "number": 7, "flag": True, "half": 0.5}
    door = rest(TOKEN)
    authorizer = event(door, made(door, Function(policy(context=context))), post("/prod/lambda"))["requestContext"][
        "authorizer"
    ]
    assert isinstance(authorizer.pop("integrationLatency"), int)
    assert authorizer == {"principalId": "user", "tenantId": "tenant-1", "number": "7", "flag": "true", "half": "0.5"}


@pytest.mark.parametrize("context", [None, {"tenant": {"id": 7}, "list": ["a"], "flag": True}])
def test_format_2_shows_the_context_as_it_is(context: dict[str, Any] | None) -> None:
    answers: list[Any] = [policy(context=context), {"isAuthorized": True, "context": context}]
    if context is None:
        answers = [policy(), {"isAuthorized": True}]
    for authorizer, answer in zip((HTTP, SIMPLE), answers, strict=True):
        door = http(authorizer)
        shown = event(door, made(door, Function(answer)), post())["requestContext"]["authorizer"]
        assert shown == {"lambda": context}


def test_format_1_shows_the_context_flat() -> None:
    door = http(replace(HTTP, payload="1.0"), "http_api_1")
    shown = event(door, made(door, Function(policy(context={"tenant": "t"}))), post())["requestContext"]["authorizer"]
    assert shown == {"principalId": "user", "tenant": "t"}
    door = http(SIMPLE, "http_api_1")
    simple = Function({"isAuthorized": True, "context": {"tenant": "t"}})
    assert event(door, made(door, simple), post())["requestContext"]["authorizer"] == {"tenant": "t"}


# Refusals


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (policy("Deny"), Refusal.DENIED_EXPLICITLY),
        (policy(resource="arn:aws:execute-api:us-east-1:123456789012:other/*"), Refusal.DENIED),
        (FunctionFailed(Failure.FUNCTION, "Exception: Unauthorized"), Refusal.UNAUTHORIZED),
        (FunctionFailed(Failure.FUNCTION, "Exception: Unauthorized: expired"), Refusal.AUTHORIZER_FAILED),
        (FunctionFailed(Failure.FUNCTION, "KeyError: 'x'"), Refusal.AUTHORIZER_FAILED),
        (FunctionFailed(Failure.THROTTLED, "no room"), Refusal.AUTHORIZER_FAILED),
        (b"not JSON", Refusal.AUTHORIZER_FAILED),
        (["list"], Refusal.AUTHORIZER_FAILED),
        ({"isAuthorized": True}, Refusal.AUTHORIZER_FAILED),
        ({"principalId": "user"}, Refusal.AUTHORIZER_FAILED),
        ({**policy(), "principalId": None}, Refusal.AUTHORIZER_FAILED),
        ({**policy(), "policyDocument": {"Statement": "Allow"}}, Refusal.AUTHORIZER_FAILED),
        (policy(context=["x"]), Refusal.AUTHORIZER_FAILED),
    ],
)
def test_what_an_answer_comes_to(answer: Any, refusal: Refusal) -> None:
    for door in (rest(), rest(TOKEN)):
        assert refused(made(door, Function(answer)), post("/prod/lambda")).refusal is refusal
    assert refused(made(http(), Function(answer)), post()).refusal is refusal


def test_a_rest_api_takes_nothing_nested_in_the_context() -> None:
    nested = refused(made(rest(), Function(policy(context={"tenant": {"id": 7}}))), post("/prod/lambda"))
    assert nested.refusal is Refusal.AUTHORIZER_FAILED
    assert "nothing nested" in str(nested)


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ({"isAuthorized": False}, Refusal.DENIED_EXPLICITLY),
        ({"isAuthorized": "true"}, Refusal.AUTHORIZER_FAILED),
        (policy(), Refusal.AUTHORIZER_FAILED),
    ],
)
def test_what_a_simple_response_comes_to(answer: Any, refusal: Refusal) -> None:
    assert refused(made(http(SIMPLE), Function(answer)), post()).refusal is refusal


def test_a_refusal_tells_the_person_what_arrived_and_what_to_do() -> None:
    text = str(refused(made(http(SIMPLE), Function(policy())), post()))
    assert text.startswith('the authorizer keeper: simple responses are enabled, so its answer has to be {"isAuth')
    assert json.dumps(policy())[:100] in text
    assert len(text) < 500


def test_without_what_identifies_the_client_nobody_is_asked() -> None:
    sources = ("method.request.header.X-User", "method.request.querystring.team", "context.identity.sourceIp")
    function = Function(policy())
    guard = made(rest(replace(REST, identity_sources=sources)), function)
    for headers, query in [((), "team=a"), ((("X-User", "u"),), ""), ((("X-User", ""),), "team=a")]:
        assert refused(guard, post("/prod/lambda", headers=headers, query=query)).refusal is Refusal.UNAUTHORIZED
    assert function.events == []
    admit(guard, post("/prod/lambda", headers=(("x-user", "u"),), query="team=a"))
    assert len(function.events) == 1


def test_a_request_authorizer_that_keeps_nothing_asks_in_any_case() -> None:
    function = Function(policy())
    admit(made(rest(replace(REST, ttl=0)), function), post("/prod/lambda", headers=()))
    assert len(function.events) == 1
    token = made(rest(replace(TOKEN, ttl=0)), function)
    assert refused(token, post("/prod/lambda", headers=())).refusal is Refusal.UNAUTHORIZED
    assert refused(made(http(replace(HTTP, ttl=0)), function), post(headers=())).refusal is Refusal.UNAUTHORIZED
    assert len(function.events) == 1


def test_a_token_has_to_match_its_validation() -> None:
    function = Function(policy())
    guard = made(rest(replace(TOKEN, validation="^Bearer [a-z]+$")), function)
    admit(guard, post("/prod/lambda"))
    mismatch = refused(guard, post("/prod/lambda", headers=(("Authorization", "Bearer 7"),)))
    assert mismatch.refusal is Refusal.UNAUTHORIZED
    assert "^Bearer [a-z]+$" in str(mismatch)
    assert len(function.events) == 1


def test_no_route_comes_before_the_authorizer() -> None:
    assert rejected(made(http()), post("/other")).status == 404
    assert rejected(made(rest()), post("/prod/other")).status == 403


# Keeping


def test_an_answer_is_kept_for_its_time_by_what_identifies_the_client() -> None:
    clock, function = Clock(), Function(policy())
    guard = made(http(replace(HTTP, ttl=60)), function, clock)
    admit(guard, post())
    admit(guard, post("/pets/7"))
    assert len(function.events) == 1
    admit(guard, post(headers=(("Authorization", "Bearer bar"),)))
    assert len(function.events) == 2
    clock.now = NOW + 59.9
    admit(guard, post())
    assert len(function.events) == 2
    clock.now = NOW + 60
    admit(guard, post())
    assert len(function.events) == 3


def test_a_policy_that_is_kept_is_read_for_each_request() -> None:
    function = Function(lambda asked: policy(resource=asked["routeArn"]))
    guard = made(http(), function)
    admit(guard, post())
    # What many meet on AWS, too: a policy about one path, kept for all of them.
    assert refused(guard, post("/pets/7")).refusal is Refusal.DENIED
    assert len(function.events) == 1


def test_the_route_can_be_a_part_of_what_answers_are_kept_by() -> None:
    sources = ("$request.header.Authorization", "$context.routeKey", "$context.httpMethod")
    function = Function(lambda asked: policy(resource=asked["routeArn"]))
    guard = made(http(replace(HTTP, identity_sources=sources)), function)
    admit(guard, post())
    admit(guard, post("/pets/7"))
    assert [asked["identitySource"][1:] for asked in function.events] == [
        ["POST /lambda", "POST"],
        ["ANY /pets/{id}", "POST"],
    ]


def test_of_several_values_the_last_counts() -> None:
    function = Function(policy())
    sources = ("$request.header.Authorization", "$request.querystring.team")
    asked = post(query="team=a&team=b", headers=(*BEARER, ("authorization", "Bearer bar")))
    admit(made(http(replace(HTTP, identity_sources=sources)), function), asked)
    assert function.events[0]["identitySource"] == ["Bearer bar", "b"]


@pytest.mark.parametrize("authorizer", [replace(HTTP, ttl=0), replace(HTTP, identity_sources=())])
def test_nothing_is_kept_without_a_time_or_an_identity(authorizer: LambdaAuthorizer) -> None:
    function = Function(policy())
    guard = made(http(authorizer), function)
    assert admit(guard, post()) == admit(guard, post()) == Admitted({"lambda": None})
    assert len(function.events) == 2


def test_no_is_kept_as_well_and_a_failure_is_not() -> None:
    function = Function({"isAuthorized": False})
    guard = made(http(SIMPLE), function)
    assert refused(guard, post()).refusal is refused(guard, post()).refusal is Refusal.DENIED_EXPLICITLY
    assert len(function.events) == 1
    function = Function(b"")
    guard = made(http(SIMPLE), function)
    assert refused(guard, post()).refusal is refused(guard, post()).refusal is Refusal.AUTHORIZER_FAILED
    assert len(function.events) == 2


def test_no_more_than_a_thousand_are_kept() -> None:
    function = Function(policy())
    guard = made(http(), function)

    async def scenario() -> None:
        for number in range(1001):
            await guard.admit(post(headers=(("Authorization", str(number)),)), REQUEST_ID)

    asyncio.run(scenario())
    assert len(function.events) == 1001
    admit(guard, post(headers=(("Authorization", "1"),)))
    assert len(function.events) == 1001
    admit(guard, post(headers=(("Authorization", "0"),)))
    assert len(function.events) == 1002


@pytest.mark.parametrize(
    ("door", "said"),
    [
        (rest(replace(REST, identity_sources=("Authorization",))), "'Authorization' is no identity source"),
        (rest(replace(REST, identity_sources=("stageVariables.x",))), "Stage variables are not emulated"),
        (rest(replace(TOKEN, validation="(")), "can't be read"),
        (rest(replace(REST, simple=True)), "only an HTTP API knows"),
        (http(replace(SIMPLE, payload="1.0")), "format 2.0 alone"),
        (http(replace(HTTP, kind="token")), "only a REST API knows"),
    ],
)
def test_what_can_not_be(door: Door, said: str) -> None:
    with pytest.raises(InvalidAccess, match=said):
        made(door)
