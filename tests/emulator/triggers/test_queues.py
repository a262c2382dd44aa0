from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from emulator.blueprint import Blueprint, DeadLetters, Function, Queue, QueueMapping
from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.server import Server
from emulator.triggers import Triggers, emulated_identity
from emulator.triggers.queues import OddAnswer, event_of, failed_items, objections, parts
from emulator.triggers.sqs import QueueError, SqsClient
from tests.emulator.triggers.helpers import FAILED, THROTTLED, Around, Functions, until

WORKER = Function("worker", timeout=1)


async def poll(
    moto: str,
    queues: tuple[Queue, ...],
    mapping: QueueMapping,
    functions: Functions,
    use: Callable[[Any, Around], Awaitable[None]],
) -> None:
    """Has ``use`` talk to the queues, while ``functions`` get what comes."""
    around = Around(functions)
    blueprint = Blueprint({"worker": WORKER}, (), queues=queues, mappings=(mapping,))
    triggers = Triggers(
        blueprint,
        functions.invoke,
        around.log,
        around.recorder,
        endpoint=moto,
        identity=emulated_identity("us-east-1"),
        bucket="shop",
    )
    client = SqsClient(moto, emulated_identity("us-east-1"))
    try:
        await triggers.start()

        async def call(operation: str, queue: str, **parameters: Any) -> dict[str, Any]:
            return await client.call(operation, QueueUrl=triggers.queue_urls[queue], **parameters)

        await use(call, around)
    finally:
        await triggers.stop()
        await client.close()


async def left(call: Any, queue: str) -> int:
    """Messages that are in the queue: visible, hidden or delayed."""
    answer = await call("GetQueueAttributes", queue, AttributeNames=["All"])
    return sum(
        int(answer["Attributes"][f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed")
    )


async def gone(call: Any, queue: str) -> None:
    for _ in range(300):
        if not await left(call, queue):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{queue} still has messages")


def batches(functions: Functions) -> list[list[str]]:
    return [[record["body"] for record in event["Records"]] for event in functions.events]


def bodies(functions: Functions, start: int = 0) -> list[str]:
    return [body for batch in batches(functions)[start:] for body in batch]


def test_a_message_becomes_the_event_of_aws_and_is_deleted(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        await call(
            "SendMessage",
            "event",
            MessageBody='{"größe": "1\\n"}',
            MessageAttributes={
                "kind": {"DataType": "String", "StringValue": "thumbnail"},
                "raw": {"DataType": "Binary", "BinaryValue": "AP8="},
            },
        )
        await gone(call, "event")
        await until(lambda: around.records[0].ended)
        assert json.loads(around.records[0].event) == functions.events[0]
        [record] = functions.events[0]["Records"]
        attributes = record.pop("attributes")
        assert sorted(attributes) == [
            "ApproximateFirstReceiveTimestamp",
            "ApproximateReceiveCount",
            "SenderId",
            "SentTimestamp",
        ]
        assert attributes["ApproximateReceiveCount"] == "1"
        assert all(isinstance(value, str) for value in attributes.values())
        for name in ("messageId", "receiptHandle", "md5OfMessageAttributes"):
            assert record.pop(name)
        assert record == {
            "body": '{"größe": "1\\n"}',
            "messageAttributes": {
                "kind": {
                    "stringValue": "thumbnail",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                },
                "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
            },
            "md5OfBody": hashlib.md5(record["body"].encode()).hexdigest(),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:event",
            "awsRegion": "us-east-1",
        }
        [kept] = around.records
        assert (kept.source, kept.origin, kept.title, kept.target) == ("queue", "event", "event", "1 message")
        assert "event: 1 message  worker, " in around.log.text

    functions = Functions()
    asyncio.run(poll(moto, (Queue("event"),), QueueMapping("event", "worker"), functions, use))


def test_a_batch_is_full_or_its_window_is_over(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        for several in (range(10), range(10, 15)):
            entries = [{"Id": str(n), "MessageBody": str(n)} for n in several]
            await call("SendMessageBatch", "window", Entries=entries)
        await gone(call, "window")
        assert [len(batch) for batch in batches(functions)] == [12, 3]
        assert sorted(bodies(functions), key=int) == [str(n) for n in range(15)]
        assert functions.times[1] - functions.times[0] >= 0.9

    functions = Functions()
    mapping = QueueMapping("window", "worker", batch=12, window=1)
    asyncio.run(poll(moto, (Queue("window"),), mapping, functions, use))


def test_a_failed_batch_comes_back_and_ends_as_dead_letters(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        await call("SendMessage", "failing", MessageBody="poison")
        await until(lambda: len(functions.calls) == 2)
        counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in functions.events]
        assert counts == ["1", "2"]
        assert functions.times[1] - functions.times[0] >= 1  # the visibility timeout
        await gone(call, "failing")
        answer = await call("ReceiveMessage", "dead", WaitTimeSeconds=5)
        assert [message["Body"] for message in answer["Messages"]] == ["poison"]
        assert len(functions.calls) == 2
        assert "failing: it raised; 1 message comes back" in around.log.text

    functions = Functions(lambda event: FAILED)
    queues = (Queue("failing", visibility=1, dead_letters=DeadLetters("dead", 2)), Queue("dead"))
    asyncio.run(poll(moto, queues, QueueMapping("failing", "worker"), functions, use))


def test_of_a_partial_failure_only_what_failed_comes_back(moto: str) -> None:
    def answer(event: dict[str, Any]) -> Any:
        records = event["Records"]
        first = records[0]["attributes"]["ApproximateReceiveCount"] == "1"
        failed = [record["messageId"] for record in records if record["body"] in "bd" and first]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}

    async def use(call: Any, around: Around) -> None:
        entries = [{"Id": body, "MessageBody": body} for body in "abcd"]
        await call("SendMessageBatch", "partial", Entries=entries)
        await gone(call, "partial")
        assert batches(functions)[0] == ["a", "b", "c", "d"]
        assert sorted(bodies(functions, 1)) == ["b", "d"]
        assert "partial: 2 of 4 messages failed in worker" in around.log.text

    functions = Functions(answer)
    mapping = QueueMapping("partial", "worker", partial=True)
    asyncio.run(poll(moto, (Queue("partial", visibility=1),), mapping, functions, use))


def test_failures_that_nobody_asked_for_are_told_and_deleted(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        await call("SendMessage", "unasked", MessageBody="x")
        await gone(call, "unasked")
        assert "needs FunctionResponseTypes: [ReportBatchItemFailures]" in around.log.text
        assert len(functions.calls) == 1

    functions = Functions(lambda event: {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]})
    asyncio.run(poll(moto, (Queue("unasked"),), QueueMapping("unasked", "worker"), functions, use))


def test_a_throttled_batch_is_tried_again_before_it_comes_back(moto: str) -> None:
    refusals = iter([THROTTLED, THROTTLED])

    async def use(call: Any, around: Around) -> None:
        await call("SendMessage", "throttled", MessageBody="x")
        await gone(call, "throttled")
        counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in functions.events]
        assert counts == ["1", "1", "1"]
        assert len(around.records) == 1

    functions = Functions(lambda event: next(refusals, None))
    asyncio.run(poll(moto, (Queue("throttled", visibility=5),), QueueMapping("throttled", "worker"), functions, use))


def test_no_more_batches_run_than_the_mapping_allows(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        for start in range(0, 30, 10):
            entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
            await call("SendMessageBatch", "parallel", Entries=entries)
        await gone(call, "parallel")
        assert functions.most == 3
        assert sorted(bodies(functions), key=int) == [str(n) for n in range(30)]

    functions = Functions()
    functions.seconds = 0.03
    mapping = QueueMapping("parallel", "worker", batch=1, concurrency=3)
    asyncio.run(poll(moto, (Queue("parallel"),), mapping, functions, use))


def test_a_fifo_queue_keeps_each_groups_order_and_a_failure_holds_its_group_alone(moto: str) -> None:
    failures = iter([True])

    def answer(event: dict[str, Any]) -> Any:
        """The first time, a2 fails: it and what follows in its group come back, as the documentation advises."""
        records = event["Records"]
        names = [record["body"] for record in records]
        if "a2" in names and next(failures, False):
            back = [record["messageId"] for record in records if record["body"] in {"a2", "a3"}]
            return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in back]}
        done.extend(names)
        return None

    async def use(call: Any, around: Around) -> None:
        entries = [
            {"Id": body, "MessageBody": body, "MessageGroupId": body[0], "MessageDeduplicationId": body}
            for body in ("a1", "b1", "a2", "b2", "a3")
        ]
        await call("SendMessageBatch", "jobs.fifo", Entries=entries)
        await until(lambda: functions.calls)
        await call("SendMessage", "jobs.fifo", MessageBody="b3", MessageGroupId="b", MessageDeduplicationId="b3")
        await until(lambda: "b3" in done, 1.8)  # while the other group waits
        assert "a2" not in done
        await gone(call, "jobs.fifo")
        assert batches(functions) == [["a1", "b1", "a2", "b2", "a3"], ["b3"], ["a2", "a3"]]
        first = functions.events[0]["Records"][0]["attributes"]
        assert (first["MessageGroupId"], first["MessageDeduplicationId"]) == ("a", "a1")
        assert len(first["SequenceNumber"]) == 20

    done: list[str] = []
    functions = Functions(answer)
    mapping = QueueMapping("jobs.fifo", "worker", partial=True)
    asyncio.run(poll(moto, (Queue("jobs.fifo", visibility=2, fifo=True),), mapping, functions, use))


def test_content_may_tell_messages_apart_and_a_delay_holds_them_back(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        for body in ("same", "same", "other"):
            await call("SendMessage", "unique.fifo", MessageBody=body, MessageGroupId="g")
        assert functions.calls == []
        await gone(call, "unique.fifo")
        assert bodies(functions) == ["same", "other"]

    functions = Functions()
    queue = Queue("unique.fifo", delay=1, fifo=True, deduplicated=True)
    asyncio.run(poll(moto, (queue,), QueueMapping("unique.fifo", "worker"), functions, use))


def test_what_is_not_enabled_is_not_polled(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        await call("SendMessage", "off", MessageBody="x")
        answer = await call("ReceiveMessage", "off", WaitTimeSeconds=2)
        assert len(answer["Messages"]) == 1

    functions = Functions()
    asyncio.run(poll(moto, (Queue("off"),), QueueMapping("off", "worker", enabled=False), functions, use))


def test_many_senders_and_receivers_at_once_lose_nothing(moto: str) -> None:
    """moto's own SQS does, when its threads meet."""

    async def use(call: Any, around: Around) -> None:
        async def send(sender: int) -> None:
            for start in range(0, 50, 10):
                entries = [{"Id": str(n), "MessageBody": f"{sender}-{n}"} for n in range(start, start + 10)]
                await call("SendMessageBatch", "busy", Entries=entries)

        await asyncio.gather(*map(send, range(8)))
        await gone(call, "busy")
        handled = bodies(functions)
        assert sorted(handled) == sorted(f"{sender}-{n}" for sender in range(8) for n in range(50))

    functions = Functions()
    asyncio.run(poll(moto, (Queue("busy", visibility=60),), QueueMapping("busy", "worker"), functions, use))


def test_a_receiver_that_has_left_takes_nothing_with_it(moto: str) -> None:
    async def use(call: Any, around: Around) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await call("ReceiveMessage", "left", WaitTimeSeconds=20)
        await call("SendMessage", "left", MessageBody="x")
        answer = await call("ReceiveMessage", "left", WaitTimeSeconds=2)
        assert [message["Body"] for message in answer["Messages"]] == ["x"]

    functions = Functions()
    asyncio.run(poll(moto, (Queue("left"),), QueueMapping("left", "worker", enabled=False), functions, use))


def test_boto3_finds_the_queue_and_may_wait_for_messages(moto: str) -> None:
    import boto3

    async def use(call: Any, around: Around) -> None:
        def client() -> None:
            sqs = boto3.client(
                "sqs", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
            )
            url = sqs.get_queue_url(QueueName="boto")["QueueUrl"]
            assert url == f"{moto}/123456789012/boto"
            assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
            sqs.send_message(QueueUrl=url, MessageBody="x")
            assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]) == 1
            with pytest.raises(sqs.exceptions.QueueDoesNotExist):
                sqs.get_queue_url(QueueName="none")
            sqs.close()

        await asyncio.to_thread(client)

    functions = Functions()
    asyncio.run(poll(moto, (Queue("boto"),), QueueMapping("boto", "worker", enabled=False), functions, use))


def test_an_outage_is_told_once_and_survived() -> None:
    """SQS goes away between two messages, and comes back."""
    is_up = True
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "x", "MD5OfBody": "5"}

    async def sqs(request: Request) -> Response:
        operation = (request.header("x-amz-target") or "").removeprefix("AmazonSQS.")
        assert "/us-east-1/sqs/aws4_request" in (request.header("authorization") or "")
        if not is_up:
            return Response(503, [], b"<html>")
        if operation == "ReceiveMessage" and len(functions.calls) > 1:
            await asyncio.sleep(0.2)
            return Response(200, [], b"{}")
        answers = {
            "GetQueueUrl": {"QueueUrl": "http://elsewhere/1/q"},
            "GetQueueAttributes": {"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:1:q"}},
            "ReceiveMessage": {"Messages": [message]},
        }
        return Response(200, [], json.dumps(answers.get(operation, {})).encode())

    def answer(event: Any) -> None:
        nonlocal is_up
        is_up = len(functions.calls) > 1

    async def main() -> None:
        sock = listen("127.0.0.1", 0, "a test")
        server = Server(sqs, sock)
        await server.start()

        async def use(call: Any, around: Around) -> None:
            nonlocal is_up
            await until(lambda: "until SQS answers again" in around.log.text)
            assert "503" in around.log.text
            await asyncio.sleep(0.6)
            is_up = True
            await until(lambda: len(functions.calls) == 2)
            assert around.log.text.count("until SQS answers again") == 1

        mapping = QueueMapping("q", "worker", concurrency=1)
        await poll(f"http://127.0.0.1:{port_of(sock)}", (Queue("q"),), mapping, functions, use)
        await server.stop()

    functions = Functions(answer)
    asyncio.run(main())


def test_a_service_that_is_not_there_is_named() -> None:
    async def main() -> None:
        client = SqsClient("http://127.0.0.1:9", emulated_identity("us-east-1"))
        with pytest.raises(QueueError, match=r"SQS at http://127\.0\.0\.1:9 can't be reached"):
            await client.call("ListQueues")
        await client.close()

    asyncio.run(main())


def test_an_unknown_queue_is_told(moto: str) -> None:
    async def main() -> None:
        around = Around(Functions())
        triggers = Triggers(
            Blueprint({"worker": WORKER}, (), queues=(Queue("jobs"),), mappings=(QueueMapping("job", "worker"),)),
            Functions().invoke,
            around.log,
            around.recorder,
            endpoint=moto,
            identity=emulated_identity("us-east-1"),
            bucket="shop",
        )
        await triggers.start()
        await triggers.stop()
        assert "worker gets nothing from job: the queues here are jobs" in around.log.text

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [b"null", b"", b"{}", b'{"statusCode": 200}', b'{"batchItemFailures": null}', b'{"batchItemFailures": []}'],
)
def test_answers_that_count_as_success(answer: bytes) -> None:
    assert failed_items(answer, {"1", "2"}) == set()


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b'"done"',
        b"[]",
        b"7",
        b'{"batchItemFailures": {}}',
        b'{"batchItemFailures": ["1"]}',
        b'{"batchItemFailures": [{"messageId": "1"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemIdentifier": 1}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}',
    ],
)
def test_answers_that_count_as_the_failure_of_all(answer: bytes) -> None:
    with pytest.raises(OddAnswer):
        failed_items(answer, {"1", "2"})


def test_the_failed_are_named() -> None:
    answer = b'{"batchItemFailures": [{"itemIdentifier": "2", "why": "x"}, {"itemIdentifier": "2"}], "done": 1}'
    assert failed_items(answer, {"1", "2"}) == {"2"}


def test_a_batch_is_split_where_an_event_would_be_too_large() -> None:
    arn = "arn:aws:sqs:us-east-1:123456789012:q"

    def split(body: str, many: int) -> list[int]:
        """The sizes of the parts; each is a valid event, and the next message would have been too much."""
        message = {"MessageId": "m", "Body": body, "ReceiptHandle": "", "MD5OfBody": ""}
        found = list(parts([message] * many, arn))
        assert all(len(event_of(part, arn)) <= 6 << 20 for part in found)
        assert all(len(event_of([*part, message], arn)) > 6 << 20 for part in found[:-1])
        return [len(part) for part in found]

    assert split("ü" * (1 << 19), 8) == [5, 3]
    assert len(split("x" * 900, 10_000)) == 2
    assert split("", 0) == []


def test_what_aws_would_refuse_is_told() -> None:
    standard, fifo = Queue("q", visibility=30), Queue("q.fifo", visibility=30, fifo=True)
    worker = Function("worker", timeout=30)

    def said(mapping: QueueMapping, queue: Queue, function: Function = worker) -> str:
        return "; ".join(objections(mapping, queue, function))

    assert said(QueueMapping("q", "worker", batch=10_000, window=1, concurrency=2), standard) == ""
    assert "shorter than the timeout of worker, 31 s" in said(
        QueueMapping("q", "worker"), standard, Function("worker", timeout=31)
    )
    assert "no batching window" in said(QueueMapping("q", "worker", window=1), fifo)
    assert "at most 10" in said(QueueMapping("q", "worker", batch=11), fifo)
    assert "needs a batching window" in said(QueueMapping("q", "worker", batch=11), standard)
    assert "2 or more" in said(QueueMapping("q", "worker", concurrency=1), standard)
