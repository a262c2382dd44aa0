"""Routes of HTTP APIs and resources of REST APIs: which takes a request, and what the event then says of it."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.blueprint import Door, Route
from emulator.exceptions import EmulatorError
from emulator.front_doors import InvalidRoute, Rejected, UnknownFrontDoor, build
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
# The example of https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
PETS = ("GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default")
SHOP = ("GET /", "GET /items", "POST /items", "GET /items/{id}", "ANY /items/{id}/{part}", "ANY /files/{rest+}")


def routes(*keys: str) -> tuple[Route, ...]:
    split = [("ANY", key) if key == "$default" else key.split() for key in keys]
    return tuple(Route(method, path) for method, path in split)


def sent(kind: str, keys: tuple[str, ...], method: str, path: str, **fields: Any) -> dict[str, Any] | Response:
    """The event, or the door's own answer."""
    door = build(Door(kind, "site", routes=routes(*keys), **fields))
    try:
        return door.event(Request(method, path), REQUEST_ID)
    except Rejected as rejected:
        return rejected.response


@pytest.mark.parametrize(
    ("keys", "method", "path", "route", "parameters"),
    [
        (PETS, "GET", "/pets/dog/1", "GET /pets/dog/{id}", {"id": "1"}),
        (PETS, "GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        (PETS, "POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        (PETS[:2] + PETS[3:], "POST", "/pets/dog/1", "$default", None),
        (PETS, "GET", "/pets/dog/", "GET /pets/{proxy+}", {"proxy": "dog/"}),
        (PETS, "GET", "/pets/", "GET /pets/{proxy+}", {"proxy": ""}),
        (PETS, "GET", "/pets", "ANY /{proxy+}", {"proxy": "pets"}),
        (PETS, "GET", "/", "ANY /{proxy+}", {"proxy": ""}),
        (PETS, "GET", "/pets/dog/caf%C3%A9%20x", "GET /pets/dog/{id}", {"id": "café x"}),
        (("GET /{a}/{b}", "GET /pets/{proxy+}"), "GET", "/pets/1", "GET /{a}/{b}", {"a": "pets", "b": "1"}),
        (("ANY /x", "GET /x"), "GET", "/x", "GET /x", None),
        (("ANY /x", "GET /x"), "PUT", "/x", "ANY /x", None),
        (SHOP, "POST", "/items", "POST /items", None),
        (SHOP, "GET", "/", "GET /", None),
    ],
)
def test_an_http_api_takes_the_most_specific_route(
    keys: tuple[str, ...], method: str, path: str, route: str, parameters: dict[str, str] | None
) -> None:
    for listed in (keys, keys[::-1]):
        made = sent("http_api", listed, method, path)
        assert isinstance(made, dict)
        assert (made["routeKey"], made["requestContext"]["routeKey"]) == (route, route)
        assert made.get("pathParameters") == parameters
        older = sent("http_api_1", listed, method, path)
        assert isinstance(older, dict)
        assert older["resource"] == older["requestContext"]["resourcePath"] == route.rsplit(maxsplit=1)[-1]
        assert older["requestContext"]["resourceId"] == route
        assert older["pathParameters"] == parameters


@pytest.mark.parametrize("kind", ["http_api", "http_api_1"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/items"), ("GET", "/Items"), ("GET", "/items/"), ("GET", "/files"), ("GET", "/items/1/2/3")],
)
def test_an_http_api_without_a_match_finds_nothing(kind: str, method: str, path: str) -> None:
    answer = sent(kind, SHOP, method, path)
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (404, b'{"message":"Not Found"}')


@pytest.mark.parametrize(("path", "route"), [("/live", "GET /"), ("/live/items", "GET /items")])
def test_a_stage_is_no_part_of_a_route(path: str, route: str) -> None:
    made = sent("http_api", SHOP, "GET", path, stage="live")
    assert isinstance(made, dict)
    assert (made["routeKey"], made["rawPath"]) == (route, path)


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/", "/", None),
        ("GET", "/items/", "/items", None),
        ("GET", "/items/a%20b", "/items/{id}", {"id": "a%20b"}),
        ("DELETE", "/items/1/cover", "/items/{id}/{part}", {"id": "1", "part": "cover"}),
        ("PUT", "/files/a//b.txt/", "/files/{rest+}", {"rest": "a//b.txt"}),
    ],
)
def test_a_rest_api_chooses_the_resource_by_its_path(
    method: str, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    made = sent("rest_api", SHOP, method, path)
    assert isinstance(made, dict)
    assert made["resource"] == made["requestContext"]["resourcePath"] == resource
    assert (made["path"], made["pathParameters"]) == (path, parameters)


def test_each_resource_has_an_id_of_its_own() -> None:
    ids = set()
    for path in ("/", "/items", "/items/1", "/items/2"):
        made = sent("rest_api", SHOP, "GET", path)
        assert isinstance(made, dict)
        ids.add(made["requestContext"]["resourceId"])
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("keys", "method", "path"),
    [
        (SHOP, "DELETE", "/items"),
        (SHOP, "GET", "/other"),
        (SHOP, "GET", "/files"),
        (("ANY /{proxy+}",), "GET", "/"),
        # The resource is chosen before the method, so a less specific one does not help.
        (("GET /items", "ANY /{proxy+}"), "POST", "/items"),
    ],
)
def test_a_rest_api_without_a_match_speaks_of_a_missing_token(keys: tuple[str, ...], method: str, path: str) -> None:
    answer = sent("rest_api", keys, method, path)
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (403, b'{"message":"Missing Authentication Token"}')
    assert dict(answer.headers)["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("path", ["items", "/{proxy+}/x", "/a{b}", "/{}", "/{a b}", "", "$other"])
@pytest.mark.parametrize("kind", ["http_api", "rest_api"])
def test_a_route_that_no_api_could_have_is_refused(kind: str, path: str) -> None:
    with pytest.raises(InvalidRoute, match=r"can't be a route. Write") as caught:
        build(Door(kind, "site", routes=(Route("GET", path),)))
    assert isinstance(caught.value, EmulatorError)


def test_routes_of_a_door_that_has_none_are_refused() -> None:
    with pytest.raises(InvalidRoute, match="function_url has no routes"):
        build(Door("function_url", "site", routes=routes("GET /")))


def test_a_door_is_built_as_it_is_described() -> None:
    door = build(
        Door("rest-api", "site", stage="live", streaming=True, timeout=12.5, binary_media_types=("image/png",))
    )
    assert (door.name, door.timeout) == ("rest_api", 12.5)
    assert door.streaming is not None
    request = Request("POST", "/live/x", headers=(("Content-Type", "text/plain"),), body=b"hi")
    made = door.event(request, REQUEST_ID)
    assert (made["path"], made["body"], made["isBase64Encoded"]) == ("/x", "hi", False)
    assert build(Door("rest_api", "site")).timeout == 29.0
    with pytest.raises(UnknownFrontDoor):
        build(Door("websocket", "site"))
