"""Which URLs the CDN must forget after a run, and how CloudFront is told so.

Only what kept its name and changed: a hashed name never means two contents, and what nobody refers to any more needs
not be forgotten.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote

from static_sync.exceptions import CdnError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# The first 1,000 paths of a month are free, each further one costs half a cent, and a wildcard counts as one path: with
# this many at most a deploy each day stays free. It is far below the 3,000 paths that may be in progress at once.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PayingForInvalidation.html
MOST_PATHS = 30
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
MOST_WILDCARDS = 15

# CloudFront wants "unsafe" characters (RFC 1738, 2.2) and those outside of ASCII encoded and no other, and compares
# with what the viewer asked for, as it was spelt. Django's templates encode the reserved ones too; stylesheets and
# people mostly don't. `?` would begin a query.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
_PLAIN = "/!'()"
_RESERVED = ";:@=&$+,"
# `~` is unsafe by that RFC and refused, but all viewers send it plainly, which its encoded form does not match
# (https://github.com/aws/aws-sdk/issues/525). `*` is a wildcard, and allowed at the end alone.
_UNSPEAKABLE = re.compile(r"[~*]")
_TAG = re.compile(r"[!-+\--~]{1,256}")
_DISTRIBUTION = re.compile(r"[A-Z0-9]+")

# Seconds between attempts while earlier invalidations are in progress; most are done within a minute or two.
_PATIENCE = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0)


class Invalidation(NamedTuple):
    """``paths`` as they are sent: URL-encoded, ``*`` only at the end; or one cache tag, ``("#tag",)``."""

    paths: tuple[str, ...]


def check_cache_tag(tag: str) -> str:
    """Return ``tag`` if CloudFront takes it, else raise `UsageError`.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-tags.html
    """
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{tag!r} is no cache tag: CloudFront takes 1 to 256 visible ASCII characters without a comma or a space, "
            "for example static."
        )
    return tag


def plan_invalidation(keys: Iterable[str], *, all_keys: Iterable[str], tag: str | None = None) -> Invalidation | None:
    """What to invalidate when the objects ``keys`` have other content or headers than the CDN may hold; None: nothing.

    With ``tag``, which all of them must carry, that is one item. Else each key's path, and where these are more than
    `MOST_PATHS`, wildcards for the folders whose forgetting costs the fewest others of ``all_keys`` (every object that
    is served, hashed names included).
    """
    changed = sorted(set(keys))
    if not changed:
        return None
    if tag is not None:
        return Invalidation((f"#{check_cache_tag(tag)}",))
    singles, wildcards = _cover(changed, sorted({*all_keys, *changed}))
    named = sorted({f"/{path}" for key in singles for path in _spellings(key)})
    return Invalidation((*named, *sorted(f"/{path}*" for prefix in wildcards for path in _spellings(prefix))))


def _spellings(key: str) -> tuple[str, ...]:
    """How viewers spell a key, or the beginning of one, in a URL's path: in two ways if it has reserved characters."""
    plain, encoded = quote(key, safe=_PLAIN + _RESERVED), quote(key, safe=_PLAIN)
    return (plain,) if plain == encoded else (plain, encoded)


def _cover(changed: Sequence[str], everything: Sequence[str]) -> tuple[list[str], list[str]]:
    """Keys to name (once for each spelling) and beginnings of keys to name with a wildcard. Both arguments are sorted.

    Greedy: while there are too many, the folder is taken that costs the fewest unchanged objects for each path saved.
    """
    singles = [key for key in changed if _speakable(key) == key for _ in _spellings(key)]
    wildcards: list[str] = []
    for key in changed:
        if _speakable(key) != key:
            singles, wildcards = _merged(singles, wildcards, _speakable(key))
    prefixes = {*wildcards, *(_speakable(folder) for key in changed for folder in _folders(key))}
    bystanders = {prefix: _count(everything, prefix) - _count(changed, prefix) for prefix in prefixes}
    weights = {prefix: len(_spellings(prefix)) for prefix in prefixes}
    while True:
        wild = sum(weights[wildcard] for wildcard in wildcards)
        excess = _excess(len(singles), wild)
        if not excess:
            return singles, wildcards
        best: tuple[float, int, int, str] | None = None
        for prefix in prefixes:
            inside = [wildcard for wildcard in wildcards if wildcard.startswith(prefix)]
            wild_then = wild + weights[prefix] - sum(weights[wildcard] for wildcard in inside)
            gain = excess - _excess(len(singles) - _count(singles, prefix), wild_then)
            if gain > 0:
                cost = bystanders[prefix] - sum(bystanders[wildcard] for wildcard in inside)
                candidate = (cost / gain, -gain, -len(prefix), prefix)
                best = min(best, candidate) if best else candidate
        if best is None:
            raise AssertionError("the folder of everything always helps")
        singles, wildcards = _merged(singles, wildcards, best[-1])


def _excess(singles: int, wildcards: int) -> int:
    """How many too many these are."""
    return max(0, singles + wildcards - MOST_PATHS) + max(0, wildcards - MOST_WILDCARDS)


def _merged(singles: Sequence[str], wildcards: Sequence[str], prefix: str) -> tuple[list[str], list[str]]:
    """Both without what ``prefix`` covers, which becomes a wildcard unless another covers it."""
    if any(prefix.startswith(wildcard) for wildcard in wildcards):
        return list(singles), list(wildcards)
    return (
        [key for key in singles if not key.startswith(prefix)],
        [*(wildcard for wildcard in wildcards if not wildcard.startswith(prefix)), prefix],
    )


def _speakable(key: str) -> str:
    """The key up to what an invalidation cannot name."""
    return _UNSPEAKABLE.split(key, maxsplit=1)[0]


def _folders(key: str) -> Iterable[str]:
    """Every folder that a key lies in, each with its slash but the outermost, which is empty."""
    yield ""
    for slash in re.finditer("/", key):
        yield key[: slash.end()]


def _count(keys: Sequence[str], prefix: str) -> int:
    """How many of the sorted keys begin with ``prefix``."""
    first = bisect_left(keys, prefix)
    return bisect_right(keys, prefix, first, key=lambda key: key[: len(prefix)]) - first


class CloudFront:
    """One distribution, and one run: repeating an invalidation in it after a lost answer does not make another.

    Nothing is imported or connected before the first request. Credentials and the endpoint
    (``AWS_ENDPOINT_URL_CLOUDFRONT``, ``AWS_ENDPOINT_URL``) are found by botocore, whatever endpoint the bucket is at.
    ``region`` tells China from the rest of the world; ``sleep`` takes seconds. Raises `UsageError` when
    ``distribution`` cannot be an id.
    """

    def __init__(
        self, distribution: str, *, region: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not _DISTRIBUTION.fullmatch(distribution):
            raise UsageError(
                f"{distribution!r} is no id of a CloudFront distribution, which is capitals and digits like "
                "E2QWRUHAPOMQZL. `aws cloudfront list-distributions --query "
                "'DistributionList.Items[].[Id,DomainName]'` shows yours."
            )
        self.distribution = distribution
        self._region = region if region and region.startswith("cn-") else "us-east-1"
        self._sleep = sleep
        self._run = os.urandom(8).hex()
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def invalidate(self, invalidation: Invalidation) -> str:
        """Have the paths or the tag forgotten at all edges, and return the invalidation's id.

        It is in progress then: see `wait`. Waits up to four minutes for earlier ones to make room. Raises `CdnError`.
        """
        client = self._connected()
        from botocore.exceptions import BotoCoreError, ClientError

        digest = blake2b("\n".join(invalidation.paths).encode(), digest_size=8).hexdigest()
        batch = {
            "Paths": {"Quantity": len(invalidation.paths), "Items": list(invalidation.paths)},
            # Not made of the content: after A, B and A again the second A would be taken for the first, and ignored.
            "CallerReference": f"static-sync-{self._run}-{digest}",
        }
        for pause in (*_PATIENCE, None):
            try:
                answer = client.create_invalidation(DistributionId=self.distribution, InvalidationBatch=batch)
            except ClientError as error:
                code = error.response["Error"].get("Code", "")
                if code != "TooManyInvalidationsInProgress" or pause is None:
                    reason = f"{code} ({error.response['Error'].get('Message', '')})"
                    raise self._refusal(invalidation, reason, self._advice(code)) from error
                self._sleep(pause)
            except BotoCoreError as error:
                advice = "Check the credentials and the connection."
                raise self._refusal(invalidation, str(error).rstrip("."), advice) from error
            else:
                return str(answer["Invalidation"]["Id"])
        raise AssertionError("the last attempt returns or raises")

    def wait(self, invalidation_id: str, *, timeout: float = 600.0, every: float = 5.0) -> bool:
        """Wait until an invalidation is done, asking each ``every`` seconds for up to ``timeout``; whether it is.

        Never raises: the invalidation goes on whether or not it is watched.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        give_up = time.monotonic() + timeout
        while True:
            try:
                answer = self._connected().get_invalidation(DistributionId=self.distribution, Id=invalidation_id)
            except (BotoCoreError, ClientError, CdnError):
                return False  # botocore has tried again already what was likely to pass
            # CloudFront says Completed, moto COMPLETED.
            if str(answer["Invalidation"]["Status"]).lower() == "completed":
                return True
            if time.monotonic() + every > give_up:
                return False
            self._sleep(every)

    def _connected(self) -> Any:
        if self._client is None:
            try:
                from botocore.config import Config
                from botocore.exceptions import BotoCoreError
                from botocore.session import Session
            except ImportError as error:
                raise CdnError(
                    "CloudFront invalidations are made with botocore, which is not installed: "
                    "pip install 'django-faas[static]'."
                ) from error
            # "standard" knows throttling by all its names and counts broken connections.
            config = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=10, read_timeout=30)
            try:
                self._client = Session().create_client("cloudfront", region_name=self._region, config=config)
            except (BotoCoreError, ValueError) as error:  # the latter for an endpoint that is no URL
                raise CdnError(f"No connection to CloudFront can be made: {error}") from error
        return self._client

    def _refusal(self, invalidation: Invalidation, reason: str, advice: str) -> CdnError:
        return CdnError(
            f"CloudFront did not take the invalidation: {reason}. {advice} By hand: aws cloudfront "
            f"create-invalidation --distribution-id {self.distribution} --paths {shlex.join(invalidation.paths)}"
        )

    def _advice(self, code: str) -> str:
        if code == "AccessDenied":
            return (
                "The credentials need cloudfront:CreateInvalidation on "
                f"arn:{self._client.meta.partition}:cloudfront::ACCOUNT:distribution/{self.distribution}."
            )
        return _ADVICE.get(code, "Try again once the reason is gone.")


_ADVICE = {
    "NoSuchDistribution": "These credentials' account has no such distribution: check the id and the account.",
    "TooManyInvalidationsInProgress": "Too many others were in progress on this distribution, for minutes.",
    "ExpiredToken": "The temporary credentials have expired: get new ones.",
    "InvalidClientTokenId": "AWS does not know this AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID.",
}
