"""What the CDN compresses by itself, for viewers that can read it.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

from ..blueprint import CachePolicy
from ..http import Request, Response
from .negotiation import preferred

_SMALLEST, _LARGEST = 1_000, 10_000_000
_STATUSES = frozenset({200, 403, 404})
_TYPES = frozenset(
    {
        "application/dash+xml",
        "application/eot",
        "application/font",
        "application/font-sfnt",
        "application/javascript",
        "application/json",
        "application/opentype",
        "application/otf",
        "application/pdf",
        "application/pkcs7-mime",
        "application/protobuf",
        "application/rss+xml",
        "application/truetype",
        "application/ttf",
        "application/vnd.apple.mpegurl",
        "application/vnd.mapbox-vector-tile",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-font-opentype",
        "application/x-font-truetype",
        "application/x-font-ttf",
        "application/x-httpd-cgi",
        "application/x-javascript",
        "application/x-mpegurl",
        "application/x-opentype",
        "application/x-otf",
        "application/x-perl",
        "application/x-ttf",
        "application/xhtml+xml",
        "application/xml",
        "font/eot",
        "font/opentype",
        "font/otf",
        "font/ttf",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/js",
        "text/plain",
        "text/richtext",
        "text/tab-separated-values",
        "text/x-component",
        "text/x-java-source",
        "text/x-script",
        "text/xml",
        "vnd.apple.mpegurl",
    }
)
# The levels are unproven; these are light, as a CDN compresses while a viewer waits.
_BROTLI_QUALITY, _GZIP_LEVEL = 5, 6
# What takes longer than a few milliseconds must not hold up the other requests.
_QUICK = 100_000


def codings(request: Request, policy: CachePolicy) -> tuple[str, ...]:
    """Of the codings that are part of the cache key, those that the viewer reads, the better one first.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-the-cache-key.html#cache-policy-compressed-objects
    """
    if request.protocol == "HTTP/1.0":
        return ()
    accepted = ",".join(request.header_values("accept-encoding"))
    enabled = [coding for coding, flag in (("br", policy.brotli), ("gzip", policy.gzip)) if flag]
    return tuple(coding for coding in enabled if preferred(accepted, (coding,)))


async def compressed(response: Response, accepted: Sequence[str]) -> Response:
    """The response in the first of the ``accepted`` codings, or as it is where CloudFront leaves it so."""
    names = {name.lower(): value for name, value in response.headers}
    kind = names.get("content-type", "").partition(";")[0].strip().lower()
    if (
        not accepted
        or response.status not in _STATUSES
        or "content-encoding" in names
        or kind not in _TYPES
        or not _SMALLEST <= len(response.body) <= _LARGEST
    ):
        return response
    coding = accepted[0]
    if len(response.body) > _QUICK:
        body = await asyncio.to_thread(_encode, response.body, coding)
    else:
        body = _encode(response.body, coding)
    headers = [*_weakened(response.headers), ("Content-Encoding", coding)]
    if not any(name.lower() == "vary" and "accept-encoding" in value.lower() for name, value in headers):
        headers.append(("Vary", "Accept-Encoding"))
    return Response(response.status, headers, body)


def _encode(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return zlib.compress(body, _GZIP_LEVEL, wbits=31)
    import brotli  # type: ignore[import-untyped]

    encoded: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return encoded


def _weakened(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the length of the plain body, and with an ETag for any form of it; one that is none is left out."""
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower == "etag" and value.startswith('"'):
            kept.append((name, f"W/{value}"))
        elif lower != "content-length" and (lower != "etag" or value.startswith("W/")):
            kept.append((name, value))
    return kept
