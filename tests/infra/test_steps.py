from __future__ import annotations

import io
import time

import pytest

from infra.steps import Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO) -> list[str]:
    steps = Steps(stream)
    with steps.step("Resolve") as step:
        step.progress("3 of 34 packages")
        step.says("34 packages")
    steps.note("it is late")
    with steps.step("Upload") as step:
        step.tell("to the bucket")
    with pytest.raises(OSError, match="full"), steps.step("Zip"):
        raise OSError("the disk is full")
    with pytest.raises(KeyboardInterrupt), steps.step("Stack"):
        raise KeyboardInterrupt
    return stream.getvalue().split("\n")[:-1]


def test_elsewhere_there_is_a_line_for_each_step() -> None:
    assert told(io.StringIO()) == [
        "Resolve    34 packages",
        "note       it is late",
        "           to the bucket",
        "Upload     done",
        "Zip        failed",
        "Stack      interrupted",
    ]


def test_on_a_terminal_what_is_under_way_makes_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    lines = told(Terminal())
    assert lines[0] == "Resolve    \r\x1b[2KResolve    3 of 34 packages\r\x1b[2KResolve    34 packages"
    # What a terminal shows in the end is what a file has.
    assert [line.rpartition("\r\x1b[2K")[2] for line in lines] == told(io.StringIO())
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[1mResolve    \x1b[0m34 packages" in told(Terminal())[0]
    assert "\x1b[31mfailed\x1b[0m" in "".join(told(Terminal()))


def test_what_takes_its_time_says_how_long() -> None:
    stream = io.StringIO()
    with Steps(stream).step("Wait"):
        time.sleep(0.11)
    assert stream.getvalue().startswith("Wait       done (0.1")
