"""AWS Signature Version 4 for S3, with the standard library alone.

botocore spends 4 to 5 ms of CPU on a PUT and 0.15 s on its import; a signature takes a fraction of a millisecond.
The rules: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from static_sync.stores.s3.credentials import Keys

_ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def encode_path(path: str) -> str:
    """Percent-encode a path as S3 signs it: UTF-8, everything but unreserved characters and ``/``, and only once."""
    return quote(path, safe="/~")


def encode_query(query: Mapping[str, str]) -> str:
    """The query in the canonical form, which is sent as it is: sorted, ``%20`` for a space."""
    return "&".join(sorted(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query.items()))


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What is signed of a request. ``path`` and ``query`` are encoded; ``headers`` (lower case) include ``host``."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    payload_sha256: str


class Signer:
    """Signs for one region; keeps the derived key, which is good for a day."""

    def __init__(self, region: str, service: str = "s3") -> None:
        self._region = region
        self._service = service
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def sign(self, request: SignedRequest, keys: Keys, now: datetime) -> dict[str, str]:
        """The headers to send: those of ``request`` and the signature's own. ``now`` is in UTC."""
        timestamp = now.strftime("%Y%m%dT%H%M%SZ")
        headers = {**request.headers, "x-amz-date": timestamp, "x-amz-content-sha256": request.payload_sha256}
        if keys.session_token:
            headers["x-amz-security-token"] = keys.session_token
        names = sorted(headers)
        signed_headers = ";".join(names)
        canonical = "\n".join(
            [
                request.method,
                request.path,
                request.query,
                *(f"{name}:{' '.join(headers[name].split())}" for name in names),
                "",
                signed_headers,
                request.payload_sha256,
            ]
        )
        scope = f"{timestamp[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = "\n".join([_ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.digest(self._key(timestamp[:8], keys.secret_key), to_sign.encode(), "sha256").hex()
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        )
        return headers

    def _key(self, date: str, secret: str) -> bytes:
        # Threads share the signer: the tuple is read once and replaced whole, so none sees half of another's.
        kept_date, kept_secret, key = self._derived
        if (kept_date, kept_secret) != (date, secret):
            key = f"AWS4{secret}".encode()
            for part in (date, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (date, secret, key)
        return key
