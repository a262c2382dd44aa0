"""A URLconf of views that answer piece by piece, and say what becomes of them."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

log: list[str] = []
"""What the views did, in order."""

FILE = bytes(range(256)) * 2048


def sync_pieces(count: int = 3) -> Iterator[bytes]:
    try:
        for number in range(count):
            log.append(f"made {number}")
            yield b"piece %d\n" % number
    finally:
        log.append("ended")


async def async_pieces(count: int = 3) -> AsyncIterator[bytes]:
    try:
        for number in range(count):
            await asyncio.sleep(0)
            log.append(f"made {number}")
            yield b"piece %d\n" % number
    finally:
        log.append("ended")


def sync_view(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(sync_pieces(), content_type="text/plain")


async def async_view(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_pieces(), content_type="text/plain")


def sync_events(request: HttpRequest) -> StreamingHttpResponse:
    def events() -> Iterator[str]:
        for number in range(2):
            yield f"event: tick\ndata: {number}\n\n"

    return StreamingHttpResponse(events(), content_type="text/event-stream")


async def async_events(request: HttpRequest) -> StreamingHttpResponse:
    async def events() -> AsyncIterator[str]:
        for number in range(2):
            await asyncio.sleep(0.001)
            yield f"event: tick\ndata: {number}\n\n"

    return StreamingHttpResponse(events(), content_type="text/event-stream")


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(FILE), filename="all.bin", as_attachment=True)


def whole(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("whole")
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


def sync_broken(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        yield b"so far\n"
        raise LookupError("on the way")

    return StreamingHttpResponse(pieces())


async def async_broken(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"so far\n"
        raise LookupError("on the way")

    return StreamingHttpResponse(pieces())


def sync_slow(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        try:
            yield b"so far\n"
            time.sleep(5)
        finally:
            log.append("ended")

    return StreamingHttpResponse(pieces())


async def async_slow(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"so far\n"
            await asyncio.sleep(5)
        finally:
            log.append("ended")

    return StreamingHttpResponse(pieces())


def sync_silent(request: HttpRequest) -> HttpResponse:
    time.sleep(2)
    return HttpResponse("too late")


async def async_silent(request: HttpRequest) -> HttpResponse:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    return HttpResponse("too late")


urlpatterns = [
    path("wsgi/pieces/", sync_view),
    path("asgi/pieces/", async_view),
    path("wsgi/events/", sync_events),
    path("asgi/events/", async_events),
    path("wsgi/broken/", sync_broken),
    path("asgi/broken/", async_broken),
    path("wsgi/slow/", sync_slow),
    path("asgi/slow/", async_slow),
    path("wsgi/silent/", sync_silent),
    path("asgi/silent/", async_silent),
    path("sync/pieces/", sync_view),
    path("sync/silent/", sync_silent),
    path("download/", download),
    path("whole/", whole),
]
