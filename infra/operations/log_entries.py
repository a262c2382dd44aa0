"""What a line of a function's log says: JSON as docs/logs.md and Lambda itself write it, or text.

Lambda's own lines: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (as JSON), and
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ERRORS = frozenset({"ERROR", "CRITICAL", "FATAL", "error", "critical", "fatal"})
_FAILURES = frozenset({"error", "failure", "timeout"})

ERROR_PATTERN = "%ERROR|CRITICAL|FATAL|Error|error|critical|fatal|failure|timeout|timed|Traceback%"
"""A filter for CloudWatch that leaves no line out which `Entry.is_error`; a regular expression matches anywhere in it:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""

# As the adapter's text format has it, and Lambda's own.
_TEXT = re.compile(r"\[(?P<level>[A-Z]+)\]\t\S+Z\t(?P<id>[0-9a-f-]*)\t(?P<message>.*)", re.DOTALL)
_PLATFORM = re.compile(r"(?P<kind>START|END|REPORT|INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT)\b")
_REQUEST_ID = re.compile(r"(?:RequestId: |^\S+Z )(?P<id>[0-9a-f-]{36})\b")
_TEXT_ERROR = re.compile(
    r"Task timed out after|RequestId: \S+ Error: |Traceback \(most recent call last\)|\bStatus: (?:timeout|error)"
)
# Said elsewhere on the line, or of no use to a person.
_TOLD = frozenset({
    "timestamp", "level", "message", "logger", "requestId", "traceId", "coldStart", "stackTrace", "errorType",
    "errorMessage", "location", "stackInfo", "tenantId",
})  # fmt: skip
_ACCESS = frozenset({"method", "path", "status", "durationMs", "bytes"})


@dataclass(frozen=True)
class Entry:
    """A line, taken apart.

    ``text`` is what a person reads, ``stack`` what comes below it; ``more`` are the fields beside. ``is_routine`` is a
    line of Lambda's own that says nothing but that an invocation begins or ends.
    """

    text: str
    level: str = ""
    request_id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    stack: str = ""
    is_error: bool = False
    is_routine: bool = False


def parse(line: str) -> Entry:
    """The entry that ``line`` is; whatever it is, there is one."""
    line = line.rstrip()
    if line.startswith("{"):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            pass
        else:
            record = fields.get("record")
            if str(fields.get("type", "")).startswith("platform.") and isinstance(record, dict):
                return _of_platform(fields["type"].removeprefix("platform."), record)
            return _of_logger(fields)
    if match := _PLATFORM.match(line):
        routine = match["kind"] not in {"REPORT", "INIT_REPORT", "RESTORE_REPORT"}
        named = _REQUEST_ID.search(line)
        request_id = named["id"] if named else ""
        failed = bool(_TEXT_ERROR.search(line))
        text = " ".join(line.replace(f"RequestId: {request_id}", "", 1).split())
        return Entry(text, "", request_id, is_error=failed, is_routine=routine)
    if match := _TEXT.match(line):
        first, _, stack = match["message"].partition("\n")
        return Entry(first, match["level"], match["id"], {}, stack, is_error=match["level"] in _ERRORS)
    named = _REQUEST_ID.search(line)
    return Entry(line, "", named["id"] if named else "", is_error=bool(_TEXT_ERROR.search(line)))


def _of_logger(fields: Mapping[str, Any]) -> Entry:
    level, logger = str(fields.get("level", "")), fields.get("logger")
    message = fields.get("message", "")
    if not message and "errorType" in fields:  # AWS's own runtime, of an exception that ends an invocation
        message = f"{fields['errorType']}: {fields.get('errorMessage', '')}"
    if not isinstance(message, str):
        message = json.dumps(message, ensure_ascii=False)
    told = _TOLD | _ACCESS if logger == "adapter.access" else _TOLD
    more = {name: value for name, value in fields.items() if name not in told}
    if logger and logger != "adapter.access":
        message = f"{logger}: {message}"
    stack = fields.get("stackTrace") or ""
    if isinstance(stack, list):
        stack = "\n".join(str(part).rstrip("\n") for part in stack)
    is_error = level in _ERRORS or ("errorType" in fields and not level)
    return Entry(message, level, str(fields.get("requestId") or ""), more, str(stack), is_error=is_error)


def _of_platform(kind: str, record: Mapping[str, Any]) -> Entry:
    measured = record.get("metrics")
    metrics = measured if isinstance(measured, dict) else {}
    status = str(record.get("status", ""))
    failed = status in _FAILURES
    request_id = str(record.get("requestId") or "")
    if kind not in {"report", "initReport", "restoreReport"} and not failed:
        return Entry(kind, "", request_id, is_routine=True)
    parts = [
        _milliseconds(metrics, "durationMs", "{}"),
        _milliseconds(metrics, "billedDurationMs", "billed {}"),
        _milliseconds(metrics, "initDurationMs", "init {}"),
        _milliseconds(metrics, "restoreDurationMs", "restore {}"),
    ]
    if "maxMemoryUsedMB" in metrics:
        parts.append(f"{metrics['maxMemoryUsedMB']} of {metrics.get('memorySizeMB', '?')} MB")
    if failed:
        parts.append(f"{status} {record.get('errorType') or ''}".strip())
    return Entry(f"{kind} {', '.join(filter(None, parts))}", "", request_id, is_error=failed)


def _milliseconds(metrics: Mapping[str, Any], name: str, form: str) -> str:
    value = metrics.get(name)
    return form.format(f"{value:,.0f} ms") if isinstance(value, (int, float)) else ""
