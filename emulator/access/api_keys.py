"""API keys of a REST API, in the header ``X-Api-Key``.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ..front_doors.contract import Refusal, Refused
from ..http import Request


class ApiKeys:
    """The keys that count; usage plans, with their quotas and rates, are not emulated."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)

    def identity(self, request: Request) -> dict[str, str]:
        """What an event's ``identity`` says of the key; empty where there is none that counts."""
        key = request.header("x-api-key")
        if key not in self._keys:
            return {}
        # On AWS the id is any ten letters and digits; here the same key always has the same.
        return {"apiKey": key, "apiKeyId": hashlib.sha256(key.encode()).hexdigest()[:10]}

    def refused(self, request: Request) -> Refused:
        """Why there is no key that counts."""
        if request.header("x-api-key") is None:
            return Refused(Refusal.NO_KEY, "there is no X-Api-Key header, and the door asks for one")
        return Refused(Refusal.NO_KEY, "what X-Api-Key holds is none of the door's API keys")
