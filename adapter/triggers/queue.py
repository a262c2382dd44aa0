"""Messages of an SQS queue: each is a task, done one after the other, and those that failed come back.

The mapping of the queue needs ``FunctionResponseTypes: [ReportBatchItemFailures]``; without it Lambda takes the whole
batch for done, whatever the answer says.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any

from .. import database, limits
from ..exceptions import AdapterError, MalformedEventError

logger = logging.getLogger("adapter.triggers")

MARGIN = 1.0
"""Seconds before the function's time limit at which a task is given up: time to say so, and which messages are done."""

_FIELDS = ("messageId", "body", "eventSourceARN")


def recognises(event: dict[str, Any]) -> bool:
    records = event.get("Records")
    return isinstance(records, list) and bool(records) and all(map(_is_message, records))


def _is_message(record: object) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == "aws:sqs"


def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The messages that are to come back, as Lambda asks for them."""
    records: list[dict[str, Any]] = event["Records"]
    for number, record in enumerate(records):
        for field in _FIELDS:
            if not isinstance(record.get(field), str):
                raise MalformedEventError("an SQS queue", f"Records[{number}].{field} is not text", event)
    back = _work_through(records, context)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in back]}


def _work_through(records: list[dict[str, Any]], context: Any) -> list[dict[str, Any]]:
    """Do the tasks of ``records``; those whose message is to come back.

    A task is not begun when less time is left than the longest of this batch has taken: it would be broken off. After a
    failure in a FIFO queue none is begun, as a later message must not overtake it.
    """
    back: list[dict[str, Any]] = []
    longest = 0.0
    for number, record in enumerate(records):
        left = limits.seconds_left(context, MARGIN)
        if left is not None and left <= longest:
            logger.warning(
                "%d of %d messages come back to the queue: %.1f s are left, and a task of this batch took %.1f s. Let "
                "the mapping take fewer messages at a time, or raise the function's timeout.",
                len(records) - number, len(records), left, longest,
            )  # fmt: skip
            return back + records[number:]
        started = monotonic()
        if not _is_done(record, left):
            back.append(record)
            if record["eventSourceARN"].endswith(".fifo"):
                return back + records[number + 1 :]
        longest = max(longest, monotonic() - started)
    return back


def _is_done(record: dict[str, Any], seconds: float | None) -> bool:
    """Do the message's task, and say whether it has succeeded; ``seconds`` is the time it may take."""
    from django import db
    from django.core.signals import request_finished

    # As at the beginning of a request, whose own signal would promise an environ or a scope to its receivers.
    db.reset_queries()
    db.close_old_connections()
    try:
        return _perform(record, seconds)
    except limits.DeadlineExceeded:
        return _given_up(record, seconds)
    except Exception as error:
        # What the adapter raises says all there is to say, unless it was led to by something else.
        explained = isinstance(error, AdapterError) and error.__cause__ is None
        logger.error("Message %s: %s", record["messageId"], error, exc_info=None if explained else error)  # noqa: TRY400
        return False
    finally:
        try:
            request_finished.send(sender=answer)
        except Exception:
            logger.exception("A receiver of request_finished failed after message %s", record["messageId"])


def _perform(record: dict[str, Any], seconds: float | None) -> bool:
    from .. import tasks

    if seconds is not None:
        limits.alarm.set(seconds)
    try:
        # Deliveries, one of which may have been given back unread: the nearest to attempts that there is.
        attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        return tasks.perform(record["body"], attempt)
    finally:
        limits.alarm.deadline = None


def _given_up(record: dict[str, Any], seconds: float | None) -> bool:
    # A connection may be in the midst of an exchange with its server: nothing may be asked on it any more.
    database.close_all()
    logger.error(
        "The task of message %s was given up after %.1f s, %.1f s before the function's time limit. Raise the "
        "function's timeout, and the queue's visibility timeout to six times as much; or divide the task.",
        record["messageId"], seconds, MARGIN,
    )  # fmt: skip
    return False
