"""What an origin hears of a viewer's request, what makes up the cache key, and what a viewer sees of the answer.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-the-cache-key.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Sequence
from urllib.parse import unquote_plus

from ..blueprint import Behaviour
from ..http import Request
from . import compression

VIA = "1.1 emulator.cloudfront.net (CloudFront)"

CONDITIONS = ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")

# The CDN writes these itself, or they are about the viewer's connection; no policy changes that.
_OWN = frozenset({"x-forwarded-host", "x-forwarded-for", "via", "x-amz-cf-id"})
_NEVER = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
# What reaches an origin without a policy that names it. Unproven where there are policies: it is documented for the
# older settings, which pass on all headers of other names, too.
_ALWAYS = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "from",
        "host",
        "max-forwards",
        "origin",
        "pragma",
        "request-range",
        "transfer-encoding",
        "warning",
    }
) | {name.lower() for name in CONDITIONS}
# What an origin's answer keeps of `Vary` whatever is forwarded.
_VARIES = frozenset({"accept-encoding", "cookie"})
_DROPPED_OF_ANSWERS = frozenset({"connection", "keep-alive", "trailer", "transfer-encoding", "upgrade", "via"})


def cache_key(request: Request, behaviour: Behaviour, path: str) -> tuple[str, Hashable]:
    """The URL as invalidations know it, and the key; ``path`` is that of the object, which may be a variant's."""
    policy = behaviour.cache
    query = _query(request.query, policy.queries)
    url = f"{path}?{query}" if query else path
    headers = tuple((name.lower(), tuple(request.header_values(name.lower()))) for name in policy.headers)
    cookies = _cookies(request, policy.cookies)
    return url, (request.header("host"), url, headers, cookies, compression.codings(request, policy))


def to_door(request: Request, behaviour: Behaviour, secrets: Sequence[tuple[str, str]], identifier: str) -> Request:
    """The request as the front door gets it: what the policies name, what the CDN adds, and the origin's secrets.

    One thing is unlike CloudFront on purpose: ``Host`` stays the viewer's, so that a project runs unchanged on
    localhost. CloudFront sends the origin's, and the viewer's reaches the function in ``X-Forwarded-Host``, here as
    there, where a function at the viewer's request puts it.
    """
    policy, forward = behaviour.cache, behaviour.forward
    named = {name.lower() for name in (*policy.headers, *forward.headers)}
    secret = {name.lower() for name, _ in secrets}
    dropped = secret | _OWN | _NEVER | {"cookie"}
    cookies = _cookies(request, (*policy.cookies, *forward.cookies))
    codings = compression.codings(request, policy)
    normalises = policy.gzip or policy.brotli

    def passes(name: str) -> bool:
        if name in dropped or name.startswith("x-edge-") or (name == "accept-encoding" and normalises):
            return False
        if name == "authorization" and request.method not in {"GET", "HEAD"}:
            return True
        return "*" in named or name in named or name in _ALWAYS

    headers = [(name, value) for name, value in request.headers if passes(name.lower())]
    if cookies:
        headers.append(("Cookie", cookies))
    if normalises and request.header("accept-encoding") is not None:
        headers.append(("Accept-Encoding", ",".join(codings) or "identity"))
    if not {"*", "user-agent"} & named:
        headers.append(("User-Agent", "Amazon CloudFront"))
    host = request.header("host")
    if host is not None and "x-forwarded-host" not in secret:
        headers.append(("X-Forwarded-Host", host))
    headers += [
        ("Via", ", ".join([*request.header_values("via"), VIA])),
        ("X-Forwarded-For", ", ".join([*request.header_values("x-forwarded-for"), request.client])),
        ("X-Amz-Cf-Id", identifier),
        *secrets,
    ]
    query = _query(request.query, (*policy.queries, *forward.queries))
    path = behaviour.origin_path + request.path
    return dataclasses.replace(request, path=path, query=query, headers=tuple(headers))


def to_bucket(request: Request, behaviour: Behaviour) -> dict[str, str]:
    """The headers that an S3 origin is asked with: the rest says nothing about which bytes of which object to send.

    Those of CORS go there if a policy names them:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/header-caching.html#header-caching-web-cors
    """
    named = [
        name
        for name in (*behaviour.cache.headers, *behaviour.forward.headers)
        if name.lower() in {"origin", "access-control-request-method", "access-control-request-headers"}
    ]
    asked = {name: request.header(name.lower()) for name in (*CONDITIONS, *named)}
    return {name: value for name, value in asked.items() if value is not None}


def from_origin(headers: Sequence[tuple[str, str]], behaviour: Behaviour) -> list[tuple[str, str]]:
    """The headers of an origin's answer without what is for the CDN alone, or makes no difference here.

    Cookies are set only where they reach the origin:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Cookies.html
    """
    policy, forward = behaviour.cache, behaviour.forward
    named = {name.lower() for name in (*policy.headers, *forward.headers)} | _VARIES
    varies = named if policy.minimum else named | {"*"}
    dropped = _DROPPED_OF_ANSWERS | (frozenset() if policy.cookies or forward.cookies else {"set-cookie"})
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower == "vary" and "*" not in named:
            value = ", ".join(part.strip() for part in value.split(",") if part.strip().lower() in varies)  # noqa: PLW2901
        if lower not in dropped and (value or lower != "vary"):
            kept.append((name, value))
    return kept


def _query(query: str, names: Collection[str]) -> str:
    """The pairs of a raw query whose names are listed, as they were written."""
    if not query or "*" in names:
        return query
    return "&".join(pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) in names)


def _cookies(request: Request, names: Collection[str]) -> str:
    """The pairs of the ``Cookie`` header whose names are listed."""
    text = "; ".join(request.header_values("cookie"))
    if not names or "*" in names:
        return text if names else ""
    return "; ".join(pair.strip() for pair in text.split(";") if pair.partition("=")[0].strip() in names)
