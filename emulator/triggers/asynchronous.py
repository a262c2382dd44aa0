"""Asynchronous invocations: what Lambda does with events that nobody waits for, such as those of S3 and of schedules.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..front_doors.contract import Failure
from ..function.invocation import FunctionFailed
from ..log import Log
from .delivery import Delivery, Patience, Postman

RETRY_DELAYS = (60.0, 120.0)
"""Seconds before the second and the third attempt."""
_THROTTLED = Patience(6 * 3600, first=1, longest=300)


class Asynchronous:
    """Takes events to their functions in the background; one that fails is tried again after each of ``delays``."""

    def __init__(self, postman: Postman, log: Log, delays: Sequence[float] = RETRY_DELAYS) -> None:
        self._postman = postman
        self._log = log
        self._delays = delays
        self._tasks: set[asyncio.Task[bool]] = set()

    def send(self, delivery: Delivery) -> asyncio.Task[bool]:
        """Returns at once; the task's result is whether the function has taken the event, in whichever attempt."""
        task = asyncio.create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, delivery: Delivery) -> bool:
        delays = iter(self._delays)
        attempts = 1
        while True:
            try:
                await self._postman.deliver(delivery, _THROTTLED)
            except FunctionFailed as failed:
                delay = None if failed.failure is Failure.THROTTLED else next(delays, None)
                if delay is None:
                    self._log.error(f"{delivery}: {failed}; given up after {attempts} attempts, the event is lost")
                    return False
                self._log.error(f"{delivery}: {failed}; tried again in {delay:g} s, as Lambda does")
            else:
                return True
            await asyncio.sleep(delay)
            attempts += 1

    async def stop(self) -> None:
        """Events that are still on their way are lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
