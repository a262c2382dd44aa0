"""Lines of a log, taken apart."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.log_lines import JSONFormatter, TextFormatter
from infra.operations.log_entries import ERROR_PATTERN, Entry, parse

ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


def written(formatter: logging.Formatter, level: int, message: str, *, fails: bool = False, **extra: object) -> str:
    """What the adapter's formatter makes of a record."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("shop")  # noqa: LOG001 - one for this record
    logger.addHandler(handler)
    try:
        if fails:
            raise ValueError("no basket")
    except ValueError:
        logger.exception(message, extra=extra)
    else:
        logger.log(level, message, extra=extra)
    return stream.getvalue()


def test_a_record_of_the_adapter_as_json() -> None:
    entry = parse(written(JSONFormatter(), logging.WARNING, "three sold", basket="b-7", count=3))
    assert entry == Entry("shop: three sold", "WARNING", "", {"basket": "b-7", "count": 3})


def test_a_traceback_of_the_adapter_as_json() -> None:
    entry = parse(written(JSONFormatter(), logging.ERROR, "not sold", fails=True))
    assert entry.is_error
    assert entry.text == "shop: not sold"
    assert entry.stack.endswith("ValueError: no basket")


def test_records_of_the_adapter_as_text() -> None:
    entry = parse(written(TextFormatter(), logging.INFO, "three sold"))
    assert (entry.level, entry.text, entry.is_error) == ("INFO", "shop: three sold", False)
    entry = parse(written(TextFormatter(), logging.ERROR, "not sold", fails=True))
    assert (entry.level, entry.text, entry.is_error) == ("ERROR", "shop: not sold", True)
    assert entry.stack.endswith("ValueError: no basket")


def test_an_access_line_says_each_thing_once() -> None:
    line = {
        "timestamp": "2026-11-22T17:43:20.356Z", "level": "INFO", "message": "GET / 200 in 1.4 ms, 7 bytes, cold",
        "logger": "adapter.access", "requestId": ID, "coldStart": True, "method": "GET", "path": "/", "status": 200,
        "durationMs": 1.4, "bytes": 7,
    }  # fmt: skip
    assert parse(json.dumps(line)) == Entry("GET / 200 in 1.4 ms, 7 bytes, cold", "INFO", ID)


# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html, and Lambda's text format.
REPORT = {
    "time": "2026-10-08T07:30:29.470Z",
    "type": "platform.report",
    "record": {
        "requestId": ID,
        "metrics": {"durationMs": 1233.96, "billedDurationMs": 1698, "memorySizeMB": 256, "maxMemoryUsedMB": 123,
                    "initDurationMs": 463.512},
        "status": "success",
    },
}  # fmt: skip
TIMEOUT = {"time": "2026-10-08T07:30:29.470Z", "type": "platform.report",
           "record": {"requestId": ID, "metrics": {"durationMs": 28000.0}, "status": "timeout"}}  # fmt: skip
START = {"time": "2026-10-08T07:30:28.1Z", "type": "platform.start", "record": {"requestId": ID, "version": "7"}}
INIT_FAILED = {"time": "2026-10-08T07:30:28.1Z", "type": "platform.initRuntimeDone",
               "record": {"status": "error", "errorType": "Runtime.ImportModuleError"}}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (json.dumps(REPORT), Entry("report 1,234 ms, billed 1,698 ms, init 464 ms, 123 of 256 MB", request_id=ID)),
        (json.dumps(TIMEOUT), Entry("report 28,000 ms, timeout", request_id=ID, is_error=True)),
        (json.dumps(START), Entry("start", request_id=ID, is_routine=True)),
        (json.dumps(INIT_FAILED), Entry("initRuntimeDone error Runtime.ImportModuleError", is_error=True)),
        (f"START RequestId: {ID} Version: 7", Entry("START Version: 7", request_id=ID, is_routine=True)),
        (
            f"REPORT RequestId: {ID}\tDuration: 3.10 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t\n",
            Entry("REPORT Duration: 3.10 ms Billed Duration: 4 ms Memory Size: 128 MB", request_id=ID),
        ),
        (
            f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tStatus: timeout",
            Entry("REPORT Duration: 3000.00 ms Status: timeout", request_id=ID, is_error=True),
        ),
        (
            f"2026-10-08T07:30:28.123Z {ID} Task timed out after 28.00 seconds",
            Entry(f"2026-10-08T07:30:28.123Z {ID} Task timed out after 28.00 seconds", request_id=ID, is_error=True),
        ),
        (
            f"RequestId: {ID} Error: Runtime exited with error: signal: killed",
            Entry(f"RequestId: {ID} Error: Runtime exited with error: signal: killed", request_id=ID, is_error=True),
        ),
        ("STARTED with a print()\n", Entry("STARTED with a print()")),
        ('{"half": ', Entry('{"half":')),
        ("[1, 2]", Entry("[1, 2]")),
        ('{"level": "error", "event": "sold"}', Entry("", "error", "", {"event": "sold"}, is_error=True)),
        ('{"message": {"a": 1}, "level": "INFO"}', Entry('{"a": 1}', "INFO")),
        ("", Entry("")),
    ],
)
def test_lines_of_others(line: str, entry: Entry) -> None:
    assert parse(line) == entry


_words = st.sampled_from(
    ["ERROR", "CRITICAL", "error", "Error: ", "RequestId: x", "Status: timeout", "Task timed out after", "[", "]", "\t",
     "{", "}", '"level":', '"record":', '"type":"platform.report"', ",", "START", "REPORT", "Traceback", "\n", "Z", "-"]
)  # fmt: skip
_values = st.recursive(
    st.sampled_from(["platform.report", "ERROR", "critical", "Fatal", "timeout", "adapter.access", 3, None, True, ""]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "metrics", "durationMs"]), inner),
    max_leaves=5,
)
_objects = st.dictionaries(
    st.sampled_from(["level", "message", "status", "errorType", "stackTrace", "logger", "requestId"]), _values
)
_platform = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["platform.report", "platform.start"]),
        "record": st.fixed_dictionaries({}, optional={"metrics": _values, "status": _values, "requestId": _values}),
    }
)


@given(st.lists(_words | st.text(max_size=5)).map("".join) | (_objects | _platform).map(json.dumps))
def test_every_line_can_be_read_and_no_error_is_filtered_out(line: str) -> None:
    if parse(line).is_error:
        assert re.search(ERROR_PATTERN.strip("%"), line)
