"""The function service: every function there is, its environments made when they are first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..exceptions import EmulatorError
from ..log import Log
from ..records import Record
from .environments import Environments, Quota
from .invocation import Invocation
from .reaping import Reaper
from .spec import FunctionSpec

IDLE_LIMIT = 300.0
"""Seconds without a request after which an environment ends; AWS names no number."""


class FunctionService:
    """Runs the functions that ``specs`` describe, by their names.

    ``concurrency`` requests at most are at work at once in all functions together, save those that have a number of
    their own reserved, which does not count here. ``changed`` hears of a record again when the function is done with
    it, which may be after its answer.
    """

    def __init__(
        self,
        specs: Mapping[str, FunctionSpec],
        concurrency: int,
        log: Log,
        *,
        idle_limit: float = IDLE_LIMIT,
        changed: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self._reaper = Reaper()
        account = Quota(concurrency, "start with a larger --concurrency")
        self._functions = {
            name: Environments(
                spec,
                name if len(specs) > 1 else "fn",
                account if spec.concurrency is None else _reserved(name, spec.concurrency),
                log,
                self._reaper,
                idle_limit,
                changed,
            )
            for name, spec in specs.items()
        }

    def start(self, name: str) -> None:
        """Starts one environment of a function, so that its first request finds it warm or nearly so."""
        self._function(name).start()

    async def settled(self) -> None:
        """Waits until the environments that were started have booted, or have failed to."""
        await asyncio.gather(*(function.settled() for function in self._functions.values()))

    def invoke(
        self,
        name: str,
        event: bytes,
        request_id: str,
        patience: float | None,
        *,
        streaming: bool = False,
        record: Record | None = None,
    ) -> Coroutine[Any, Any, Invocation]:
        """Has a function answer ``event``; returns the invocation with its outcome in place.

        With ``streaming`` it returns as soon as the answer begins; the invocation has a `ResponseStream` to read it
        from, which the caller has to close.

        ``patience`` is the front door's time limit in seconds, waiting for an environment included; None for no limit.
        Raises `FunctionFailed`. When patience runs out the function itself goes on, as behind a real front door.

        ``record`` is filled in as far as the function knows: when this returns, all but the end of the log.
        """
        return self._function(name).invoke(event, request_id, patience, streaming, record)

    def replace(self) -> None:
        """Has new processes take over: idle ones end now, busy ones after their answer.

        A function that had an environment gets a new one at once.
        """
        for function in self._functions.values():
            function.replace()

    async def stop(self) -> None:
        """Ends every process and removes what they kept; requests still waiting fail."""
        await asyncio.gather(*(function.stop() for function in self._functions.values()))
        await self._reaper.stop()

    def _function(self, name: str) -> Environments:
        try:
            return self._functions[name]
        except KeyError:
            known = ", ".join(self._functions) or "none"
            raise EmulatorError(f"There is no function {name!r}; there are: {known}.") from None


def _reserved(name: str, limit: int) -> Quota:
    return Quota(limit, f"raise ReservedConcurrentExecutions of the function {name}")
