"""Each view writes and reads, and tells on which connection."""

from __future__ import annotations

import os

from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse

from .models import Visit


def visit(request: HttpRequest) -> JsonResponse:
    Visit.objects.create(path=request.path)
    return seen(Visit.objects.count())


def visit_in_transaction(request: HttpRequest) -> JsonResponse:
    with transaction.atomic():
        return visit(request)


async def visit_asynchronously(request: HttpRequest) -> JsonResponse:
    await Visit.objects.acreate(path=request.path)
    return seen(await Visit.objects.acount())


def read(request: HttpRequest) -> JsonResponse:
    return seen(Visit.objects.count())


def leave_transaction(request: HttpRequest) -> JsonResponse:
    """What Django can't know of: a transaction begun behind its back."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    return visit(request)


def leave_atomic_block(request: HttpRequest) -> JsonResponse:
    transaction.atomic().__enter__()
    return visit(request)


def limits(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout')"
        )
        return JsonResponse({"process": os.getpid(), "limits": cursor.fetchone()})


def seen(visits: int) -> JsonResponse:
    return JsonResponse({"process": os.getpid(), "visits": visits})
