"""Where requests go, and how the bucket is named in them."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from static_sync.exceptions import UsageError

# A dot in the bucket's name does not match AWS's wildcard certificate, and capitals are no host name.
_HOST_LABEL = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]")


class Endpoint(NamedTuple):
    """``base`` is the path of the bucket: ``/bucket`` in path style, empty where the host names the bucket."""

    secure: bool
    host: str
    port: int | None
    base: str

    @property
    def authority(self) -> str:
        """The ``Host`` header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def is_aws(self) -> bool:
        """Whether this is Amazon's own service."""
        return self.host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority}"


def aws_endpoint(bucket: str, region: str) -> Endpoint:
    """Amazon's own: the bucket in the host name, as new buckets require.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    service = f"s3.{region}.{suffix}"
    if _HOST_LABEL.fullmatch(bucket):
        return Endpoint(secure=True, host=f"{bucket}.{service}", port=None, base="")
    return Endpoint(secure=True, host=service, port=None, base=f"/{bucket}")


def custom_endpoint(url: str, bucket: str) -> Endpoint:
    """Any other service, always in path style: ``http://127.0.0.1:9000`` has no host name for each bucket."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise UsageError(f"The endpoint {url!r} has no usable port: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"The endpoint {url!r} is no URL: write it with its scheme, as in http://127.0.0.1:9000.")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise UsageError(
            f"The endpoint {url!r} has more than scheme, host and port. The bucket and the prefix belong in the "
            "destination, credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    default_port = 443 if parts.scheme == "https" else 80
    return Endpoint(
        secure=parts.scheme == "https",
        host=parts.hostname,
        port=None if port == default_port else port,
        base=f"/{bucket}",
    )
