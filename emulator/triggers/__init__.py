"""What invokes functions besides front doors: queues, schedules, and the bucket's notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from static_sync.stores.s3.credentials import Identity, Keys

from ..blueprint import Blueprint
from ..bucket import ObjectChange
from ..log import Log
from ..records import Recorder
from .asynchronous import RETRY_DELAYS, Asynchronous
from .delivery import Invoke, Postman
from .notifications import Notifications
from .queues import Poller, create_queues, objections
from .schedules import Schedules
from .sqs import SqsClient

ACCOUNT = "123456789012"
"""The account that ARNs name; moto's own too."""


def emulated_identity(region: str) -> Identity:
    """Who asks moto, which takes any signature."""
    keys = Keys("emulator", "emulator")
    return Identity(region, lambda: keys)


class Triggers:
    """Everything in ``blueprint`` that invokes functions by itself; ``invoke`` does so.

    ``endpoint`` is the SQS service, asked as ``identity``; ``bucket`` the one whose changes `changed` is told of;
    ``delays`` the seconds before failed asynchronous invocations are tried again. Raises `InvalidSchedule`.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        invoke: Invoke,
        log: Log,
        recorder: Recorder,
        *,
        endpoint: str,
        identity: Identity,
        bucket: str,
        delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._blueprint = blueprint
        self._log = log
        self._sqs = SqsClient(endpoint, identity)
        self._postman = Postman(invoke, recorder, log)
        self._asynchronous = Asynchronous(self._postman, log, delays)
        self._schedules = Schedules(
            blueprint.schedules, self._asynchronous, log, region=identity.region, account=ACCOUNT
        )
        self._notifications = Notifications(
            blueprint.notifications, bucket, self._asynchronous, region=identity.region, account=ACCOUNT
        )
        self._pollers: list[Poller] = []
        self.queue_urls: dict[str, str] = {}
        """By the queue's name, from `start` on."""

    async def start(self) -> None:
        """Returns when the queues are there and polled; raises `QueueError`."""
        queues = {queue.name: queue for queue in self._blueprint.queues}
        if queues:
            self.queue_urls = await create_queues(queues.values(), self._sqs)
        for mapping in self._blueprint.mappings:
            queue = queues.get(mapping.queue)
            if queue is None:
                known = ", ".join(queues) or "none"
                self._log.caution(f"{mapping.function} gets nothing from {mapping.queue}: the queues here are {known}.")
                continue
            for objection in objections(mapping, queue, self._blueprint.functions[mapping.function]):
                self._log.caution(f"AWS would refuse to connect {queue.name} with {mapping.function}: {objection}.")
            if mapping.enabled:
                poller = Poller(mapping, queue, self.queue_urls[queue.name], self._sqs, self._postman, self._log)
                self._pollers.append(poller)
                poller.start()
        self._schedules.start()

    def changed(self, change: ObjectChange) -> None:
        """What became of an object, for `BucketServer.on_change`."""
        self._notifications.changed(change)

    def fire(self, name: str) -> asyncio.Task[bool]:
        """Sends the event of the schedule ``name`` now; the task's result is whether the function has taken it.

        Raises KeyError where there is no such schedule.
        """
        return self._schedules.fire(name)

    async def stop(self) -> None:
        """Nothing is invoked any more; what is under way is broken off."""
        await asyncio.gather(
            self._schedules.stop(), self._asynchronous.stop(), *(poller.stop() for poller in self._pollers)
        )
        await self._sqs.close()
