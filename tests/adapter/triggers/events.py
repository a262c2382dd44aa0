"""Events of triggers, and a context with a clock."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


class Context:
    """As little of a context object as a trigger asks for; ``seconds`` are left when it is made."""

    aws_request_id = REQUEST_ID

    def __init__(self, seconds: float = 60) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


def batch(*bodies: str, queue: str = "shop-jobs", receives: int = 1) -> dict[str, Any]:
    """The event for messages with these bodies, their ids ``m-0``, ``m-1``, ...

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
    """
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def message(task: str, *args: Any, identifier: str = "", **kwargs: Any) -> str:
    """What `adapter.tasks` sends for ``task`` of the tests."""
    return json.dumps(
        {
            "task": f"tests.adapter.shop_tasks.{task}",
            "args": args,
            "kwargs": kwargs,
            "id": identifier or uuid.uuid4().hex,
            "backend": "default",
            "queue": "default",
            "enqueued_at": "2026-11-23T03:00:00+00:00",
        }
    )


def failed(answer: dict[str, Any]) -> list[str]:
    """The messages that are to come back."""
    assert answer.keys() == {"batchItemFailures"}
    assert all(item.keys() == {"itemIdentifier"} for item in answer["batchItemFailures"])
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]
