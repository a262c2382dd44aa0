"""Large files in parts: parts travel several at a time, and one that fails is sent again alone.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_hex, b2a_base64
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from static_sync.exceptions import BucketError, StaticSyncError
from static_sync.stores.s3.answers import parse_result, write_completion
from static_sync.stores.s3.content import FilePart, changed, read_blocks
from static_sync.stores.s3.parallel import in_parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from static_sync.stores.contract import Body
    from static_sync.stores.s3.bucket import Bucket

PART = 16 << 20  # bytes
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MOST_PARTS = 10_000
_AT_ONCE = 4
_READ = 1 << 18
_MD5 = re.compile("[0-9a-f]{32}")


def put_in_parts(
    bucket: Bucket, key: str, body: Body, headers: Mapping[str, str], conditions: Mapping[str, str]
) -> str:
    """Put a large file and return its ETag, which is no MD5. Nothing but blocks of the file is held in memory.

    The file is read twice: a part's digest is taken, along with that of the whole, right before it is sent, and what is
    sent must still have it. So a file that changes meanwhile becomes no object: `SourceError`. Whatever fails,
    interruptions among it, the parts are thrown away; if that fails too, they cost money until a lifecycle rule
    (AbortIncompleteMultipartUpload) removes them.
    """
    action = f"put {key}"
    begun = bucket.request("POST", key, action, query={"uploads": ""}, headers=headers)
    upload = parse_result(begun.body, "InitiateMultipartUploadResult").get("UploadId", "")
    if not upload:
        raise BucketError(f"Could not {action}: {bucket.client.endpoint} began an upload in parts, but gave it no id.")
    try:
        etags = in_parallel(_parts(bucket, key, upload, body), _AT_ONCE)
        done = bucket.request(
            "POST",
            key,
            action,
            write_completion(etags),
            query={"uploadId": upload},
            conditions=conditions,
            error_in_success=True,
        )
        return parse_result(done.body, "CompleteMultipartUploadResult").get("ETag", "").strip('"')
    except BaseException:
        with suppress(StaticSyncError):
            bucket.request("DELETE", key, action, query={"uploadId": upload})
        raise


def _parts(bucket: Bucket, key: str, upload: str, body: Body) -> Iterator[Callable[[], str]]:
    """What is to do for each part, as soon as its digest is known; raises when the whole is not what it should be."""
    size = part_size(body.size)
    whole = hashlib.md5(usedforsecurity=False)
    for number, offset in enumerate(range(0, body.size, size), 1):
        part = hashlib.md5(usedforsecurity=False)
        length = min(size, body.size - offset)
        for block in read_blocks(body, offset, length, _READ):
            whole.update(block)
            part.update(block)
        if offset + length == body.size and whole.hexdigest() != body.md5:
            raise changed(body.path)
        yield partial(_put_part, bucket, key, upload, number, FilePart(body, offset, length, part.hexdigest()))


def _put_part(bucket: Bucket, key: str, upload: str, number: int, part: FilePart) -> str:
    """Send one part and return its ETag."""
    answer = bucket.request(
        "PUT",
        key,
        f"put part {number} of {key}",
        part,
        query={"partNumber": str(number), "uploadId": upload},
        headers={"content-md5": base64_md5(part.md5)},
    )
    etag = answer.headers.get("etag", "").strip('"')
    # With a KMS key the ETag is something else: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    encrypted = answer.headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    if not etag or (_MD5.fullmatch(etag) and etag != part.md5 and not encrypted):
        raise BucketError(f"Could not put {key}: {bucket.client.endpoint} got other bytes than were sent; run again.")
    return etag


def part_size(size: int) -> int:
    """The size of the parts of a file of ``size`` bytes: `PART`, or as many more MiB as keep within `MOST_PARTS`."""
    return PART if size <= PART * MOST_PARTS else -(-size // (MOST_PARTS << 20)) << 20


def base64_md5(md5: str) -> str:
    """``Content-MD5`` of a digest in hex."""
    return b2a_base64(a2b_hex(md5), newline=False).decode()
