"""A CDN before a front door that a test makes up, with a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from emulator.blueprint import Behaviour, CachePolicy, Distribution
from emulator.bucket import BucketClient
from emulator.cdn import Cdn
from emulator.http import Request, Response
from tests.emulator.helpers import Heard

KEPT = CachePolicy(minimum=0, default=60, maximum=3600)

Door = Callable[[Request], Response | Awaitable[Response]]


def header(response: Response, name: str) -> str | None:
    values = [value for key, value in response.headers if key.lower() == name]
    return ", ".join(values) if values else None


def state(response: Response) -> str:
    """The word in X-Cache, and the age where it is said."""
    cache, age = header(response, "x-cache"), header(response, "age")
    assert cache is not None
    return cache.removesuffix(" from cloudfront") + (f" {age}" if age is not None else "")


def get(path: str = "/", query: str = "", method: str = "GET", **headers: str) -> Request:
    sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method, path, query, headers=sent, client="192.0.2.7")


def behaviour(cache: CachePolicy = KEPT, **settings: Any) -> Behaviour:
    return Behaviour("*", "door", cache=cache, **settings)


@dataclass
class Edge:
    """``asked`` is what has reached the door; ``now`` the time, to be set."""

    door: Door
    distribution: Distribution = field(default_factory=lambda: Distribution((behaviour(),)))
    fresh: bool = False
    patience: float | None = 30.0
    now: float = 1_000_000.0
    asked: list[Request] = field(default_factory=list)
    log: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self._bucket = BucketClient("http://127.0.0.1:9", "files", None)
        self.cdn = Cdn(
            self.distribution,
            self._answer,
            self._bucket,
            self.log,
            fresh=self.fresh,
            clock=lambda: self.now,
            patience=self.patience,
        )

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        answer = self.door(request)
        return answer if isinstance(answer, Response) else await answer

    def ask(self, *requests: Request) -> list[Response]:
        """The answers, one after another."""

        async def main() -> list[Response]:
            try:
                return [await self.cdn(request) for request in requests]
            finally:
                await self._bucket.close()

        return asyncio.run(main())
