"""An S3 service in memory, quick enough to measure clients against: it counts requests and can answer late.

    python benchmarks/s3_stub.py [--port 0] [--latency-ms 30]

The first line printed is its URL; an interrupt or SIGTERM ends it. The standard library alone, one process, one thread,
path style (``/bucket/key``), any credentials. A bucket exists as soon as it is named. What arrives is checked against
``Content-MD5``, ``x-amz-content-sha256`` and the checksums that the standard library knows (CRC32, SHA-1, SHA-256),
whether in headers or in the trailer of an ``aws-chunked`` body; signatures are not checked. A latency is added once a
request, between its last byte and its answer, and not to the making of a connection. On two cores it takes 11,000 to
18,000 PUTs of 8 KB a second from another process, which is 55 to 85 microseconds of its processor time for each.

Beside S3 it answers, without any latency and without counting:

    GET  /.stub/counts             {"requests": {"PutObject": 2056, ...}, "errors": {"412 PutObject": 1, ...},
                                   "connections": 32, "cpu_seconds": 0.31}, all since the last reset
    GET  /.stub/objects/BUCKET     {key: MD5 of its bytes, in hexadecimal}
    POST /.stub/reset              counts begin at nought
    POST /.stub/clear/BUCKET       the bucket is empty
    POST /.stub/copy/BUCKET?from=B the bucket holds what B holds, and nothing else
    POST /.stub/latency?ms=30

`StubProcess` starts one and speaks with it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import hashlib
import itertools
import json
import signal
import subprocess
import sys
import time
import urllib.request
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

_KEPT = {"cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_OWNER = "<Owner><ID>stub</ID><DisplayName>stub</DisplayName></Owner>"
_REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified"}
_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
}


class Refusal(Exception):
    """An answer of S3's that is an error."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class Object:
    """One object: its bytes, the ETag without quotes, the headers that come back with it."""

    __slots__ = ("body", "etag", "headers", "md5", "modified")

    def __init__(self, body: bytes, headers: dict[str, str], etag: str = "") -> None:
        self.body = body
        self.headers = headers
        self.md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.etag = etag or self.md5
        self.modified = int(time.time())


class Bucket:
    """Objects by key, and their keys in the order of a listing."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self._keys: list[str] | None = None

    def put(self, key: str, made: Object) -> None:
        if key not in self.objects:
            self._keys = None
        self.objects[key] = made

    def delete(self, key: str) -> None:
        if self.objects.pop(key, None):
            self._keys = None

    def keys(self) -> list[str]:
        # The order of code points is that of their UTF-8 bytes, which S3 sorts by.
        if self._keys is None:
            self._keys = sorted(self.objects)
        return self._keys

    def page(self, prefix: str, delimiter: str, after: str, limit: int) -> tuple[list[str], list[str], str]:
        """Keys, common prefixes and, where there is more, the last of both: what the next page comes after."""
        keys = self.keys()
        at = max(bisect_left(keys, prefix), bisect_right(keys, after) if after else 0)
        found: list[str] = []
        folders: list[str] = []
        last = ""
        while at < len(keys) and keys[at].startswith(prefix):
            key = keys[at]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            folder = key[: cut + len(delimiter)] if cut >= 0 else ""
            if folder and folder == after:
                at = bisect_left(keys, folder + "\U0010ffff")
                continue
            if len(found) + len(folders) == limit:
                return found, folders, last
            if folder:
                folders.append(folder)
                at = bisect_left(keys, folder + "\U0010ffff")
            else:
                found.append(key)
                at += 1
            last = folder or key
        return found, folders, ""


class Request:
    """``path`` is decoded, ``headers`` are in lower case; ``body`` is the content, out of any chunks."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, head: str) -> None:
        lines = head.split("\r\n")
        self.method, target, _ = lines[0].split(" ", 2)
        path, mark, query = target.partition("?")
        self.path = unquote(path) if "%" in path else path
        self.query: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True)) if mark else {}
        self.headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = b""


class Service:
    """S3's operations; each takes a request and gives the whole answer."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.connections = 0
        self._cpu = time.process_time()
        self._buckets: dict[str, Bucket] = {}
        self._uploads: dict[str, tuple[dict[str, str], dict[int, Object]]] = {}
        self._numbers = itertools.count(1)
        self._date = (0, b"")

    # -- answers

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"", *, length: int | None = None) -> bytes:
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, f"Date: {formatdate(now, usegmt=True)}\r\nServer: s3-stub\r\n".encode())
        size = len(body) if length is None else length
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n{lines}Content-Length: {size}\r\n"
        return head.encode("latin-1") + self._date[1] + b"\r\n" + body

    def xml(self, root: str, content: str) -> bytes:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">{content}</{root}>'
        return self.answer(200, {"Content-Type": "application/xml"}, text.encode())

    def handle(self, request: Request) -> bytes:
        """The answer to one request of S3's."""
        name, _, key = request.path[1:].partition("/")
        kind, operation = self._operation(request, name, key)
        self.requests[kind] += 1
        try:
            bucket = self._buckets.get(name) or self._buckets.setdefault(name, Bucket())
            return operation(self, request, bucket, key)
        except Refusal as refusal:
            self.errors[f"{refusal.status} {kind}"] += 1
            if request.method == "HEAD":
                return self.answer(refusal.status, {})
            text = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refusal.code}</Code>'
                f"<Message>{escape(refusal.message)}</Message><Key>{escape(key)}</Key></Error>"
            )
            return self.answer(refusal.status, {"Content-Type": "application/xml"}, text.encode())

    def _operation(self, request: Request, bucket: str, key: str) -> tuple[str, _Operation]:
        """What is asked for, by its name in S3's reference, and the method that does it."""
        on = "object" if key else "bucket" if bucket else "service"
        about = next((name for name in request.query if name in _SUBRESOURCES), "")
        if "x-amz-copy-source" in request.headers:
            about += "copy"
        try:
            return _OPERATIONS[on, request.method, about]
        except KeyError:
            return f"{request.method} {on} {about}".strip(), Service._unknown

    # -- objects

    def _put(self, request: Request, bucket: Bucket, key: str) -> bytes:
        headers = request.headers
        there = bucket.objects.get(key)
        if there and headers.get("if-none-match") == "*":
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if wanted := headers.get("if-match"):
            if there is None:
                raise Refusal(404, "NoSuchKey")
            if wanted.strip('"') != there.etag:
                raise Refusal(412, "PreconditionFailed", "The object's ETag is another one")
        made = self._received(request)
        bucket.put(key, made)
        return self.answer(200, {"ETag": f'"{made.etag}"'})

    def _received(self, request: Request) -> Object:
        """The object that a request carries, after every check that its headers ask for."""
        headers, body = request.headers, request.body
        sha256 = headers.get("x-amz-content-sha256", "")
        made = Object(body, headers)
        if len(sha256) == 64 and sha256 != hashlib.sha256(body).hexdigest():
            raise Refusal(400, "XAmzContentSHA256Mismatch", "The body has another SHA-256 than was signed")
        md5 = headers.get("content-md5")
        if md5 and base64.b64decode(md5).hex() != made.md5:
            raise Refusal(400, "BadDigest", "The body has another MD5 than Content-MD5 says")
        for name, digest in _CHECKSUMS.items():
            if name in headers and base64.b64decode(headers[name]) != digest(body):
                raise Refusal(400, "BadDigest", f"The body does not have the {name} that was sent")
        return made

    def _get(self, request: Request, bucket: Bucket, key: str) -> bytes:
        found = bucket.objects.get(key)
        if found is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        headers = {
            name: value for name, value in found.headers.items() if name in _KEPT or name.startswith("x-amz-meta-")
        }
        headers["ETag"] = f'"{found.etag}"'
        headers["Last-Modified"] = formatdate(found.modified, usegmt=True)
        headers["Accept-Ranges"] = "bytes"
        if request.headers.get("if-none-match", "").strip('"') == found.etag:
            return self.answer(304, headers)
        if (wanted := request.headers.get("if-match")) and wanted.strip('"') != found.etag:
            raise Refusal(412, "PreconditionFailed")
        if request.method == "HEAD":
            return self.answer(200, headers, length=len(found.body))
        if asked := request.headers.get("range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            end = min(int(last) if last else len(found.body), len(found.body) - 1)
            headers["Content-Range"] = f"bytes {first}-{end}/{len(found.body)}"
            return self.answer(206, headers, found.body[int(first) : end + 1])
        return self.answer(200, headers, found.body)

    def _delete(self, request: Request, bucket: Bucket, key: str) -> bytes:
        wanted, there = request.headers.get("if-match"), bucket.objects.get(key)
        if wanted and there and wanted.strip('"') != there.etag:
            raise Refusal(412, "PreconditionFailed")
        bucket.delete(key)
        return self.answer(204, {})

    def _delete_many(self, request: Request, bucket: Bucket, _key: str) -> bytes:
        self._received(request)
        keys = [
            found.text or "" for found in ET.fromstring(request.body).iter() if found.tag.rpartition("}")[2] == "Key"
        ]
        if len(keys) > 1000:
            raise Refusal(400, "MalformedXML", "At most 1,000 keys")
        for key in keys:
            bucket.delete(key)
        return self.xml("DeleteResult", "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys))

    def _copy(self, request: Request, bucket: Bucket, key: str) -> bytes:
        source, _, _ = request.headers["x-amz-copy-source"].partition("?versionId=")
        name, _, source_key = unquote(source).lstrip("/").partition("/")
        there = self._buckets.get(name, Bucket()).objects.get(source_key)
        if there is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        if (wanted := request.headers.get("x-amz-copy-source-if-match")) and wanted.strip('"') != there.etag:
            raise Refusal(412, "PreconditionFailed")
        replaced = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
        if there is bucket.objects.get(key) and not replaced:
            raise Refusal(400, "InvalidRequest", "This copy request is illegal because it changes nothing")
        made = Object(there.body, request.headers if replaced else there.headers)
        bucket.put(key, made)
        return self.xml("CopyObjectResult", f"<LastModified>{_iso(made)}</LastModified><ETag>{made.etag}</ETag>")

    # -- multipart

    def _create_upload(self, request: Request, _bucket: Bucket, key: str) -> bytes:
        identity = f"upload-{next(self._numbers)}"
        self._uploads[identity] = (request.headers, {})
        return self.xml(
            "InitiateMultipartUploadResult",
            f"<Bucket>b</Bucket><Key>{escape(key)}</Key><UploadId>{identity}</UploadId>",
        )

    def _upload_part(self, request: Request, _bucket: Bucket, _key: str) -> bytes:
        if "x-amz-copy-source" in request.headers:
            raise Refusal(501, "NotImplemented")
        _, parts = self._upload(request)
        made = parts[int(request.query["partNumber"])] = self._received(request)
        return self.answer(200, {"ETag": f'"{made.etag}"'})

    def _complete_upload(self, request: Request, bucket: Bucket, key: str) -> bytes:
        headers, parts = self._upload(request)
        numbers = [
            int(found.text or "0")
            for found in ET.fromstring(request.body).iter()
            if found.tag.rpartition("}")[2] == "PartNumber"
        ]
        if not numbers or not set(numbers) <= parts.keys():
            raise Refusal(400, "InvalidPart")
        digests = b"".join(bytes.fromhex(parts[number].md5) for number in numbers)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(numbers)}"
        made = Object(b"".join(parts[number].body for number in numbers), headers, etag)
        bucket.put(key, made)
        del self._uploads[request.query["uploadId"]]
        return self.xml(
            "CompleteMultipartUploadResult",
            f"<Bucket>b</Bucket><Key>{escape(key)}</Key><ETag>&quot;{etag}&quot;</ETag>",
        )

    def _abort(self, request: Request, _bucket: Bucket, _key: str) -> bytes:
        self._upload(request)
        del self._uploads[request.query["uploadId"]]
        return self.answer(204, {})

    def _upload(self, request: Request) -> tuple[dict[str, str], dict[int, Object]]:
        try:
            return self._uploads[request.query["uploadId"]]
        except KeyError:
            raise Refusal(404, "NoSuchUpload") from None

    # -- buckets

    def _list(self, request: Request, bucket: Bucket, _key: str) -> bytes:
        query = request.query
        second = query.get("list-type") == "2"
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(int(query.get("max-keys") or 1000), 1000)
        if not second:
            after = query.get("marker", "")
        elif token := query.get("continuation-token"):
            after = base64.urlsafe_b64decode(token).decode()
        else:
            after = query.get("start-after", "")
        written = _quoted if query.get("encoding-type") == "url" else escape
        keys, folders, last = bucket.page(prefix, delimiter, after, limit)
        owner = "" if second and query.get("fetch-owner") != "true" else _OWNER
        objects = bucket.objects
        parts = [
            f"<Name>b</Name><Prefix>{written(prefix)}</Prefix><MaxKeys>{limit}</MaxKeys>",
            f"<IsTruncated>{'true' if last else 'false'}</IsTruncated>",
        ]
        if delimiter:
            parts.append(f"<Delimiter>{written(delimiter)}</Delimiter>")
        if "encoding-type" in query:
            parts.append("<EncodingType>url</EncodingType>")
        if second:
            parts.append(f"<KeyCount>{len(keys) + len(folders)}</KeyCount>")
            if last:
                token = base64.urlsafe_b64encode(last.encode()).decode()
                parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
        else:
            parts.append(f"<Marker>{written(after)}</Marker>")
            if last and delimiter:
                parts.append(f"<NextMarker>{written(last)}</NextMarker>")
        for key in keys:
            found = objects[key]
            parts.append(
                f"<Contents><Key>{written(key)}</Key><LastModified>{_iso(found)}</LastModified>"
                f"<ETag>&quot;{found.etag}&quot;</ETag><Size>{len(found.body)}</Size>"
                f"<StorageClass>STANDARD</StorageClass>{owner}</Contents>"
            )
        parts += [f"<CommonPrefixes><Prefix>{written(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        return self.xml("ListBucketResult", "".join(parts))

    def _acl(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        grantee = (
            '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>stub</ID>'
        )
        grant = f"<Grant>{grantee}</Grantee><Permission>FULL_CONTROL</Permission></Grant>"
        return self.xml("AccessControlPolicy", f"{_OWNER}<AccessControlList>{grant}</AccessControlList>")

    def _tagging(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        return self.xml("Tagging", "<TagSet></TagSet>")

    def _location(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        return self.xml("LocationConstraint", "")

    def _versioning(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        return self.xml("VersioningConfiguration", "")

    def _no_uploads(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        return self.xml("ListMultipartUploadsResult", "")

    def _buckets_of_owner(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        named = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self._buckets if name)
        return self.xml("ListAllMyBucketsResult", f"{_OWNER}<Buckets>{named}</Buckets>")

    def _harmless(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        return self.answer(200, {"x-amz-bucket-region": "us-east-1"})

    def _unknown(self, _request: Request, _bucket: Bucket, _key: str) -> bytes:
        raise Refusal(501, "NotImplemented", "The stub does not know this operation")

    # -- beside S3

    def control(self, request: Request) -> bytes:
        """The answer to a request for ``/.stub/``."""
        _, _, action, *rest = request.path.split("/")
        told: Any = None
        if action == "counts":
            told = {
                "requests": self.requests,
                "errors": self.errors,
                "connections": self.connections,
                "cpu_seconds": time.process_time() - self._cpu,
            }
        elif action == "objects":
            bucket = self._buckets.get(rest[0], Bucket())
            told = {key: found.md5 for key, found in bucket.objects.items()}
        elif action == "reset":
            self.requests.clear()
            self.errors.clear()
            self.connections = 0
            self._cpu = time.process_time()
        elif action == "clear":
            self._buckets.pop(rest[0], None)
        elif action == "copy":
            made = self._buckets[rest[0]] = Bucket()
            made.objects.update(self._buckets[request.query["from"]].objects)
        elif action == "latency":
            self.latency = float(request.query["ms"]) / 1000
        else:
            return self.answer(404, {})
        return self.answer(200, {"Content-Type": "application/json"}, json.dumps(told).encode())


_Operation = Callable[[Service, Request, Bucket, str], bytes]
# On what, the method, and what of it: a name in the query or, for a copy, in the headers.
_OPERATIONS: dict[tuple[str, str, str], tuple[str, _Operation]] = {
    ("object", "PUT", ""): ("PutObject", Service._put),
    ("object", "PUT", "acl"): ("PutObjectAcl", Service._harmless),
    ("object", "PUT", "copy"): ("CopyObject", Service._copy),
    ("object", "PUT", "tagging"): ("PutObjectTagging", Service._harmless),
    ("object", "PUT", "uploadId"): ("UploadPart", Service._upload_part),
    ("object", "GET", ""): ("GetObject", Service._get),
    ("object", "GET", "acl"): ("GetObjectAcl", Service._acl),
    ("object", "GET", "tagging"): ("GetObjectTagging", Service._tagging),
    ("object", "HEAD", ""): ("HeadObject", Service._get),
    ("object", "DELETE", ""): ("DeleteObject", Service._delete),
    ("object", "DELETE", "uploadId"): ("AbortMultipartUpload", Service._abort),
    ("object", "POST", "uploads"): ("CreateMultipartUpload", Service._create_upload),
    ("object", "POST", "uploadId"): ("CompleteMultipartUpload", Service._complete_upload),
    ("bucket", "GET", ""): ("ListObjects", Service._list),
    ("bucket", "GET", "acl"): ("GetBucketAcl", Service._acl),
    ("bucket", "GET", "list-type"): ("ListObjectsV2", Service._list),
    ("bucket", "GET", "location"): ("GetBucketLocation", Service._location),
    ("bucket", "GET", "uploads"): ("ListMultipartUploads", Service._no_uploads),
    ("bucket", "GET", "versioning"): ("GetBucketVersioning", Service._versioning),
    ("bucket", "HEAD", ""): ("HeadBucket", Service._harmless),
    ("bucket", "PUT", ""): ("CreateBucket", Service._harmless),
    ("bucket", "POST", "delete"): ("DeleteObjects", Service._delete_many),
    ("service", "GET", ""): ("ListBuckets", Service._buckets_of_owner),
}
_SUBRESOURCES = {about for _, _, about in _OPERATIONS if about} | {
    "cors",
    "encryption",
    "lifecycle",
    "policy",
    "website",
}


def _iso(made: Object) -> str:
    return datetime.fromtimestamp(made.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _quoted(text: str) -> str:
    return quote(text, safe="/~")


# Every connection reads into this one: what is not a whole request yet is copied out of it at once.
_BUFFER = memoryview(bytearray(256 * 1024))


class Connection(asyncio.BufferedProtocol):
    """Reads requests of HTTP/1.1, one after the other, and writes the service's answers."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._kept = bytearray()  # of a request whose end has not arrived
        self._request: Request | None = None  # its head, where that has arrived
        self._needed = 0  # bytes to collect before another look is worth while
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._service.connections += 1

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if self._kept:
            self._kept += _BUFFER[:nbytes]
            if len(self._kept) < self._needed:
                return
            data = bytes(self._kept)
            self._kept.clear()
        else:
            data = bytes(_BUFFER[:nbytes])
        while data:
            used = self._take(data)
            if not used:
                self._kept += data
                return
            data = data[used:]

    def _take(self, data: bytes) -> int:
        """Answer the request at the beginning of ``data``; how many bytes it took, nought where some are missing."""
        request = self._request
        if request is None:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._needed = len(data) + 1
                return 0
            self._body_at = end + 4
            request = self._request = Request(data[:end].decode("latin-1"))
            if "expect" in request.headers and len(data) == self._body_at:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        headers = request.headers
        if "transfer-encoding" in headers:
            read = unchunked(data, self._body_at)
            if read is None:
                self._needed = len(data) + 1
                return 0
            body, trailer, used = read
            headers.update(trailer)
        else:
            used = self._body_at + int(headers.get("content-length") or 0)
            if len(data) < used:
                self._needed = used
                return 0
            body = data[self._body_at : used]
        self._request = None
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            read = unchunked(body + b"\r\n", 0)  # its trailer may end without an empty line
            if read is None:
                raise ValueError(f"{request.path}: a body of aws-chunked that does not end")
            body, trailer, _ = read
            headers.update(trailer)
            encodings = headers.pop("content-encoding", "").split(",")
            if kept := [name.strip() for name in encodings if name.strip() not in ("", "aws-chunked")]:
                headers["content-encoding"] = ",".join(kept)
        request.body = body
        self._answer(request)
        return used

    def _answer(self, request: Request) -> None:
        if request.path.startswith("/.stub/"):
            self._transport.write(self._service.control(request))
            return
        answer = self._service.handle(request)
        if self._service.latency:
            self._loop.call_later(self._service.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


def unchunked(data: bytes, at: int) -> tuple[bytes, dict[str, str], int] | None:
    """The content of a body in chunks (HTTP's or ``aws-chunked``), its trailer and its end; None without an end."""
    parts = []
    trailer: dict[str, str] = {}
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].partition(b";")[0], 16)
        at = end + 2
        if size:
            parts.append(data[at : at + size])
            at += size + 2
            continue
        while (end := data.find(b"\r\n", at)) >= 0:
            name, _, value = data[at:end].decode("latin-1").partition(":")
            at = end + 2
            if not name:
                return b"".join(parts), trailer, at
            trailer[name.lower()] = value.strip()
    return None


async def serve(port: int, latency: float) -> None:
    """Serve on the loopback interface until a signal says to end."""
    loop = asyncio.get_running_loop()
    service = Service(latency)
    server = await loop.create_server(lambda: Connection(service, loop), "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    gc.freeze()
    gc.disable()  # nothing here is in a cycle that matters, and every object would be looked at again and again
    await ended.wait()
    server.close()


class StubProcess:
    """A stub in a process of its own, for as long as the ``with`` lasts."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdout
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def tell(self, action: str, **query: str) -> None:
        """``reset``, ``clear/BUCKET``, ``copy/BUCKET`` with ``from``, ``latency`` with ``ms``."""
        self._ask("POST", f"{action}?{urlencode(query)}")

    def counts(self) -> dict[str, Any]:
        """Requests and errors by kind, connections, CPU seconds since the last reset."""
        told: dict[str, Any] = self._ask("GET", "counts")
        return told

    def objects(self, bucket: str) -> dict[str, str]:
        """The MD5 of each object's bytes, by its key."""
        told: dict[str, str] = self._ask("GET", f"objects/{bucket}")
        return told

    def _ask(self, method: str, action: str) -> Any:
        if self._process.poll() is not None:
            raise SystemExit(f"The stub is gone (exit code {self._process.returncode}): somebody has ended it.")
        request = urllib.request.Request(f"{self.url}/.stub/{action}", method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.latency_ms / 1000))


if __name__ == "__main__":
    main()
