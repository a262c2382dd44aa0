"""What is not an event, or not a whole one, fails the invocation with a message that teaches."""

from __future__ import annotations

from typing import Any

import pytest

from adapter import LambdaHandler, MalformedEventError, UnknownEventError

from .conftest import Make


@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        [],
        "text",
        7,
        {"version": "2.0"},
        {"requestContext": None},
        {"requestContext": {"stage": "live"}},
        {"httpMethod": "GET"},
        {"detail-type": "Scheduled Event", "source": "aws.events"},
    ],
)
def test_an_event_of_no_known_kind_says_what_was_expected(handler: LambdaHandler, event: Any) -> None:
    with pytest.raises(UnknownEventError, match=r"requestContext\.http.*requestContext\.elb.*httpMethod"):
        handler(event)


def test_the_message_shows_the_shape_and_no_values(handler: LambdaHandler) -> None:
    with pytest.raises(UnknownEventError) as caught:
        handler({"password": "hunter2", "list": [1, 2], "map": {"a": 1}, "nothing": None, "number": 5})
    assert "{password: text of 7, list: list of 2, map: map of 1, nothing: null, number: int}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"headers": ["host"], "multiValueHeaders": None}, "headers is not a map of text: it is of type list"),
        (
            {"headers": {"host": 5}, "multiValueHeaders": None},
            "headers is not a map of text: under 'host' it is of type int",
        ),
        ({"body": {"a": 1}}, "body is not text: it is of type dict"),
        ({"body": "not base64!", "isBase64Encoded": True}, "body is not base64"),
        ({"body": "c29tZSB0ZXh", "isBase64Encoded": True}, "cut short"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    handler: LambdaHandler, make: Make, door: str, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(MalformedEventError) as caught:
        handler({**make(), **change, "is_base64_encoded": change.get("isBase64Encoded")})
    said = str(caught.value).replace(" or lists of text", "")
    assert complaint in said
    assert door.removesuffix("_multi_value").rstrip("_12") in said


@pytest.mark.parametrize("door", ["http_api", "function_url"], indirect=True)
@pytest.mark.parametrize("missing", ["rawPath", "requestContext.http.method"])
def test_a_truncated_event_names_what_is_missing(handler: LambdaHandler, make: Make, missing: str) -> None:
    event = make()
    holder, _, key = missing.rpartition(".")
    owner = event
    for name in filter(None, holder.split(".")):
        owner = owner[name]
    del owner[key]
    with pytest.raises(MalformedEventError, match=f"{missing} is missing or null"):
        handler(event)


@pytest.mark.parametrize("door", ["rest_api", "alb"], indirect=True)
def test_a_null_path_is_named(handler: LambdaHandler, make: Make) -> None:
    with pytest.raises(MalformedEventError, match="path is missing or null"):
        handler({**make(), "path": None})


def test_a_bad_event_does_not_harm_the_next_one(handler: LambdaHandler, make: Make) -> None:
    with pytest.raises(MalformedEventError):
        handler({**make(), "body": 5})
    assert handler(make(path="/teapot/"))["statusCode"] == 418
