"""Signed requests over kept connections, tried again when the fault is likely to pass."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import time
from collections import deque
from threading import Event
from typing import TYPE_CHECKING

from static_sync.exceptions import BucketError, UnreachableError, UnreadableAnswerError
from static_sync.stores.s3.http import Answer, BrokenAnswerError, Connection
from static_sync.stores.s3.signing import UNSIGNED_PAYLOAD, Request, Signer, encode_path, encode_query
from static_sync.stores.s3.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from static_sync.stores.s3.content import FilePart
    from static_sync.stores.s3.credentials import Identity
    from static_sync.stores.s3.endpoint import Endpoint

ATTEMPTS = 10
# One file in 170,000 meets ten refusals in a row when three in ten requests are refused; the waits together stay below
# four minutes.
ATTEMPTS_WHEN_THROTTLED = 25
# An address nobody answers at is seldom a fault that passes: the person who mistyped it shall not wait for long. Nor
# shall each of a thousand files wait for a service that has failed for good.
ATTEMPTS_WITHOUT_HOPE = 3
TIMEOUT = 30.0  # seconds without a byte
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 10.0  # seconds
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
_PASSING_STATUSES = frozenset({500, 502, 504})
_PASSING_CODES = frozenset({"RequestTimeout", "InternalError", "OperationAborted", "ConditionalRequestConflict"})
_THROTTLING_STATUSES = frozenset({429, 503})
_THROTTLING_CODES = frozenset({"SlowDown", "ServiceUnavailable", "TooManyRequests"})
_EXPIRED_CODES = frozenset({"ExpiredToken", "TokenRefreshRequired"})
_SKEWED_CODE = "RequestTimeTooSkewed"


class Client:
    """Sends requests to one bucket. May be used by many threads, each of which gets a connection of its own.

    ``sleep`` takes seconds. ``clock_offset`` in seconds is what the service's clock was found to be ahead of ours, when
    it said that ours is wrong.
    """

    def __init__(self, endpoint: Endpoint, identity: Identity, sleep: Callable[[float], object] | None = None) -> None:
        self.endpoint = endpoint
        self.region = identity.region
        self.clock_offset = 0.0
        self._base = encode_path(endpoint.base)
        self._identity = identity
        self._signer = Signer(endpoint.authority, identity.region)
        self._leaving = Event()
        self._sleep = sleep if sleep is not None else self._leaving.wait
        self._idle: deque[Connection] = deque()
        self._throttle = Throttle()
        self._was_reached = False
        self._has_given_up = False
        self._tls: SSLContext | None = _tls_context() if endpoint.secure else None

    def interrupt(self) -> None:
        """Have every thread give up where it waits to try again."""
        self._leaving.set()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def send(
        self,
        method: str,
        key: str,
        body: bytes | FilePart = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        error_in_success: bool = False,
    ) -> Answer:
        """Send a request for ``key`` (empty: the bucket itself) and return the answer, whatever its status.

        ``error_in_success`` is for requests that answer 200 before they know whether they will succeed. An answer that
        is still one of a passing fault after all attempts is returned as it is. Raises `UnreachableError` when no
        attempt brought an answer, `UnreadableAnswerError` when none brought a whole one.
        """
        request = Request(
            method,
            f"{self._base}/{encode_path(key)}",
            encode_query(query) if query else "",
            headers or {},
            hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else UNSIGNED_PAYLOAD,
            len(body) if isinstance(body, bytes) else body.size,
        )
        faults = refusals = 0
        was_renewed = was_skewed = False
        while True:
            keys = self._identity.keys()
            try:
                with self._throttle:
                    head = self._signer.head(request, keys, time.time() + self.clock_offset)
                    answer = self._exchange(method, head, body)
            except OSError as error:
                faults += 1
                hopeless = _is_unreachable(error) and not self._was_reached
                if faults >= self._allowed(ATTEMPTS_WITHOUT_HOPE if hopeless else ATTEMPTS):
                    self._has_given_up = True
                    raise self._explain(error) from error
                self.pause(faults + refusals)
                continue
            self._was_reached = True
            code = answer.code if error_in_success or not answer.ok else ""
            if answer.ok and not code:
                self._has_given_up = False
                self._throttle.served()
                return answer
            if answer.status in _THROTTLING_STATUSES or code in _THROTTLING_CODES:
                self._throttle.refused()
                refusals += 1
            elif answer.status in _PASSING_STATUSES or code in _PASSING_CODES:
                faults += 1
            elif code in _EXPIRED_CODES and not was_renewed and self._identity.renew(keys):
                was_renewed = True
                continue
            elif code == _SKEWED_CODE and not was_skewed and self._follow_clock(answer):
                was_skewed = True
                continue
            else:
                return answer
            if faults >= self._allowed(ATTEMPTS) or refusals >= self._allowed(ATTEMPTS_WHEN_THROTTLED):
                self._has_given_up = True
                return answer
            self.pause(faults + refusals)

    def pause(self, attempt: int) -> None:
        """Wait before the attempt after ``attempt``: longer each time, by chance, so that threads do not come in step.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (attempt - 1))
        self._sleep(random.uniform(0, longest))  # noqa: S311 - not a secret
        if self._leaving.is_set():
            raise UnreachableError(f"Interrupted before {self.endpoint} did what it was asked to.")

    def _allowed(self, attempts: int) -> int:
        return ATTEMPTS_WITHOUT_HOPE if self._has_given_up else attempts

    def _follow_clock(self, answer: Answer) -> bool:
        """Sign by the service's clock from now on; False when the answer does not tell the time."""
        from email.utils import parsedate_to_datetime

        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return False
        self.clock_offset = theirs - time.time()
        return True

    def _exchange(self, method: str, head: bytes, body: bytes | FilePart, *, kept: bool = True) -> Answer:
        try:
            connection = self._idle.pop() if kept else self._connect()
        except IndexError:
            return self._exchange(method, head, body, kept=False)
        try:
            answer = connection.exchange(method, head, body)
        except BaseException as error:
            connection.close()
            if not kept or connection.answered or not isinstance(error, OSError) or isinstance(error, TimeoutError):
                raise
            # The service had closed an idle connection, which is no fault; the others may be closed as well.
            return self._exchange(method, head, body, kept=False)
        if connection.usable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _connect(self) -> Connection:
        port = self.endpoint.port or (443 if self.endpoint.secure else 80)
        try:
            sock = socket.create_connection((self.endpoint.host, port), TIMEOUT)
        except UnicodeError as error:  # no label of a host name is empty, or longer than 63 characters
            raise socket.gaierror(str(error)) from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_hostname=self.endpoint.host)
            else:
                _let_kernel_time(sock)
        except BaseException:
            sock.close()
            raise
        return Connection(sock)

    def _explain(self, error: OSError) -> BucketError:
        import ssl

        if isinstance(error, BrokenAnswerError):
            return UnreadableAnswerError(f"{self.endpoint} did not answer as S3 does: {error}. Is it an S3 endpoint?")
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted ({error.verify_message}); set AWS_CA_BUNDLE if it is your own"
        elif isinstance(error, ssl.SSLError):
            reason = f"TLS failed ({error.reason}); does the endpoint really speak {str(self.endpoint)[:5]}?"
        elif isinstance(error, socket.gaierror):
            reason = "there is no such host; check the endpoint or the region"
        elif isinstance(error, ConnectionRefusedError):
            reason = "nothing listens there; is the service started, and the port right?"
        elif isinstance(error, TimeoutError):
            reason = f"no answer within {TIMEOUT:.0f} s"
        else:
            reason = f"{type(error).__name__}: {error}"
        return UnreachableError(f"{self.endpoint} cannot be reached: {reason}")


def _let_kernel_time(sock: socket.socket) -> None:
    """Have the kernel watch the timeout, where Python asks it twice for each call: once to wait and once to do it."""
    if os.name == "posix":
        limit = struct.pack("ll", int(TIMEOUT), int(TIMEOUT % 1 * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        sock.settimeout(None)


def is_passing(code: str) -> bool:
    """Whether an error of that name is likely to pass."""
    return code in _PASSING_CODES or code in _THROTTLING_CODES


def _is_unreachable(error: OSError) -> bool:
    import ssl

    return isinstance(error, (ConnectionRefusedError, socket.gaierror, ssl.SSLError))


def _tls_context() -> SSLContext:
    import ssl

    bundle = os.environ.get("AWS_CA_BUNDLE") or None
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise UnreachableError(
            f"The certificates that AWS_CA_BUNDLE names ({bundle}) cannot be read: {error}."
        ) from error
