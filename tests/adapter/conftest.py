from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from adapter import LambdaHandler
from tests.project import asgi, wsgi

EVENTS = Path(__file__).parent.parent / "events"
CAPTURED = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
# The balancer's other mode, which no capture shows: the same event with each list's last value.
CAPTURED["alb"] = {
    **{key: value for key, value in CAPTURED["alb_multi_value"].items() if not key.startswith("multiValue")},
    "headers": {name: values[-1] for name, values in CAPTURED["alb_multi_value"]["multiValueHeaders"].items()},
    "queryStringParameters": {
        name: values[-1] for name, values in CAPTURED["alb_multi_value"]["multiValueQueryStringParameters"].items()
    },
}
# Front doors of which there is no capture: their events are made from documentation alone.
DOORS = (*sorted(CAPTURED), "http_api_1", "vpc_lattice_1", "vpc_lattice_2")

Make = Callable[..., dict[str, Any]]


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def captured(door: str) -> dict[str, Any]:
    """The captured event of the front door at hand, free to be changed."""
    event: dict[str, Any] = copy.deepcopy(CAPTURED[door])
    return event


@pytest.fixture(scope="session", params=["wsgi", "asgi"])
def handler(request: pytest.FixtureRequest) -> Iterator[LambdaHandler]:
    """The test project's handler on either leg."""
    interface: Literal["wsgi", "asgi"] = request.param
    handler = LambdaHandler(wsgi.application if interface == "wsgi" else asgi.application)
    yield handler
    handler.close()


@pytest.fixture
def make(door: str) -> Make:
    """Builds a small event of the front door at hand."""

    def build(
        method: str = "GET", path: str = "/", headers: dict[str, str] | None = None, **fields: Any
    ) -> dict[str, Any]:
        headers = {"host": "example.com", **(headers or {})}
        if door == "vpc_lattice_1" and "isBase64Encoded" in fields:
            fields["is_base64_encoded"] = fields.pop("isBase64Encoded")
        return {**minimal_event(door, method, path, headers), **fields}

    return build


def minimal_event(door: str, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """The least that an event of the front door must hold."""
    lists = {name: [value] for name, value in headers.items()}
    if door in {"http_api", "function_url"}:
        domain = "abc.lambda-url.eu-west-1.on.aws" if door == "function_url" else "abc.execute-api.example.com"
        return {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {"http": {"method": method, "path": path}, "domainName": domain, "stage": "$default"},
        }
    if door == "vpc_lattice_1":
        return {"raw_path": path, "method": method, "headers": headers}
    if door == "vpc_lattice_2":
        arn = {"targetGroupArn": "arn", "serviceNetworkArn": "arn"}
        return {"version": "2.0", "path": path, "method": method, "headers": lists, "requestContext": arn}
    event: dict[str, Any] = {"httpMethod": method, "path": path, "requestContext": {}}
    if door == "http_api_1":
        event["version"] = "1.0"
    elif door != "rest_api":
        event["requestContext"] = {"elb": {"targetGroupArn": "arn"}}
    event.update({"headers": headers} if door == "alb" else {"multiValueHeaders": lists})
    return event
