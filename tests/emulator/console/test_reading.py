from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.console.reading import body_of, headers_of, http_message, row, whole
from emulator.records import LONGEST_PART

from .records import answer, event, record

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))


def shown(body: bytes | str, kind: str, **headers: str) -> dict[str, Any]:
    """How the body of an answer is told, base64 where ``body`` is bytes."""
    binary = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    message = {"statusCode": 200, "headers": {"content-type": kind, **headers}, "body": text, "isBase64Encoded": binary}
    told = whole(record("a", answer=json.dumps(message).encode()))["response"]["body"]
    assert isinstance(told, dict)
    return told


def test_a_row_tells_what_the_list_shows_and_no_event() -> None:
    told = row(record("a", "/books/", init=0.4, error="x" * 5000))
    assert told["id"] == "a"
    assert (told["target"], told["status"], told["init"], told["billed"]) == ("/books/", 200, 0.4, 0.012)
    assert len(json.dumps(told)) < 1000
    assert not {"event", "answer", "log"} & set(told)


def test_all_of_a_record_has_its_json_as_it_travelled() -> None:
    sent = b'{"headers": {},  "n": 12345678901234567890, "n": 1.50}'
    told = whole(record("a", event=sent, log=["one", "two"], error="x" * 5000))
    assert told["event"] == sent.decode()
    assert told["log"] == ["one", "two"]
    assert len(told["error"]) == 5000
    assert told["cut"] == []


def test_what_is_not_whole_is_said_to_be_cut() -> None:
    told = whole(record("a", answer=answer("x" * LONGEST_PART)[:LONGEST_PART]))
    assert told["cut"] == ["answer"]
    assert told["response"] is None


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_the_request_of_every_captured_event_is_made_out(path: Path) -> None:
    captured = json.loads(path.read_text())
    request = whole(record("a", event=path.read_bytes()))["request"]
    names = {name.lower() for name, _ in request["headers"]}
    assert {"host", "user-agent"} <= names
    assert request["body"]["size"] == len(body_of(captured).content)  # type: ignore[union-attr]


def test_headers_with_several_values_and_cookies_come_one_by_one() -> None:
    message = {
        "statusCode": 200,
        "headers": {"X-A": "dropped", "X-B": 5},
        "multiValueHeaders": {"x-a": ["1", "2"]},
        "cookies": ["a=1", "b=2"],
    }
    assert headers_of(message) == [
        ("x-a", "1"),
        ("x-a", "2"),
        ("X-B", "5"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]
    assert headers_of({"headers": {}, "cookies": ["a=1"]}) == [("cookie", "a=1")]


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("application/json", "json"),
        ("application/problem+json; charset=utf-8", "json"),
        ("Text/HTML", "html"),
        ("text/csv", "text"),
        ("", "text"),
    ],
)
def test_text_is_shown_in_the_form_that_suits_it(kind: str, form: str) -> None:
    assert shown('{"a": "é"}', kind) | {"form": form, "text": '{"a": "é"}', "size": 11} == shown('{"a": "é"}', kind)


def test_an_image_goes_along_as_base64_and_other_bytes_as_a_dump() -> None:
    assert shown(b"\x89PNG\0", "image/png")["base64"] == base64.b64encode(b"\x89PNG\0").decode()
    dump = shown(b"\0\x01AB" + bytes(1000), "application/zip")
    assert (dump["form"], dump["size"]) == ("binary", 1004)
    assert dump["text"].startswith("0000  00 01 41 42 00")
    assert dump["text"].splitlines()[0].endswith("..AB............")
    assert dump["text"].endswith("... 492 bytes more")


def test_text_in_another_charset_is_decoded() -> None:
    assert shown("äé".encode("latin-1"), "text/plain; charset=ISO-8859-1")["text"] == "äé"
    assert shown("äé", "text/plain; charset=ISO-8859-1")["text"] == "äé"
    assert shown(b"abc", "text/plain; charset=nonsense")["form"] == "binary"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"<p>hi</p>")),
        ("deflate", zlib.compress(b"<p>hi</p>")),
        ("deflate", zlib.compress(b"<p>hi</p>", wbits=-zlib.MAX_WBITS)),
        ("identity", b"<p>hi</p>"),
    ],
)
def test_compression_is_taken_off(coding: str, packed: bytes) -> None:
    told = shown(packed, "text/html", **{"content-encoding": coding})
    assert (told["text"], told["form"], told["note"]) == ("<p>hi</p>", "html", None)


def test_what_can_not_be_unpacked_says_so() -> None:
    assert "br, which" in shown(b"\xff\xfe", "text/html", **{"content-encoding": "br"})["note"]
    assert "gzip, which" in shown(b"\xff\xfe", "text/html", **{"content-encoding": "gzip"})["note"]
    told = whole(record("a", answer=answer("no base64!", isBase64Encoded=True)))["response"]["body"]
    assert told["note"] == "isBase64Encoded is true, but this is no base64"


def test_a_bomb_is_not_unpacked_whole() -> None:
    told = shown(gzip.compress(bytes(50 << 20)), "text/plain", **{"content-encoding": "gzip"})
    assert told["size"] == 2 << 20
    assert "Only its first 2,097,152 bytes" in told["note"]


def test_forms_are_told_field_by_field() -> None:
    plain = shown("a=1&a=%C3%A9+x&b=", "application/x-www-form-urlencoded")
    assert plain["fields"] == [{"name": "a", "value": "1"}, {"name": "a", "value": "é x"}, {"name": "b", "value": ""}]
    body = (
        b'--line\r\nContent-Disposition: form-data; name="title"\r\n\r\nWar\r\nand Peace\r\n'
        b'--line\r\nContent-Disposition: form-data; name="cover"; filename="\xc3\xa9.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x89PNG\0\r\n--line--\r\n"
    )
    assert shown(body, 'multipart/form-data; boundary="line"')["fields"] == [
        {"name": "title", "value": "War\r\nand Peace"},
        {"name": "cover", "file": "é.png, image/png, 5 bytes"},
    ]
    assert shown(body, "multipart/form-data")["form"] == "binary"


def test_a_streamed_answer_is_told_apart_from_one_without_a_body() -> None:
    streamed = record("a", answer=b'{"statusCode": 200, "headers": {"content-type": "text/plain"}}')
    assert whole(streamed)["response"] | {"body": None, "kept": False} == whole(streamed)["response"]
    assert whole(record("a", answer=answer("", 204)))["response"]["kept"] is True


def test_what_is_no_http_has_no_request_or_response() -> None:
    queue = record("a", source="queue", event=b'{"Records": []}', answer=b'{"statusCode": 1}', status=None)
    assert (whole(queue)["request"], whole(queue)["response"]) == (None, None)
    for odd in (b"", b"null", b"[1]", b'"text"', b"{", b"[" * 100_000, b"\xff"):
        assert http_message(odd) is None
        json.dumps(whole(record("a", event=odd, answer=odd)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(
    ["text/html", "image/png", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "statusCode": JSON,
            "headers": JSON | st.dictionaries(st.sampled_from(["content-type", "content-encoding"]), TYPES | st.text()),
            "multiValueHeaders": JSON,
            "cookies": JSON,
            "body": JSON | st.text(),
            "isBase64Encoded": JSON,
        },
    )
)
def test_no_message_is_too_odd_to_be_shown(message: dict[str, Any]) -> None:
    encoded = json.dumps(message).encode()
    json.dumps(whole(record("a", event=encoded, answer=encoded)))


def test_an_event_of_surrogates_can_be_told() -> None:
    told = whole(record("a", event=event(body="\\ud800"), answer=b'{"statusCode": 200, "body": "\\ud800"}'))
    assert json.dumps(told).encode()
