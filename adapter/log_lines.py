"""A log record as one line: JSON with the keys of Lambda's own, or text in the order of Lambda's own.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html

No formatter here raises, whatever was logged: a log call must not be what makes a request fail.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .invocation import Invocation, current_invocation

LIMIT = 256 * 1024 - 26
"""Bytes of a line: CloudWatch's old limit for one event, less what it counts for itself. It takes 1 MB by now; Lambda's
documentation names no limit of its own for what it passes on, and the services behind CloudWatch often kept the old."""

# https://docs.python.org/3/library/logging.html#logrecord-attributes
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
_OUR_IDS = frozenset({"request_id", "aws_request_id", "tenant_id"})
_LEVELS = {0: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
# Lone surrogates are no text; the others end a line for some readers, or begin a terminal's control sequence.
_AWKWARD = re.compile("[\x80-\x9f\u2028\u2029\ud800-\udfff]")


class JSONFormatter(logging.Formatter):
    """One JSON object a line; ``extra=`` fields stand beside ours, with ``_`` appended where a name is taken."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            fields = _fields(record, current_invocation())
        except Exception as error:
            fields = {
                "timestamp": timestamp(record),
                "level": record.levelname,
                "message": f"{message(record)} (the rest of this record could not be read: {text(error)})",
                "logger": record.name,
            }
        return encode(fields)


class TextFormatter(logging.Formatter):
    """Level, time, request id and message, with tabs between them; a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        invocation = current_invocation()
        request_id = (invocation and invocation.request_id) or ""
        line = f"[{record.levelname}]\t{timestamp(record)}\t{request_id}\t{record.name}: {message(record)}"
        try:
            line = "\n".join([line, *_stack(record), *filter(None, [record.stack_info])])
        except Exception as error:
            line += f"\nThe traceback could not be had: {text(error)}"
        encoded = line.encode("utf-8", "backslashreplace")
        return encoded.decode() if len(encoded) <= LIMIT else _shortened(encoded.decode(), LIMIT // 4)


def timestamp(record: logging.LogRecord) -> str:
    """When the record was made, as RFC 3339 has it: UTC, with milliseconds."""
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def message(record: logging.LogRecord) -> str:
    """The message with its arguments, or both side by side where they don't fit together."""
    try:
        return record.getMessage()
    except Exception as error:
        return f"{text(record.msg)} (arguments {text(record.args)}: {text(error)})"


def text(value: object) -> str:
    """Any value as text."""
    try:
        if isinstance(value, (bytes, bytearray)):
            return value.decode("utf-8", "backslashreplace")
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} whose text can't be had: {type(error).__name__}>"


def encode(fields: Mapping[str, Any]) -> str:
    """The fields as JSON on one line of at most `LIMIT` bytes."""
    line = _encoded(fields)
    if len(line) <= LIMIT // 4:  # a character takes at most four bytes
        return line
    longest = LIMIT // 2
    while len(line.encode()) > LIMIT:
        if longest < 200:
            kept = {key: fields[key] for key in ("timestamp", "level", "requestId") if key in fields}
            return _encoded(kept | _TOO_MANY)
        # Fields that are short stay as they are, numbers and flags above all.
        line = _encoded({key: _no_longer(value, longest) for key, value in fields.items()})
        longest //= 2
    return line


def error(error_type: str, error_message: str, stack: list[str], request_id: str | None) -> str:
    """A line about an error that ends an invocation or the boot, with the keys of AWS's own runtime."""
    fields = {"stackTrace": stack, "errorType": error_type, "errorMessage": error_message}
    return note("ERROR", f"{error_type}: {error_message}", request_id, **fields)


def note(level: str, message: str, request_id: str | None, **fields: Any) -> str:
    """A line of the runtime's own, for which there is no log record."""
    made = timestamp(logging.makeLogRecord({}))
    known = {"timestamp": made, "level": level, "message": message, "logger": "adapter.runtime"}
    return encode({**known, **fields, "requestId": request_id})


def _fields(record: logging.LogRecord, invocation: Invocation | None) -> dict[str, Any]:
    bare = isinstance(record.msg, dict) and not record.args  # as Lambda's own does: its keys can be searched
    fields: dict[str, Any] = {
        "timestamp": timestamp(record),
        "level": _LEVELS[min(50, max(0, record.levelno)) // 10 * 10],
        "message": record.msg if bare else message(record),
        "logger": record.name,
    }
    stack = _stack(record)
    if stack:
        fields["stackTrace"] = stack
    if record.exc_info and record.exc_info[1] is not None:
        fields["errorType"] = type(record.exc_info[1]).__name__
        fields["errorMessage"] = text(record.exc_info[1])
        fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
    if record.stack_info:
        fields["stackInfo"] = record.stack_info.splitlines()
    ids: tuple[Any, ...] = ("-", "", None)
    if invocation is not None:
        request_id, tenant_id, trace_id = invocation.request_id, invocation.tenant_id, invocation.trace_id
        ids = (*ids, request_id, tenant_id)
        if request_id:
            fields["requestId"] = request_id
        if tenant_id:
            fields["tenantId"] = tenant_id
        if trace_id:
            fields["traceId"] = trace_id
        fields["coldStart"] = invocation.cold
    if not record.__dict__.keys() <= _STANDARD:
        _add_extra(fields, record.__dict__, ids)
    return fields


def _add_extra(fields: dict[str, Any], values: Mapping[str, Any], ids: tuple[Any, ...]) -> None:
    for key, value in values.items():
        name = str(key)
        if name in _STANDARD or name.startswith("_") or (name in _OUR_IDS and value in ids):
            continue
        if name == "request" and hasattr(value, "META"):
            # Django sends its request along; as text it would show the query.
            fields["method"], fields["path"] = value.method, value.path
        else:
            fields[name + "_" if name in fields else name] = value


def _stack(record: logging.LogRecord) -> list[str]:
    """The traceback in pieces, with those of the errors that led to this one."""
    if record.exc_info and record.exc_info[1] is not None:
        return [part.rstrip("\n") for part in traceback.format_exception(*record.exc_info)]
    return record.exc_text.splitlines() if record.exc_text else []


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=text).encode


def _encoded(fields: Mapping[str, Any]) -> str:
    try:
        line = _encode(fields)
    except Exception:  # a circle, a key that is no text, a number that JSON has not, a depth that is too much
        line = "{" + ",".join(f"{_encode(key)}:{_encoded_value(value)}" for key, value in fields.items()) + "}"
    return line if line.isascii() else _AWKWARD.sub(_escaped, line)


def _encoded_value(value: Any) -> str:
    try:
        return _encode(value)
    except Exception:
        return _encode(text(value))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


_TOO_MANY = {"message": "A record is left out: it has more fields than a log line can hold."}


def _no_longer(value: Any, longest: int) -> Any:
    whole = value if isinstance(value, str) else _encoded_value(value)
    if len(whole) <= longest:
        return value
    return _shortened("\n".join(value) if _is_lines(value) else whole, longest)


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _shortened(whole: str, longest: int) -> str:
    """``whole`` without its middle: a message says at its beginning what it is about, a traceback at its end."""
    if len(whole) <= longest:
        return whole
    half = longest // 2
    return f"{whole[:half]} [... {len(whole) - 2 * half:,} characters cut ...] {whole[-half:]}"
