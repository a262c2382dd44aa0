"""The platform's limits, met with an answer that says so before the platform's own blank one."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import Any

from .http import HTTPResponse, reason_phrase

# A character of JSON text takes at most so many bytes: a body well below the limit need not be measured.
_WORST_CHARACTER = 6


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
        self._deadline: float | None = None
        self._rings_at: float | None = None

    def set(self, seconds: float) -> None:
        """Interrupt whatever the main thread does after ``seconds``; in another thread, nothing can be."""
        deadline = time.monotonic() + seconds
        if self._rings_at is None or self._rings_at > deadline:
            if threading.current_thread() is not threading.main_thread():
                return
            signal.signal(signal.SIGALRM, self._ring)
            self._wait(deadline)
        self._deadline = deadline

    def clear(self) -> None:
        """The request is done."""
        self._deadline = None

    def _wait(self, deadline: float) -> None:
        self._rings_at = deadline
        signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001))

    def _ring(self, signal_number: int, frame: object) -> None:  # noqa: ARG002
        self._rings_at = None
        if self._deadline is None:
            return
        if time.monotonic() < self._deadline:
            self._wait(self._deadline)
        else:
            self._deadline = None
            raise DeadlineExceeded


alarm = Alarm()


def seconds_left(context: Any, margin: float) -> float | None:
    """Seconds the application may take, None where there is no deadline to keep."""
    if not margin:
        return None
    try:
        remaining: float = context.get_remaining_time_in_millis()
    except AttributeError:
        return None
    return remaining / 1000 - margin


def too_large(answer: dict[str, Any], limit: int) -> int | None:
    """The bytes of ``answer`` as JSON where they are more than ``limit``, else None."""
    if len(answer["body"]) * _WORST_CHARACTER + 65536 < limit:
        return None
    size = len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())
    return size if size > limit else None


def explained(status: int, text: str) -> HTTPResponse:
    """An answer of ours in the application's place."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    return HTTPResponse(status, reason_phrase(status), headers, text.encode())
