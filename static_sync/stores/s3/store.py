"""The bucket: one listing, no request for each file but its PUT."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    SourceError,
    UnreadableAnswerError,
    WrongRegionError,
)
from static_sync.stores.s3.answers import parse_error, parse_page
from static_sync.stores.s3.signing import EMPTY_SHA256

if TYPE_CHECKING:
    from static_sync.destination import Destination
    from static_sync.plan import Upload
    from static_sync.stores.contract import RemoteObject
    from static_sync.stores.s3.client import Answer, Client

# Files up to this many bytes are read whole, so that what was hashed is what is sent; larger ones stream.
WHOLE_FILE = 8 << 20
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
MAX_PUT = 5 << 30
_LISTING_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty body."""

    size: int = 0
    sha256: str = EMPTY_SHA256

    def open(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Content:
    """A body held in memory."""

    data: bytes
    sha256: str

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class Stream:
    """A body too large to hold: read from the disk while it is sent."""

    path: str
    size: int
    sha256: str

    def open(self) -> ExactReader:
        return ExactReader(self.path, self.size)


class ExactReader:
    """Reads the number of bytes that the request has announced, whatever becomes of the file meanwhile.

    One byte more would be taken for the beginning of the connection's next request, one less would have the service
    wait for it. Raises `SourceError`, never the OSError that the client takes for a fault of the network.
    """

    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._left = size
        try:
            self._file = Path(path).open("rb")  # noqa: SIM115 - closed by close(), as http.client reads it
        except OSError as error:
            raise SourceError(f"{path} cannot be read any more: {error.strerror}.") from error

    def read(self, size: int = 1 << 17, /) -> bytes:
        try:
            data = self._file.read(min(size, self._left))
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read any more: {error.strerror}.") from error
        if not data and self._left:
            raise SourceError(f"{self._path} became shorter while it was being synced; run again.")
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


class Bucket:
    """One bucket, and no key of it outside the destination's prefix."""

    def __init__(self, client: Client, destination: Destination) -> None:
        self._client = client
        self._destination = destination

    def listing(self) -> dict[str, RemoteObject]:
        """Every object below the prefix by its key: a request for each 1,000.

        Raises a `BucketError`; a listing that was cut short is never taken for a whole one.
        """
        objects: dict[str, RemoteObject] = {}
        query = {"list-type": "2", "encoding-type": "url", "max-keys": "1000"}
        if self._destination.prefix:
            query["prefix"] = self._destination.prefix
        while True:
            attempt = 1
            while True:
                answer = self._client.send("GET", "", Nothing(), query=query)
                if not answer.ok:
                    raise self._refusal(answer, "list the bucket")
                try:
                    page = parse_page(answer.body)
                    break
                except UnreadableAnswerError as error:
                    if attempt == _LISTING_ATTEMPTS:
                        raise UnreadableAnswerError(
                            f"{self._client.endpoint} did not answer a listing as S3 does ({error}). Is it an S3 "
                            "endpoint, and not a web page or a console?"
                        ) from error
                self._client.pause(attempt)
                attempt += 1
            objects |= page.objects
            if page.next_token is None:
                return objects
            if page.next_token == query.get("continuation-token"):
                raise UnreadableAnswerError(
                    f"{self._client.endpoint} keeps answering with the same page of its listing."
                )
            query["continuation-token"] = page.next_token

    def put(self, upload: Upload) -> None:
        """Put one file over whatever is there. The service checks what arrives against the digests it is sent.

        Raises `SourceError` when the file is no longer what the plan was made of, else a `BucketError`.
        """
        file = upload.file
        if not upload.key.startswith(self._destination.prefix):
            raise AssertionError(f"{upload.key} is outside of {self._destination}")
        headers = {
            "cache-control": file.cache_control,
            "content-md5": b64encode(bytes.fromhex(file.md5)).decode(),
            "content-type": file.content_type,
        }
        if file.content_encoding:
            headers["content-encoding"] = file.content_encoding
        answer = self._client.send("PUT", upload.key, _body(upload), headers=headers)
        if not answer.ok:
            raise self._refusal(answer, f"put {upload.key}")

    def _refusal(self, answer: Answer, action: str) -> BucketError:
        """The error for an answer that is none of success; its text says what to do."""
        error = parse_error(answer.body)
        code = error.get("Code", "")
        said = f"{self._client.endpoint} answered {answer.status} {code or '(no S3 error)'}"
        if error.get("Message"):
            said += f" ({error['Message']})"
        bucket, region = self._destination.bucket, self._client.region
        home = answer.headers.get("x-amz-bucket-region") or error.get("Region")
        if home and home != region and answer.status in (301, 307, 400, 403):
            return WrongRegionError(
                f"The bucket {bucket} is in {home}, but requests were signed for {region}. Pass --region {home}."
            )
        if code == "NoSuchBucket":
            there = f"--region {region}" if self._client.endpoint.is_aws else f"--endpoint-url {self._client.endpoint}"
            return BucketNotFoundError(
                f"There is no bucket {bucket} at {self._client.endpoint}. Create it first (aws s3 mb s3://{bucket} "
                f"{there}), or check the name, the region ({region}) and --endpoint-url."
            )
        advice = _ADVICE.get(code)
        if answer.status in (401, 403) or advice:
            advice = advice or (
                "The credentials need s3:ListBucket on the bucket and s3:PutObject on "
                f"arn:aws:s3:::{bucket}/{self._destination.prefix}*."
            )
            return AccessDeniedError(f"Not allowed to {action}: {said}. {advice}")
        return BucketError(f"Could not {action}: {said}.")


_ADVICE = {
    "ExpiredToken": "The temporary credentials have expired: get new ones and run again; what is done is not repeated.",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to these keys.",
    "InvalidAccessKeyId": "The service does not know this AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID.",
    "RequestTimeTooSkewed": "This machine's clock is wrong by more than 15 minutes: set it, and run again.",
}


def _body(upload: Upload) -> Content | Stream:
    file = upload.file
    if file.size > MAX_PUT:
        raise SourceError(f"{file.name} is larger than the 5 GiB that one PUT carries; upload it by other means.")
    try:
        with Path(file.path).open("rb") as source:
            if file.size <= WHOLE_FILE:
                # One byte more than expected is enough to see that the file has grown.
                data = source.read(file.size + 1)
                md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
                body: Content | Stream = Content(data, hashlib.sha256(data).hexdigest())
            else:
                md5 = file.md5  # a change since then fails the service's own check of Content-MD5
                body = Stream(file.path, file.size, hashlib.file_digest(source, "sha256").hexdigest())
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read any more: {error.strerror}.") from error
    if md5 != file.md5:
        raise SourceError(f"{file.name} changed while it was being synced; run again.")
    return body
