"""Tasks by SQS: a backend of Django's task framework that enqueues, and what a worker does with a message.

    TASKS = {"default": {"BACKEND": "adapter.tasks.SQSBackend"}}

The framework is Django 6's own ``django.tasks``, or the package django-tasks where Django has none; the two have the
same parts under the same names, save one. A message is JSON: ``task`` (where it is defined), ``args``, ``kwargs``,
``id``, ``backend``, ``queue`` and ``enqueued_at``.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from datetime import datetime
from functools import cache
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import django
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string

from . import database
from .exceptions import AdapterError, ConfigurationError, MessageError
from .limits import DeadlineExceeded

if TYPE_CHECKING:
    from django.tasks import base, signals
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.exceptions import InvalidTask
    from django.utils.json import normalize_json

    from .aws import Client

    Task = base.Task[..., Any]
    Result = base.TaskResult[..., Any]
else:
    _framework = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
    try:
        base = importlib.import_module(f"{_framework}.base")
        signals = importlib.import_module(f"{_framework}.signals")
        _backends = importlib.import_module(f"{_framework}.backends.base")
        _exceptions = importlib.import_module(f"{_framework}.exceptions")
    except ModuleNotFoundError as error:
        if error.name != _framework:
            raise
        raise ConfigurationError(
            "adapter.tasks needs Django's task framework, which comes with Django 6.0. For Django "
            f"{django.__version__}, add the package django-tasks."
        ) from None
    BaseTaskBackend, normalize_json = _backends.BaseTaskBackend, base.normalize_json
    InvalidTask = _exceptions.InvalidTask if django.VERSION >= (6, 0) else _exceptions.InvalidTaskError

__all__ = ["SQSBackend", "UnsupportedTask", "perform"]

LARGEST_MESSAGE = 1 << 20
LONGEST_DELAY = 900
"""Bytes of a message, seconds until it is delivered.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


class UnsupportedTask(AdapterError, InvalidTask):
    """SQS can't carry a task as it is; Django's own `InvalidTask`, too."""


class SQSBackend(BaseTaskBackend):
    """Sends each task as a message to an SQS queue, for a function that `triggers.queue` serves.

    Queues go by name: ``OPTIONS = {"queue_urls": {"mail": "https://sqs..."}}``; a name that is not there goes to the
    queue ``FAAS_JOBS_QUEUE_URL``. SQS keeps no results, so none can be asked for.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = False
    supports_priority = False

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._urls: dict[str, str] = self.options.get("queue_urls", {})
        if self.queues:  # none at all lets any name pass
            self.queues.update(self._urls)

    def validate_task(self, task: Task) -> None:
        """Raises `UnsupportedTask`, and `InvalidTask` for what no backend takes; called when a task is defined, too."""
        if task.priority != base.DEFAULT_TASK_PRIORITY:
            raise UnsupportedTask(
                f"{task.module_path} has the priority {task.priority}, and messages of SQS have none. Give what is "
                'urgent a queue and a worker of its own: @task(queue_name="urgent"), and its URL under queue_urls in '
                "OPTIONS."
            )
        super().validate_task(task)

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> Any:
        """The task's `TaskResult`, once SQS has its message.

        Raises `UnsupportedTask` for what SQS can't carry, TypeError or ValueError for arguments that JSON has not, and
        `ServiceError` where SQS does not take it.
        """
        self.validate_task(task)
        _check_reachable(task)
        result: Result = base.TaskResult(
            task=task,
            id=get_random_string(32),
            status=base.TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        request = self._request(result)
        _sqs().call("AmazonSQS.SendMessage", request, version="1.0")
        signals.task_enqueued.send(type(self), task_result=result)
        return result

    def _request(self, result: Result) -> dict[str, Any]:
        task = result.task
        url = self._urls.get(task.queue_name) or os.environ.get("FAAS_JOBS_QUEUE_URL")
        if not url:
            raise ConfigurationError(
                f"No queue is known for the tasks of {task.queue_name!r}. Set FAAS_JOBS_QUEUE_URL to its URL, or add it"
                f" to TASKS[{self.alias!r}]['OPTIONS']['queue_urls']."
            )
        # In ASCII, as SQS refuses some characters, which JSON can write in others.
        body = json.dumps(_message(result), separators=(",", ":"))
        if len(body) > LARGEST_MESSAGE:
            raise UnsupportedTask(
                f"A message with the arguments of {task.module_path} is {len(body):,} bytes long, and SQS takes "
                f"{LARGEST_MESSAGE:,}. Store what is large (in the bucket, in the database) and pass its name."
            )
        request: dict[str, Any] = {"QueueUrl": url, "MessageBody": body}
        if url.endswith(".fifo"):
            if task.run_after is not None:
                raise UnsupportedTask(f"{task.module_path} has run_after; a FIFO queue can't delay one message.")
            return {**request, "MessageGroupId": task.queue_name, "MessageDeduplicationId": result.id}
        return {**request, "DelaySeconds": _delay(task)} if task.run_after is not None else request


def _message(result: Result) -> dict[str, Any]:
    enqueued_at: Any = result.enqueued_at
    return {
        "task": result.task.module_path,
        "args": result.args,
        "kwargs": result.kwargs,
        "id": result.id,
        "backend": result.backend,
        "queue": result.task.queue_name,
        "enqueued_at": enqueued_at.isoformat(),
    }


def _delay(task: Task) -> int:
    """Whole seconds until ``run_after``, never too few."""
    run_after: Any = task.run_after
    seconds: int = math.ceil((run_after - timezone.now()).total_seconds())
    if seconds > LONGEST_DELAY:
        raise UnsupportedTask(
            f"{task.module_path} is to run in {seconds:,} s, and SQS delays a message by {LONGEST_DELAY} s at most. "
            "Keep the time in the database and have a scheduled command enqueue what is due."
        )
    return max(seconds, 0)


def _check_reachable(task: Task) -> None:
    """`UnsupportedTask` for one that the worker would not find, as it is bound to another name than its function's."""
    module = sys.modules[task.func.__module__]
    found = getattr(module, task.func.__qualname__, None)
    if not isinstance(found, base.Task) or found.func is not task.func:
        raise UnsupportedTask(
            f"The worker would not find this task: {task.module_path} is no task. Use @task on a function of a module, "
            "and leave it its name."
        )


@cache
def _sqs() -> Client:
    from .aws import Client  # with http.client and ssl, which no request needs that enqueues nothing

    return Client("sqs")


def perform(body: str, attempt: int) -> bool:
    """Do the task of the message ``body``, and say whether it has succeeded; for the ``attempt``-th time, from 1 on.

    Signals, and the task's context, are those of Django's ImmediateBackend; Django logs what has failed. Raises
    `MessageError` for a message whose task can't be begun.
    """
    result = _read(body)
    started = timezone.now()
    # Who tried before is known to nobody; that it was tried, the context tells by their number.
    workers = ["unknown"] * (attempt - 1) + [os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME") or "local"]
    result.worker_ids.extend(workers)
    _set(result, status=base.TaskResultStatus.RUNNING, started_at=started, last_attempted_at=started)
    signals.task_started.send(sender=SQSBackend, task_result=result)
    first: tuple[Any, ...] = (base.TaskContext(task_result=result),) if result.task.takes_context else ()
    try:
        value = normalize_json(result.task.call(*first, *result.args, **result.kwargs))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, DeadlineExceeded):
            # Receivers must not be led to a connection that is in the midst of an exchange with its server.
            database.close_all()
        kind = type(error)
        told = base.TaskError(
            exception_class_path=f"{kind.__module__}.{kind.__qualname__}", traceback="".join(format_exception(error))
        )
        result.errors.append(told)
        _set(result, status=base.TaskResultStatus.FAILED, finished_at=timezone.now())
        signals.task_finished.send(SQSBackend, task_result=result)
        if isinstance(error, DeadlineExceeded):
            raise
        return False
    _set(result, status=base.TaskResultStatus.SUCCESSFUL, finished_at=timezone.now(), _return_value=value)
    signals.task_finished.send(SQSBackend, task_result=result)
    return True


def _set(result: Result, **values: object) -> None:
    """Django's own backends change the frozen object in this way."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _read(body: str) -> Result:
    try:
        message = json.loads(body)
        path, backend, queue = message["task"], message["backend"], message["queue"]
        enqueued_at = datetime.fromisoformat(message["enqueued_at"])
        identifier, args, kwargs = message["id"], message["args"], message["kwargs"]
    except (ValueError, TypeError, KeyError) as error:
        raise MessageError(
            f"It is none that adapter.tasks has sent ({type(error).__name__}: {error}), and comes back until the "
            "queue's maxReceiveCount hands it to the dead-letter queue."
        ) from None
    try:
        task = import_string(path)
    except ImportError as error:
        raise MessageError(
            f"Its task {path} can't be imported. Where it was renamed or removed, keep the old name until the queue "
            "has none of it left."
        ) from error
    if not isinstance(task, base.Task):
        raise MessageError(f"It asks for {path}, which is no task but of type {type(task).__name__}.")
    return base.TaskResult(
        task=task.using(backend=backend, queue_name=queue),
        id=identifier,
        status=base.TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=args,
        kwargs=kwargs,
        backend=backend,
        errors=[],
        worker_ids=[],
    )
