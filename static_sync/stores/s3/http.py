"""HTTP/1.1 as far as S3 needs it, over one kept connection.

http.client spends more processor time on a small request than signing, sending and waiting for it take together.
The rules: https://www.rfc-editor.org/rfc/rfc9112.html
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from static_sync.stores.s3.answers import parse_error

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from static_sync.stores.s3.content import FilePart

BLOCK = 1 << 16  # bytes sent or received at a time; the timeout is that of one block
# What a service may make us keep: the longest listing, of 1,000 keys of 1,024 bytes each, is far below.
MAX_HEAD, MAX_BODY, MAX_INTERIM = 1 << 16, 1 << 26, 16
# A service that completes a large upload sends spaces for minutes; one that drips bytes for ever is left.
LONGEST_ANSWER = 600.0  # seconds
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5]\d\d)(?: .*)?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class BrokenAnswerError(ConnectionError):
    """The answer was cut short, or is none of HTTP; the connection is of no more use."""


class Answer(NamedTuple):
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, str]:
        """The elements of the ``<Error>`` in the body; empty when there is none."""
        return parse_error(self.body) if self.body else {}

    @property
    def code(self) -> str:
        """S3's name of the error; empty when there is none."""
        return self.error.get("Code", "")


class Connection:
    """One connection, for one thread at a time. Whoever gets an exception out of it closes it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.usable = True
        """Whether another request can follow."""
        self.answered = False
        """Whether the service said anything after the latest request."""
        self._early: bytes | None = None

    def close(self) -> None:
        self._socket.close()

    def exchange(self, method: str, head: bytes, body: bytes | FilePart) -> Answer:
        """Send a request and read its answer.

        Raises OSError (`BrokenAnswerError` among them) for what the network does, and what ``body`` raises.
        """
        self.answered = False
        try:
            whole = self._send(head, body)
        except BlockingIOError:
            raise TimeoutError("nothing more could be sent") from None  # so the kernel tells that the time is over
        except OSError as error:
            # A service that refuses a body answers and closes: its reason says more than the reset does.
            try:
                answer = self._receive_answer(method)
            except OSError:
                raise error from None
            whole = False
        else:
            answer = self._receive_answer(method)
        if not whole:
            self.usable = False
            if answer.ok:
                raise BrokenAnswerError("the service answered before it had the whole of what was sent")
        return answer

    def _send(self, head: bytes, body: bytes | FilePart) -> bool:
        """Whether all of it was sent: what follows is left when the answer is already there."""
        if isinstance(body, bytes):
            if len(head) + len(body) <= BLOCK:
                self._socket.sendall(head + body)
                return True
            view = memoryview(body)
            blocks: Iterator[bytes | memoryview] = (view[start : start + BLOCK] for start in range(0, len(body), BLOCK))
        else:
            blocks = body.blocks(BLOCK)
        self._socket.sendall(head)
        for block in blocks:
            if self._is_answered():
                return False
            self._socket.sendall(block)
        return True

    def _is_answered(self) -> bool:
        timeout = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            self._early = self._socket.recv(BLOCK)
        except BlockingIOError:
            return False
        except OSError as error:
            from ssl import SSLWantReadError

            # What there was to read was a session ticket, or half of a record.
            if isinstance(error, SSLWantReadError):
                return False
            raise
        finally:
            self._socket.settimeout(timeout)
        return True

    def _receive_answer(self, method: str) -> Answer:
        answer, keep = AnswerReader(self._receive).read(method)
        self.usable = self.usable and keep
        return answer

    def _receive(self, length: int) -> bytes:
        if self._early is None:
            try:
                piece = self._socket.recv(length)
            except BlockingIOError:
                raise TimeoutError("nothing more was answered") from None
        else:
            piece, self._early = self._early, None
        self.answered = self.answered or bool(piece)
        return piece


class AnswerReader:
    """Reads one answer from ``receive``, which takes the most bytes wanted and returns none at the connection's end."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = b""
        self._deadline = time.monotonic() + LONGEST_ANSWER

    def read(self, method: str) -> tuple[Answer, bool]:
        """The answer to a request of that method, and whether the connection can be used again."""
        for _ in range(MAX_INTERIM):
            minor, status, headers = self._head()
            if status >= 200:
                break
        else:
            raise BrokenAnswerError("the service keeps saying that an answer will follow")
        options = [option.strip() for option in headers.get("connection", "").lower().split(",")]
        keep = "close" not in options and (minor == "1" or "keep-alive" in options)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise BrokenAnswerError(f"nobody asked for the transfer encoding {headers['transfer-encoding']!r}")
            body = self._chunks()
        elif "content-length" in headers:
            length = headers["content-length"]
            if not (length.isascii() and length.isdigit() and len(length) < 20):
                raise BrokenAnswerError(f"{length!r} is no length")
            body = self._take(_bounded(int(length)))
        else:
            body, keep = self._rest(), False
        return Answer(status, headers, body), keep and not self._buffer

    def _head(self) -> tuple[str, int, dict[str, str]]:
        """The minor version, the status and the headers of the next answer, interim ones among them."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            # At once, as what speaks another protocol may wait for us as we wait for it.
            if not self._buffer.startswith(b"HTTP/1."[: len(self._buffer)]):
                raise BrokenAnswerError("what answers does not speak HTTP/1.1")
            if len(self._buffer) > MAX_HEAD + 3:
                break
            self._buffer += self._next()
        if not 0 <= end <= MAX_HEAD:
            raise BrokenAnswerError(f"the head of the answer is longer than {MAX_HEAD} bytes")
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        status_line = _STATUS_LINE.fullmatch(first)
        if status_line is None:
            raise BrokenAnswerError("what answers does not speak HTTP/1.1")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or " " in name or "\t" in name:
                raise BrokenAnswerError(f"{line[:80]!r} is no header")
            value = value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return status_line[1], int(status_line[2]), headers

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            size = _CHUNK_SIZE.fullmatch(self._line())
            if size is None:
                raise BrokenAnswerError("a chunk of the answer has no length")
            length = int(size[1], 16)
            if not length:
                break
            _bounded(len(body) + length)
            body += self._take(length)
            if self._line():
                raise BrokenAnswerError("a chunk of the answer is longer than it says")
        trailers = 0
        while line := self._line():
            trailers += len(line)
            if trailers > MAX_HEAD:
                raise BrokenAnswerError(f"what follows the answer is longer than {MAX_HEAD} bytes")
        return bytes(body)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0 and len(self._buffer) <= MAX_HEAD + 1:
            self._buffer += self._next()
        if not 0 <= end <= MAX_HEAD:
            raise BrokenAnswerError(f"a line of the answer is longer than {MAX_HEAD} bytes")
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _take(self, length: int) -> bytes:
        if len(self._buffer) < length:
            data = bytearray(self._buffer)
            while len(data) < length:
                data += self._next()
            self._buffer = bytes(data)
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _rest(self) -> bytes:
        data = bytearray(self._buffer)
        self._buffer = b""
        while piece := self._piece():
            data += piece
            _bounded(len(data))
        return bytes(data)

    def _next(self) -> bytes:
        piece = self._piece()
        if not piece:
            raise BrokenAnswerError("the answer was cut short")
        return piece

    def _piece(self) -> bytes:
        if time.monotonic() > self._deadline:
            raise BrokenAnswerError(f"the answer was not whole after {LONGEST_ANSWER:.0f} s")
        return self._receive(BLOCK)


def _bounded(length: int) -> int:
    if length > MAX_BODY:
        raise BrokenAnswerError(f"the answer is longer than {MAX_BODY >> 20} MiB")
    return length
