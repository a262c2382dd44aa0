"""A client for the Lambda Runtime API over one kept connection.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from io import BufferedReader

from ..exceptions import RuntimeAPIError

_BASE = "/2018-06-01/runtime"


@dataclass(slots=True)
class Invocation:
    """One event as it arrived: its headers (names in lower case) and its JSON."""

    headers: dict[str, str]
    payload: bytes

    @property
    def request_id(self) -> str:
        return self.headers["lambda-runtime-aws-request-id"]


class RuntimeClient:
    """Speaks to the API at ``address`` (``host:port``); every method raises `RuntimeAPIError` on a refusal.

    The standard library's HTTP client parses headers as e-mail and costs more than a small view does; the protocol
    needs four requests of one form.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._stream: BufferedReader | None = None

    def next(self) -> Invocation:
        """Wait for the next event, for as long as it takes: the process may be frozen meanwhile."""
        status, headers, body = self._request("GET", "/invocation/next")
        if status != 200:
            raise self._refused("the request for the next event", status, body)
        return Invocation(headers, body)

    def respond(self, request_id: str, payload: bytes, content_type: str) -> None:
        """Hand in the answer to an invocation."""
        status, _, body = self._request(
            "POST", f"/invocation/{request_id}/response", payload, f"Content-Type: {content_type}\r\n"
        )
        if status != 202:
            raise self._refused(f"an answer of {len(payload):,} bytes", status, body)

    def fail(self, request_id: str, error_type: str, payload: bytes) -> None:
        """Report that an invocation failed."""
        self._report(f"/invocation/{request_id}/error", error_type, payload)

    def fail_init(self, error_type: str, payload: bytes) -> None:
        """Report that the handler could not be loaded."""
        self._report("/init/error", error_type, payload)

    def close(self) -> None:
        if self._stream is not None and self._socket is not None:
            self._stream.close()
            self._socket.close()
        self._stream = self._socket = None

    def _report(self, path: str, error_type: str, payload: bytes) -> None:
        headers = f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\n"
        status, _, body = self._request("POST", path, payload, headers)
        if status != 202:
            raise self._refused("an error report", status, body)

    def _refused(self, what: str, status: int, body: bytes) -> RuntimeAPIError:
        return RuntimeAPIError(
            f"The Runtime API at {self._address} refused {what}: {status} {body[:300].decode('utf-8', 'replace')}"
        )

    def _request(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        head = f"{method} {_BASE}{path} HTTP/1.1\r\nHost: {self._address}\r\n{headers}{length}\r\n".encode()
        try:
            connection, stream = self._connect()
            # One segment where it fits: a head sent alone waits for its acknowledgement (Nagle).
            connection.sendall(head + body)
            return self._response(stream)
        except OSError as error:
            self.close()
            raise RuntimeAPIError(f"No connection to the Runtime API at {self._address}: {error}") from error

    def _connect(self) -> tuple[socket.socket, BufferedReader]:
        if self._socket is None or self._stream is None:
            host, _, port = self._address.rpartition(":")
            self._socket = socket.create_connection((host, int(port)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = BufferedReader(socket.SocketIO(self._socket, "r"), 65536)
        return self._socket, self._stream

    def _response(self, stream: BufferedReader) -> tuple[int, dict[str, str], bytes]:
        status_line = stream.readline()
        if not status_line:
            raise ConnectionError("it was closed from the other side")
        status = int(status_line.split(None, 2)[1])
        headers: dict[str, str] = {}
        while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(_chunks(stream))
        else:
            body = _exactly(stream, int(headers.get("content-length") or 0))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body


def _exactly(stream: BufferedReader, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise ConnectionError(f"it was closed after {len(data):,} of {length:,} bytes")
    return data


def _chunks(stream: BufferedReader) -> list[bytes]:
    """The data of a chunked body (RFC 9112, 7.1); trailers are read and dropped."""
    chunks = []
    while size := int(stream.readline().partition(b";")[0], 16):
        chunks.append(_exactly(stream, size))
        stream.readline()
    while stream.readline() not in (b"\r\n", b"\n", b""):
        pass
    return chunks
