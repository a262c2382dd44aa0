"""The platform's limits, met with an answer that says so before the platform's own blank one."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .http import HTTPResponse, reason_phrase

# A character of JSON text takes at most so many bytes: a body well below the limit need not be measured.
_WORST_CHARACTER = 6


class DeadlineExceeded(BaseException):
    """Raised in the midst of the application when the function's time limit is near.

    No `Exception`: the application's own handlers must not turn it into an answer of theirs.
    """


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `DeadlineExceeded` in the block after ``seconds``; outside the main thread, which has no signals, never."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(signal_number: int, frame: object) -> None:  # noqa: ARG001
    raise DeadlineExceeded


def seconds_left(context: Any, margin: float) -> float | None:
    """Seconds the application may take, None where there is no deadline to keep."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None or not margin:
        return None
    return float(remaining()) / 1000 - margin


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
