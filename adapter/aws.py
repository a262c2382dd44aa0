"""Signed calls of AWS's services with the standard library alone, for what the adapter itself needs of them.

In a process that has Django, the first call by boto3 takes 0.14 s of processor time and 19 MB of memory, by this module
0.04 s and 2 MB, most of it for TLS. It is imported when that call is made.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import random
import ssl
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from .exceptions import ConfigurationError, ServiceError

TIMEOUT = 3.0
"""Seconds without any sign from a service after which a call is given up, so that three attempts fit into INIT's ten.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
"""

IDLE = 20.0
"""Seconds without use after which a connection is not trusted any more: a NAT gateway may have forgotten it during a
freeze, and to find out would take `TIMEOUT`.

https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
"""

_ATTEMPTS = 3
_FIRST_PAUSE = 0.1
_ALGORITHM = "AWS4-HMAC-SHA256"
_TEMPORARY = frozenset({"RequestThrottled", "ThrottlingException", "Throttling", "TooManyRequestsException"})


class Keys(NamedTuple):
    """One set of credentials; the secrets stay out of the repr, and so out of logs and tracebacks."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Keys(access_key={self.access_key!r})"


class Answer(NamedTuple):
    """What a service has answered; names of ``headers`` as they came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """Speaks to one service of the function's own region; may be used by several threads.

    ``service`` is its name in its address and in signatures. Connections are kept: to set one up takes longer than most
    calls. They may be closed at any time (before a snapshot, say), and are then opened again.
    """

    def __init__(self, service: str, timeout: float = TIMEOUT) -> None:
        self._service = service
        self._timeout = timeout
        self._region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        if not self._region:
            raise ConfigurationError(
                "AWS_REGION is not set. Lambda sets it; elsewhere set it to the region of your stack, as in eu-west-1."
            )
        # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        endpoint = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        self._endpoint = urlsplit(endpoint or f"https://{service}.{self._region}.{suffix}")
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []  # and when it was last used (wall clock)

    def call(self, operation: str, parameters: Mapping[str, Any], *, version: str = "1.1") -> dict[str, Any]:
        """The answer to ``operation`` (``AmazonSSM.GetParametersByPath``) of a service that speaks JSON.

        ``version`` is that of its protocol. Raises `ServiceError`.
        https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
        """
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": operation}
        answer = self.post("/", json.dumps(parameters).encode(), headers, operation.partition(".")[2])
        made: dict[str, Any] = json.loads(answer.body or b"{}")
        return made

    def post(self, path: str, body: bytes, headers: Mapping[str, str], operation: str) -> Answer:
        """The answer to a POST, tried three times where the service is busy or can't be reached.

        ``path`` is percent-encoded. Raises `ServiceError`, also for answers of status 400 and above.
        """
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            if attempt > 1:
                time.sleep(pause * (0.5 + random.random()))  # noqa: S311 - so that many don't come back at once
                pause *= 4
            try:
                answer = self._send(path, body, self._signed(path, body, headers))
            except (OSError, http.client.HTTPException) as error:
                failure = ServiceError(
                    f"{self._service} can't be reached at {self._endpoint.netloc} for {operation}: "
                    f"{type(error).__name__}: {error}. A function in a VPC needs a VPC endpoint, or a NAT gateway."
                )
                continue
            if answer.status < 400:
                return answer
            failure = self._refusal(operation, answer)
            if answer.status < 500 and failure.code not in _TEMPORARY:
                break
        raise failure

    def _send(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Over a kept connection where there is one; what has ended meanwhile, in a freeze above all, is replaced."""
        while self._idle:
            connection, used = self._idle.pop()
            if not 0 <= time.time() - used < IDLE:
                connection.close()
                continue
            try:
                return self._exchange(connection, path, body, headers)
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException):
                continue
        return self._exchange(self._connection(), path, body, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append((connection, time.time()))
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._endpoint.hostname or "", self._endpoint.port
        if self._endpoint.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)

    def _signed(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        headers = {**headers, "host": self._endpoint.netloc}
        return sign(path, body, headers, find_keys(), self._service, self._region, time.time())

    def _refusal(self, operation: str, answer: Answer) -> ServiceError:
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = {}
        if not isinstance(said, dict):
            said = {}
        # By which of the three a service names its errors depends on the service.
        named = answer.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code") or ""
        code = str(named).partition(":")[0].rpartition("#")[2]
        message = said.get("message") or said.get("Message") or answer.body[:200].decode(errors="replace")
        return ServiceError(f"{self._service} refuses {operation}: {answer.status} {code} {message}".rstrip(), code)

    def close(self) -> None:
        """Close the connections that are kept; the next call opens another."""
        while self._idle:
            self._idle.pop()[0].close()


def sign(
    path: str, body: bytes, headers: Mapping[str, str], keys: Keys, service: str, region: str, now: float
) -> dict[str, str]:
    """``headers`` (names in lower case, ``host`` among them) of a POST to ``path``, with those of its signature.

    ``path`` is percent-encoded as it is sent, and has no query; ``now`` is in seconds since the epoch.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "x-amz-date": timestamp}
    if keys.token:
        signed["x-amz-security-token"] = keys.token
    names = sorted(signed)
    lines = [f"{name}:{' '.join(signed[name].split())}" for name in names]
    # Every service but S3 has the path encoded a second time.
    canonical = "\n".join(
        ("POST", quote(path, safe="/~"), "", *lines, "", ";".join(names), hashlib.sha256(body).hexdigest())
    )
    scope = "/".join((timestamp[:8], region, service, "aws4_request"))
    to_sign = "\n".join((_ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    signed["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed


def find_keys() -> Keys:
    """The function's own: of its environment, or, with SnapStart, of the address that Lambda names instead.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials
    """
    environment = os.environ
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Keys(access_key, secret_key, environment.get("AWS_SESSION_TOKEN", ""))
    address = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not address:
        raise ConfigurationError(
            "No AWS credentials were found. Lambda gives every function its role's; elsewhere set AWS_ACCESS_KEY_ID "
            'and AWS_SECRET_ACCESS_KEY, for example by: eval "$(aws configure export-credentials --format env)".'
        )
    return _container.keys(address)


class _Container:
    """Keys that an HTTP server hands out for some hours.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """

    _SPARE = 300.0  # seconds before their end from which on there should be new ones

    def __init__(self) -> None:
        self._keys: Keys | None = None
        self._end = 0.0

    def keys(self, address: str) -> Keys:
        # By the wall clock: time passes in a snapshot, too.
        if self._keys is None or time.time() > self._end - self._SPARE:
            self._keys, self._end = self._fetch(address)
        return self._keys

    def _fetch(self, address: str) -> tuple[Keys, float]:
        parts = urlsplit(address)
        token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
        try:
            connection.request("GET", parts.path or "/", headers={"Authorization": token} if token else {})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise ServiceError(f"The function's credentials can't be had: {address} answers {response.status}.")
            found = json.loads(body)
            end = datetime.fromisoformat(found["Expiration"]).timestamp()
            return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["Token"]), end
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise ServiceError(
                f"The function's credentials can't be had from {address}: {type(error).__name__}: {error}."
            ) from None
        finally:
            connection.close()


_container = _Container()
