"""A small S3 that misbehaves on demand: HTTP/1.1 with kept connections, pages of a listing, faults by plan."""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

Fault = Literal["503", "500", "SlowDown", "RequestTimeout", "reset", "cut", "close"] | tuple[int, str, dict[str, str]]


class StubS3:
    """``fault(number, method, key)`` says what goes wrong with the request ``number`` (from 1), or None."""

    def __init__(self, page: int = 1000, tls: ssl.SSLContext | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.page = page
        self.fault: Callable[[int, str, str], Fault | None] = lambda _number, _method, _key: None
        self._lock = threading.Lock()
        stub = self

        class Handler(_Handler):
            owner = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
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

    def record(self, method: str, key: str) -> Fault | None:
        with self._lock:
            self.requests.append((method, key))
            return self.fault(len(self.requests), method, key)

    def listing(self, prefix: str, after: str) -> bytes:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        shown, more = keys[: self.page], len(keys) > self.page
        contents = "".join(
            f"<Contents><Key>{quote_plus(key, safe='/')}</Key><ETag>&quot;{md5(self.objects[key])}&quot;</ETag>"
            f"<Size>{len(self.objects[key])}</Size><Owner><ID>x</ID></Owner></Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{contents}{token}</ListBucketResult>"
        ).encode()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


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
        query = parse_qs(urlsplit(self.path).query)
        if self._fails("GET", ""):
            return
        body = self.owner.listing(query.get("prefix", [""])[0], query.get("continuation-token", [""])[0])
        self._answer(200, body)

    def do_PUT(self) -> None:
        key = unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2]
        body = self.rfile.read(int(self.headers["content-length"]))
        if self._fails("PUT", key):
            return
        if self.headers["content-md5"] != b64encode(hashlib.md5(body).digest()).decode():
            self._answer(400, b"<Error><Code>BadDigest</Code><Message>differs</Message></Error>")
            return
        if self.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            self._answer(400, b"<Error><Code>XAmzContentSHA256Mismatch</Code></Error>")
            return
        self.owner.objects[key] = body
        self.owner.headers[key] = {name.lower(): value for name, value in self.headers.items()}
        self._answer(200, b"")

    def _fails(self, method: str, key: str) -> bool:
        fault = self.owner.record(method, key)
        match fault:
            case None:
                return False
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            case "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"<?xml")
                self.close_connection = True
            case "close":
                self.close_connection = True
                return False
            case "RequestTimeout":
                self._answer(400, b"<Error><Code>RequestTimeout</Code><Message>idle</Message></Error>")
            case (status, body, headers):
                self._answer(status, body.encode(), headers)
            case code:
                status = 500 if code == "500" else 503
                self._answer(status, b"<Error><Code>SlowDown</Code></Error>" if code == "SlowDown" else b"oh no")
        return True

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
