"""The platform's limits, met with an answer that says so before the platform's own blank one."""

from __future__ import annotations

import json
import signal
import threading
from math import inf
from time import monotonic
from typing import Any

from .exceptions import AnswerError
from .http import HTTPResponse, reason_phrase

SURELY_SMALL = 100_000
"""Characters that a body may have on any front door without being measured: each is 6 bytes of JSON at most."""


class DeadlineExceeded(BaseException):
    """Raised in the midst of the application when the function's time limit is near.

    No `Exception`: the application's own handlers must not turn it into an answer of theirs.
    """


class Alarm:
    """Raises `DeadlineExceeded` in the main thread once a deadline has passed.

    A timer costs two system calls, a tenth of what the whole adapter takes; so it is left running when a request ends
    in time, and looks, when it rings, whether a later request's deadline is the one to wait for.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        """When the request at hand has to be done, by the monotonic clock; set it to None as soon as it is."""
        self._rings_at = inf

    def set(self, seconds: float) -> None:
        """Interrupt whatever the main thread does after ``seconds``; in another thread, nothing can be."""
        self.deadline = deadline = monotonic() + seconds
        if deadline < self._rings_at:
            self._arm(deadline)

    def forget(self) -> None:
        """Have the timer set anew by the next request, as a clock may have jumped."""
        self._rings_at = inf

    def _arm(self, deadline: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            self.deadline = None
            return
        signal.signal(signal.SIGALRM, self._ring)
        self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        self._rings_at = deadline
        signal.setitimer(signal.ITIMER_REAL, max(deadline - monotonic(), 0.001))

    def _ring(self, signal_number: int, frame: object) -> None:  # noqa: ARG002
        self._rings_at = inf
        if self.deadline is None:
            return
        if monotonic() < self.deadline:
            self._wait(self.deadline)
        else:
            self.deadline = None
            raise DeadlineExceeded


alarm = Alarm()


def seconds_left(context: Any, margin: float) -> float | None:
    """Seconds the application may take, None where there is no deadline to keep."""
    if not margin:
        return None
    try:
        return context.get_remaining_time_in_millis() * 0.001 - margin  # type: ignore[no-any-return]
    except AttributeError:
        return None


def check_size(answer: dict[str, Any], door: str, limit: int) -> None:
    """`AnswerError` where ``answer`` is more than ``limit`` bytes as JSON."""
    size = len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())
    if size > limit:
        raise AnswerError(
            f"it is {size:,} bytes long as JSON, and {door} passes {limit:,} on",
            "Put large files into the bucket and redirect to them, or send less at a time",
        )


def explained(status: int, text: str) -> HTTPResponse:
    """An answer of ours in the application's place."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    return HTTPResponse(status, reason_phrase(status), headers, text.encode())
