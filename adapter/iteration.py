"""How Django takes the pieces of a `StreamingHttpResponse` by ASGI.

By itself it makes a list of all that a synchronous iterator gives before it sends anything, and a `FileResponse` has no
other: the whole file would have to fit into memory. And when the client leaves it waits for the garbage collector to
close an asynchronous iterator.
https://docs.djangoproject.com/en/stable/ref/request-response/#streaminghttpresponse-objects
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from django.http import StreamingHttpResponse


def install() -> None:
    """Have each piece made when the one before it has left, and the iterator closed when the last has."""
    module: Any = sys.modules.get("django.http.response")  # not there: the application is none of Django's
    if module is not None:
        module.StreamingHttpResponse.__aiter__ = _pieces


async def _pieces(response: StreamingHttpResponse) -> AsyncIterator[bytes]:
    content: Any = response.streaming_content
    if response.is_async:
        try:
            async for piece in content:
                yield piece
        finally:
            for generator in (content, response._iterator):  # type: ignore[attr-defined]
                if hasattr(generator, "aclose"):
                    await generator.aclose()
    else:
        # In the thread of the request's synchronous code, whose database connection it may use.
        fetch = sync_to_async(partial(next, content, None))
        while (piece := await fetch()) is not None:
            yield piece
