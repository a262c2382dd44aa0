"""Messages of SQS: which come back, in which order tasks are done, and what is left behind by each."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.test import override_settings

from adapter import LambdaHandler, MalformedEventError, current_invocation, tasks
from tests.adapter import shop_tasks
from tests.adapter.processes import python
from tests.postgresql import PostgreSQL

from .events import REQUEST_ID, Context, batch, failed, message


@pytest.fixture(autouse=True)
def tasks_by_sqs() -> Iterator[None]:
    shop_tasks.done.clear()
    with override_settings(TASKS={"default": {"BACKEND": "adapter.tasks.SQSBackend"}}):
        yield


def test_every_message_is_a_task_done_in_order(handler: LambdaHandler) -> None:
    event = batch(message("pay", 7, note="soon"), message("ship", 8), message("pay", 9))
    assert failed(handler(event, Context())) == []
    assert shop_tasks.done == [(7, "soon"), ("shipped", 8), (9, "")]


def test_what_fails_comes_back_and_nothing_else(handler: LambdaHandler, caplog: pytest.LogCaptureFixture) -> None:
    event = batch(message("pay", 1), message("fail", 2), message("pay", 3), message("fail", 4))
    assert failed(handler(event, Context())) == ["m-1", "m-3"]
    assert shop_tasks.done == [(1, ""), 2, (3, ""), 4]
    # Told by Django itself, with its traceback.
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.name.replace(".", "_") for record in told] == ["django_tasks"] * 2
    assert "LookupError: no order 2" in caplog.text


def test_after_a_failure_in_a_fifo_queue_all_that_follow_come_back(handler: LambdaHandler) -> None:
    event = batch(message("pay", 1), message("fail", 2), message("pay", 3), queue="shop-jobs.fifo")
    assert failed(handler(event, Context())) == ["m-1", "m-2"]
    assert shop_tasks.done == [(1, ""), 2]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("paint", "none that adapter.tasks has sent"),
        ("[1]", "none that adapter.tasks has sent"),
        ('{"task": "tests.adapter.shop_tasks.pay"}', "none that adapter.tasks has sent (KeyError"),
        (message("pay").replace("03:00", "3 o'clock"), "none that adapter.tasks has sent (ValueError"),
        (message("gone"), "Its task tests.adapter.shop_tasks.gone can't be imported"),
        (message("pay").replace("shop_tasks", "no_tasks"), "Its task tests.adapter.no_tasks.pay can't be imported"),
        (message("done"), "tests.adapter.shop_tasks.done, which is no task but of type list"),
        (message("pay").replace("tests.adapter.shop_tasks.pay", "os.abort"), "os.abort, which is no task"),
        (message("pay").replace('"default"', '"elsewhere"', 1), "elsewhere"),
    ],
)
def test_a_message_that_can_never_be_done_harms_no_other(
    handler: LambdaHandler, caplog: pytest.LogCaptureFixture, body: str, complaint: str
) -> None:
    assert failed(handler(batch(message("pay", 1), body, message("pay", 3)), Context())) == ["m-1"]
    assert shop_tasks.done == [(1, ""), (3, "")]
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told.getMessage().startswith("Message m-1: ")
    assert complaint in told.getMessage()


@pytest.mark.parametrize("task", ["leave", "give_back_what_json_has_not"])
def test_a_task_fails_as_django_says_it_does(handler: LambdaHandler, task: str) -> None:
    heard: list[Any] = []

    def hear(sender: Any, task_result: Any, **_: Any) -> None:
        heard.append(task_result)

    shop_tasks.signals.task_finished.connect(hear)
    try:
        assert failed(handler(batch(message(task), message("pay", 1)), Context())) == ["m-0"]
    finally:
        shop_tasks.signals.task_finished.disconnect(hear)
    assert [str(result.status) for result in heard] == ["FAILED", "SUCCESSFUL"]
    [error] = heard[0].errors
    assert error.exception_class in {SystemExit, TypeError, ValueError}


def test_signals_are_those_of_djangos_immediate_backend(handler: LambdaHandler) -> None:
    heard: list[Any] = []

    def hear(sender: Any, signal: Any, task_result: Any, **_: Any) -> None:
        name = "started" if signal is shop_tasks.signals.task_started else "finished"
        times = [task_result.enqueued_at, task_result.started_at, task_result.finished_at]
        heard.append((name, sender, str(task_result.status), task_result.id, times, current_invocation()))

    shop_tasks.signals.task_started.connect(hear)
    shop_tasks.signals.task_finished.connect(hear)
    try:
        handler(batch(message("pay", 7, identifier="p-1")), Context())
    finally:
        shop_tasks.signals.task_started.disconnect(hear)
        shop_tasks.signals.task_finished.disconnect(hear)
    started, finished = heard
    assert started[:4] == ("started", tasks.SQSBackend, "RUNNING", "p-1")
    assert finished[:4] == ("finished", tasks.SQSBackend, "SUCCESSFUL", "p-1")
    assert [moment is None for moment in started[4]] == [False, False, True]
    assert started[4][:2] == finished[4][:2]
    assert started[4][0] < started[4][1] <= finished[4][2]
    assert started[5].request_id == REQUEST_ID


def test_a_task_is_told_which_attempt_it_is(handler: LambdaHandler) -> None:
    handler(batch(message("report", identifier="r-1"), receives=3), Context())
    assert shop_tasks.done == [(3, "r-1")]


def test_what_a_task_returns_is_in_its_result(handler: LambdaHandler) -> None:
    heard: list[Any] = []

    def hear(task_result: Any, **_: Any) -> None:
        heard.append(task_result.return_value)

    shop_tasks.signals.task_finished.connect(hear)
    try:
        handler(batch(message("pay", 7)), Context())
    finally:
        shop_tasks.signals.task_finished.disconnect(hear)
    assert heard == [{"paid": 7}]


def test_a_receiver_that_fails_has_the_message_come_back(
    handler: LambdaHandler, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(**_: Any) -> None:
        raise RuntimeError("the receiver's own")

    shop_tasks.signals.task_started.connect(stumble)
    try:
        assert failed(handler(batch(message("pay", 1)), Context())) == ["m-0"]
    finally:
        shop_tasks.signals.task_started.disconnect(stumble)
    assert shop_tasks.done == []
    assert "Message m-0: the receiver's own" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("task", ["wait", "wait_stubbornly", "wait_asynchronously"])
def test_a_task_that_takes_too_long_is_given_up_in_time(
    handler: LambdaHandler, caplog: pytest.LogCaptureFixture, task: str
) -> None:
    context = Context(2)
    event = batch(message("pay", 1), message(task, 3), message("pay", 3))
    assert failed(handler(event, context)) == ["m-1", "m-2"]
    assert context.get_remaining_time_in_millis() > 500
    assert (1, "") in shop_tasks.done
    assert (3, "") not in shop_tasks.done
    assert "The task of message m-1 was given up after " in caplog.text
    assert "1 of 3 messages come back to the queue" in caplog.text


def test_a_task_that_would_not_end_in_time_is_not_begun(
    handler: LambdaHandler, caplog: pytest.LogCaptureFixture
) -> None:
    event = batch(message("wait", 0.5), message("wait", 0.5), message("wait", 0.5))
    assert failed(handler(event, Context(2.5))) == ["m-2"]
    assert shop_tasks.done == [0.5, 0.5]
    assert "1 of 3 messages come back to the queue: 0." in caplog.text


def test_without_a_clock_there_is_no_deadline(handler: LambdaHandler) -> None:
    assert failed(handler(batch(message("pay", 1)), None)) == []


def test_nothing_rings_after_the_last_task(handler: LambdaHandler) -> None:
    assert failed(handler(batch(message("pay", 1)), Context(1.5))) == []
    time.sleep(0.6)  # the alarm that was set for the task would ring in here


def test_after_each_message_django_is_told_as_after_a_request(handler: LambdaHandler) -> None:
    heard: list[int] = []

    def hear(**_: Any) -> None:
        heard.append(len(shop_tasks.done))

    request_finished.connect(hear)
    try:
        handler(batch(message("pay", 1), message("fail", 2), "poison", message("pay", 3)), Context())
    finally:
        request_finished.disconnect(hear)
    assert heard == [1, 2, 2, 3]


@pytest.mark.parametrize("field", ["messageId", "body", "eventSourceARN"])
def test_a_message_without_its_fields_is_named(handler: LambdaHandler, field: str) -> None:
    event = batch(message("pay", 1), message("pay", 2))
    event["Records"][1][field] = None
    with pytest.raises(MalformedEventError, match=rf"an SQS queue, but Records\[1\].{field} is not text"):
        handler(event, Context())
    assert shop_tasks.done == []


WORK = """
import json, sys
from django.conf import settings
engine = "django.db.backends.postgresql"
database = {{"ENGINE": engine, "HOST": {host!r}, "USER": "shop", "NAME": "postgres", "CONN_MAX_AGE": {age}}}
settings.configure(DATABASES={{"default": database}}, TASKS={{"default": {{"BACKEND": "adapter.tasks.SQSBackend"}}}})
import django
django.setup()
from django.db import connection
from adapter import LambdaHandler, database
from tests.adapter import shop_tasks
from tests.adapter.triggers.events import Context, batch, failed, message
database.install()
handler = LambdaHandler(lambda environ, start_response: [])
def process():
    return connection.connection.info.backend_pid if connection.connection else None
told = []
for name in {names!r}:
    back = failed(handler(batch(message(name)), Context(2 if "break" in name else 20)))
    told.append([name, back, process(), connection.in_atomic_block])
print(json.dumps(told))
handler.close()
"""


def test_connections_are_kept_and_closed_as_those_of_requests(postgresql: PostgreSQL) -> None:
    def work(age: str, *names: str) -> list[list[Any]]:
        result = python(WORK.format(host=str(postgresql.folder), age=age, names=names))
        told: list[list[Any]] = json.loads(result.stdout.splitlines()[-1])
        return told

    first, second, *_, third = work("None", "query", "query", "break_off_within_a_transaction", "query")
    assert (first[1], second[1], third[1]) == ([], [], [])
    assert first[2] == second[2] != third[2]
    assert first[2]
    # One that was broken off may be in the midst of an exchange: it is not used again.
    assert work("0", "query") == [["query", [], None, False]]
    [broken] = work("None", "break_off_within_a_transaction")
    assert broken == ["break_off_within_a_transaction", ["m-0"], None, False]
