"""Queues and their event source mappings: messages go to functions in batches, and are deleted when those succeed.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Coroutine, Iterator
from typing import Any

from .. import blueprint
from ..front_doors.limits import serialise
from ..function.invocation import FunctionFailed
from ..log import Log
from .delivery import Delivery, Patience, Postman
from .sqs import QueueError, SqsClient

Message = dict[str, Any]
"""A message as SQS's API gives it."""

_MOST = 10
"""Messages that one request receives or deletes."""
_LONGEST_WAIT = 20
_LARGEST_EVENT = 6 << 20
_ENVELOPE = len('{"Records":[]}')
_BATCHES = 5
"""Batches at a time where the mapping sets no limit: what Lambda begins with. It adds more; here that would only find
the limit of the environments."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 20.0
"""Seconds between attempts when a function is throttled or SQS can't be reached. Lambda's own are not documented."""


async def create_queues(queues: Collection[blueprint.Queue], sqs: SqsClient) -> dict[str, str]:
    """The URL of each of ``queues`` by its name; those that are not there yet are created. Raises `QueueError`."""
    urls: dict[str, str] = {}
    created = []
    for queue in queues:
        try:
            answer = await sqs.call("GetQueueUrl", QueueName=queue.name)
        except QueueError as error:
            if error.code != "QueueDoesNotExist":
                raise
            attributes = {"VisibilityTimeout": f"{queue.visibility:.0f}", "DelaySeconds": f"{queue.delay:.0f}"}
            if queue.fifo:
                attributes["FifoQueue"] = "true"
                attributes["ContentBasedDeduplication"] = "true" if queue.deduplicated else "false"
            answer = await sqs.call("CreateQueue", QueueName=queue.name, Attributes=attributes)
            created.append(queue)
        urls[queue.name] = answer["QueueUrl"]
    for queue in created:  # when all are there, as any may be the dead-letter queue of any
        if queue.dead_letters is not None:
            dead = queue.dead_letters.queue
            if dead not in urls:
                raise QueueError(
                    "", f"{dead}, to which {queue.name} gives its dead letters, is no queue that is known."
                )
            policy = {
                "deadLetterTargetArn": await arn_of(urls[dead], sqs),
                "maxReceiveCount": queue.dead_letters.receives,
            }
            await sqs.call(
                "SetQueueAttributes", QueueUrl=urls[queue.name], Attributes={"RedrivePolicy": json.dumps(policy)}
            )
    return urls


async def arn_of(url: str, sqs: SqsClient) -> str:
    answer = await sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def objections(mapping: blueprint.QueueMapping, queue: blueprint.Queue, function: blueprint.Function) -> Iterator[str]:
    """Why AWS would refuse to create ``mapping``.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """
    if queue.visibility < function.timeout:
        yield (
            f"the queue's visibility timeout of {queue.visibility:g} s is shorter than the timeout of {function.name}, "
            f"{function.timeout:g} s; six times that is recommended"
        )
    if queue.fifo and mapping.window:
        yield "a FIFO queue can have no batching window"
    if queue.fifo and mapping.batch > _MOST:
        yield f"a batch from a FIFO queue has at most {_MOST} messages and not {mapping.batch}"
    if not queue.fifo and mapping.batch > _MOST and not mapping.window:
        yield f"a batch of more than {_MOST} messages needs a batching window of 1 s or longer"
    if mapping.concurrency is not None and mapping.concurrency < 2:
        yield "a maximum concurrency is 2 or more"


class Poller:
    """One mapping at work: receives from the queue at ``url`` and invokes, until it is stopped."""

    def __init__(
        self,
        mapping: blueprint.QueueMapping,
        queue: blueprint.Queue,
        url: str,
        sqs: SqsClient,
        postman: Postman,
        log: Log,
    ) -> None:
        self._mapping = mapping
        self._queue = queue
        self._url = url
        self._sqs = sqs
        self._postman = postman
        self._log = log
        self._arn = ""
        self._free = asyncio.Semaphore(mapping.concurrency or _BATCHES)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._begin(self._run())

    async def stop(self) -> None:
        """What is under way is broken off; its messages come back when they are visible again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        pause = 0.0
        while True:
            try:
                self._arn = self._arn or await arn_of(self._url, self._sqs)
                async with self._free:
                    batch, received = await self._gather()
            except QueueError as error:
                if not pause:
                    self._log.error(f"No messages come from {self._queue.name} until SQS answers again. {error}")
                pause = min(2 * pause or _FIRST_PAUSE, _LONGEST_PAUSE)
                await asyncio.sleep(pause)
                continue
            pause = 0.0
            for part in parts(batch, self._arn):
                await self._free.acquire()
                self._begin(self._process(part, received))

    async def _gather(self) -> tuple[list[Message], float]:
        """A batch, and when the first of it was received; empty when none came for a while."""
        batch = await self._receive(self._mapping.batch, _LONGEST_WAIT)
        received = time.monotonic()
        size = sum(_size(message, self._arn) for message in batch)
        while batch and len(batch) < self._mapping.batch and size < _LARGEST_EVENT:
            left = received + self._mapping.window - time.monotonic()
            if left <= 0:
                break
            more = await self._receive(self._mapping.batch - len(batch), min(int(left), _LONGEST_WAIT))
            batch += more
            size += sum(_size(message, self._arn) for message in more)
            if not more and left < 1:
                await asyncio.sleep(min(left, 0.1))
        return batch, received

    async def _receive(self, most: int, wait: int) -> list[Message]:
        answer = await self._sqs.call(
            "ReceiveMessage",
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, _MOST),
            WaitTimeSeconds=wait,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages") or []
        return messages

    async def _process(self, batch: list[Message], received: float) -> None:
        name, function = self._queue.name, self._mapping.function
        many = f"{len(batch)} message{'s' if len(batch) > 1 else ''}"
        back = f"{many} come{'s' if len(batch) == 1 else ''} back when the visibility timeout is over"
        try:
            delivery = Delivery(function, event_of(batch, self._arn), "queue", name, name, many)
            left = self._queue.visibility - (time.monotonic() - received)
            answer = await self._postman.deliver(delivery, Patience(left, _FIRST_PAUSE, _LONGEST_PAUSE))
            failed = self._failed(answer, batch)
            if failed:
                self._log.caution(f"{name}: {len(failed)} of {many} failed in {function}")
            await self._delete([message for message in batch if message["MessageId"] not in failed])
        except FunctionFailed as error:
            self._log.error(f"{name}: {error}; {back}")
        except QueueError as error:
            self._log.error(f"{name}: messages that are done could not be deleted, and will come again. {error}")
        finally:
            self._free.release()

    def _failed(self, answer: bytes, batch: list[Message]) -> set[str]:
        identifiers = {message["MessageId"] for message in batch}
        if not self._mapping.partial:
            if b'"batchItemFailures"' in answer and b'"itemIdentifier"' in answer:
                self._log.caution(
                    f"{self._queue.name}: {self._mapping.function} names messages that failed, but nobody asks: the "
                    "mapping needs FunctionResponseTypes: [ReportBatchItemFailures]. All of the batch are deleted"
                )
            return set()
        try:
            return failed_items(answer, identifiers)
        except OddAnswer as error:
            self._log.error(f"{self._queue.name}: {error}. As on AWS, all of the batch count as failed")
            return identifiers

    async def _delete(self, messages: list[Message]) -> None:
        for start in range(0, len(messages), _MOST):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[start : start + _MOST])
            ]
            answer = await self._sqs.call("DeleteMessageBatch", QueueUrl=self._url, Entries=entries)
            for refused in answer.get("Failed") or []:
                raise QueueError(str(refused.get("Code")), str(refused.get("Message")))


def parts(batch: list[Message], arn: str) -> Iterator[list[Message]]:
    """``batch`` in its order, in parts that are no larger than an event may be."""
    part: list[Message] = []
    size = 0
    for message in batch:
        own = _size(message, arn)
        if part and size + own > _LARGEST_EVENT - _ENVELOPE:
            yield part
            part, size = [], 0
        part.append(message)
        size += own
    if part:
        yield part


def _size(message: Message, arn: str) -> int:
    """Bytes of its record and the comma after it."""
    return len(serialise(_record(message, arn))) + 1


class OddAnswer(Exception):
    """An answer to a batch that can't be followed; says what is odd."""


def failed_items(answer: bytes, identifiers: set[str]) -> set[str]:
    """Which of the messages ``identifiers`` are to come back by the function's ``answer``.

    Raises `OddAnswer` for what counts as the failure of all: JSON that can't be read, and identifiers
    that are missing, empty or of no message in the batch. That an answer which is no object is among these is unproven.
    """
    try:
        said = json.loads(answer or b"null")
    except ValueError:
        raise OddAnswer("the function's answer is no JSON") from None
    if said is None:
        return set()
    items = said.get("batchItemFailures") if isinstance(said, dict) else said
    if items is None:
        return set()
    if not isinstance(said, dict) or not isinstance(items, list):
        raise OddAnswer('the function\'s answer has to be like {"batchItemFailures": [{"itemIdentifier": "..."}]}')
    failed = set()
    for item in items:
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or identifier not in identifiers:
            raise OddAnswer(f"batchItemFailures has {json.dumps(item)}, which names no messageId of the batch")
        failed.add(identifier)
    return failed


def event_of(batch: list[Message], arn: str) -> bytes:
    """The event for ``batch`` from the queue ``arn``."""
    return serialise({"Records": [_record(message, arn) for message in batch]})


def _record(message: Message, arn: str) -> dict[str, Any]:
    attributes = message.get("Attributes") or {}
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {name: attributes[name] for name in _ATTRIBUTES if name in attributes},
        "messageAttributes": {
            name: _message_attribute(value) for name, value in (message.get("MessageAttributes") or {}).items()
        },
        # The documented example leaves it out; functions log null where there are no attributes.
        "md5OfMessageAttributes": message.get("MD5OfMessageAttributes"),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


_ATTRIBUTES = (
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
)


def _message_attribute(value: dict[str, Any]) -> dict[str, Any]:
    found = {
        "stringValue": value.get("StringValue"),
        "binaryValue": value.get("BinaryValue"),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    return {name: part for name, part in found.items() if part is not None}
