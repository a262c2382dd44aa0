"""Runs Django's ``runtests.py``, in a process of its own and in the folder the suite is in.

Arguments: the way the client goes, the file for the outcomes, and what ``runtests.py`` is to be given.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import sys
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner

from . import clients

_outcomes: dict[str, tuple[str, str]] = {}


class Recorder(unittest.TextTestResult):
    """What became of each test, by its id; a test that has any failing part failed."""

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        _outcomes.setdefault(test.id(), ("passed", ""))
        super().addSuccess(test)

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self._failed(test, err)
        super().addError(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self._failed(test, err)
        super().addFailure(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        if err is not None:
            self._failed(test, err)
        super().addSubTest(test, subtest, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        _outcomes[test.id()] = ("skipped", reason)
        super().addSkip(test, reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        _outcomes[test.id()] = ("skipped", "expected to fail")
        super().addExpectedFailure(test, err)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        _outcomes[test.id()] = ("failed", "was expected to fail")
        super().addUnexpectedSuccess(test)

    def _failed(self, test: unittest.TestCase, err: Any) -> None:
        _outcomes[test.id()] = ("failed", self._exc_info_to_string(err, test))  # type: ignore[attr-defined]


def main(way: str, outcomes: str, *arguments: str) -> None:
    # The suite splits itself over processes only where they are forked, which Python 3.14 no longer does unasked.
    multiprocessing.set_start_method("fork")
    DiscoverRunner.get_resultclass = lambda self: Recorder  # type: ignore[method-assign]
    count = Path(outcomes).with_suffix(".requests")
    clients.install(way, os.open(count, os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY))
    # As if runtests.py had been started itself: its folder first, this repository, which has a `tests` too, last.
    sys.path.insert(0, str(Path.cwd()))
    sys.argv = ["runtests.py", *arguments]
    try:
        runpy.run_path("runtests.py", run_name="__main__")
    finally:
        Path(outcomes).write_text(json.dumps({"requests": count.stat().st_size, "outcomes": _outcomes}), "utf-8")
        count.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
