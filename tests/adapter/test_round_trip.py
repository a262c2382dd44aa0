"""Any request made into an event and read again is the request it was, up to what the front door loses."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import LambdaHandler, front_doors
from adapter.http import HTTPRequest
from adapter.wsgi import environ

from .builder import Sent, build, lists
from .conftest import DOORS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SEGMENT = st.binary(max_size=8)
TOKEN = st.from_regex(r"\A[a-z][a-z0-9-]{0,12}\Z").filter(lambda name: name not in {"cookie", "content-length"})
VALUE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip)

SENT = st.builds(
    Sent,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"]),
    path=st.lists(SEGMENT, max_size=4).map(lambda parts: b"/" + b"/".join(parts)),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=5).map(tuple),
    headers=st.lists(st.tuples(TOKEN, VALUE), max_size=6).map(tuple),
    body=st.binary(max_size=200),
)


def read(event: dict[str, Any]) -> HTTPRequest:
    event = json.loads(json.dumps(event))
    return front_doors.read(front_doors.recognise(event), event, None)


@given(sent=SENT, door=st.sampled_from(DOORS))
@settings(max_examples=600, deadline=None)
def test_a_request_survives_its_event(sent: Sent, door: str) -> None:
    request = read(build(door, sent))
    assert request.method == sent.method
    assert request.body == sent.body
    if door == "http_api":
        # What is no UTF-8 was replaced when the gateway decoded the path.
        assert request.path == sent.path.decode("utf-8", "replace").encode()
    else:
        assert request.path == sent.path
        assert request.raw_path == sent.raw_path
    expected = sent.query
    if door == "alb":
        expected = tuple((name, values[-1]) for name, values in lists(sent.query).items())
    seen = tuple(parse_qsl(request.query, keep_blank_values=True, strict_parsing=bool(request.query)))
    if door in {"http_api", "function_url"} or door.startswith("vpc_lattice"):
        assert seen == expected
    else:
        assert lists(seen) == lists(expected)


@given(sent=SENT, door=st.sampled_from(DOORS))
@settings(max_examples=300, deadline=None)
def test_every_header_reaches_the_environ(sent: Sent, door: str) -> None:
    env = environ(read(build(door, sent)))
    for name, values in lists(sent.headers).items():
        key = name.upper().replace("-", "_")
        expected = values[-1] if door == "alb" else ",".join(values)
        seen = env[key if key == "CONTENT_TYPE" else f"HTTP_{key}"]
        assert seen.encode("latin-1").decode() == expected
    assert env.get("CONTENT_LENGTH", "0") == str(len(sent.body))


HEADERS = st.lists(st.tuples(TOKEN, VALUE.filter(str.isascii)), max_size=6)


@given(
    headers=HEADERS, body=st.binary(max_size=300), content_type=TEXT.filter(str.isascii), door=st.sampled_from(DOORS)
)
@settings(max_examples=400, deadline=None)
def test_every_answer_is_json_that_holds_its_bytes(
    headers: list[tuple[str, str]], body: bytes, content_type: str, door: str
) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [*headers, ("Content-Type", content_type.replace("\r", "").replace("\n", ""))])
        return [body]

    event = build(door, Sent("GET", b"/", (), (), b""))
    answer = json.loads(json.dumps(LambdaHandler(application)(event)))
    assert answer["statusCode"] == 200
    sent = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    assert sent == body
