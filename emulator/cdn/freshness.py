"""How long an origin's answer may be kept.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

from ..blueprint import CachePolicy

KEPT_ERRORS = frozenset({404, 405, 414, 500, 501, 502, 503, 504})
"""Kept for the error caching minimum TTL at least."""

ERROR_TTL = 10.0
"""The error caching minimum TTL where the distribution says nothing of a status."""

# Kept only where the origin says for how long.
_KEPT_ON_DEMAND = frozenset({400, 403, 412, 415})
# They are parts of an answer, or none.
_NEVER_KEPT = frozenset({206, 304})
_DIRECTIVE = re.compile(r'([\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;]*))?')


def keeps(policy: CachePolicy) -> bool:
    """Whether anything is kept under ``policy``: not with caching disabled, nor where every header is part of the key.

    That errors are not kept either with caching disabled is unproven: the documents name no exception for them.
    """
    return policy.maximum > 0 and "*" not in policy.headers


def directives(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The directives of ``Cache-Control``, with their arguments."""
    text = ",".join(value for name, value in headers if name.lower() == "cache-control")
    return {match[1].lower(): (match[2] or "").strip('"') for match in _DIRECTIVE.finditer(text)}


def lifetime(status: int, headers: Iterable[tuple[str, str]], policy: CachePolicy, now: float) -> float | None:
    """Seconds for which a successful answer or a redirect needs no other look at the origin; None: not to be kept."""
    headers = list(headers)
    said = directives(headers)
    if status in _NEVER_KEPT:
        return None
    if "no-store" in said or "private" in said:
        return policy.minimum or None
    if said.get("no-cache") == "":
        return policy.minimum
    given = _given(said, headers, now)
    if given is None:
        return max(policy.minimum, policy.default)
    return min(max(given, policy.minimum), policy.maximum)


def error_lifetime(
    status: int, headers: Iterable[tuple[str, str]], policy: CachePolicy, minima: Mapping[int, float], now: float
) -> float | None:
    """Seconds for which an error is kept; None: not to be kept. ``minima`` by status, else `ERROR_TTL`."""
    headers = list(headers)
    given = _given(directives(headers), headers, now)
    if status not in KEPT_ERRORS and (status not in _KEPT_ON_DEMAND or given is None):
        return None
    return max(minima.get(status, ERROR_TTL), min(given or 0.0, policy.maximum)) or None


def _given(said: Mapping[str, str], headers: Iterable[tuple[str, str]], now: float) -> float | None:
    """The seconds that the origin names, if it does; an ``Expires`` that is no date has passed."""
    for name in ("s-maxage", "max-age"):
        if said.get(name, "").isdecimal():
            return float(said[name])
    expires = next((value for name, value in headers if name.lower() == "expires"), None)
    if expires is None:
        return None
    try:
        return max(0.0, parsedate_to_datetime(expires).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
