"""Which compressed variants a file in the bucket has: ``a.css.br`` beside ``a.css``.

The one that suits the viewer is served instead. To CloudFront that is another path, for a function at the viewer's
request to choose; so it is to the cache here and to invalidations.
"""

from __future__ import annotations

import time
from urllib.parse import unquote

from static_sync.compress import ENCODINGS, compressible_type
from static_sync.content_types import content_type
from static_sync.inventory import variant_name

from ..bucket import BucketClient
from ..exceptions import BucketError
from ..http import Response

# How long it is remembered which variants a file has, in seconds, and of how many files. A page's next view needs no
# look-ups then, and what is put or deleted meanwhile is found nearly at once.
_MOMENT = 10.0
_REMEMBERED = 10_000


class Variants:
    """Knows for a moment what it has found in the ``bucket``."""

    def __init__(self, bucket: BucketClient) -> None:
        self._bucket = bucket
        self._found: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def of(self, path: str) -> tuple[str, ...]:
        """The content codings of which there are variants; one look-up, and none for what is compressed by itself.

        ``path`` is percent-encoded. A bucket that can't be reached has none.
        """
        key = unquote(path.removeprefix("/"), errors="surrogateescape")
        if not compressible_type(content_type(key)):
            return ()
        until, found = self._found.get(path, (0.0, ()))
        if time.monotonic() < until:
            return found
        try:
            names = await self._bucket.names(f"{key}.")
        except BucketError:
            return ()  # the file itself will be asked for next, and tell
        return self._remember(path, tuple(coding for coding in ENCODINGS if variant_name(key, coding) in names))

    def lacks(self, path: str, coding: str) -> tuple[str, ...]:
        """Take down that there is no such variant after all; returns what remains."""
        found = self._found.get(path, (0.0, ()))[1]
        return self._remember(path, tuple(other for other in found if other != coding))

    def forget(self) -> None:
        """Look again."""
        self._found.clear()

    def _remember(self, path: str, found: tuple[str, ...]) -> tuple[str, ...]:
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[path] = time.monotonic() + _MOMENT, found
        return found


def is_variant(response: Response, coding: str) -> bool:
    """Whether this is a variant: it may be gone since it was listed, or be a file to download that is named alike."""
    if response.status in {200, 206}:
        return any(name.lower() == "content-encoding" and value == coding for name, value in response.headers)
    return response.status in {304, 412, 416}
