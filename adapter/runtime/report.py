"""What the log and the Runtime API get to know of an exception."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from .. import log_lines, logs
from ..exceptions import AdapterError, RuntimeFault
from ..limits import DeadlineExceeded

_LATE = (
    "The answer was broken off, as the function's time limit is near. Raise the function's timeout, or let the answer "
    "end earlier: a browser's EventSource connects again by itself."
)
_ADAPTER = str(Path(__file__).parents[1])


class Report:
    """An exception as the Runtime API takes it; making one writes it to the log.

    The adapter's own errors say all there is to say, so they come without a traceback.
    """

    def __init__(self, error: BaseException, request_id: str | None = None) -> None:
        explained = isinstance(error, AdapterError)
        details = _without_machinery(error)
        message = _LATE if isinstance(error, DeadlineExceeded) else _text(error)
        self.error_type = error.error_type if isinstance(error, RuntimeFault) else type(error).__name__
        stack = [] if explained else details.stack.format()
        if logs.wants_json(os.environ):
            _print(log_lines.error(self.error_type, message, stack, request_id))
        else:
            text = f"{self.error_type}: {message}" if explained else "".join(details.format()).rstrip()
            tell("ERROR", f"{text}\n{_LATE}" if message is _LATE else text, request_id)
        report = {
            "errorMessage": message,
            "errorType": self.error_type,
            "requestId": request_id or "",
            "stackTrace": stack,
        }
        self.payload = json.dumps(report).encode()
        self.cause = json.dumps(
            {
                "working_directory": str(Path.cwd()),
                "exceptions": [
                    {
                        "type": self.error_type,
                        "message": message[:1000],
                        "stack": [{"label": f.name, "path": f.filename, "line": f.lineno} for f in details.stack[-50:]],
                    }
                ],
                "paths": sorted({frame.filename for frame in details.stack[-50:]}),
            }
        )
        """The exception as X-Ray shows it, on one line."""


def tell(level: str, message: str, request_id: str | None = None) -> None:
    """Write a line of the runtime's own to the log, in the format of all others."""
    if logs.wants_json(os.environ):
        _print(log_lines.note(level, message, request_id))
    else:
        where = f" (request {request_id})" if request_id else ""
        _print(f"[{level}]{where} {message}")


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as flaw:
        return f"(its text can't be made: {type(flaw).__name__})"


def _without_machinery(error: BaseException) -> traceback.TracebackException:
    """The error's traceback from where the project's code begins, without the frames of the import system."""
    details = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in details.stack if "importlib" not in frame.filename]
    while len(frames) > 1 and frames[0].filename.startswith(_ADAPTER):
        del frames[0]
    details.stack = traceback.StackSummary.from_list(frames)
    return details
