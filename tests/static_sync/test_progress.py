from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from static_sync.progress import NO_PROGRESS, Meter
from tests.timing import processor_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """A real one: ``stream`` is the side that a program writes to."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        self.stream = os.fdopen(slave, "w")
        self.resize(80)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> str:
        """What was written since the last time, up to a mark of our own."""
        self.stream.write("\0")
        self.stream.flush()
        data = b""
        while not data.endswith(b"\0"):
            data += os.read(self._master, 65536)
        return data[:-1].decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_one_line_on_a_terminal_and_none_at_the_end(terminal: Terminal, clock: Clock) -> None:
    terminal.resize(120)
    meter = Meter(terminal.stream, clock)
    meter.begin(200, 50_000_000)
    meter.advance(1, 250_000)
    assert terminal.read() == ""
    clock.now += 2
    meter.advance(99, 24_750_000)
    shown = terminal.read()
    half = "#" * 15 + " " * 15
    assert shown == f"\rUploading 100 of 200 files  25.0 of 50.0 MB  12.5 MB/s  0:02 left  [{half}]"
    clock.now += 0.05
    meter.advance(1, 0)
    assert terminal.read() == ""
    clock.now += 0.06
    meter.advance(99, 25_000_000)
    shown += terminal.read()
    assert _screen(shown).startswith("Uploading 200 of 200 files  50.0 of 50.0 MB")
    meter.end()
    assert _screen(shown + terminal.read()) == ""
    meter.end()
    assert terminal.read() == ""


def test_what_is_shorter_wipes_what_was_longer(terminal: Terminal, clock: Clock) -> None:
    meter = Meter(terminal.stream, clock)
    meter.begin(10, 0, "A long name of what is done")
    clock.now += 1
    meter.advance(1, 0)
    before = terminal.read()
    meter.begin(10, 0, "Short")
    clock.now += 1
    meter.advance(1, 0)
    assert re.fullmatch(r"Short 1 of 10 files +0\.0 of 0\.0 MB.*", _screen(before + terminal.read()).rstrip())


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40, 20, 5, 1])
def test_never_wider_than_the_terminal(terminal: Terminal, clock: Clock, columns: int) -> None:
    terminal.resize(columns)
    meter = Meter(terminal.stream, clock)
    meter.begin(10_000, 123_456_789_000)
    for _ in range(20):
        clock.now += 700
        meter.advance(499, 6_172_839_400)
        assert max(len(line) for line in terminal.read().split("\r")) <= columns - 1


def test_there_are_no_escape_codes(terminal: Terminal, clock: Clock) -> None:
    meter = Meter(terminal.stream, clock)
    meter.begin(2, 2)
    clock.now += 1
    meter.advance(1, 1)
    meter.end()
    assert "\x1b" not in terminal.read()


@pytest.mark.parametrize("where", ["pipe", "dumb terminal"])
def test_plain_lines_elsewhere_every_ten_seconds(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "pipe":
        reading, writing = os.pipe()
        stream: TextIO = os.fdopen(writing, "w")
        read: Callable[[], str] = lambda: os.read(reading, 65536).decode()  # noqa: E731
    else:
        monkeypatch.setenv("TERM", "dumb")
        stream, read = terminal.stream, lambda: terminal.read().replace("\r\n", "\n")
    meter = Meter(stream, clock)
    meter.begin(60, 60_000_000)
    for _ in range(35):
        clock.now += 1
        meter.advance(1, 1_000_000)
    meter.end()
    assert read().splitlines() == [
        f"Uploading {done} of 60 files  {done}.0 of 60.0 MB  1.0 MB/s  0:{60 - done} left" for done in (10, 20, 30)
    ]
    if where == "pipe":
        stream.close()
        os.close(reading)


def test_nothing_to_do_and_more_done_than_said(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Meter(stream, clock)
    meter.begin(0, 0)
    clock.now += 10
    meter.advance(0, 0)
    meter.begin(1, 10)
    clock.now += 3700
    meter.advance(2, 30)
    assert stream.getvalue().splitlines() == [
        "Uploading 0 of 0 files  0.0 of 0.0 MB  0.0 MB/s  0:00 left",
        "Uploading 2 of 1 files  0.0 of 0.0 MB  0.0 MB/s  0:00 left",
    ]


def test_hours_are_left(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Meter(stream, clock)
    meter.begin(400, 0)
    clock.now += 60
    meter.advance(1, 0)
    assert "6:39:00 left" in stream.getvalue()


def test_a_reader_who_has_left_stops_nothing(clock: Clock) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    meter = Meter(stream, clock)
    meter.begin(2, 2)
    clock.now += 11
    meter.advance(1, 1)
    clock.now += 11
    meter.advance(1, 1)
    meter.end()
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_many_threads_lose_no_count_and_a_stuck_terminal_holds_up_one_only() -> None:
    stuck, go_on = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            if not stuck.is_set():
                stuck.set()
                go_on.wait(10)
            return super().write(text)

    stream, clock = Stuck(), Clock()
    meter = Meter(stream, clock)
    meter.begin(8001, 8001)
    clock.now += 11
    held_up = threading.Thread(target=meter.advance, args=(1, 1))
    held_up.start()
    assert stuck.wait(10)
    threads = [
        threading.Thread(target=lambda: [meter.advance(1, 1) for _ in range(1000)])  # type: ignore[func-returns-value]
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert held_up.is_alive()
    go_on.set()
    held_up.join()
    clock.now += 11
    meter.advance(0, 0)
    assert "Uploading 8,001 of 8,001 files" in stream.getvalue()


def test_a_file_costs_next_to_nothing() -> None:
    meter = Meter(io.StringIO())
    meter.begin(20_000, 0)

    def advance() -> None:
        for _ in range(20_000):
            meter.advance(1, 1)

    assert processor_seconds(advance) < 0.4  # 20 microseconds each: fifty times what it takes


def test_no_progress_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    NO_PROGRESS.begin(1, 1, "x")
    NO_PROGRESS.advance(1, 1)
    NO_PROGRESS.end()
    assert capsys.readouterr() == ("", "")


def _screen(written: str) -> str:
    """What a terminal shows in the end, trailing blanks aside."""
    line: list[str] = []
    column = 0
    for character in written:
        if character == "\r":
            column = 0
        else:
            line[column : column + 1] = character
            column += 1
    return "".join(line).rstrip()
