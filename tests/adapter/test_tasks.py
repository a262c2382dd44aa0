"""Tasks on their way into SQS: what a message says, what SQS can't carry, and what Django promises of a backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import pytest
from django.test import override_settings
from django.utils import timezone

from adapter import tasks
from adapter.exceptions import AdapterError, ConfigurationError, ServiceError

from . import shop_tasks
from .aws_services import Answered, Service, as_function, boto, moto, service
from .processes import python

__all__ = ["as_function", "moto", "service"]

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-jobs"
MAIL = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-mail"
BACKEND = {"BACKEND": "adapter.tasks.SQSBackend"}


@pytest.fixture(autouse=True)
def tasks_by_sqs(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", service.url)
    monkeypatch.setenv("FAAS_JOBS_QUEUE_URL", QUEUE)
    with override_settings(TASKS={"default": {**BACKEND, "OPTIONS": {"queue_urls": {"mail": MAIL}}}}):
        yield
        tasks._sqs().close()
        tasks._sqs.cache_clear()


def sent(service: Service) -> dict[str, Any]:
    """What SQS was asked for last."""
    assert service.asked[-1].operation == "SendMessage"
    asked: dict[str, Any] = service.asked[-1].json
    return asked


def test_a_task_becomes_a_message(service: Service) -> None:
    before = timezone.now()
    result = shop_tasks.pay.enqueue(7, note="für Ada \x00\ufffe")
    asked = sent(service)
    assert asked.keys() == {"QueueUrl", "MessageBody"}
    assert asked["QueueUrl"] == QUEUE
    message = json.loads(asked["MessageBody"])
    enqueued_at = datetime.fromisoformat(message.pop("enqueued_at"))
    assert before <= enqueued_at <= timezone.now()
    assert message == {
        "task": "tests.adapter.shop_tasks.pay",
        "args": [7],
        "kwargs": {"note": "für Ada \x00\ufffe"},
        "id": result.id,
        "backend": "default",
        "queue": "default",
    }
    # SQS refuses some characters: https://www.w3.org/TR/REC-xml/#charsets
    assert asked["MessageBody"].isascii()
    assert asked["MessageBody"].isprintable()


def test_what_enqueue_returns_is_what_django_promises(service: Service) -> None:
    result = shop_tasks.pay.enqueue(7)
    assert (str(result.status), result.args, result.backend, result.attempts) == ("READY", [7], "default", 0)
    assert (result.enqueued_at is None, result.started_at, result.finished_at, result.errors) == (False, None, None, [])
    assert not shop_tasks.done
    with pytest.raises(NotImplementedError, match="does not support retrieving"):
        result.refresh()


def test_two_tasks_have_two_ids(service: Service) -> None:
    assert shop_tasks.pay.enqueue(7).id != shop_tasks.pay.enqueue(7).id


def test_a_task_is_enqueued_from_asynchronous_code_too(service: Service) -> None:
    result = asyncio.run(shop_tasks.ship.aenqueue(7))
    assert json.loads(sent(service)["MessageBody"])["id"] == result.id


def test_the_signal_is_sent_once_sqs_has_the_message(service: Service) -> None:
    heard = []

    def hear(sender: Any, task_result: Any, **_: Any) -> None:
        heard.append((sender, task_result.id, len(service.asked)))

    shop_tasks.signals.task_enqueued.connect(hear)
    try:
        result = shop_tasks.pay.enqueue(7)
        service.answer = lambda asked: Answered(403, b'{"__type": "AccessDenied"}')
        with pytest.raises(ServiceError, match="sqs refuses SendMessage: 403 AccessDenied"):
            shop_tasks.pay.enqueue(8)
    finally:
        shop_tasks.signals.task_enqueued.disconnect(hear)
    assert heard == [(tasks.SQSBackend, result.id, 1)]


def test_queues_go_by_name(service: Service) -> None:
    shop_tasks.pay.using(queue_name="mail").enqueue(7)
    assert sent(service)["QueueUrl"] == MAIL
    assert json.loads(sent(service)["MessageBody"])["queue"] == "mail"
    with pytest.raises(shop_tasks.InvalidTask, match="Queue 'post' is not valid"):
        shop_tasks.pay.using(queue_name="post")


def test_a_queue_without_an_address_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAAS_JOBS_QUEUE_URL")
    with pytest.raises(ConfigurationError, match=r"No queue is known for the tasks of 'default'. Set FAAS_JOBS_QUEUE"):
        shop_tasks.pay.enqueue(7)
    assert not service.asked


@pytest.mark.parametrize(("seconds", "delay"), [(-60, {0}), (0, {0}), (59.5, {60}), (899.5, {900})])
def test_a_task_may_wait_up_to_a_quarter_of_an_hour(service: Service, seconds: float, delay: set[int]) -> None:
    shop_tasks.pay.using(run_after=timezone.now() + timedelta(seconds=seconds)).enqueue(7)
    assert sent(service)["DelaySeconds"] in delay


def test_a_task_that_is_to_wait_longer_is_refused(service: Service) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(tasks.UnsupportedTask, match=r"in 3,600 s, and SQS delays a message by 900 s at most"):
        shop_tasks.pay.using(run_after=later).enqueue(7)
    assert not service.asked


def test_a_message_may_have_a_mebibyte_and_no_more(service: Service) -> None:
    shop_tasks.pay.enqueue(7)
    room = (1 << 20) - len(sent(service)["MessageBody"])
    shop_tasks.pay.enqueue(7, note="x" * (room - 100))
    with pytest.raises(tasks.UnsupportedTask, match=r"is 1,0\d\d,\d\d\d bytes long, and SQS takes 1,048,576"):
        shop_tasks.pay.enqueue(7, note="x" * (room + 1))
    assert len(service.asked) == 2


def test_a_priority_is_refused_with_what_to_do(service: Service) -> None:
    with pytest.raises(tasks.UnsupportedTask, match=r"has the priority 5, and messages of SQS have none.*queue_urls"):
        shop_tasks.pay.using(priority=5)


def test_what_is_refused_can_be_caught_as_ours_and_as_djangos() -> None:
    assert issubclass(tasks.UnsupportedTask, AdapterError)
    assert issubclass(tasks.UnsupportedTask, shop_tasks.InvalidTask)


@pytest.mark.parametrize("task", [shop_tasks.renamed])
def test_a_task_that_no_worker_would_find_is_refused(service: Service, task: Any) -> None:
    with pytest.raises(tasks.UnsupportedTask, match=r"would not find this task: tests.adapter.shop_tasks._plain is no"):
        task.enqueue(7)


def test_arguments_that_json_has_not_are_refused(service: Service) -> None:
    with pytest.raises((TypeError, ValueError)):
        shop_tasks.pay.enqueue(object())  # type: ignore[arg-type]
    assert not service.asked


def test_a_fifo_queue_does_one_after_the_other(service: Service) -> None:
    with override_settings(TASKS={"default": {**BACKEND, "OPTIONS": {"queue_urls": {"default": f"{QUEUE}.fifo"}}}}):
        result = shop_tasks.pay.enqueue(7)
        asked = sent(service)
        assert (asked["MessageGroupId"], asked["MessageDeduplicationId"]) == ("default", result.id)
        with pytest.raises(tasks.UnsupportedTask, match="a FIFO queue can't delay"):
            shop_tasks.pay.using(run_after=timezone.now()).enqueue(7)


def test_sqs_itself_takes_the_messages(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks._sqs.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto)
    sqs = boto("sqs", moto)
    try:
        url = sqs.create_queue(QueueName="shop-jobs")["QueueUrl"]
        monkeypatch.setenv("FAAS_JOBS_QUEUE_URL", url)
        result = shop_tasks.pay.enqueue(7, note="ä" * 100_000)
        [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    finally:
        sqs.close()
    assert json.loads(message["Body"])["id"] == result.id
    assert tasks.perform(message["Body"], 1)
    assert shop_tasks.done.pop() == (7, "ä" * 100_000)


DEFINE = """
import sys
from django.conf import settings
settings.configure(TASKS={"default": {"BACKEND": "adapter.tasks.SQSBackend"}})
import django
django.setup()
import tests.adapter.shop_tasks
print(sorted({"adapter.aws", "http.client", "boto3", "botocore"} & set(sys.modules)))
"""


def test_to_define_tasks_loads_nothing_that_sends_them() -> None:
    """Modules with tasks are imported in every cold start."""
    plain = python(DEFINE.replace("import tests.adapter.shop_tasks\n", ""))
    assert "adapter.aws" not in plain.stdout
    result = python(DEFINE)
    assert result.stdout == plain.stdout, result


MISSING = """
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "django_tasks":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.mark.skipif(django.VERSION >= (6, 0), reason="Django 6 brings the framework along")
def test_without_a_framework_it_is_said_which_to_add() -> None:
    result = python(f"import sys\n{MISSING}\nimport adapter.tasks")
    assert "ConfigurationError: adapter.tasks needs Django's task framework" in result.stderr
    assert "add the package django-tasks" in result.stderr
