"""A lean client of SQS: JSON over kept connections, signed without botocore, which takes 0.15 s to import.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from static_sync.stores.s3.credentials import Identity
from static_sync.stores.s3.signing import Request, Signer

from ..exceptions import EmulatorError

_TYPE = "application/x-amz-json-1.0"
_TIMEOUT = aiohttp.ClientTimeout(total=60)


class QueueError(EmulatorError):
    """A queue's service can't be reached, or refuses; ``code`` is its own, such as ``QueueDoesNotExist``, or empty."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SqsClient:
    """Speaks to the SQS service at ``endpoint``."""

    def __init__(self, endpoint: str, identity: Identity) -> None:
        self.region = identity.region
        self._endpoint = endpoint.rstrip("/")
        self._identity = identity
        self._path = urlsplit(self._endpoint).path + "/"
        self._signer = Signer(urlsplit(self._endpoint).netloc, identity.region, "sqs")
        self._session: aiohttp.ClientSession | None = None

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """The answer to ``operation``; raises `QueueError`."""
        if self._session is None:
            # Each poller holds a connection while it waits.
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT
            )
        body = json.dumps(parameters).encode()
        try:
            async with self._session.post(
                f"{self._endpoint}/", data=body, headers=self._headers(operation, body), allow_redirects=False
            ) as response:
                status, content = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise QueueError("", f"SQS at {self._endpoint} can't be reached: {error!r}") from error
        try:
            answer = json.loads(content or b"{}")
        except ValueError:
            answer = None
        if status == 200 and isinstance(answer, dict):
            return answer
        about = answer if isinstance(answer, dict) else {}
        code = str(about.get("__type", "")).rpartition("#")[2]
        message = about.get("message") or about.get("Message") or content[:200].decode(errors="replace")
        raise QueueError(code, f"SQS at {self._endpoint} refuses {operation}: {status} {code} {message}")

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        """The signer writes whole heads; the lines of this one are handed on as they were signed."""
        headers = {"content-type": _TYPE, "x-amz-target": f"AmazonSQS.{operation}"}
        request = Request("POST", self._path, "", headers, hashlib.sha256(body).hexdigest(), len(body))
        head = self._signer.head(request, self._identity.keys(), time.time()).decode()
        return dict(line.split(":", 1) for line in head.strip().split("\r\n")[1:])

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
