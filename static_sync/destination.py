"""Where files go: one bucket and the prefix that every key of ours begins with."""

from __future__ import annotations

import re
from typing import NamedTuple

from static_sync.exceptions import UsageError

MAX_KEY_BYTES = 1024  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,62}")


class Destination(NamedTuple):
    """``prefix`` is empty or ends with ``/``, so that ``static`` never means ``static-old`` too."""

    bucket: str
    prefix: str
    scheme: str = "s3"

    @classmethod
    def parse(cls, url: str) -> Destination:
        """Read ``s3://bucket/prefix``, or ``gs://`` for Google Cloud Storage.

        The text is taken literally: ``%20`` is three characters of the key.
        """
        scheme, separator, rest = url.partition("://")
        scheme = scheme.lower()
        if not separator or scheme not in ("s3", "gs"):
            raise UsageError(
                f"{url!r} is not a destination: write s3://BUCKET/PREFIX, for example s3://my-site/static. "
                "Other services that speak S3 are reached with --endpoint-url."
            )
        bucket, _, prefix = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(
                f"{url!r} names no bucket: after {scheme}:// comes a bucket's name of 3 to 63 letters, digits, dots "
                f"and hyphens, but there is {bucket!r}."
            )
        prefix = prefix.strip("/")
        if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
            raise UsageError(
                f"The prefix of {url!r} has an empty, '.' or '..' part: browsers and CDNs rewrite such paths, "
                "so nobody could ask for the files. Write the path plainly."
            )
        if len(prefix.encode(errors="surrogatepass")) >= MAX_KEY_BYTES:
            raise UsageError(f"The prefix of the destination is longer than a key may be ({MAX_KEY_BYTES} bytes).")
        return cls(bucket, f"{prefix}/" if prefix else "", scheme)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")
