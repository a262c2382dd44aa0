"""One generator, streamed the way the server can take it."""

from collections.abc import AsyncIterator, Iterable

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse


async def _asynchronously(parts: Iterable[str]) -> AsyncIterator[str]:
    iterator = iter(parts)
    end = object()
    while (part := await sync_to_async(next)(iterator, end)) is not end:
        yield part


def stream(request: HttpRequest, parts: Iterable[str], content_type: str) -> StreamingHttpResponse:
    """A response that sends each part as it comes.

    Django would read a plain generator to its end before the first byte leaves under ASGI:
    https://docs.djangoproject.com/en/stable/ref/request-response/#streaminghttpresponse-objects
    """
    if isinstance(request, ASGIRequest):
        parts = _asynchronously(parts)
    return StreamingHttpResponse(parts, content_type=content_type)
