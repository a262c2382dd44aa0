from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
import urllib3
from boto3.s3.transfer import TransferConfig

from emulator.blueprint import Blueprint, Function, Notification
from emulator.bucket import BucketServer, ObjectChange
from emulator.triggers import Triggers, emulated_identity
from emulator.triggers.notifications import event_of, matches
from tests.emulator.triggers.helpers import FAILED, Around, Functions


def with_notifications(
    store: Path, notifications: tuple[Notification, ...], functions: Functions, use: Callable[[Any], None]
) -> Around:
    """Has ``use`` change objects with boto3 while ``functions`` are told; returns when they have been."""
    around = Around(functions)
    blueprint = Blueprint({"worker": Function("worker")}, (), notifications=notifications)

    async def main() -> None:
        server = BucketServer("shop", store)
        await server.start()
        triggers = Triggers(
            blueprint,
            functions.invoke,
            around.log,
            around.recorder,
            endpoint=server.url,
            identity=emulated_identity("us-east-1"),
            bucket="shop",
            delays=(0.01, 0.01),
        )
        try:
            await triggers.start()
            server.on_change = triggers.changed
            await asyncio.to_thread(_use, server.url)
            seen = -1
            while seen != len(functions.calls):
                seen = len(functions.calls)
                await asyncio.sleep(0.1)
        finally:
            await triggers.stop()
            await server.stop()

    def _use(url: str) -> None:
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        try:
            use(client)
        finally:
            client.close()

    asyncio.run(main())
    return around


def told(functions: Functions) -> list[tuple[str, str]]:
    records = [event["Records"][0] for event in functions.events]
    return [(record["eventName"], unquote_plus(record["s3"]["object"]["key"])) for record in records]


def test_each_way_to_create_or_remove_an_object_is_told(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        client.put_object(Bucket="shop", Key="put", Body=b"12345")
        client.put_object(Bucket="shop", Key="put", Body=b"again")
        client.copy_object(Bucket="shop", Key="copy", CopySource="shop/put")
        parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
        client.upload_fileobj(io.BytesIO(bytes(6 << 20)), "shop", "parts", Config=parts)
        form = client.generate_presigned_post("shop", "form")
        fields = {**form["fields"], "file": ("a.png", b"picture", "image/png")}
        with urllib3.PoolManager() as browser:
            assert browser.request("POST", form["url"], fields=fields).status == 204
        client.delete_object(Bucket="shop", Key="put")
        client.delete_object(Bucket="shop", Key="never there")
        client.delete_objects(Bucket="shop", Delete={"Objects": [{"Key": "copy"}, {"Key": "form"}]})
        client.get_object(Bucket="shop", Key="parts")
        client.create_bucket(Bucket="other")
        client.put_object(Bucket="other", Key="elsewhere", Body=b"x")

    functions = Functions()
    asked = (Notification("worker", ("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete")),)
    around = with_notifications(tmp_path / "bucket", asked, functions, use)
    assert sorted(told(functions)) == [
        ("ObjectCreated:CompleteMultipartUpload", "parts"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:Post", "form"),
        ("ObjectCreated:Put", "put"),
        ("ObjectCreated:Put", "put"),
        ("ObjectRemoved:Delete", "copy"),
        ("ObjectRemoved:Delete", "form"),
        ("ObjectRemoved:Delete", "put"),
    ]
    objects = {record["eventName"]: record["s3"]["object"] for event in functions.events for record in event["Records"]}
    assert objects["ObjectCreated:CompleteMultipartUpload"]["size"] == 6 << 20
    assert objects["ObjectCreated:CompleteMultipartUpload"]["eTag"].endswith("-2")
    assert objects["ObjectCreated:Post"]["size"] == 7
    assert sorted(objects["ObjectRemoved:Delete"]) == ["key", "sequencer"]
    record = next(record for record in around.records if record.title == "ObjectCreated:Copy")
    assert (record.source, record.origin, record.target) == ("bucket", "shop", "copy")


def test_the_object_is_whole_when_the_function_hears_of_it(tmp_path: Path) -> None:
    seen: list[Any] = []

    def use(client: Any) -> None:
        def look(event: dict[str, Any]) -> None:
            key = unquote_plus(event["Records"][0]["s3"]["object"]["key"])
            seen.append(client.head_object(Bucket="shop", Key=key))

        functions.answer = look
        for n in range(5):
            client.put_object(Bucket="shop", Key=str(n), Body=b"x", ContentType="image/png", Metadata={"owner": "me"})

    functions = Functions()
    with_notifications(tmp_path / "bucket", (Notification("worker", ("s3:ObjectCreated:Put",)),), functions, use)
    assert [(found["ContentType"], found["Metadata"]) for found in seen] == [("image/png", {"owner": "me"})] * 5


def test_only_what_is_asked_for_is_told_and_a_failure_is_tried_again(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        for key in ("media/a b+ü.png", "media/a.txt", "static/a.png"):
            client.put_object(Bucket="shop", Key=key, Body=b"x")
            client.delete_object(Bucket="shop", Key=key)

    functions = Functions(lambda event: FAILED)
    asked = (Notification("worker", ("s3:ObjectCreated:*",), prefix="media/", suffix=".png"),)
    around = with_notifications(tmp_path / "bucket", asked, functions, use)
    assert told(functions) == [("ObjectCreated:Put", "media/a b+ü.png")] * 3
    assert functions.events[0] == functions.events[2]
    assert "ObjectCreated:Put: media/a b+ü.png: it raised; given up after 3 attempts" in around.log.text


@pytest.mark.parametrize(
    ("notification", "does"),
    [
        (Notification("f", ("s3:ObjectCreated:*",)), True),
        (Notification("f", ("s3:ObjectCreated:Put",)), True),
        (Notification("f", ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put")), True),
        (Notification("f", ("s3:ObjectCreated:Post",)), False),
        (Notification("f", ("s3:ObjectRemoved:*",)), False),
        (Notification("f", ("s3:ObjectCreated:*",), prefix="media/"), True),
        (Notification("f", ("s3:ObjectCreated:*",), prefix="edia/"), False),
        (Notification("f", ("s3:ObjectCreated:*",), suffix=".PNG"), False),
        (Notification("f", ("s3:ObjectCreated:*",), prefix="media/", suffix=".png"), True),
    ],
)
def test_what_a_notification_asks_for(notification: Notification, does: bool) -> None:
    assert matches(notification, ObjectChange("ObjectCreated:Put", "shop", "media/a.png", "127.0.0.1")) is does


def test_the_event_is_that_of_s3() -> None:
    moment = 1_702_858_944_292_000_000
    change = ObjectChange(
        "ObjectCreated:Put", "shop", "media/a b+ü=(1).png", "127.0.0.1", size=3, etag="ab", version="v1"
    )
    event = json.loads(event_of(change, "of-the-template", moment, "eu-west-1", "123456789012"))
    [record] = event["Records"]
    assert sorted(record.pop("responseElements")) == ["x-amz-id-2", "x-amz-request-id"]
    assert record == {
        "eventVersion": "2.5",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2023-12-18T00:22:24.292Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:123456789012"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "of-the-template",
            "bucket": {
                "name": "shop",
                "ownerIdentity": {"principalId": "123456789012"},
                "arn": "arn:aws:s3:::shop",
            },
            "object": {
                "key": "media/a+b%2B%C3%BC%3D%281%29.png",
                "size": 3,
                "eTag": "ab",
                "versionId": "v1",
                "sequencer": "00657F90C011679100",
            },
        },
    }


def test_later_events_have_greater_sequencers() -> None:
    change = ObjectChange("ObjectRemoved:Delete", "shop", "a", "127.0.0.1")
    moments = [1_702_858_944_000_000_005, 1_702_858_944_292_000_000, 1_702_858_945_000_000_000]
    events = [json.loads(event_of(change, "c", moment, "eu-west-1", "1")) for moment in moments]
    found = [event["Records"][0]["s3"]["object"]["sequencer"] for event in events]
    assert found == sorted(found)
    assert {len(sequencer) for sequencer in found} == {18}
