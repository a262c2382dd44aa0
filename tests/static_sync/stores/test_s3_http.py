"""The reading of HTTP answers, whatever arrives and however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from static_sync.stores.s3 import http
from static_sync.stores.s3.http import BLOCK, MAX_BODY, MAX_HEAD, Answer, AnswerReader, BrokenAnswerError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\nA\r\npedia, 123\r\n0\r\nX: t\r\n\r\n"
PLAIN = b'HTTP/1.1 200 OK\r\nETag: "abc"\r\nContent-Length: 5\r\n\r\nhello'
ANSWERS = [
    PLAIN,
    CHUNKED,
    b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
    b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED,
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"<html>\r\n\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"",
]


def from_pieces(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """What a connection receives: piece by piece, then its end."""
    iterator = iter(pieces)

    def receive(most: int) -> bytes:
        piece = next(iterator, b"")
        assert len(piece) <= most
        return piece

    return receive


def read(pieces: Iterable[bytes], method: str = "GET") -> tuple[Answer, bool] | str:
    try:
        return AnswerReader(from_pieces(pieces)).read(method)
    except BrokenAnswerError as error:
        return str(error)


def answer(pieces: Iterable[bytes], method: str = "GET") -> Answer:
    found = read(pieces, method)
    assert isinstance(found, tuple), found
    return found[0]


mutated = st.builds(
    lambda whole, start, length, new: whole[:start] + new + whole[start + length :],
    st.sampled_from(ANSWERS),
    st.integers(0, 120),
    st.integers(0, 20),
    st.binary(max_size=8) | st.sampled_from([b"\r\n", b"\r", b"0\r\n", b":", b"\r\n\r\n"]),
)


@given(mutated | st.sampled_from(ANSWERS) | st.binary(max_size=60), st.lists(st.integers(1, 150), max_size=40))
@example(CHUNKED, list(range(1, 150)))
def test_any_cut_of_the_bytes_gives_the_same_answer(whole: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted({cut for cut in cuts if cut < len(whole)}), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(borders) if start < end]
    found, expected = read(pieces), read([whole] if whole else [])
    # Whether more than the answer was read, and so the connection given up, is a matter of the cut.
    assert (found[0] if isinstance(found, tuple) else found) == (
        expected[0] if isinstance(expected, tuple) else expected
    )


@given(
    st.binary(max_size=300),
    st.sampled_from(["length", "chunks", "end"]),
    st.lists(st.integers(1, 80), min_size=1, max_size=8),
)
def test_a_body_arrives_as_it_was_sent(body: bytes, way: str, sizes: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Some: thing \r\n"
    if way == "length":
        sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    elif way == "end":
        sent = head + b"\r\n" + body
    else:
        sent, position = head + b"Transfer-Encoding: Chunked\r\n\r\n", 0
        for size in itertools.cycle(sizes):
            chunk = body[position : position + size]
            sent += b"%x\r\n%s\r\n" % (len(chunk), chunk)
            position += size
            if not chunk:
                break
    found = read(sent[start : start + 7] for start in range(0, len(sent), 7))
    assert isinstance(found, tuple)
    assert (found[0].status, found[0].body, found[0].headers["x-some"]) == (200, body, "thing")
    assert found[1] is (way != "end")


def test_interim_answers_are_skipped() -> None:
    assert answer([b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN]) == answer([PLAIN])
    assert read([b"HTTP/1.1 100 Continue\r\n\r\n"] * 100) == "the service keeps saying that an answer will follow"


def test_some_answers_have_no_body() -> None:
    assert answer([PLAIN], "HEAD").body == b""
    for status in (b"204", b"304"):
        assert answer([PLAIN.replace(b"200", status)]).body == b""


@pytest.mark.parametrize(
    ("sent", "keep"),
    [
        (PLAIN, True),
        (PLAIN.replace(b"ETag", b"Connection: x, Close\r\nETag"), False),
        (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"ETag", b"Connection: keep-alive\r\nETag"), True),
        (PLAIN + b"more than it said", False),
    ],
)
def test_whether_a_connection_can_be_kept(sent: bytes, keep: bool) -> None:
    assert read([sent]) == (answer([sent]), keep)


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED])
def test_a_truncated_answer_is_none(whole: bytes) -> None:
    for length in range(len(whole)):
        assert isinstance(read([whole[:length]] if length else []), str), whole[:length]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+4\r\nWiki\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nWiki\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 600 No\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x16",
    ],
)
def test_what_is_no_http_is_refused(sent: bytes) -> None:
    assert isinstance(read([sent]), str)


def test_another_protocol_is_not_waited_for() -> None:
    def receive(_most: int) -> bytes:
        assert not received, "asked for more"
        received.append(b"SSH-2.0")
        return received[0]

    received: list[bytes] = []
    with pytest.raises(BrokenAnswerError, match="does not speak"):
        AnswerReader(receive).read("GET")


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("start", "piece", "says", "most"),
    [
        (HEAD, b"X: y\r\n" * 100, "head of the answer is longer", MAX_HEAD),
        (HEAD + b"X:", b"y" * 1000, "head of the answer is longer", MAX_HEAD),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000, "line of the answer is longer", MAX_HEAD),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", "what follows the answer", MAX_HEAD * 2),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"x" * 0x8000 + b"\r\n", "64 MiB", MAX_BODY),
        (HEAD + b"\r\n", b"x" * BLOCK, "64 MiB", MAX_BODY),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x", "64 MiB", 0),
    ],
)
def test_a_service_cannot_fill_the_memory(start: bytes, piece: bytes, says: str, most: int) -> None:
    taken = 0

    def pieces() -> Iterable[bytes]:
        nonlocal taken
        yield start
        while True:
            taken += len(piece)
            yield piece

    found = read(pieces())
    assert isinstance(found, str)
    assert says in found
    assert taken <= most + len(piece) + BLOCK


def test_a_service_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LONGEST_ANSWER", 0.02)
    assert read(itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" "))) == "the answer was not whole after 0 s"
