"""A function's process: events come as lines of JSON on stdin, what the handler makes of them goes to stdout.

What the function itself prints goes to stderr, which stands for its log.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from types import SimpleNamespace

if __name__ == "__main__":
    events, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.close(0)
    from adapter.entrypoint import handler

    for line in events:
        call = json.loads(line)
        deadline = time.monotonic() + 30
        context = SimpleNamespace(
            aws_request_id=call["id"],
            get_remaining_time_in_millis=lambda deadline=deadline: int((deadline - time.monotonic()) * 1000),
        )
        try:
            answer = {"answer": handler(call["event"], context)}
        except Exception as error:
            stack = traceback.format_tb(error.__traceback__)
            answer = {"error": {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
