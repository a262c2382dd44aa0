"""The CDN in front of it all: static files and uploads from the bucket, everything else from the front door.

Modelled on a CloudFront distribution with caching off:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
One thing is unlike CloudFront on purpose: the front door hears the viewer's own Host, so that a project runs unchanged
on localhost. CloudFront sends the origin's, and the viewer's reaches the function in X-Forwarded-Host, here as there.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence

from .bucket import BucketClient
from .exceptions import BucketError
from .http import Request, Response
from .log import Log

_VIA = "1.1 emulator.cloudfront.net (CloudFront)"
# What an S3 origin is asked with; the rest says nothing about which bytes of which object to send.
_CONDITIONS = ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")


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
            response = await self._bucket.get(path, conditions, request.method)
        except BucketError as error:
            self._log.error(str(error))
            return Response(502, [("Content-Type", "text/plain; charset=utf-8")], f"{error}\n".encode())
        response.headers.append(("Server", "AmazonS3"))
        return _asked_for_again(response) if self._fresh else response


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
