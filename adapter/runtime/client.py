"""A client for the Lambda Runtime API over one kept connection.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import socket
import struct
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from ..exceptions import RuntimeAPIError

_BASE = "/2018-06-01/runtime"
# Seconds after which a wait begins anew. Python looks for a signal before it begins: one that comes between the two
# would be seen only when the wait is over, and a process that is told to end while it is idle would not.
_LOOK_UP = struct.pack("ll", 1, 0)


@dataclass(slots=True)
class Invocation:
    """One event as it arrived: its headers (names in lower case) and its JSON."""

    headers: dict[str, str]
    payload: bytes

    @property
    def request_id(self) -> str:
        return self.headers["lambda-runtime-aws-request-id"]


class RefusedError(RuntimeAPIError):
    """The API did not take this answer; the next invocation is not concerned."""


class ReaderGoneError(Exception):
    """Whoever was reading a streamed answer has left."""


class RuntimeClient:
    """Speaks to the API at ``address`` (``host:port``); every method raises `RuntimeAPIError` on a refusal.

    The standard library's HTTP client parses headers as e-mail and costs more than a small view does; the protocol
    needs a handful of requests of one form.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._host = f"HTTP/1.1\r\nHost: {address}\r\n"
        self._next = f"GET {_BASE}/invocation/next {self._host}\r\n".encode()
        self._socket: socket.socket | None = None
        self._reader: _Reader | None = None

    def next(self) -> Invocation:
        """Wait for the next event, for as long as it takes: the process may be frozen meanwhile."""
        status, headers, body = self._exchange(self._next)
        if status != 200:
            raise self._refused("the request for the next event", status, body)
        return Invocation(headers, body)

    def respond(self, invocation: Invocation, payload: bytes, content_type: str) -> None:
        """Hand in the answer to an invocation; `RefusedError` where it is too large or comes too late."""
        request = self._post(
            f"/invocation/{invocation.request_id}/response", payload, f"Content-Type: {content_type}\r\n"
        )
        status, _, body = self._exchange(request)
        self.expect_accepted(f"an answer of {len(payload):,} bytes", status, body)

    def stream(self, invocation: Invocation, content_type: str) -> StreamedAnswer:
        """Begin an answer that is handed in piece by piece."""
        head = (
            f"POST {_BASE}/invocation/{invocation.request_id}/response {self._host}"
            f"Content-Type: {content_type}\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        )
        return StreamedAnswer(self, head.encode())

    def fail(self, invocation: Invocation, error_type: str, payload: bytes, cause: str) -> None:
        """Report that an invocation failed, ``cause`` as X-Ray has it; `RefusedError` where that comes too late."""
        header = f"Lambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n"
        self._report(f"/invocation/{invocation.request_id}/error", error_type, payload, header)

    def fail_init(self, error_type: str, payload: bytes) -> None:
        """Report that the handler could not be loaded, or made ready for a snapshot."""
        self._report("/init/error", error_type, payload)

    def restored(self) -> None:
        """Wait to be restored from a snapshot, which is taken meanwhile."""
        status, _, body = self._exchange(f"GET {_BASE}/restore/next {self._host}\r\n".encode())
        if status != 200:
            raise self._refused("the wait for the snapshot", status, body)
        self.close()  # opened before the snapshot

    def fail_restore(self, error_type: str, payload: bytes) -> None:
        """Report that the process can't go on from its snapshot."""
        self._report("/restore/error", error_type, payload)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._reader = None

    def _report(self, path: str, error_type: str, payload: bytes, headers: str = "") -> None:
        headers += f"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\n"
        status, _, body = self._exchange(self._post(path, payload, headers))
        self.expect_accepted("an error report", status, body)

    def _post(self, path: str, body: bytes, headers: str) -> bytes:
        # One segment where it fits: a head sent alone waits for its acknowledgement (Nagle).
        return f"POST {_BASE}{path} {self._host}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def expect_accepted(self, what: str, status: int, body: bytes) -> None:
        """Nothing where ``what`` was taken; what is raised otherwise tells whether the process may go on."""
        if status != 202:
            raise self._refused(what, status, body)

    def _refused(self, what: str, status: int, body: bytes) -> RuntimeAPIError:
        # 400: the invocation is over, as after its time limit; 413: too large. Of the rest, 403 and 500 ask the
        # runtime to end: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
        kind = RefusedError if status in {400, 413} else RuntimeAPIError
        return kind(
            f"The Runtime API at {self._address} refused {what}: {status} {body[:300].decode('utf-8', 'replace')}"
        )

    def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            try:
                self.send(request)
            except (BrokenPipeError, ConnectionResetError):
                # Refused before all of it was read: the reason may still be there.
                try:
                    return self.receive()
                finally:
                    self.close()
            return self.receive()
        except OSError as error:
            self.close()
            raise RuntimeAPIError(f"No connection to the Runtime API at {self._address}: {error}") from error

    def send(self, data: bytes) -> None:
        """Send a request, or a part of one, as it is; OSError where the connection is gone."""
        if self._socket is None:
            host, _, port = self._address.rpartition(":")
            self._socket = socket.create_connection((host, int(port)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK_UP)
            self._reader = _Reader(self._socket)
        self._socket.sendall(data)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the answer to the request that was sent."""
        reader = self._reader
        if reader is None:
            raise ConnectionError("it was closed")
        status_line, *lines = reader.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(reader.chunks())
        else:
            body = reader.exactly(int(headers.get("content-length") or 0))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(status_line.split(" ", 2)[1]), headers, body


class StreamedAnswer:
    """An answer on its way to the Runtime API, piece by piece.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
    """

    def __init__(self, client: RuntimeClient, head: bytes) -> None:
        self._client = client
        self._pending = head  # goes out with the first piece

    def write(self, data: bytes) -> None:
        """Send a piece; `ReaderGoneError` when nobody reads on."""
        if data:
            self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """The answer is complete."""
        self._send(b"0\r\n\r\n")
        self._finish()

    def fail(self, error_type: str, payload: bytes) -> None:
        """The answer breaks off here; the reader is told so by the end of its connection, the log by ``payload``."""
        trailers = (
            f"0\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\n"
            f"Lambda-Runtime-Function-Error-Body: {b64encode(payload).decode()}\r\n\r\n"
        )
        self._send(trailers.encode())
        self._finish()

    def _send(self, data: bytes) -> None:
        pending, self._pending = self._pending, b""
        try:
            self._client.send(pending + data if pending else data)
        except OSError as error:
            try:
                self._finish()  # which raises the reason, where one was given
            finally:
                self._client.close()
            raise ReaderGoneError from error

    def _finish(self) -> None:
        try:
            status, _, body = self._client.receive()
        except OSError as error:
            self._client.close()
            raise ReaderGoneError from error
        self._client.expect_accepted("a streamed answer", status, body)


class _Reader:
    """What comes in over a connection, in the pieces that the protocol is made of; ConnectionError where it ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = b""

    def until(self, mark: bytes) -> bytes:
        """What comes before ``mark``, which is taken too."""
        while (end := self._data.find(mark)) < 0:
            self._data += self._more()
        found, self._data = self._data[:end], self._data[end + len(mark) :]
        return found

    def exactly(self, length: int) -> bytes:
        if len(self._data) < length:
            pieces, missing = [self._data], length - len(self._data)
            while missing > 0:
                pieces.append(self._more())
                missing -= len(pieces[-1])
            self._data = b"".join(pieces)
        found, self._data = self._data[:length], self._data[length:]
        return found

    def chunks(self) -> Iterator[bytes]:
        """The data of a chunked body (RFC 9112, 7.1); trailers are read and dropped."""
        while size := int(self.until(b"\r\n").partition(b";")[0], 16):
            yield self.exactly(size)
            self.until(b"\r\n")
        while self.until(b"\r\n"):
            pass

    def _more(self) -> bytes:
        while True:
            try:
                data = self._connection.recv(1 << 18)
            except BlockingIOError:
                continue
            if not data:
                raise ConnectionError("it was closed from the other side")
            return data
