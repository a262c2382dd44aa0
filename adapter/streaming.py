"""An answer that leaves chunk by chunk.

https://docs.aws.amazon.com/lambda/latest/dg/response-streaming.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any


class Stream(Iterator[bytes]):
    """An answer for a runtime that streams: status and headers as JSON, eight NULs, then the body as it is."""

    content_type = "application/vnd.awslambda.http-integration-response"

    def __init__(
        self,
        prelude: dict[str, Any],
        first: bytes,
        rest: Generator[bytes] | None,
        closed: Callable[[int], object],
    ) -> None:
        """``closed`` is told at the end how many bytes of body were taken."""
        self._head = json.dumps(prelude, separators=(",", ":")).encode() + bytes(8) + first
        self._rest = rest
        self._size = len(first)
        self._closed = closed

    def __next__(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._rest is None:
            raise StopIteration
        piece = next(self._rest)
        self._size += len(piece)
        return piece

    def close(self) -> None:
        """End the request, of which nothing more is wanted."""
        try:
            if self._rest is not None:
                self._rest.close()
        finally:
            self._closed(self._size)
