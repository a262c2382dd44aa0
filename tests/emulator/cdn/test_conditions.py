"""What a viewer is sent of an answer that is kept."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cdn.conditions import chosen
from tests.emulator.cdn.edge import get, header

BODY = b"0123456789"
MODIFIED = "Tue, 06 Jan 2026 10:00:00 GMT"
EARLIER, LATER = "Tue, 06 Jan 2026 09:59:59 GMT", "Tue, 06 Jan 2026 10:00:01 GMT"
HEADERS = [("Content-Type", "text/plain"), ("ETag", '"e"'), ("Last-Modified", MODIFIED), ("Cache-Control", "max-age=5")]
WEAK = [("ETag", 'W/"e"')]


@pytest.mark.parametrize(
    ("sent", "headers", "status"),
    [
        ({}, HEADERS, 200),
        ({"If_None_Match": '"e"'}, HEADERS, 304),
        ({"If_None_Match": 'W/"e"'}, HEADERS, 304),
        ({"If_None_Match": '"e"'}, WEAK, 304),
        ({"If_None_Match": '"a", W/"b,c" ,"e"'}, HEADERS, 304),
        ({"If_None_Match": "*"}, HEADERS, 304),
        ({"If_None_Match": '"a,"e""'}, [("ETag", '"x"')], 200),
        ({"If_None_Match": "e"}, HEADERS, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": LATER}, HEADERS, 200),
        ({"If_Modified_Since": MODIFIED}, HEADERS, 304),
        ({"If_Modified_Since": EARLIER}, HEADERS, 200),
        ({"If_Modified_Since": "yesterday"}, HEADERS, 200),
        ({"If_Modified_Since": LATER}, [], 200),
        ({"If_Match": '"e"'}, HEADERS, 200),
        ({"If_Match": '"x", "e"'}, HEADERS, 200),
        ({"If_Match": "*"}, HEADERS, 200),
        ({"If_Match": '"x"'}, HEADERS, 412),
        ({"If_Match": '"e"'}, WEAK, 412),
        ({"If_Match": '"e"', "If_Unmodified_Since": EARLIER}, HEADERS, 200),
        ({"If_Unmodified_Since": EARLIER}, HEADERS, 412),
        ({"If_Unmodified_Since": MODIFIED}, HEADERS, 200),
        ({"If_Match": '"e"', "If_None_Match": '"e"'}, HEADERS, 304),
        ({"Range": "bytes=0-1", "If_None_Match": '"e"'}, HEADERS, 304),
        ({"Range": "bytes=0-1", "If_Range": '"e"'}, HEADERS, 206),
        ({"Range": "bytes=0-1", "If_Range": '"x"'}, HEADERS, 200),
        ({"Range": "bytes=0-1", "If_Range": 'W/"e"'}, WEAK, 200),
        ({"Range": "bytes=0-1", "If_Range": MODIFIED}, HEADERS, 206),
        ({"Range": "bytes=0-1", "If_Range": EARLIER}, HEADERS, 200),
    ],
)
def test_conditions(sent: dict[str, str], headers: list[tuple[str, str]], status: int) -> None:
    for method in ("GET", "HEAD"):
        answer = chosen(get(method=method, **sent), 200, headers, BODY)
        assert answer.status == (200 if method == "HEAD" and status == 206 else status)
        if answer.status in {304, 412}:
            assert answer.body == b""
            assert header(answer, "content-type") is None
            assert header(answer, "etag") == dict(headers).get("ETag")


def test_an_error_has_no_conditions() -> None:
    assert chosen(get(If_None_Match="*", Range="bytes=0-1"), 404, HEADERS, BODY).status == 404


@pytest.mark.parametrize(
    ("ranges", "status", "content_range", "body"),
    [
        ("bytes=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes=4-", 206, "bytes 4-9/10", b"456789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-30", 206, "bytes 0-9/10", BODY),
        ("bytes=8-99", 206, "bytes 8-9/10", b"89"),
        ("Bytes = 1-2 ", 206, "bytes 1-2/10", b"12"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=99-100", 416, "bytes */10", b""),
        ("bytes=-0", 416, "bytes */10", b""),
        # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RangeGETs.html
        ("bytes=4-5,1-2", 200, None, BODY),
        ("bytes=1-4,3-5", 200, None, BODY),
        ("bytes=5-4", 200, None, BODY),
        ("bytes=-", 200, None, BODY),
        ("bytes=a-b", 200, None, BODY),
        ("bytes=--1", 200, None, BODY),
        ("bytes=", 200, None, BODY),
        ("lines=0-1", 200, None, BODY),
        ("0-1", 200, None, BODY),
    ],
)
def test_ranges(ranges: str, status: int, content_range: str | None, body: bytes) -> None:
    answer = chosen(get(Range=ranges), 200, HEADERS, BODY)
    assert (answer.status, header(answer, "content-range"), answer.body) == (status, content_range, body)


def test_several_ranges() -> None:
    answer = chosen(get(Range="bytes=0-1, 5-5,-2"), 200, HEADERS, BODY)
    kind = header(answer, "content-type")
    assert kind is not None
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", kind)
    assert boundary is not None
    parts = answer.body.decode().split(f"--{boundary[1]}")
    assert (answer.status, parts[0], parts[-1]) == (206, "", "--\r\n")
    assert parts[1:-1] == [
        f"\r\nContent-Type: text/plain\r\nContent-Range: bytes {span}/10\r\n\r\n{text}\r\n"
        for span, text in (("0-1", "01"), ("5-5", "5"), ("8-9", "89"))
    ]


@given(st.integers(0, 12), st.integers(0, 12))
def test_two_halves_are_the_whole(cut: int, size: int) -> None:
    body = bytes(range(size))
    first = chosen(get(Range=f"bytes=0-{cut - 1}"), 200, [], body) if cut > 0 else None
    second = chosen(get(Range=f"bytes={cut}-"), 200, [], body)
    halves = [answer.body for answer in (first, second) if answer is not None and answer.status == 206]
    assert b"".join(halves) == body


@given(st.text(st.sampled_from('bytes=0123456789-, "*We/')), st.text(st.sampled_from('"W/e*, ')))
def test_whatever_a_viewer_sends_is_answered(ranges: str, etags: str) -> None:
    answer = chosen(get(Range=ranges, If_None_Match=etags, If_Match=etags or "*"), 200, HEADERS, BODY)
    assert answer.status in {200, 206, 304, 412, 416}
    assert len(answer.body) <= 50 * len(BODY) * max(1, ranges.count(","))
