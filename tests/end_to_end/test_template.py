"""A project with a template: functions, an API, a queue with dead letters, schedules and a bucket that tells."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulator.helpers import replace, start_project, until
from tests.emulator.test_emulate import Running, emulating

pytestmark = pytest.mark.emulated

URLS = """
import os
from django.http import HttpResponse
from django.urls import path

def hello(request):
    return HttpResponse("first")

def order(request):
    import boto3
    boto3.client("sqs").send_message(QueueUrl=os.environ["JOBS"], MessageBody=request.GET["job"])
    return HttpResponse(os.environ["AWS_LAMBDA_FUNCTION_NAME"])

urlpatterns = [path("hello/", hello), path("order/", order)]
"""
WORKER = """
import json
import os

def handler(event, context):
    print("greeting:", os.environ["GREETING"], context.function_name)
    if any(record.get("body") == "broken" for record in event.get("Records", [])):
        raise ValueError("a broken job")
    return {"taken": len(event.get("Records", []))}
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: good day}
Globals:
  Function: {Runtime: python3.13, CodeUri: .}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Handler: adapter.entrypoint.handler
      FunctionName: shop-web
      Timeout: 20
      Environment: {Variables: {JOBS: !Ref Jobs, SHOP_KEY: for the settings}}
      Events:
        Site: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/{proxy+}", Method: ANY}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: worker.handler
      FunctionName: shop-worker
      Timeout: 2
      Environment: {Variables: {GREETING: !Sub "${Greeting}, ${AWS::Region}"}}
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 1}}
        Minute: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
        Soon: {Type: ScheduleV2, Properties: {ScheduleExpression: "at(SOON)", Input: '{"task": "tidy"}'}}
        Uploads:
          Type: S3
          Properties:
            Bucket: !Ref Files
            Events: s3:ObjectCreated:*
            Filter: {S3Key: {Rules: [{Name: prefix, Value: uploads/}]}}
  Files: {Type: AWS::S3::Bucket}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: shop-jobs
      VisibilityTimeout: 2
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: shop-dead}
"""


class Shop:
    """The emulator at work, by what its line ``ready`` says."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.running = running

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the emulator has written so far: an object a line, and nothing else."""
        return [json.loads(line) for line in self.running.lines]

    @property
    def urls(self) -> dict[str, str]:
        [ready] = [line for line in self.told if line["type"] == "ready"]
        return dict(ready["urls"])

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.urls["site"].rstrip("/") + path, timeout=30) as answer:
            return str(answer.read().decode())

    def client(self, service: str) -> Any:
        session: Any = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
        endpoint, _, bucket = self.urls["bucket"].rpartition("/")
        assert bucket == "django-faas"
        return session.client(service, endpoint_url=endpoint)

    def invocations(self, **expected: Any) -> list[dict[str, Any]]:
        """Those that have ended, as the console lists them, the oldest first."""
        rows = json.loads(self.get("/.faas/api/invocations"))["invocations"]
        return [row for row in rows if row["ended"] and all(row[name] == value for name, value in expected.items())]

    def invocation(self, identifier: str) -> dict[str, Any]:
        return dict(json.loads(self.get(f"/.faas/api/invocations/{identifier}")))

    def replay(self, identifier: str) -> str:
        target = f"{self.urls['console']}api/invocations/{identifier}/replay"
        request = urllib.request.Request(target, method="POST", headers={"Sec-Fetch-Site": "same-origin"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
            return str(json.load(answer)["id"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = start_project(tmp_path_factory.mktemp("template") / "shop")
    (folder / "mysite" / "urls.py").write_text(URLS)
    (folder / "worker.py").write_text(WORKER)
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write("\nimport os\nSECRET_KEY = os.environ['SHOP_KEY']\n")
    soon = datetime.now(UTC) + timedelta(seconds=15)
    (folder / "template.yaml").write_text(TEMPLATE.replace("SOON", f"{soon:%Y-%m-%dT%H:%M:%S}"))
    chosen = ("--template", "template.yaml", "--parameter", "Greeting=hello", "--json")
    with emulating(folder, *chosen, ready=False) as running:
        running.wait_for('"type": "ready"')
        yield Shop(folder, running)
        # The worker's own, for the job that is meant to fail.
        running.lines[:] = [line.replace("Traceback", "") for line in running.lines]


def first(find: Callable[[], list[dict[str, Any]]], seconds: float = 15) -> dict[str, Any]:
    """The first of what ``find`` finds, as soon as it finds anything."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = find()
        return bool(found)

    assert until(there, seconds)
    return found[0]


def test_what_is_there_is_told(shop: Shop) -> None:
    assert set(shop.urls) == {"site", "http_api", "bucket", "queue shop-jobs", "queue shop-dead", "console"}
    kinds = [line["type"] for line in shop.told]
    assert not {"caution", "error"} & set(kinds[: kinds.index("ready")])
    assert "body {" in shop.get("/static/admin/css/base.css")


def test_a_message_from_a_view_reaches_the_worker(shop: Shop) -> None:
    assert shop.get("/order/?job=paint") == "shop-web"
    row = first(lambda: shop.invocations(source="queue", error=None))
    assert (row["origin"], row["function"], row["target"]) == ("shop-jobs", "shop-worker", "1 message")
    whole = shop.invocation(row["id"])
    [record] = json.loads(whole["event"])["Records"]
    assert (record["body"], record["eventSource"]) == ("paint", "aws:sqs")
    assert record["eventSourceARN"].endswith(":shop-jobs")
    assert json.loads(whole["answer"]) == {"taken": 1}
    assert "greeting: hello, us-east-1 shop-worker" in whole["log"]
    assert [line["environment"] for line in shop.told if line.get("message", "").startswith("greeting: hello")]
    [ordered] = shop.invocations(source="http", target="/order/?job=paint")
    assert (ordered["function"], ordered["status"]) == ("shop-web", 200)


def test_a_message_that_fails_again_and_again_ends_among_the_dead_letters(shop: Shop) -> None:
    sqs = shop.client("sqs")
    try:
        sqs.send_message(QueueUrl=shop.urls["queue shop-jobs"], MessageBody="broken")
        dead = shop.urls["queue shop-dead"]
        messages = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20).get("Messages", [])
    finally:
        sqs.close()
    assert [message["Body"] for message in messages] == ["broken"]
    failed = [row for row in shop.invocations(source="queue") if row["error"]]
    assert len(failed) == 2
    assert "a broken job" in failed[0]["error"]


def test_an_uploaded_object_is_told_of(shop: Shop) -> None:
    s3 = shop.client("s3")
    try:
        s3.put_object(Bucket="django-faas", Key="elsewhere/b.txt", Body=b"nobody asks")
        s3.put_object(Bucket="django-faas", Key="uploads/a ä.txt", Body=b"four")
    finally:
        s3.close()
    row = first(lambda: shop.invocations(source="bucket"))
    [record] = json.loads(shop.invocation(row["id"])["event"])["Records"]
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["s3"]["bucket"]["name"] == "django-faas"
    assert (record["s3"]["object"]["key"], record["s3"]["object"]["size"]) == ("uploads/a+%C3%A4.txt", 4)
    assert len(shop.invocations(source="bucket")) == 1


def test_a_schedule_comes_when_it_is_due(shop: Shop) -> None:
    row = first(lambda: [row for row in shop.invocations(source="schedule") if "at(" in row["target"]], 20)
    assert (row["function"], row["error"]) == ("shop-worker", None)
    whole = shop.invocation(row["id"])
    assert json.loads(whole["event"]) == {"task": "tidy"}
    # What came by no front door can be had again as well.
    identifier = shop.replay(row["id"])
    again = first(lambda: shop.invocations(id=identifier))
    assert (again["source"], again["replay_of"], again["error"]) == ("schedule", row["id"], None)


def test_a_request_replayed_after_a_change_is_answered_by_the_new_code(shop: Shop) -> None:
    assert shop.get("/hello/?a=1") == "first"
    [row] = shop.invocations(source="http", target="/hello/?a=1")
    assert shop.invocation(row["id"])["response"]["body"]["text"] == "first"
    replace(shop.folder / "mysite" / "urls.py", '"first"', '"second"')
    shop.running.wait_for(r"mysite/urls.py changed: new processes take over")
    identifier = shop.replay(row["id"])
    again = first(lambda: shop.invocations(id=identifier))
    assert (again["replay_of"], again["status"]) == (row["id"], 200)
    assert again["target"] == "/hello/?a=1"
    assert shop.invocation(again["id"])["response"]["body"]["text"] == "second"


def test_a_change_of_the_template_is_not_taken_over_in_silence(shop: Shop) -> None:
    template = shop.folder / "template.yaml"
    template.write_text(f"{template.read_text()}\n# Something else\n")
    shop.running.wait_for("template.yaml changed: what it says counts from the next start on")
    assert "template.yaml changed: new processes" not in shop.running.text


def test_what_is_no_longer_kept_cannot_be_replayed(shop: Shop) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        shop.replay("no-such-one")
    assert refused.value.code == 404
    refused.value.close()
