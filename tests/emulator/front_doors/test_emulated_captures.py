"""The request behind the captured events, sent through each front door, gives the captured events again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.front_doors import FrontDoor, FunctionUrl, HttpApi, LoadBalancer, RestApi
from emulator.http import Request

EVENTS = Path(__file__).parents[2] / "events"
REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
BODY = '{"message":"hello from the public internet","unicode":"lambda-λ"}'.encode()
QUERY = "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb&literalPlus=a+b&encodedPlus=a%2Bb&empty="

DOORS: dict[str, tuple[FrontDoor, str, str]] = {
    "http_api": (HttpApi(), "/capture/space%20value", "https"),
    "function_url": (FunctionUrl(), "/capture/space%20value", "https"),
    # The captured API had no binary media types.
    "rest_api": (RestApi("live", binary_media_types=()), "/live/capture/space%20value", "https"),
    "alb_multi_value": (LoadBalancer(multi_value=True), "/capture/space%20value", "http"),
}

# When each request was captured; a load balancer's event tells no time but that in its trace.
RECEIVED = {
    "http_api": 1783711145.766,
    "function_url": 1783711146.671,
    "rest_api": 1783711144.836,
    "alb_multi_value": 1783711143.0,
}

# Ids, addresses and names of one account: they can't be equal. Everything else is compared exactly.
NEVER_EQUAL = {
    "http_api": [
        "headers.host",
        "headers.x-amzn-trace-id",
        "requestContext.accountId",
        "requestContext.apiId",
        "requestContext.domainName",
        "requestContext.domainPrefix",
        "requestContext.requestId",
    ],
    "function_url": [
        "headers.host",
        "headers.x-amzn-trace-id",
        "requestContext.apiId",
        "requestContext.domainName",
        "requestContext.domainPrefix",
        "requestContext.requestId",
    ],
    "rest_api": [
        "headers.Host",
        "headers.X-Amzn-Trace-Id",
        "multiValueHeaders.Host",
        "multiValueHeaders.X-Amzn-Trace-Id",
        "requestContext.accountId",
        "requestContext.apiId",
        "requestContext.domainName",
        "requestContext.domainPrefix",
        "requestContext.extendedRequestId",
        "requestContext.requestId",
        "requestContext.resourceId",
    ],
    "alb_multi_value": [
        "multiValueHeaders.host",
        "multiValueHeaders.x-amzn-trace-id",
        "requestContext.elb.targetGroupArn",
    ],
}

# Empty fields of the logger's own types, which are not on the wire.
LOGGED_ONLY = {
    "http_api": [
        "pathParameters",
        "stageVariables",
        "requestContext.authentication",
        "requestContext.authorizer",
    ],
    "function_url": [
        "pathParameters",
        "stageVariables",
        "requestContext.authentication",
        "requestContext.authorizer",
    ],
    "rest_api": [
        "requestContext.authorizer",
        "requestContext.operationName",
        "requestContext.identity.apiKey",
        "requestContext.identity.apiKeyId",
        "requestContext.identity.clientCert",
    ],
    "alb_multi_value": [],
}

# What the logger's types had no place for and other captures show:
# https://github.com/localstack/localstack/blob/main/tests/aws/services/apigateway/test_apigateway_lambda.snapshot.json
NOT_LOGGED = {"rest_api": ["requestContext.deploymentId"]}


def captured(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    if name == "rest_api":  # null on the wire, "" in the log
        identity = event["requestContext"]["identity"]
        event["requestContext"]["identity"] = {key: value or None for key, value in identity.items()}
    return event


def emulated(name: str) -> dict[str, Any]:
    door, path, scheme = DOORS[name]
    headers = (
        ("host", "front-door.example"),
        ("user-agent", "curl/8.7.1"),
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("x-voker-probe", "first"),
        ("x-voker-probe", "second"),
        ("cookie", "session=abc123; theme=dark"),
        ("content-length", str(len(BODY))),
    )
    request = Request(
        "POST",
        path,
        QUERY,
        headers,
        BODY,
        client="68.8.83.18",
        scheme=scheme,
        port=443 if scheme == "https" else 80,
        received=RECEIVED[name],
    )
    return json.loads(json.dumps(door.event(request, REQUEST_ID)))  # type: ignore[no-any-return]


def taken(event: dict[str, Any], dotted: str) -> Any:
    """Remove and return one field; a KeyError says that the event has no such field."""
    *parents, last = dotted.split(".")
    for parent in parents:
        event = event[parent]
    return event.pop(last)


@pytest.mark.parametrize("name", DOORS)
def test_the_captured_request_gives_the_captured_event_field_by_field(name: str) -> None:
    expected, actual = captured(name), emulated(name)
    for dotted in LOGGED_ONLY[name]:
        taken(expected, dotted)
    for dotted in NOT_LOGGED.get(name, ()):
        taken(actual, dotted)
    for dotted in NEVER_EQUAL[name]:
        ours, theirs = taken(actual, dotted), taken(expected, dotted)
        assert type(ours) is type(theirs), dotted
    assert actual == expected


@pytest.mark.parametrize("name", DOORS)
def test_maps_list_their_names_in_the_captured_order(name: str) -> None:
    expected, actual = captured(name), emulated(name)
    for field in ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters"):
        if expected.get(field) is not None:
            assert list(actual[field]) == list(expected[field])


def shape(value: Any) -> Any:
    """What is left to compare of an id: how long its parts are; of a trace, its time as well."""
    if isinstance(value, list):
        return [shape(entry) for entry in value]
    if value.startswith("Root=1-"):
        _, time, rest = value.split("-")
        return time, len(rest)
    return [len(part) for part in value.split("-")]


@pytest.mark.parametrize("name", DOORS)
def test_ids_and_traces_have_the_captured_form(name: str) -> None:
    expected, actual = captured(name), emulated(name)
    alike = ("trace-id", "apiId", "requestId", "requestid", "resourceId", "accountId")
    compared = [dotted for dotted in NEVER_EQUAL[name] if dotted.lower().endswith(tuple(map(str.lower, alike)))]
    assert compared
    for dotted in compared:
        assert shape(taken(actual, dotted)) == shape(taken(expected, dotted)), dotted


@pytest.mark.parametrize(
    ("name", "domain"),
    [("http_api", "execute-api.us-east-1.amazonaws.com"), ("function_url", "lambda-url.us-east-1.on.aws")],
)
def test_a_domain_begins_with_the_apis_id(name: str, domain: str) -> None:
    context = emulated(name)["requestContext"]
    assert context["domainName"] == f"{context['apiId']}.{domain}"
    assert context["domainPrefix"] == context["apiId"]
