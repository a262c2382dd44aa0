"""All keys below a prefix, several pages at a time where it is known what keys to expect."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING

from static_sync.exceptions import UnreadableAnswerError
from static_sync.stores.s3.answers import parse_page
from static_sync.stores.s3.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from static_sync.stores.contract import RemoteObject
    from static_sync.stores.s3.answers import Page
    from static_sync.stores.s3.bucket import Bucket

PAGE = 1000
_AT_ONCE = 8
_ATTEMPTS = 4


def list_objects(bucket: Bucket, expected: Sequence[str]) -> dict[str, RemoteObject]:
    """Every object below the prefix by its key.

    After the first page the rest is cut up behind every thousandth of the ``expected`` keys, which are sorted, and the
    pieces are asked for at once: a bucket that holds just these keys takes as many requests as one by one.
    """
    first = _page(bucket, {})
    objects = first.objects
    if first.next_token is None:
        return objects
    keys = list(objects)
    # A service that does not sort, or not as we do, is asked page by page.
    rest = expected[bisect_right(expected, keys[-1]) :] if keys and keys == sorted(keys) else ()
    # The first piece begins where the first page ends, so its token continues it. UTF-8 and UTF-16 do not sort alike,
    # but both sort any key alike against one of ASCII.
    ends = [key for key in rest[PAGE - 1 : -1 : PAGE] if key.isascii()]
    starts = [{"continuation-token": first.next_token}, *({"start-after": end} for end in ends)]
    pieces = [partial(_pages, bucket, start, end) for start, end in zip(starts, [*ends, None], strict=True)]
    for found in in_parallel(pieces, min(_AT_ONCE, len(pieces))):
        objects |= found
    return objects


def _pages(bucket: Bucket, position: dict[str, str], end: str | None) -> dict[str, RemoteObject]:
    """The objects from ``position`` on, to the page that reaches the key ``end``, or to the last one."""
    objects: dict[str, RemoteObject] = {}
    tokens = set()
    while True:
        page = _page(bucket, position)
        objects |= page.objects
        keys = list(page.objects)
        if page.next_token is None or (end is not None and keys and keys[-1] >= end and keys == sorted(keys)):
            return objects
        if page.next_token in tokens:
            raise UnreadableAnswerError(f"{bucket.client.endpoint} keeps answering with the same page of its listing.")
        tokens.add(page.next_token)
        position = {"continuation-token": page.next_token}


def _page(bucket: Bucket, position: dict[str, str]) -> Page:
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE), **position}
    if bucket.destination.prefix:
        query["prefix"] = bucket.destination.prefix
    attempt = 1
    while True:
        answer = bucket.request("GET", None, "list the bucket", query=query)
        try:
            return parse_page(answer.body)
        except UnreadableAnswerError as error:
            if attempt == _ATTEMPTS:
                raise UnreadableAnswerError(
                    f"{bucket.client.endpoint} did not answer a listing as S3 does ({error}). Is it an S3 endpoint, "
                    "and not a web page or a console?"
                ) from error
        bucket.client.pause(attempt)
        attempt += 1
