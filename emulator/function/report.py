"""The lines AWS itself writes into a function's log, in its text format.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html (INIT_REPORT)

Their order: INIT_START and what INIT writes; START, what the function writes, END, REPORT. Where INIT runs within an
invocation (after a crash, a timeout or an INIT that was too late), there is no INIT_START, its lines come before START,
and its time is part of ``Duration``; INIT_REPORT is there only where INIT failed.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
import time
from typing import Literal

_REPORTABLE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


def init_start(region: str) -> str:
    """The version is this Python's own: AWS counts builds of its runtimes, which mean nothing here."""
    version = "python:{}.{}.v{}".format(*sys.version_info)
    build = hashlib.sha256(sys.version.encode()).hexdigest()
    return f"INIT_START Runtime Version: {version}\tRuntime Version ARN: arn:aws:lambda:{region}::runtime:{build}"


def init_report(seconds: float, phase: Literal["init", "invoke"], error: str | None) -> str:
    """``error`` is what went wrong, None for a timeout."""
    ending = "timeout" if error is None else f"error\tError Type: {error_type(error)}"
    return f"INIT_REPORT Init Duration: {seconds * 1000:.2f} ms\tPhase: {phase}\tStatus: {ending}"


def start(request_id: str) -> str:
    return f"START RequestId: {request_id} Version: $LATEST"


def timed_out(request_id: str, limit: float) -> list[str]:
    """Comes before END."""
    now = time.time()
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
    return [f"{stamp} {request_id} Task timed out after {limit:.2f} seconds", ""]


def exited(request_id: str, how: str) -> list[str]:
    """Comes before END; ``how`` is "exit status 3", for instance."""
    return [f"RequestId: {request_id} Error: {how}", "Runtime.ExitError"]


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def billed(duration: float, init: float | None) -> float:
    """Seconds that cost something: whole milliseconds, INIT included since August 2025.

    https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
    """
    # Rounded first: the sum of two floats may lie a trifle above the millisecond.
    return math.ceil(round((duration + (init or 0.0)) * 1000, 6)) / 1000


def report(
    request_id: str,
    duration: float,
    init: float | None,
    memory_size: int,
    memory_used: int | None,
    status: str | None,
) -> str:
    """``init`` None for a warm environment; without ``memory_used`` that field is left out.

    ``status`` is "timeout" or what kind of error ended the process. An error that the function itself reports leaves
    none (unproven: seen in no log at hand, neither with nor without).
    """
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration * 1000:.2f} ms",
        f"Billed Duration: {billed(duration, init) * 1000:.0f} ms",
        f"Memory Size: {memory_size} MB",
    ]
    if memory_used is not None:
        fields.append(f"Max Memory Used: {memory_used} MB")
    if init is not None:
        fields.append(f"Init Duration: {init * 1000:.2f} ms")
    if status is None:
        fields.append("")  # the line ends with a tab
    elif status == "timeout":
        fields.append("Status: timeout")
    else:
        fields.append(f"Status: error\tError Type: {status}")
    return "\t".join(fields)


def error_type(error: str) -> str:
    """The type that AWS shows for an error told as "type: message": its own kinds, or that it is unknown.

    https://github.com/aws/aws-lambda-runtime-interface-emulator (fatalerror)
    """
    kind = error.partition(":")[0]
    return kind if _REPORTABLE.fullmatch(kind) else "Runtime.Unknown"
