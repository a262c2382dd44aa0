"""S3 behind the package's interface for stores: one listing, and no request for a file but its PUT."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from static_sync.exceptions import AccessDeniedError, BucketError, UnreadableAnswerError
from static_sync.stores.s3.answers import is_writable, parse_deletion, parse_result, write_deletion
from static_sync.stores.s3.bucket import Bucket, conditions_of
from static_sync.stores.s3.client import ATTEMPTS, is_passing
from static_sync.stores.s3.content import FilePart
from static_sync.stores.s3.listing import list_objects
from static_sync.stores.s3.multipart import base64_md5, put_in_parts
from static_sync.stores.s3.signing import encode_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from static_sync.destination import Destination
    from static_sync.stores.contract import Body, Headers, RemoteObject
    from static_sync.stores.s3 import Encryption
    from static_sync.stores.s3.client import Client

LARGEST_PUT = 64 << 20  # bytes; what is larger travels in parts
DELETED_AT_ONCE = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


class S3Store:
    """`static_sync.stores.contract.Store` for one bucket of S3."""

    def __init__(self, client: Client, destination: Destination, encryption: Encryption | None = None) -> None:
        self._client = client
        self._bucket = Bucket(client, destination)
        self._encryption = encryption

    @property
    def conditional(self) -> bool:
        """Whether the service heeds conditions, as far as is known by now; where it doesn't, puts are made without."""
        return self._bucket.conditional

    @property
    def clock_offset(self) -> float:
        """What the service's clock is ahead of ours, in seconds; 0 unless the service said that ours is wrong."""
        return self._client.clock_offset

    def interrupt(self) -> None:
        """Have requests give up where they would wait to be tried again."""
        self._client.interrupt()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def listing(self, expected: Sequence[str] = ()) -> dict[str, RemoteObject]:
        """Every object below the prefix: a request for each 1,000, up to eight at a time where ``expected`` allows it.

        A listing that was cut short is never taken for a whole one.
        """
        return list_objects(self._bucket, expected)

    def get(self, key: str) -> bytes | None:
        """The content of an object; None when there is none."""
        answer = self._bucket.request("GET", key, f"get {key}", may_be_missing=True)
        return answer.body if answer.ok else None

    def put(self, key: str, body: Body, headers: Headers, condition: str | None = None) -> str:
        """Put one object, whole or not at all, and return its ETag; the service checks what arrives against its MD5.

        Raises `ConflictError` when ``condition`` does not hold: also when it was this very put that changed the object,
        and the answer was lost.
        """
        sent = self._headers(headers)
        conditions = conditions_of(condition)
        if body.data is None and body.size > LARGEST_PUT:
            return put_in_parts(self._bucket, key, body, sent, conditions)
        sent["content-md5"] = base64_md5(body.md5)
        content = FilePart.whole(body) if body.data is None else body.data
        answer = self._bucket.request("PUT", key, f"put {key}", content, headers=sent, conditions=conditions)
        return answer.headers.get("etag", "").strip('"')

    def rewrite(self, key: str, headers: Headers, etag: str) -> str:
        """Copy the object onto itself with new headers, if ``etag`` is still its ETag; returns the new ETag.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
        """
        sent = self._headers(headers)
        sent["x-amz-copy-source"] = encode_path(f"/{self._bucket.destination.bucket}/{key}")
        sent["x-amz-metadata-directive"] = "REPLACE"
        answer = self._bucket.request(
            "PUT",
            key,
            f"give {key} new headers",
            headers=sent,
            conditions={"x-amz-copy-source-if-match": f'"{etag}"'},
            error_in_success=True,
        )
        return parse_result(answer.body, "CopyObjectResult").get("ETag", "").strip('"')

    def delete(self, keys: Sequence[str], may_go_on: Callable[[], bool] = lambda: True) -> list[str]:
        """Delete objects, 1,000 a request, and return those that are gone (or were never there).

        Raises a `BucketError` when the service refuses a whole request, each of its objects included.
        """
        # XML has no way to write some control characters: such keys are deleted one by one.
        writable = [key for key in keys if is_writable(key)]
        requests = [
            partial(self._delete, writable[start : start + DELETED_AT_ONCE])
            for start in range(0, len(writable), DELETED_AT_ONCE)
        ]
        requests += [partial(self._delete_one, key) for key in keys if not is_writable(key)]
        gone: list[str] = []
        for request in requests:
            if not may_go_on():
                break
            gone += request()
        return gone

    def _headers(self, headers: Headers) -> dict[str, str]:
        sent = {
            "cache-control": headers.cache_control,
            "content-encoding": headers.content_encoding,
            "content-type": headers.content_type,
            "x-amz-meta-cache-tag": headers.cache_tag,
        }
        if self._encryption is not None:
            sent["x-amz-server-side-encryption"] = self._encryption.algorithm
            sent["x-amz-server-side-encryption-aws-kms-key-id"] = self._encryption.key_id
        return {name: value for name, value in sent.items() if value}

    def _delete_one(self, key: str) -> list[str]:
        self._bucket.request("DELETE", key, f"delete {key}")
        return [key]

    def _delete(self, batch: Sequence[str]) -> list[str]:
        left = [self._bucket.inside(key) for key in batch]
        refused: dict[str, dict[str, str]] = {}
        attempt = 1
        while True:
            document = write_deletion(left)
            answer = self._bucket.request(
                "POST",
                None,
                "delete objects",
                document,
                query={"delete": ""},
                headers={"content-md5": base64_md5(hashlib.md5(document, usedforsecurity=False).hexdigest())},
                error_in_success=True,
            )
            errors = parse_deletion(answer.body)
            if not errors.keys() <= set(left):
                raise UnreadableAnswerError(f"{self._client.endpoint} did not delete keys that none named.")
            left = [key for key, error in errors.items() if is_passing(error.get("Code", "")) and attempt < ATTEMPTS]
            refused |= {key: error for key, error in errors.items() if key not in left}
            if not left:
                break
            self._client.pause(attempt)
            attempt += 1
        if len(refused) == len(batch):
            key, error = next(iter(refused.items()))
            code, message = error.get("Code", ""), error.get("Message", "")
            kind = AccessDeniedError if code == "AccessDenied" else BucketError
            raise kind(f"Could not delete {key}, nor any other: {self._client.endpoint} answered {code} ({message}).")
        return [key for key in batch if key not in refused]
