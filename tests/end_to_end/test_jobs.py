"""Jobs in the emulator: a view enqueues, a worker works, a schedule comes; by the adapter alone, without boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import pytest

from tests.emulator.helpers import start_project, until
from tests.emulator.test_emulate import emulating

from .test_template import Shop, first

pytestmark = pytest.mark.emulated

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
TASKS = f"""
from pathlib import Path
from {FRAMEWORK} import task

HERE = Path(__file__).parent

@task(takes_context=True)
def paint(context, colour, *, coats):
    with (HERE / "painted").open("a") as file:
        print(colour, coats, context.task_result.id, context.attempt, file=file)

@task(takes_context=True)
def stumble(context):
    print("attempt", context.attempt)
    raise LookupError("a job that always fails")
"""
URLS = """
import sys
from django.http import JsonResponse
from django.urls import path
from mysite import jobs

def paint(request):
    result = jobs.paint.enqueue(request.GET["colour"], coats=2)
    return JsonResponse({"id": result.id, "status": result.status, "boto3": "boto3" in sys.modules})

def stumble(request):
    return JsonResponse({"id": jobs.stumble.enqueue().id})

urlpatterns = [path("paint/", paint), path("stumble/", stumble)]
"""
COMMAND = """
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--room")

    def handle(self, *, room, **options):
        self.stdout.write(f"tidied {room}")
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.13
    CodeUri: .
    Handler: adapter.entrypoint.handler
    Timeout: 3
    Environment: {Variables: {FAAS_JOBS_QUEUE_URL: !Ref Jobs, FAAS_SECRETS_PATH: /shop/}}
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Site: {Type: HttpApi}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: shop-worker
      Environment: {Variables: {FAAS_LOG_LEVEL: info}}
      Events:
        Jobs:
          Type: SQS
          Properties: {Queue: !GetAtt Jobs.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}
  Nightly:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: shop-nightly
      Timeout: 30
      Environment: {Variables: {FAAS_LOG_LEVEL: info}}
      Events:
        Soon:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: "at(SOON)"
            Input: '{"manage": ["tidy", "--room", "the back room"], "schedule": "soon"}'
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: shop-jobs
      VisibilityTimeout: 3
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: shop-dead}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = start_project(tmp_path_factory.mktemp("jobs") / "shop")
    (folder / "mysite" / "urls.py").write_text(URLS)
    (folder / "mysite" / "jobs.py").write_text(TASKS)
    commands = folder / "mysite" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "tidy.py").write_text(COMMAND)
    with (folder / "mysite" / "settings.py").open("a") as settings:
        settings.write("\nINSTALLED_APPS += ['mysite']\nTASKS = {'default': {'BACKEND': 'adapter.tasks.SQSBackend'}}\n")
    soon = datetime.now(UTC) + timedelta(seconds=12)
    (folder / "template.yaml").write_text(TEMPLATE.replace("SOON", f"{soon:%Y-%m-%dT%H:%M:%S}"))
    with emulating(folder, "--template", "template.yaml", "--json", ready=False) as running:
        running.wait_for('"type": "ready"')
        yield Shop(folder, running)
        # The job's own, which is meant to fail.
        running.lines[:] = [line.replace("Traceback", "") for line in running.lines]


def test_what_a_view_enqueues_a_worker_does(shop: Shop) -> None:
    answer = json.loads(shop.get("/paint/?colour=gr%C3%BCn"))
    assert (answer["status"], answer["boto3"]) == ("READY", False)
    painted = shop.folder / "mysite" / "painted"
    assert until(painted.exists, 15)
    assert until(lambda: painted.read_text() == f"grün 2 {answer['id']} 1\n")
    row = first(lambda: shop.invocations(source="queue", error=None))
    assert (row["origin"], row["function"]) == ("shop-jobs", "shop-worker")
    whole = shop.invocation(row["id"])
    assert json.loads(whole["answer"]) == {"batchItemFailures": []}
    assert "path=mysite.jobs.paint state=SUCCESSFUL" in "\n".join(whole["log"])


def test_a_job_that_fails_is_tried_again_and_ends_among_the_dead_letters(shop: Shop) -> None:
    identifier = json.loads(shop.get("/stumble/"))["id"]
    sqs = shop.client("sqs")
    try:
        dead: list[Any] = []

        def arrived() -> bool:
            answer = sqs.receive_message(QueueUrl=shop.urls["queue shop-dead"], WaitTimeSeconds=5)
            dead.extend(answer.get("Messages", []))
            return bool(dead)

        assert until(arrived, 30)
    finally:
        sqs.close()
    assert [json.loads(message["Body"])["id"] for message in dead] == [identifier]
    rows = [shop.invocation(row["id"]) for row in shop.invocations(source="queue", error=None)]
    failed = [row for row in rows if json.loads(row["answer"])["batchItemFailures"]]
    assert [f"attempt {number}" in row["log"] for number, row in enumerate(failed, 1)] == [True, True]
    assert all("LookupError: a job that always fails" in "\n".join(row["log"]) for row in failed)


def test_a_schedule_runs_a_command(shop: Shop) -> None:
    row = first(lambda: shop.invocations(source="schedule"), 25)
    assert (row["function"], row["error"]) == ("shop-nightly", None)
    whole = shop.invocation(row["id"])
    assert json.loads(whole["answer"]) == {"exit": 0}
    log = "\n".join(whole["log"])
    assert "manage.py tidy: exit status 0" in log
    assert "tidied the back room" in log
