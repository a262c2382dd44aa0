"""The CDN in front of it all: static files and uploads from the bucket, everything else from the front door.

Modelled on a CloudFront distribution with caching off:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
One thing is unlike CloudFront on purpose: the front door hears the viewer's own Host, so that a project runs unchanged
on localhost. CloudFront sends the origin's, and the viewer's reaches the function in X-Forwarded-Host, here as there.

Of a file that has compressed variants beside it (``a.css.br``), the one that suits the viewer is served instead. To
CloudFront that is another path, for a function at the viewer's request to choose.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

from static_sync.compress import ENCODINGS, compressible_type
from static_sync.content_types import content_type
from static_sync.inventory import variant_name

from .bucket import BucketClient
from .exceptions import BucketError
from .http import Request, Response
from .log import Log
from .negotiation import preferred

_VIA = "1.1 emulator.cloudfront.net (CloudFront)"
# What an S3 origin is asked with; the rest says nothing about which bytes of which object to send.
_CONDITIONS = ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")
# How long it is remembered which variants a file has, in seconds, and of how many files. A page's next view needs no
# look-ups then, and what is put or deleted meanwhile is found nearly at once.
_MOMENT = 10.0
_REMEMBERED = 10_000


class Cdn:
    """Routes by path: what begins with one of ``prefixes`` to the ``bucket``, all else to ``origin``.

    A prefix is a pair: what the path begins with, and how many of its characters (a stage) come before the key. With
    ``fresh``, a browser is told to ask again for every file that may change, whatever the bucket says of it.
    """

    def __init__(
        self,
        origin: Callable[[Request], Awaitable[Response]],
        bucket: BucketClient,
        prefixes: Sequence[tuple[str, int]],
        log: Log,
        fresh: bool = False,
    ) -> None:
        self._origin = origin
        self._bucket = bucket
        self._prefixes = tuple(prefixes)
        self._log = log
        self._fresh = fresh
        self._variants: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def __call__(self, request: Request) -> Response:
        for prefix, cut in self._prefixes:
            if request.path.startswith(prefix):
                return await self._from_bucket(request, request.path[cut:])
        identifier = uuid.uuid4().hex
        response = await self._origin(self._to_origin(request, identifier))
        state = "Error" if response.status >= 400 else "Miss"
        return _seen(response, state, identifier)

    def _to_origin(self, request: Request, identifier: str) -> Request:
        headers = [(name, value) for name, value in request.headers if name.lower() not in _REPLACED]
        host = request.header("host")
        if host is not None:
            headers.append(("X-Forwarded-Host", host))
        forwarded = [*request.header_values("x-forwarded-for"), request.client]
        via = [*request.header_values("via"), _VIA]
        headers += [
            ("Via", ", ".join(via)),
            ("X-Forwarded-For", ", ".join(forwarded)),
            ("X-Amz-Cf-Id", identifier),
        ]
        return dataclasses.replace(request, headers=tuple(headers))

    async def _from_bucket(self, request: Request, path: str) -> Response:
        started = time.perf_counter()
        response = await self._object(request, path)
        self._log.access(request.method, request.path, response.status, time.perf_counter() - started, "bucket")
        return _seen(response, "Error" if response.status >= 400 else "Miss", uuid.uuid4().hex)

    async def _object(self, request: Request, path: str) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(
                405,
                [("Allow", "GET, HEAD"), ("Content-Type", "text/plain; charset=utf-8")],
                b"Files in the bucket can be read here, and nothing else.\n",
            )
        conditions = {name: value for name in _CONDITIONS if (value := request.header(name.lower())) is not None}
        try:
            response = await self._negotiated(request, path, conditions)
        except BucketError as error:
            self._log.error(str(error))
            return Response(502, [("Content-Type", "text/plain; charset=utf-8")], f"{error}\n".encode())
        response.headers.append(("Server", "AmazonS3"))
        return _asked_for_again(response) if self._fresh else response

    async def _negotiated(self, request: Request, path: str, conditions: Mapping[str, str]) -> Response:
        """The variant that suits the viewer, or the file as it is.

        Conditions and ranges are about the form that is chosen, as it is that one whose ETag the viewer has, and whose
        other bytes: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        """
        accepted = ",".join(request.header_values("accept-encoding"))
        stored = await self._stored(path)
        while coding := preferred(accepted, stored):
            response = await self._bucket.get(variant_name(path, coding), conditions, request.method)
            if _is_encoded(response, coding):
                break
            stored = self._remember(path, tuple(other for other in stored if other != coding))
        else:
            response = await self._bucket.get(path, conditions, request.method)
        if stored:
            response.headers.append(("Vary", "Accept-Encoding"))
        return response

    async def _stored(self, path: str) -> tuple[str, ...]:
        """The content codings of which there are variants; one look-up, and none for what is compressed by itself."""
        key = unquote(path.removeprefix("/"), errors="surrogateescape")
        if not compressible_type(content_type(key)):
            return ()
        until, stored = self._variants.get(path, (0.0, ()))
        if time.monotonic() < until:
            return stored
        names = await self._bucket.names(f"{key}.")
        return self._remember(path, tuple(coding for coding in ENCODINGS if variant_name(key, coding) in names))

    def _remember(self, path: str, stored: tuple[str, ...]) -> tuple[str, ...]:
        if len(self._variants) >= _REMEMBERED:
            self._variants.clear()
        self._variants[path] = time.monotonic() + _MOMENT, stored
        return stored


def _is_encoded(response: Response, coding: str) -> bool:
    """Whether this is a variant: it may be gone since it was listed, or be a file to download that is named alike."""
    if response.status in {200, 206}:
        return any(name.lower() == "content-encoding" and value == coding for name, value in response.headers)
    return response.status in {304, 412, 416}


_REPLACED = frozenset({"x-forwarded-host", "x-forwarded-for", "via", "x-amz-cf-id"})


def _asked_for_again(response: Response) -> Response:
    """The response with ``no-cache`` for what is not immutable: an edited stylesheet must show at the next reload."""
    for index, (name, value) in enumerate(response.headers):
        if name.lower() == "cache-control" and "immutable" not in value:
            response.headers[index] = (name, "no-cache")
    return response


def _seen(response: Response, state: str, identifier: str) -> Response:
    response.headers += [
        ("X-Cache", f"{state} from cloudfront"),
        ("Via", _VIA),
        ("X-Amz-Cf-Id", identifier),
    ]
    return response
