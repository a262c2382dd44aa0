"""A load balancer's health checks: it asks a function, now and then, whether all is well."""

from __future__ import annotations

import asyncio

from .gateway import Gateway
from .log import Log

INTERVAL = 35.0
"""Seconds between two checks of a function:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#enable-health-checks-lambda"""


class HealthChecks:
    """Asks for ``path`` by the front door called ``name``; tells when the function falls ill, and when it is well."""

    def __init__(self, name: str, path: str, gateway: Gateway, log: Log) -> None:
        self._name = name
        self._path = path
        self._gateway = gateway
        self._log = log

    async def run(self) -> None:
        """Does so until it is cancelled."""
        well = True
        while True:
            status = await self._gateway.check_health(self._path)
            if well != (status == 200):
                well = status == 200
                said = "is healthy again" if well else f"is unhealthy: it answers {self._path} with {status}, not 200"
                (self._log.note if well else self._log.error)(f"{self._name}: the function {said}")
            await asyncio.sleep(INTERVAL)
