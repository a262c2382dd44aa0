"""Tasks of the tests, for whichever of the two frameworks is there; what they did is in ``done``."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

import django
from django.db import connection, transaction

if TYPE_CHECKING or django.VERSION >= (6, 0):
    from django.tasks import signals, task
    from django.tasks.exceptions import InvalidTask
else:
    from django_tasks import signals, task
    from django_tasks.exceptions import InvalidTaskError as InvalidTask

__all__ = ["InvalidTask", "signals"]

done: list[Any] = []


@task
def pay(order: int, *, note: str = "") -> dict[str, Any]:
    done.append((order, note))
    return {"paid": order}


@task
async def ship(order: int) -> None:
    done.append(("shipped", order))


@task(takes_context=True)
def report(context: Any) -> None:
    done.append((context.attempt, context.task_result.id))


@task
def fail(order: int) -> None:
    done.append(order)
    raise LookupError(f"no order {order}")


@task
def leave() -> None:
    sys.exit(3)


@task
def give_back_what_json_has_not() -> object:
    return object()


@task
def wait(seconds: float) -> None:
    done.append(seconds)
    time.sleep(seconds)


@task
def wait_stubbornly(seconds: float) -> None:
    with contextlib.suppress(Exception):
        time.sleep(seconds)


@task
async def wait_asynchronously(seconds: float) -> None:
    await asyncio.sleep(seconds)


@task
def query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        done.append(cursor.fetchone())


@task
def break_off_within_a_transaction() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        time.sleep(10)


def _plain(order: int) -> None:
    done.append(order)


renamed = task(_plain)
