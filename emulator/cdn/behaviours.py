"""Which cache behaviour a path belongs to, and the distribution of a project that names none.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Sequence

from ..blueprint import CACHING_OPTIMIZED, Behaviour, Distribution, ErrorAnswer, OriginRequestPolicy
from .freshness import KEPT_ERRORS

_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
# What the adapter looks for: see the docs of FAAS_ORIGIN_SECRET.
_SECRET_HEADER = "x-origin-verify"  # noqa: S105 - its name
# static-sync's option --cache-tag puts the tag into this metadata of an object.
_TAG_HEADER = "x-amz-meta-cache-tag"


def default_distribution(prefixes: Iterable[tuple[str, int]], secret: str = "") -> Distribution:
    """Static files and uploads from the bucket, kept and compressed; all else from the front door as it is.

    A prefix is a pair: what the path begins with, percent-encoded, and how many of its characters (a stage) come before
    the key. Errors are not kept, which CloudFront does for ten seconds unless told otherwise: who has just repaired a
    page must see it. The front door gets the ``secret``, if there is one, by which a project knows its CDN.
    """
    files = tuple(
        Behaviour(
            f"{prefix}*",
            "bucket",
            CACHING_OPTIMIZED,
            compress=True,
            methods=("GET", "HEAD"),
            cut=cut,
            forward=OriginRequestPolicy(),
        )
        for prefix, cut in prefixes
    )
    secrets = ((_SECRET_HEADER, secret),) if secret else ()
    errors = tuple(ErrorAnswer(status, ttl=0) for status in sorted(KEPT_ERRORS))
    return Distribution((*files, Behaviour("*", "door", compress=True)), errors, secrets, _TAG_HEADER)


def chooser(behaviours: Sequence[Behaviour]) -> Callable[[str], Behaviour]:
    """What finds the behaviour for a path, percent-encoded as the viewer sent it: the first that matches, or the last.

    The path is normalised for the comparison only; the origin gets it as it was sent.
    """
    patterns = [(_matches(behaviour.pattern), behaviour) for behaviour in behaviours[:-1]]

    def choose(path: str) -> Behaviour:
        path = _normalised(path)
        return next((behaviour for matches, behaviour in patterns if matches(path)), behaviours[-1])

    return choose


def _matches(pattern: str) -> Callable[[str], object]:
    """``*`` is any number of characters, ``?`` exactly one, slashes among them; the leading slash may be left out."""
    parts = {"*": ".*", "?": "."}
    text = _decoded(pattern if pattern.startswith("/") else f"/{pattern}")
    return re.compile("".join(parts.get(character) or re.escape(character) for character in text), re.DOTALL).fullmatch


def _normalised(path: str) -> str:
    """The path without needless encoding, double slashes and dot segments."""
    if "%" in path:
        path = _decoded(path)
    if "//" not in path and "/." not in path:
        return path
    *folders, last = path.split("/")
    kept: list[str] = []
    for segment in (*folders, last) if last in {".", ".."} else folders:
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/".join(["", *kept, "" if last in {".", ".."} else last])


def _decoded(path: str) -> str:
    """The path with what needs no encoding decoded, and the rest in capitals: RFC 3986, section 6.2.2."""

    def decoded(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return _ENCODED.sub(decoded, path)
