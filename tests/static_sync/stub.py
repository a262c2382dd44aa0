"""A small S3 that misbehaves on demand: HTTP/1.1 with kept connections, conditions, parts, pages, faults by plan."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote_plus, unquote, unquote_plus, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from static_sync.destination import Destination
from static_sync.stores.s3 import Encryption
from static_sync.stores.s3.client import Client
from static_sync.stores.s3.credentials import Identity, Keys
from static_sync.stores.s3.endpoint import custom_endpoint
from static_sync.stores.s3.store import S3Store

Fault = (
    Literal["503", "500", "SlowDown", "RequestTimeout", "reset", "cut", "close", "early", "lost"]
    | tuple[int, str, dict[str, str]]
)
"""What goes wrong with a request, apart from an answer of one's own as status, body and headers.

``cut`` ends the answer in its middle, ``close`` the connection after it, ``early`` refuses a body without reading it,
``lost`` does what was asked for and resets the connection instead of saying so.
"""
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
STORED = ("cache-control", "content-encoding", "content-type", "x-amz-meta-cache-tag", "x-amz-server-side-encryption")


class Answer(Exception):
    """What a request is answered with."""

    def __init__(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}


def refuse(status: int, code: str, more: str = "") -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message>{more}</Error>".encode())


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class StubS3:
    """``fault(number, method, key)`` says what goes wrong with the request ``number`` (from 1), or None.

    ``requests`` are method and key of each request, ``operations`` what S3 calls them. ``objects`` holds contents,
    ``headers`` the headers each was last written with, ``etags`` the ETags that are no MD5, ``modified`` times in
    seconds. ``uploads`` are the unfinished ones, by id. ``undeletable`` gives the error's code for keys that cannot be
    deleted. ``conditions`` is None, or the answer to all requests with conditions; ``expired`` are access keys.
    """

    def __init__(self, page: int = 1000, tls: ssl.SSLContext | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.etags: dict[str, str] = {}
        self.modified: dict[str, float] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.undeletable: dict[str, str] = {}
        self.conditions: Answer | None = None
        self.expired: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.operations: list[str] = []
        self.connections = 0
        self.page = page
        self.fault: Callable[[int, str, str], Fault | None] = lambda _number, _method, _key: None
        self.lock = threading.Lock()
        self._started: dict[str, dict[str, str]] = {}
        self._seconds = time.time()
        stub = self

        class Handler(_Handler):
            owner = stub

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, method: str) -> int:
        return sum(made == method for made, _ in self.requests)

    def etag(self, key: str) -> str:
        return self.etags.get(key) or md5(self.objects[key])

    def listing(self, prefix: str, after: str = "") -> bytes:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        shown, more = keys[: self.page], len(keys) > self.page
        contents = "".join(
            f"<Contents><Key>{quote_plus(key, safe='/')}</Key><LastModified>{self._when(key)}</LastModified>"
            f"<ETag>&quot;{self.etag(key)}&quot;</ETag><Size>{len(self.objects[key])}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{quote_plus(shown[-1])}</NextContinuationToken>" if more else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}"><Name>b</Name>'
            f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}</IsTruncated>{contents}{token}"
            "</ListBucketResult>"
        ).encode()

    def _when(self, key: str) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.modified.get(key, self._seconds)))

    def carry_out(
        self, operation: str, key: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        """Do what a request asks for."""
        match operation:
            case "ListObjectsV2":
                after = unquote_plus(query.get("continuation-token", "")) or query.get("start-after", "")
                return Answer(200, self.listing(query.get("prefix", ""), after))
            case "GetObject":
                if key not in self.objects:
                    return refuse(404, "NoSuchKey")
                stored = {name: value for name, value in self.headers.get(key, {}).items() if name in STORED}
                return Answer(200, self.objects[key], stored | {"ETag": f'"{self.etag(key)}"'})
            case "DeleteObjects":
                keys = [item.text or "" for item in ET.fromstring(body).iter(f"{{{NAMESPACE}}}Key")]
                failed = ""
                for one in keys:
                    if code := self.undeletable.get(one):
                        failed += f"<Error><Key>{escape(one)}</Key><Code>{code}</Code><Message>m</Message></Error>"
                    else:
                        self.objects.pop(one, None)
                return Answer(200, f'<DeleteResult xmlns="{NAMESPACE}">{failed}</DeleteResult>'.encode())
            case "DeleteObject":
                self.objects.pop(key, None)
                return Answer(204)
            case "AbortMultipartUpload":
                self.uploads.pop(query["uploadId"], None)
                return Answer(204)
            case "CreateMultipartUpload":
                upload = f"upload+{len(self._started)}/="
                self.uploads[upload], self._started[upload] = {}, headers
                return result("InitiateMultipartUploadResult", UploadId=upload)
            case "UploadPart":
                if query["uploadId"] not in self.uploads:
                    return refuse(404, "NoSuchUpload")
                self.uploads[query["uploadId"]][int(query["partNumber"])] = body
                return Answer(200, headers={"ETag": f'"{md5(body)}"'})
            case "CopyObject":
                _, _, source = unquote(headers["x-amz-copy-source"]).lstrip("/").partition("/")
                if source not in self.objects:
                    return refuse(404, "NoSuchKey")
                if headers.get("x-amz-copy-source-if-match", self.etag(source)).strip('"') != self.etag(source):
                    return refuse(412, "PreconditionFailed")
                self._write(key, self.objects[source], headers)
                return result("CopyObjectResult", ETag=f'"{self.etag(key)}"')
        if refused := self._judge(key, headers):
            return refused
        if operation == "PutObject":
            self._write(key, body, headers)
            return Answer(200, headers={"ETag": f'"{self.etag(key)}"'})
        assert operation == "CompleteMultipartUpload"
        parts = self.uploads.get(query["uploadId"])
        if parts is None:
            return refuse(404, "NoSuchUpload")
        named = re.findall(rb"<PartNumber>(\d+)</PartNumber><ETag>&quot;(\w+)&quot;", body)
        if [(int(number), etag.decode()) for number, etag in named] != [(n, md5(parts[n])) for n in sorted(parts)]:
            return refuse(400, "InvalidPart")
        self._write(key, b"".join(parts[number] for number in sorted(parts)), self._started[query["uploadId"]])
        del self.uploads[query["uploadId"]]
        self.etags[key] = md5(b"".join(bytes.fromhex(etag.decode()) for _, etag in named)) + f"-{len(named)}"
        return result("CompleteMultipartUploadResult", ETag=f'"{self.etags[key]}"')

    def _judge(self, key: str, headers: dict[str, str]) -> Answer | None:
        if "if-none-match" in headers and key in self.objects:
            return refuse(412, "PreconditionFailed")
        if "if-match" in headers and key not in self.objects:
            return refuse(404, "NoSuchKey")
        if "if-match" in headers and headers["if-match"].strip('"') != self.etag(key):
            return refuse(412, "PreconditionFailed")
        return None

    def _write(self, key: str, content: bytes, headers: dict[str, str]) -> None:
        self.objects[key], self.headers[key], self.modified[key] = content, headers, time.time()
        self.etags.pop(key, None)
        if headers.get("x-amz-server-side-encryption") == "aws:kms":
            self.etags[key] = md5(content + str(len(self.requests)).encode())


def operation_of(method: str, key: str, query: dict[str, str], headers: dict[str, str]) -> str:
    """What S3 calls a request."""
    match method:
        case "GET":
            return "GetObject" if key else "ListObjectsV2"
        case "POST":
            if not key:
                return "DeleteObjects"
            return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
        case "DELETE":
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
        case _ if "partNumber" in query:
            return "UploadPart"
        case _:
            return "CopyObject" if "x-amz-copy-source" in headers else "PutObject"


def result(root: str, **elements: str) -> Answer:
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    return Answer(200, f'<?xml version="1.0"?>\n<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode())


class Waits(list[float]):
    """Stands in for time.sleep and notes how long it was asked to wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def store_at(
    url: str,
    bucket: str = "b",
    prefix: str = "static/",
    *,
    sleep: Callable[[float], None] = time.sleep,
    identity: Identity = Identity("us-east-1", lambda: Keys("id", "secret")),  # noqa: B008 - frozen
    encryption: Encryption | None = None,
) -> S3Store:
    """The store in one bucket of a service."""
    client = Client(custom_endpoint(url, bucket), identity, sleep=sleep)
    return S3Store(client, Destination(bucket, prefix), encryption)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # with the usual 5, a burst of connections waits a second


class _Handler(BaseHTTPRequestHandler):
    owner: StubS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.owner.connections += 1

    def log_message(self, *_arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        key = unquote(parts.path).partition("/")[2].partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        operation = operation_of(self.command, key, query, headers)
        with self.owner.lock:
            self.owner.requests.append((self.command, key))
            self.owner.operations.append(operation)
            fault = self.owner.fault(len(self.owner.requests), self.command, key)
        if fault == "early":
            self._answer(refuse(400, "EntityTooLarge"))
            self.close_connection = True
            return
        length = int(headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length or self._fails(fault):
            return
        answer = check_digests(operation, headers, body)
        if answer is None and any(name in headers for name in ("if-match", "if-none-match")):
            answer = self.owner.conditions
        if headers["authorization"].partition("Credential=")[2].partition("/")[0] in self.owner.expired:
            answer = refuse(400, "ExpiredToken")
        if answer is None:
            with self.owner.lock:
                answer = self.owner.carry_out(operation, key, query, headers, body)
        if fault == "lost":
            self._reset()
        else:
            self._answer(answer)

    do_PUT = do_GET  # noqa: N815 - a name of the base class
    do_POST = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def _fails(self, fault: Fault | None) -> bool:
        match fault:
            case None | "lost":
                return False
            case "close":
                self.close_connection = True
                return False
            case "reset":
                self._reset()
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"<?xml")
                self.close_connection = True
            case "RequestTimeout":
                self._answer(refuse(400, "RequestTimeout"))
            case (status, body, headers):
                self._answer(Answer(status, body.encode(), headers))
            case "SlowDown":
                self._answer(refuse(503, "SlowDown"))
            case status:
                self._answer(Answer(int(status), b"oh no"))
        return True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _answer(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        headers = {"Date": self.date_time_string()} | answer.headers
        if answer.status != 204:
            headers["Content-Length"] = str(len(answer.body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


def check_digests(operation: str, headers: dict[str, str], body: bytes) -> Answer | None:
    if operation in ("PutObject", "UploadPart", "DeleteObjects") and (
        headers.get("content-md5") != b64encode(hashlib.md5(body).digest()).decode()
    ):
        return refuse(400, "BadDigest")
    if headers["x-amz-content-sha256"] not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return refuse(400, "XAmzContentSHA256Mismatch")
    return None
