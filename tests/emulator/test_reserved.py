from __future__ import annotations

import asyncio

import pytest

from emulator.http import Request, Response
from emulator.reserved import Reserved
from emulator.server import Handler


def named(name: str) -> Handler:
    async def answer(request: Request) -> Response:
        return Response(200, body=name.encode())

    return answer


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "site"),
        ("/shop/.faas/", "site"),
        ("/.faasten/", "site"),
        ("/.FAAS/", "site"),
        ("/.faas", "console"),
        ("/.faas/", "console"),
        ("/.faas/api/invocations", "console"),
        ("/.faas/cloudfrontier", "console"),
        ("/.faas/cloudfront/2020-05-31/distribution/E1/invalidation", "cloudfront"),
    ],
)
def test_who_answers(path: str, expected: str) -> None:
    handler = Reserved(named("site"), named("console"), named("cloudfront"))
    assert asyncio.run(handler(Request("GET", path))).body.decode() == expected
