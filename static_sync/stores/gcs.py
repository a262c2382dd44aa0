"""Google Cloud Storage by its own client library, which comes with the extra ``gcs``.

An object that is stored with ``Content-Encoding: gzip`` is decompressed by the service for whoever does not accept
gzip, and then sent without its length; ``no-transform`` in its Cache-Control prevents that. Brotli is never touched.
https://cloud.google.com/storage/docs/transcoding
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    ConflictError,
    CredentialsError,
    SourceError,
    StaticSyncError,
    UnreachableError,
    UsageError,
)
from static_sync.stores.contract import ABSENT, RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from static_sync.destination import Destination
    from static_sync.stores.contract import Body, Headers

# Answers of these kinds are tried again by the library's own policy, with growing pauses, for so many seconds. The
# listing comes first: whoever mistyped an address shall not wait for long.
LISTING_SECONDS = 20.0
SECONDS = 120.0
_TIMEOUT = 30.0  # seconds without a byte
# https://cloud.google.com/storage/docs/json_api/v1/objects/list
_PAGE = 1000
# https://cloud.google.com/storage/docs/batch
_BATCH = 100
# What is held in memory of a file that is sent in parts; the service wants a multiple of 256 KiB.
_PART = 8 << 20
# No fewer than there may be workers, as each connection too many is closed after a single request.
_CONNECTIONS = 256


def open_gcs(destination: Destination, *, endpoint_url: str | None = None) -> GcsStore:
    """The bucket, with the credentials that Google's own tools find.

    An ``endpoint_url`` (or ``STORAGE_EMULATOR_HOST``) outside of googleapis.com is taken for an emulator, which gets no
    credentials. Raises `UsageError` without the library, `CredentialsError` without credentials.
    """
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage import Client
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise UsageError(
            "Google Cloud Storage is reached by its own library, which is not installed: "
            "pip install 'django-faas[gcs]'."
        ) from error
    # Even with its tracing off, the library asks for the bucket's metadata once, in a thread of its own, which takes a
    # request and a permission that nothing here needs.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    url = endpoint_url or os.environ.get("STORAGE_EMULATOR_HOST")
    try:
        client = Client(
            project=None,
            client_options={"api_endpoint": url} if url else None,
            use_auth_w_custom_endpoint=url is not None and _host(url).endswith(".googleapis.com"),
        )
    except GoogleAuthError as error:
        raise CredentialsError(
            "No Google credentials were found. Sign in with `gcloud auth application-default login`, or name a key "
            f"file with GOOGLE_APPLICATION_CREDENTIALS. ({error})"
        ) from error
    for scheme in ("http://", "https://"):
        # The library leaves the pool at ten connections and has no option for it.
        client._http.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return GcsStore(client, destination)


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"The endpoint {url!r} is no URL: write it with its scheme, as in http://127.0.0.1:9023.")
    return parts.hostname


class GcsStore:
    """A `Store`. An ETag is the MD5 of the content in hex, or the generation of an object composed of others.

    The service compares generations, so a condition that names an ETag holds for the generation that this store saw
    with it: in its last listing, or when it wrote the object itself.
    """

    def __init__(self, client: Any, destination: Destination) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        self._client = client
        self._bucket = client.bucket(destination.bucket)
        self._destination = destination
        # Every request here may be repeated: it says what shall be, not what to change.
        self._retry = DEFAULT_RETRY.with_timeout(SECONDS)
        self._listing_retry = DEFAULT_RETRY.with_timeout(LISTING_SECONDS)
        self._seen: dict[str, tuple[str, int]] = {}

    @property
    def conditional(self) -> bool:
        """Google's service heeds every condition."""
        return True

    @property
    def clock_offset(self) -> float:
        """Nothing is signed by the clock."""
        return 0.0

    def interrupt(self) -> None:
        """Nothing can be done about the library's own waiting, which is two minutes at most."""

    def listing(self, expected: Sequence[str] = ()) -> dict[str, RemoteObject]:  # noqa: ARG002
        """Every object below the prefix by its key: a request for each 1,000, one after the other."""
        objects = {}
        with self._asking("list the bucket"):
            blobs = self._client.list_blobs(
                self._bucket,
                prefix=self._destination.prefix or None,
                fields="items(name,md5Hash,size,updated,generation),nextPageToken",
                page_size=_PAGE,
                timeout=_TIMEOUT,
                retry=self._listing_retry,
            )
            for blob in blobs:
                objects[blob.name] = RemoteObject(self._note(blob), int(blob.size), blob.updated.isoformat())
        return objects

    def get(self, key: str) -> bytes | None:
        """The content of an object as it is stored, compressed or not; None when there is none."""
        try:
            with self._asking(f"get {key}", of_object=True):
                return bytes(self._blob(key).download_as_bytes(raw_download=True, timeout=_TIMEOUT, retry=self._retry))
        except _NoSuchObjectError:
            return None

    def put(self, key: str, body: Body, headers: Headers, condition: str | None = None) -> str:
        """Put one object and return its ETag; the service compares what arrives with the MD5 in ``body``."""
        blob = self._blob(key, headers)
        blob.md5_hash = b64encode(bytes.fromhex(body.md5)).decode()
        blob.chunk_size = _PART
        how = {
            "content_type": headers.content_type,
            "checksum": None,  # as the MD5 is sent
            "if_generation_match": self._generation(key, condition),
            "timeout": _TIMEOUT,
            "retry": self._retry,
        }
        try:
            with self._asking(f"put {key}"):
                if body.data is not None:
                    blob.upload_from_string(body.data, **how)
                else:
                    with Path(body.path).open("rb") as source:
                        if os.fstat(source.fileno()).st_size != body.size:
                            raise _changed(body)
                        blob.upload_from_file(source, size=body.size, **how)
        except ConflictError:
            raise
        except (BucketError, OSError, ValueError) as error:
            # The library's ValueError says that the file has fewer bytes than were announced.
            if body.data is None:
                _check(body)
            if isinstance(error, BucketError):
                raise
            raise BucketError(f"Could not put {key}: {error}.") from error
        return self._note(blob)

    def rewrite(self, key: str, headers: Headers, etag: str) -> str:
        """Change the object's metadata; its content, and so its ETag, stay as they are."""
        blob = self._blob(key, headers)
        blob.content_type = headers.content_type
        with self._asking(f"change the headers of {key}", of_object=True):
            blob.patch(if_generation_match=self._generation(key, etag), timeout=_TIMEOUT, retry=self._retry)
        return etag

    def delete(self, keys: Sequence[str], may_go_on: Callable[[], bool] = lambda: True) -> list[str]:
        """Delete objects, 100 with each request, and return those that are gone (or were never there)."""
        gone: list[str] = []
        for start in range(0, len(keys), _BATCH):
            if not may_go_on():
                break
            gone += self._delete(keys[start : start + _BATCH])
        return gone

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _delete(self, keys: Sequence[str]) -> list[str]:
        from google.api_core.exceptions import GoogleAPICallError, RetryError, from_http_response

        blobs = {key: self._blob(key) for key in keys}
        refused: dict[str, GoogleAPICallError] = {}

        def send() -> None:
            """Ask for what is left; raises when some of it is still there."""
            batch = self._client.batch(raise_exception=False)
            asked = list(blobs)
            with batch:
                for key in asked:
                    blobs[key].delete(timeout=_TIMEOUT)
            refused.clear()
            for key, answer in zip(asked, batch._responses, strict=True):
                if answer.status_code < 300 or answer.status_code == 404:
                    del blobs[key]
                else:
                    refused[key] = from_http_response(answer)  # type: ignore[no-untyped-call]
            if refused:
                # What is likely to pass has the higher codes, and decides on another attempt.
                raise max(refused.values(), key=lambda error: int(error.code or 0))

        with self._asking("delete objects"):
            try:
                self._retry(send)()
            except (GoogleAPICallError, RetryError):
                if len(blobs) == len(keys):
                    raise
        return [key for key in keys if key not in blobs]

    def _blob(self, key: str, headers: Headers | None = None) -> Any:
        if not key.startswith(self._destination.prefix):
            raise AssertionError(f"{key} is outside of {self._destination}")
        blob = self._bucket.blob(key)
        if headers is not None:
            if headers.cache_tag:
                raise UsageError("Cache tags are for CloudFront; Google Cloud Storage has none. Leave --cache-tag out.")
            blob.cache_control = headers.cache_control
            blob.content_encoding = headers.content_encoding
        return blob

    def _note(self, blob: Any) -> str:
        """Remember which generation has this ETag, and return it."""
        etag = b64decode(blob.md5_hash).hex() if blob.md5_hash else str(blob.generation)
        self._seen[blob.name] = etag, blob.generation
        return etag

    def _generation(self, key: str, condition: str | None) -> int | None:
        """What ``ifGenerationMatch`` must say; 0 is "there is none"."""
        if condition is None:
            return None
        if condition == ABSENT:
            return 0
        etag, generation = self._seen.get(key, ("", 0))
        if etag != condition:
            raise ConflictError(f"{key} is not what it was expected to be: its ETag {condition} was never listed.")
        return generation

    @contextmanager
    def _asking(self, action: str, *, of_object: bool = False) -> Iterator[None]:
        """Turn what the library raises into errors that say what to do.

        ``of_object`` tells that what is missing, when the service says so, may be the object, not the bucket.
        """
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
        from requests import RequestException

        try:
            yield
        except StaticSyncError:
            raise
        except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, DataCorruption) as error:
            cause = error.cause if isinstance(error, RetryError) and error.cause else error
            if isinstance(cause, (GoogleAPICallError, InvalidResponse)):
                raise self._refusal(cause.response, action, of_object=of_object) from error
            if isinstance(cause, (RequestException, TransportError)):
                raise UnreachableError(
                    f"Could not {action}: {self._client.api_endpoint} cannot be reached ({cause}). Is the address "
                    "right, and the service started?"
                ) from error
            if isinstance(cause, GoogleAuthError):
                raise AccessDeniedError(
                    f"Could not {action}: the Google credentials cannot be used or refreshed ({cause}). Sign in again "
                    "with `gcloud auth application-default login`."
                ) from error
            raise BucketError(f"Could not {action}: {cause}") from error

    def _refusal(self, response: Any, action: str, *, of_object: bool) -> BucketError:
        """The error for an answer that is none of success."""
        bucket = self._destination.bucket
        code, said = int(response.status_code), _said(response)
        answer = f"{self._client.api_endpoint} answered {code} ({said})"
        if code == 404 and of_object and "bucket does not exist" not in said:
            return _NoSuchObjectError(f"Could not {action}: somebody else has deleted it meanwhile ({said}).")
        if code == 404:
            return BucketNotFoundError(
                f"There is no bucket {bucket}: {answer}. Create it first (gcloud storage buckets create "
                f"gs://{bucket}), or check the name."
            )
        if code in (409, 412):
            return ConflictError(f"Could not {action}: somebody else has written or deleted it meanwhile ({said}).")
        if code in (401, 403):
            return AccessDeniedError(
                f"Not allowed to {action}: {answer}. The credentials need the role roles/storage.objectUser, or "
                "roles/storage.objectAdmin where the bucket has ACLs: gcloud storage buckets add-iam-policy-binding "
                f"gs://{bucket} --role=roles/storage.objectUser --member=..."
            )
        return BucketError(f"Could not {action}: {answer}.")


class _NoSuchObjectError(ConflictError):
    """The object is not there, while the bucket is."""


def _said(response: Any) -> str:
    """What the service gave as its reason: JSON, but plain text for downloads and from proxies."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return str(response.text).strip()[:300] or "no reason given"


def _check(body: Body) -> None:
    """Raise `SourceError` unless the file still is what ``body`` says."""
    try:
        with Path(body.path).open("rb") as source:
            digest = hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        raise SourceError(f"{body.path} cannot be read any more: {error.strerror}.") from error
    if digest.hexdigest() != body.md5:
        raise _changed(body)


def _changed(body: Body) -> SourceError:
    return SourceError(f"{body.path} changed while it was being synced; run again.")
