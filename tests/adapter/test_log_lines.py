"""What is in a log line, whatever was logged."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import log_lines
from adapter.invocation import begin
from adapter.log_lines import LIMIT, JSONFormatter, TextFormatter
from tests.adapter.invocations import REQUEST_ID, TRACE_ID, context, no_invocation, record  # noqa: F401


def line(made: logging.LogRecord) -> dict[str, Any]:
    """The record's line, read back as whoever reads logs does: strictly."""
    text = JSONFormatter().format(made)
    assert text.splitlines() == [text]
    assert len(text.encode()) <= LIMIT

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    fields: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return fields


def test_a_line_names_its_invocation() -> None:
    begin(context(tenant_id="acme", trace_id=f"Root={TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1"))
    fields = line(record("%d sold", 3, basket="b-7"))
    made = datetime.fromisoformat(fields.pop("timestamp"))
    assert datetime.now(UTC) - made < timedelta(seconds=5)
    assert fields == {
        "level": "WARNING",
        "message": "3 sold",
        "logger": "shop",
        "requestId": REQUEST_ID,
        "tenantId": "acme",
        "traceId": TRACE_ID,
        "coldStart": True,
        "basket": "b-7",
    }


def test_before_the_first_invocation_a_line_names_none() -> None:
    assert line(record()).keys() == {"timestamp", "level", "message", "logger"}


def test_the_time_is_the_records_own_with_its_milliseconds() -> None:
    made = record()
    made.created, made.msecs = 1795341792.045, 45.0
    assert line(made)["timestamp"] == "2026-11-22T10:03:12.045Z"


@pytest.mark.parametrize("message", ["sold out", {"event": "sale", "items": [1, 2]}])
def test_what_lambdas_own_lines_hold_is_under_the_same_names(message: object) -> None:
    begin(context(tenant_id="acme"))
    try:
        raise LookupError("no such book")
    except LookupError:
        made = record(message, exc_info=sys.exc_info(), book=7)
    ours = line(made)
    made.aws_request_id, made.tenant_id = REQUEST_ID, "acme"  # AWS's own filter adds these
    formatter = JsonFormatter()
    formatter.converter = time.gmtime  # as AWS's runtime sets it, for all formatters
    theirs = json.loads(formatter.format(made))
    assert ours["stackTrace"][-1] == "LookupError: no such book"
    assert theirs.pop("stackTrace")[0] == ours.pop("stackTrace")[1] + "\n"
    assert theirs.pop("timestamp")[:19] == ours.pop("timestamp")[:19]
    assert ours.pop("coldStart") is True
    assert ours == theirs
    assert ours["location"] == "/var/task/shop.py:buy:12"


@pytest.mark.parametrize(
    ("level", "name"),
    [(5, "TRACE"), (10, "DEBUG"), (20, "INFO"), (25, "INFO"), (30, "WARNING"), (40, "ERROR"), (99, "CRITICAL")],
)
def test_the_level_is_one_that_lambda_can_filter_by(level: int, name: str) -> None:
    assert line(record(level=level))["level"] == name


def test_the_errors_that_led_to_an_error_are_told() -> None:
    try:
        try:
            raise KeyError("isbn")
        except KeyError as error:
            raise LookupError("no such book") from error
    except LookupError:
        fields = line(record(exc_info=sys.exc_info()))
    stack = "\n".join(fields["stackTrace"])
    assert stack.index("KeyError: 'isbn'") < stack.index("direct cause") < stack.index("LookupError: no such book")
    assert (fields["errorType"], fields["errorMessage"]) == ("LookupError", "no such book")


def test_logger_exception_outside_of_an_except_block_is_a_line_without_an_error() -> None:
    assert "errorType" not in line(record(exc_info=(None, None, None)))


def test_a_stack_that_was_asked_for_is_there() -> None:
    made = record()
    made.stack_info = "Stack (most recent call last):\n  File ..."
    assert line(made)["stackInfo"] == ["Stack (most recent call last):", "  File ..."]
    assert TextFormatter().format(made).endswith("shop: sold out\nStack (most recent call last):\n  File ...")


def test_djangos_request_is_told_by_its_path_and_without_its_query() -> None:
    request = RequestFactory().get("/reset/", {"token": "secret"})
    fields = line(record("Not Found: %s", "/reset/", request=request, status_code=404))
    assert (fields["method"], fields["path"], fields["status_code"]) == ("GET", "/reset/", 404)
    assert "secret" not in json.dumps(fields)


def test_a_field_of_the_project_does_not_hide_ours() -> None:
    begin(context())
    made = record(requestId="mine", logger=None, request_id="theirs", tenant_id=7)
    made.level = "high"
    fields = line(made)
    assert (fields["level"], fields["level_"]) == ("WARNING", "high")
    assert (fields["requestId"], fields["requestId_"]) == (REQUEST_ID, "mine")
    assert (fields["logger"], fields["logger_"]) == ("shop", None)
    assert (fields["request_id"], fields["tenant_id"]) == ("theirs", 7)


# Whatever is logged


class Mute:
    """An object that can't be told: as text, as representation, by comparison."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


CIRCLE: list[Any] = [1]
CIRCLE.append(CIRCLE)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        ("\ud83d lone", "\\ud83d lone"),
        ("two\nlines\u2028three\x85four\x9b31m", "two\nlines\u2028three\x85four\x9b31m"),
        (float("nan"), "nan"),
        ({"a": float("inf")}, "{'a': inf}"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (CIRCLE, "[1, [...]]"),
        (DEEP, "<list whose text can't be had: RecursionError>"),
        (10**5000, "<int whose text can't be had: ValueError>"),
        (Mute(), "<Mute whose text can't be had: RuntimeError>"),
        ([Mute(), 1], ["<Mute whose text can't be had: RuntimeError>", 1]),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22 00:00:00+00:00"),
        ({"n": [1, 2.5, None, True]}, {"n": [1, 2.5, None, True]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_field_of_any_kind_makes_a_valid_line(value: object, told: object) -> None:
    fields = line(record(before=1, odd=value, after=2))
    assert fields["odd"] == told
    assert (fields["before"], fields["after"], fields["message"]) == (1, 2, "sold out")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (record("%d sold", "three"), "%d sold (arguments ('three',): %d format: a real number is required, not str)"),
        (record("%s sold", Mute()), "%s sold (arguments <tuple whose text can't be had: RuntimeError>: no)"),
        (record(Mute()), "<Mute whose text can't be had: RuntimeError> (arguments (): no)"),
        (record("\udcff"), "\\udcff"),
        (record(request_id=Mute()), "sold out"),
    ],
    ids=["arguments", "argument", "message", "surrogate", "extra"],
)
def test_a_message_of_any_kind_is_told(made: logging.LogRecord, told: str) -> None:
    begin(context())
    assert line(made)["message"].startswith(told)
    assert TextFormatter().format(made).endswith(f"\tshop: {told}")


def test_an_error_of_any_kind_is_told() -> None:
    made = record(exc_info=(ValueError, ValueError(Mute()), None))
    assert line(made)["errorMessage"] == "<ValueError whose text can't be had: RuntimeError>"
    assert TextFormatter().format(made).endswith("ValueError: <exception str() failed>")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES, st.dictionaries(st.text(st.characters(), min_size=1), VALUES, max_size=3))
def test_any_value_makes_a_valid_line(message: object, extra: dict[str, Any]) -> None:
    made = record(message)
    for name, value in extra.items():
        made.__dict__.setdefault(name, value)
    line(made)


@pytest.mark.parametrize("character", ["x", "\x01", "é", "\U0001f4da", "\ud800"], ids=ascii)
def test_a_message_that_no_line_can_hold_is_cut_in_its_middle(character: str) -> None:
    begin(context())
    message = "The beginning. " + character * 1_000_000 + " The end."
    fields = line(record(message, basket="b-7"))
    assert fields["message"].startswith("The beginning. ")
    assert fields["message"].endswith(" The end.")
    assert re.search(r"\[\.\.\. [\d,]{7,9} characters cut \.\.\.\]", fields["message"])
    assert len(fields["message"]) > 5_000
    assert (fields["basket"], fields["requestId"]) == ("b-7", REQUEST_ID)
    text = TextFormatter().format(record(message))
    assert len(text.encode()) <= LIMIT
    assert "characters cut" in text


def test_a_message_that_a_line_can_just_hold_is_not_cut() -> None:
    message = "x" * (LIMIT - 200)
    assert line(record(message))["message"] == message
    assert TextFormatter().format(record(message)).endswith(message)


def test_of_a_long_traceback_the_end_is_kept() -> None:
    def even(n: int) -> float:
        return odd(n - 1) if n else 1 / 0

    def odd(n: int) -> float:
        return even(n - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        even(3_000)
    except ZeroDivisionError:
        fields = line(record(exc_info=sys.exc_info()))
    finally:
        sys.setrecursionlimit(limit)
    assert fields["stackTrace"].endswith("ZeroDivisionError: division by zero")
    assert "characters cut" in fields["stackTrace"]


def test_a_record_with_more_fields_than_a_line_can_hold_is_told_of() -> None:
    begin(context())
    made = record()
    made.__dict__.update({f"field{n}": "x" for n in range(50_000)})
    fields = line(made)
    assert "more fields than a log line can hold" in fields["message"]
    assert fields["requestId"] == REQUEST_ID


# Text


def test_a_text_line_has_the_order_of_lambdas_own() -> None:
    begin(context())
    try:
        raise LookupError("no such book")
    except LookupError:
        text = TextFormatter().format(record(exc_info=sys.exc_info()))
    first, *rest = text.splitlines()
    assert re.fullmatch(
        rf"\[WARNING\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{REQUEST_ID}\tshop: sold out", first
    )
    assert (rest[0], rest[-1]) == ("Traceback (most recent call last):", "LookupError: no such book")


def test_an_error_that_ends_the_process_has_a_line_of_its_own() -> None:
    fields = json.loads(log_lines.error("ImportError", "No module named 'x'", ["File ..."], None))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z", fields.pop("timestamp"))
    assert fields == {
        "level": "ERROR",
        "message": "ImportError: No module named 'x'",
        "logger": "adapter.runtime",
        "stackTrace": ["File ..."],
        "errorType": "ImportError",
        "errorMessage": "No module named 'x'",
        "requestId": None,
    }
