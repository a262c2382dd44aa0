"""A distribution at work: chooses the behaviour, answers from the cache or from the origin, and keeps what it may.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HowCloudFrontWorks.html
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from email.utils import formatdate
from typing import NamedTuple

from static_sync.inventory import variant_name

from ..blueprint import Behaviour, Distribution, ErrorAnswer
from ..bucket import BucketClient
from ..exceptions import BucketError
from ..http import BrokenOff, Request, Response, Stream
from ..log import Log
from . import compression, conditions, forwarding, freshness, pages
from .behaviours import chooser
from .cache import Cache, Entry, parse_tags
from .negotiation import preferred
from .variants import Variants, is_variant

Handler = Callable[[Request], Awaitable[Response]]

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
_LONGEST_REQUEST, _LONGEST_URL = 20_480, 8_192
# How long a request waits for an earlier one of the same object, in seconds; documented is that it "pauses briefly".
_PAUSE = 5.0
_AS_IT_IS = ErrorAnswer(0)
_READS = frozenset({"GET", "HEAD"})
# Answers to a condition or a range, which say nothing about the whole.
_NOT_THE_OBJECT = frozenset({206, 304, 412, 416})


class _Answer(NamedTuple):
    """``state`` is the one of ``X-Cache``; ``asked`` whether the origin had to be."""

    response: Response
    state: str
    asked: bool = True


PATIENCE = 30.0
"""CloudFront's origin response timeout, in seconds, where none is set."""


class Cdn:
    """Answers requests by the ``distribution``'s behaviours, from the ``bucket`` or from the front ``door``.

    With ``fresh``, nothing of the bucket is served, nor kept by a browser, without another look at it, save what never
    changes (``immutable``): an edited stylesheet must show at the next reload. ``patience`` is the origin response
    timeout in seconds, for the answer's beginning and between two of its pieces; None waits for ever.
    """

    def __init__(
        self,
        distribution: Distribution,
        door: Handler,
        bucket: BucketClient,
        log: Log,
        *,
        fresh: bool = False,
        clock: Callable[[], float] = time.time,
        patience: float | None = PATIENCE,
    ) -> None:
        self._distribution = distribution
        self._choose = chooser(distribution.behaviours)
        self._errors = {error.status: error for error in distribution.errors}
        self._minima = {error.status: error.ttl for error in distribution.errors}
        self._door = door
        self._bucket = bucket
        self._variants = Variants(bucket)
        self._log = log
        self._fresh = fresh
        self._clock = clock
        self._patience = patience
        self._cache = Cache()
        self._fetching: dict[Hashable, asyncio.Future[None]] = {}
        self._left: set[asyncio.Task[Response]] = set()

    def invalidate(self, items: Collection[str]) -> None:
        """Forget what the ``items`` name: paths as viewers spell them, ``*`` only at the end, or ``#`` and a tag.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
        """
        self._cache.invalidate(items)
        self._variants.forget()

    async def __call__(self, request: Request) -> Response:
        started = time.perf_counter()
        identifier = base64.urlsafe_b64encode(os.urandom(40)).decode()
        behaviour = self._choose(request.path)
        answer = _refused(request, behaviour, identifier) or await self._answer(request, behaviour, identifier)
        response = answer.response
        if behaviour.origin == "bucket":
            if self._fresh:
                _ask_again(response)
            source = "bucket" if answer.asked else "cdn"
        else:
            source = "" if answer.asked else "cdn"  # what went through the front door is in the log already
        if source:
            self._log.access(request.method, request.path, response.status, time.perf_counter() - started, source)
        response.headers += [
            ("X-Cache", f"{answer.state} from cloudfront"),
            ("Via", forwarding.VIA),
            ("X-Amz-Cf-Pop", "LOC1-C1"),
            ("X-Amz-Cf-Id", identifier),
        ]
        return response

    async def _answer(self, request: Request, behaviour: Behaviour, identifier: str) -> _Answer:
        if behaviour.origin == "door":
            return await self._object(request, behaviour, request.path, identifier)
        path = request.path
        if request.method not in _READS:
            return await self._object(request, behaviour, path, identifier)
        accepted = ",".join(request.header_values("accept-encoding"))
        file = _in_bucket(path, behaviour)
        stored = await self._variants.of(file)
        # Conditions and ranges are about the form that is chosen, as it is that one whose ETag the viewer has, and
        # whose other bytes: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
        while coding := preferred(accepted, stored):
            answer = await self._object(request, behaviour, variant_name(path, coding), identifier)
            if is_variant(answer.response, coding):
                break
            stored = self._variants.lacks(file, coding)
        else:
            answer = await self._object(request, behaviour, path, identifier)
        if stored and not any(name.lower() == "vary" for name, _ in answer.response.headers):
            answer.response.headers.append(("Vary", "Accept-Encoding"))
        return answer

    async def _object(self, request: Request, behaviour: Behaviour, path: str, identifier: str) -> _Answer:
        """What is at ``path``, from the cache if it may be, asked for once by all who want it at the same time."""
        if request.method not in _READS or not freshness.keeps(behaviour.cache):
            return await self._fetch(request, behaviour, path, identifier)
        url, key = forwarding.cache_key(request, behaviour, path)
        if kept := self._kept(key, request):
            return kept
        if request.method == "HEAD":
            return await self._fetch(request, behaviour, path, identifier)
        first = self._fetching.get(key)
        if first is not None:
            await asyncio.wait([first], timeout=_PAUSE)
            return self._kept(key, request) or await self._fetch(request, behaviour, path, identifier, url, key)
        first = self._fetching[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._fetch(request, behaviour, path, identifier, url, key)
        finally:
            del self._fetching[key]
            first.set_result(None)

    def _kept(self, key: Hashable, request: Request) -> _Answer | None:
        entry = self._cache.get(key)
        if entry is None or entry.expires <= self._clock():
            return None
        return self._from(entry, request, "Hit" if entry.status < 400 else "Error", asked=False)

    def _from(self, entry: Entry, request: Request, state: str, *, asked: bool = True) -> _Answer:
        response = conditions.chosen(request, entry.status, entry.headers, entry.body)
        age = int(self._clock() - entry.fetched)
        if age or not asked:
            response.headers.append(("Age", str(age)))
        return _Answer(response, state, asked)

    async def _fetch(
        self,
        request: Request,
        behaviour: Behaviour,
        path: str,
        identifier: str,
        url: str = "",
        key: Hashable | None = None,
    ) -> _Answer:
        """What the origin says now; kept where there is a ``key``. What has expired is asked after, not asked for."""
        stale = self._cache.get(key) if key is not None else None
        sent = _revalidating(request, stale) if stale is not None else request
        generation = self._cache.generation
        response = await self._ask(sent, behaviour, path, identifier)
        page = self._errors.get(response.status, _AS_IT_IS).page
        if response.stream is not None and page is None:
            return _Answer(response, "Error" if response.status >= 400 else "Miss")
        now = self._clock()
        policy = behaviour.cache
        if stale is not None and sent is not request and response.status == 304:
            self._renew(stale, response, behaviour)
            return self._from(stale, request, "RefreshHit")
        if stale is not None and stale.status < 400 and response.status >= 500:
            # Unproven: the word for it in X-Cache.
            stale.expires = now + self._minima.get(response.status, freshness.ERROR_TTL)
            return self._from(stale, request, "Hit")
        if response.status >= 400:
            ttl = freshness.error_lifetime(response.status, response.headers, policy, self._minima, now)
            if page is not None:
                response = await self._custom(request, response, page, identifier)
            state = "Error"
        else:
            ttl = freshness.lifetime(response.status, response.headers, policy, now)
            state = "Miss"
        if key is None:
            return _Answer(response, state)
        entry = await self._entry(request, response, behaviour, url, ttl)
        if _may_keep(entry, behaviour, ttl) and self._cache.generation == generation:
            self._cache.put(key, entry)
        elif response.status not in _NOT_THE_OBJECT:
            self._cache.drop(key)
        if sent is not request:
            # The viewer's own conditions and range were not passed on.
            return self._from(entry, request, state)
        return _Answer(Response(entry.status, list(entry.headers), entry.body), state)

    async def _entry(
        self, request: Request, response: Response, behaviour: Behaviour, url: str, ttl: float | None
    ) -> Entry:
        now = self._clock()
        names = {name.lower(): value for name, value in response.headers}
        tags = [value for name, value in response.headers if name.lower() == (self._distribution.tag_header or "")]
        if behaviour.compress:
            response = await compression.compressed(response, compression.codings(request, behaviour.cache))
        headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
        if "date" not in names:
            headers.append(("Date", formatdate(now, usegmt=True)))
        return Entry(
            url,
            response.status,
            headers,
            response.body,
            fetched=now,
            expires=self._expiry(headers, behaviour, ttl),
            etag=names.get("etag"),
            modified=names.get("last-modified"),
            tags=parse_tags(tags),
        )

    def _renew(self, entry: Entry, response: Response, behaviour: Behaviour) -> None:
        """Take down that nothing has changed, and what the origin says with that."""
        now = self._clock()
        said = [(name, value) for name, value in response.headers if name.lower() in {"cache-control", "expires"}]
        replaced = {name.lower() for name, _ in said} | {"date"}
        kept = [(name, value) for name, value in entry.headers if name.lower() not in replaced]
        entry.headers = [*kept, *said, ("Date", formatdate(now, usegmt=True))]
        entry.fetched = now
        ttl = freshness.lifetime(entry.status, entry.headers, behaviour.cache, now)
        entry.expires = self._expiry(entry.headers, behaviour, ttl)

    def _expiry(self, headers: Sequence[tuple[str, str]], behaviour: Behaviour, ttl: float | None) -> float:
        changes = "immutable" not in freshness.directives(headers)
        return self._clock() + (0 if self._fresh and behaviour.origin == "bucket" and changes else ttl or 0)

    async def _custom(self, request: Request, error: Response, path: str, identifier: str) -> Response:
        """The page at ``path`` in place of an error; what there is instead, where there is no such page.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/GeneratingCustomErrorResponses.html
        """
        if error.stream is not None:
            error.stream.close()
        wanted = Request(
            "GET",
            path,
            headers=tuple((name, value) for name, value in request.headers if name.lower() == "host"),
            client=request.client,
            scheme=request.scheme,
            port=request.port,
        )
        page = await self._ask(wanted, self._choose(path), path, identifier)
        await _read_whole(page)
        if page.status == 200:
            page.status = self._errors[error.status].answer or error.status
        if request.method == "HEAD":
            page.body = b""
        return page

    async def _ask(self, request: Request, behaviour: Behaviour, path: str, identifier: str) -> Response:
        """The origin's answer, or the CDN's own where there is none."""
        if behaviour.origin == "door":
            heard = forwarding.to_door(request, behaviour, self._distribution.secrets, identifier)
            response = await self._from_door(heard, identifier)
        else:
            response = await self._from_bucket(request, behaviour, _in_bucket(path, behaviour), identifier)
        response.headers = forwarding.from_origin(response.headers, behaviour)
        return response

    async def _from_door(self, request: Request, identifier: str) -> Response:
        if self._patience is None:
            return await self._door(request)
        task = asyncio.ensure_future(self._door(request))
        try:
            done, _ = await asyncio.wait([task], timeout=self._patience)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            hint = (
                f"The front door had not begun to answer after {self._patience:g} s, the origin response timeout; the "
                "function goes on."
            )
            self._log.error(f"{request.method} {request.path}: {hint}")
            self._left.add(task)
            task.add_done_callback(self._abandon)
            return pages.page(504, pages.NO_ANSWER, identifier, hint)
        response = task.result()
        if response.stream is not None:
            response.stream = _Watched(response.stream, self._patience, f"{request.method} {request.path}", self._log)
        return response

    def _abandon(self, task: asyncio.Task[Response]) -> None:
        self._left.discard(task)
        if not task.cancelled() and task.exception() is None and (stream := task.result().stream) is not None:
            stream.close()

    async def _from_bucket(self, request: Request, behaviour: Behaviour, path: str, identifier: str) -> Response:
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            return Response(
                405,
                [("Allow", "GET, HEAD"), ("Content-Type", "text/plain; charset=utf-8")],
                b"Files in the bucket can be read here, and nothing else.\n",
            )
        try:
            response = await self._bucket.get(path, forwarding.to_bucket(request, behaviour), request.method)
        except BucketError as error:
            self._log.error(str(error))
            return pages.page(502, pages.NO_CONNECTION, identifier, str(error))
        response.headers.append(("Server", "AmazonS3"))
        return response


async def _read_whole(response: Response) -> None:
    """Wait for the end of a streamed body; one that breaks off is as long as it is."""
    stream, response.stream = response.stream, None
    if stream is None:
        return
    parts = []
    try:
        while data := await stream.read():
            parts.append(data)
    except BrokenOff:
        pass
    finally:
        stream.close()
    response.body = b"".join(parts)


class _Watched:
    """A streamed answer that breaks off when the origin falls silent for longer than the CDN waits."""

    def __init__(self, stream: Stream, patience: float, what: str, log: Log) -> None:
        self._stream = stream
        self._patience = patience
        self._what = what
        self._log = log

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(self._patience):
                return await self._stream.read()
        except TimeoutError:
            self._log.error(
                f"{self._what}: broken off, as nothing came for {self._patience:g} s, the origin response timeout; a "
                "stream that may be silent for longer has to send something now and then"
            )
            raise BrokenOff from None

    def close(self) -> None:
        self._stream.close()


def _refused(request: Request, behaviour: Behaviour, identifier: str) -> _Answer | None:
    """The CDN's own answer to what it does not pass on.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html#RequestCustomMaxRequestStringLength
    """
    host = request.header("host") or ""
    url = len(f"{request.scheme}://{host}{request.path}?{request.query}")
    if (
        url > _LONGEST_URL
        or url + sum(len(name) + len(value) + 4 for name, value in request.headers) > _LONGEST_REQUEST
    ):
        hint = f"The URL may have {_LONGEST_URL:,} bytes, it and all headers {_LONGEST_REQUEST:,}."
        response = pages.page(413, pages.BAD_REQUEST, identifier, hint)
    elif request.method not in behaviour.methods:
        response = pages.page(403, pages.METHOD, identifier, f"Allowed here: {', '.join(behaviour.methods)}.")
    elif request.method == "GET" and request.body:
        response = pages.page(403, pages.BAD_REQUEST, identifier, "A GET request must not have a body.")
    else:
        return None
    return _Answer(response, "Error", asked=False)


def _may_keep(entry: Entry, behaviour: Behaviour, ttl: float | None) -> bool:
    """Not what is expired at once, unless the origin can be asked whether it has changed, nor what varies by all.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
    """
    if ttl is None or (entry.expires <= entry.fetched and not (entry.etag or entry.modified)):
        return False
    varies = any(name.lower() == "vary" and value.strip() == "*" for name, value in entry.headers)
    return not (varies and behaviour.cache.minimum == 0)


def _in_bucket(path: str, behaviour: Behaviour) -> str:
    """The path that leads to the object's key."""
    return behaviour.origin_path + path[behaviour.cut :]


def _revalidating(request: Request, stale: Entry) -> Request:
    """The request that asks whether ``stale`` is still right; ``request`` itself where it has nothing to ask by.

    By the ETag alone where there is one: moto takes what was edited within the same second for unchanged by its date.
    """
    if stale.etag is not None:
        validator = ("If-None-Match", stale.etag)
    elif stale.modified is not None:
        validator = ("If-Modified-Since", stale.modified)
    else:
        return request
    conditional = {name.lower() for name in forwarding.CONDITIONS}
    others = [(name, value) for name, value in request.headers if name.lower() not in conditional]
    return dataclasses.replace(request, headers=(*others, validator))


def _ask_again(response: Response) -> None:
    """Have browsers ask again for what is not immutable."""
    for index, (name, value) in enumerate(response.headers):
        if name.lower() == "cache-control" and "immutable" not in value:
            response.headers[index] = (name, "no-cache")
