"""Signed requests over kept connections, tried again when the fault is likely to pass.

http.client and a signature of our own, because what botocore does for each request (4 to 5 ms of CPU) is most of the
time that a deploy of small files takes.
"""

from __future__ import annotations

import http.client
import os
import random
import socket
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from static_sync.exceptions import UnreachableError
from static_sync.stores.s3.answers import parse_error
from static_sync.stores.s3.signing import SignedRequest, Signer, encode_path, encode_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from static_sync.stores.s3.credentials import Identity
    from static_sync.stores.s3.endpoint import Endpoint

ATTEMPTS = 10
# An address nobody answers at is seldom a fault that passes: the person who mistyped it shall not wait for long.
ATTEMPTS_TO_REACH = 3
TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 17
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 10.0  # seconds
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "InternalError", "OperationAborted"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the service did what was asked."""
        return 200 <= self.status < 300

    def passing(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        return self.status in _PASSING_STATUSES or (
            self.status >= 400 and parse_error(self.body).get("Code") in _PASSING_CODES
        )


class Reader(Protocol):
    """A body that is sent piece by piece."""

    def read(self, length: int = ..., /) -> bytes: ...
    def close(self) -> None: ...


class Body(Protocol):
    """What is sent: ``size`` in bytes, ``sha256`` in hex; opened anew for each attempt."""

    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    def open(self) -> bytes | Reader: ...


class Client:
    """Sends requests to one bucket. May be used by many threads, each of which gets a connection of its own.

    ``sleep`` takes seconds. Close it, or use it in a ``with`` statement, to close the connections.
    """

    def __init__(self, endpoint: Endpoint, identity: Identity, sleep: Callable[[float], None] = time.sleep) -> None:
        self.endpoint = endpoint
        self.region = identity.region
        self._identity = identity
        self._signer = Signer(identity.region)
        self._sleep = sleep
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._tls: SSLContext | None = _tls_context() if endpoint.secure else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def send(
        self,
        method: str,
        key: str,
        body: Body,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request for ``key`` (empty: the bucket itself) and return the answer, whatever its status.

        An answer that is still one of a passing fault after all attempts is returned as it is. Raises
        `UnreachableError` when no attempt brought an answer.
        """
        path = encode_path(f"{self.endpoint.base}/{key}")
        encoded_query = encode_query(query or {})
        attempt = 1
        while True:
            request = SignedRequest(
                method, path, encoded_query, {"host": self.endpoint.authority, **(headers or {})}, body.sha256
            )
            connection, kept = self._connection()
            try:
                answer = self._exchange(connection, request, body)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                    continue  # the service had closed an idle connection: no fault, and no more than one for each kept
                if attempt >= (ATTEMPTS_TO_REACH if _unreachable(error) else ATTEMPTS):
                    raise self._explain(error) from error
            except BaseException:
                connection.close()
                raise
            else:
                self._idle.append(connection)
                if attempt >= ATTEMPTS or not answer.passing():
                    return answer
            self.pause(attempt)
            attempt += 1

    def pause(self, attempt: int) -> None:
        """Wait before the attempt after ``attempt``: longer each time, by chance, so that threads do not come in step.

        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (attempt - 1))
        self._sleep(random.uniform(0, longest))  # noqa: S311 - not a secret

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for the caller alone, and whether it was used before and is still open."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._new_connection(), False
        # http.client closes its socket itself after an answer that says `Connection: close`.
        return connection, connection.sock is not None

    def _new_connection(self) -> http.client.HTTPConnection:
        host, port = self.endpoint.host, self.endpoint.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT, blocksize=_BLOCK)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, blocksize=_BLOCK, context=self._tls)

    def _exchange(self, connection: http.client.HTTPConnection, request: SignedRequest, body: Body) -> Answer:
        headers = self._signer.sign(request, self._identity.keys(), datetime.now(UTC))
        if request.method == "PUT":
            headers["content-length"] = str(body.size)
        target = f"{request.path}?{request.query}" if request.query else request.path
        content = body.open()
        try:
            connection.request(request.method, target, content, headers)
        finally:
            if not isinstance(content, bytes):
                content.close()
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def _explain(self, error: Exception) -> UnreachableError:
        import ssl

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


def _unreachable(error: Exception) -> bool:
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
