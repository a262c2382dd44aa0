"""A streamed answer between the runtime's connection and the front door."""

from __future__ import annotations

import asyncio

import pytest

from emulator.function.invocation import ResponseStream


class Source:
    """A runtime's connection, as far as a stream knows it."""

    def __init__(self) -> None:
        self.paused = False
        self.aborted = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.aborted = True


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def stream(source: Source) -> ResponseStream:
    stream = ResponseStream()
    stream.begin("text/plain", source)
    return stream


def read(stream: ResponseStream) -> bytes:
    return asyncio.run(stream.read())


def test_what_nobody_reads_makes_the_runtime_wait(stream: ResponseStream, source: Source) -> None:
    seen = []
    for size in (1000, 1_000_000):
        stream.feed(bytes(size))
        seen.append(source.paused)
    assert len(read(stream)) == 1_001_000
    assert [*seen, source.paused] == [False, True, False]


def test_a_runtime_that_has_sent_the_end_does_not_wait_for_the_reader(stream: ResponseStream, source: Source) -> None:
    stream.feed(bytes(1_000_000))
    stream.end()
    assert not source.paused  # or its next request would never be seen
    assert len(read(stream)) == 1_000_000
    assert read(stream) == b""
    stream.close()
    assert not source.aborted


def test_whoever_reads_no_more_breaks_the_runtime_off(stream: ResponseStream, source: Source) -> None:
    stream.feed(b"begin")
    stream.close()
    assert source.aborted
    assert read(stream) == b""
