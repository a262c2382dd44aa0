"""Bucket notifications: an object was created or removed, and a function is told so by an S3 event.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote_plus

from .. import blueprint
from ..bucket import ObjectChange
from ..front_doors.limits import serialise
from .asynchronous import Asynchronous
from .delivery import Delivery


class Notifications:
    """Sends an event for each change of an object in ``bucket`` that one of ``notifications`` asks for."""

    def __init__(
        self,
        notifications: Iterable[blueprint.Notification],
        bucket: str,
        asynchronous: Asynchronous,
        *,
        region: str,
        account: str,
    ) -> None:
        self._notifications = [(notification, str(uuid.uuid4())) for notification in notifications]
        self._bucket = bucket
        self._asynchronous = asynchronous
        self._region = region
        self._account = account

    def changed(self, change: ObjectChange) -> None:
        if change.bucket != self._bucket:
            return
        for notification, identifier in self._notifications:
            if matches(notification, change):
                event = event_of(change, identifier, time.time_ns(), self._region, self._account)
                self._asynchronous.send(
                    Delivery(notification.function, event, "bucket", change.bucket, change.event, change.key)
                )


def matches(notification: blueprint.Notification, change: ObjectChange) -> bool:
    """Whether ``notification`` asks for ``change``: by the event's name, where ``*`` may end it, and by the key."""
    return (
        any(fnmatchcase(f"s3:{change.event}", pattern) for pattern in notification.events)
        and change.key.startswith(notification.prefix)
        and change.key.endswith(notification.suffix)
    )


def event_of(change: ObjectChange, identifier: str, moment: int, region: str, account: str) -> bytes:
    """The event at ``moment``, in nanoseconds since the epoch; ``identifier`` is that of the configuration.

    The key is encoded as in a form, its slashes left as they are; an object that is gone has neither size nor ETag:
    both as functions log it.
    """
    seconds, rest = divmod(moment, 1_000_000_000)
    about: dict[str, Any] = {
        "key": quote_plus(change.key, safe="/"),
        "size": change.size,
        "eTag": change.etag,
        "versionId": change.version,
        "sequencer": f"00{seconds:08X}{rest:08X}",
    }
    record = {
        "eventVersion": "2.5",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{rest // 1_000_000:03}Z"),
        "eventName": change.event,
        "userIdentity": {"principalId": f"AWS:{account}"},
        "requestParameters": {"sourceIPAddress": change.address},
        "responseElements": {
            "x-amz-request-id": secrets.token_hex(8).upper(),
            "x-amz-id-2": base64.b64encode(secrets.token_bytes(56)).decode(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": identifier,
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": account},
                "arn": f"arn:aws:s3:::{change.bucket}",
            },
            "object": {name: value for name, value in about.items() if value is not None},
        },
    }
    return serialise({"Records": [record]})
