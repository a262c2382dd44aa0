"""Queues, schedules and bucket notifications."""

from __future__ import annotations

import pytest

from emulator.blueprint import DeadLetters, Notification, Queue, QueueMapping, Schedule
from emulator.template import TemplateError

from .conftest import Read


def test_queues(resources: Read) -> None:
    blueprint = resources(
        """
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 180
      DelaySeconds: 5
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: "3"}
  Dead: {Type: AWS::SQS::Queue}
  Ordered: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true, ContentBasedDeduplication: true}}
"""
    )
    assert blueprint.queues == (
        Queue("jobs", 180, 5, dead_letters=DeadLetters("Dead", 3)),
        Queue("Dead"),
        Queue("Ordered.fifo", fifo=True, deduplicated=True),
    )


def test_event_source_mappings(events: Read) -> None:
    blueprint = events(
        """
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, Enabled: false}}
        """,
        """
  Jobs: {Type: AWS::SQS::Queue}
  Mail: {Type: AWS::SQS::Queue}
  MailMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Mail.Arn
      FunctionName: !Ref Web
      BatchSize: 100
      MaximumBatchingWindowInSeconds: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: {MaximumConcurrency: 2}
      FilterCriteria: {Filters: [{Pattern: "{}"}]}
  Stream:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: "arn:aws:kinesis:eu-central-1:1:stream/x", FunctionName: !Ref Web}
""",
    )
    assert blueprint.mappings == (
        QueueMapping("Jobs", "Web", enabled=False),
        QueueMapping("Mail", "Web", 100, 5, partial=True, concurrency=2),
    )
    assert blueprint.notes == (
        "FilterCriteria of MailMapping are not emulated: every message counts",
        "Stream reads arn:aws:kinesis:eu-central-1:1:stream/x; event source mappings are emulated for SQS",
    )


def test_a_queue_of_another_stack_is_made_here(events: Read) -> None:
    blueprint = events("Jobs: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:eu-central-1:1:shared.fifo'}}")
    assert blueprint.queues == (Queue("shared.fifo", fifo=True),)
    assert blueprint.notes == (
        "The queue shared.fifo is not in this template; here it is one with the defaults of SQS",
    )


def test_schedules(events: Read) -> None:
    blueprint = events(
        """
        Old: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Enabled: false, Input: '{"a": 1}'}}
        New:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: cron(0 3 * * ? *)
            ScheduleExpressionTimezone: Europe/Berlin
            State: DISABLED
        """,
        """
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets:
        - {Id: first, Arn: !GetAtt Web.Arn}
        - {Id: second, Arn: !GetAtt Web.Arn, Input: !Sub '{"stage": "${AWS::StackName}"}', InputPath: $.detail}
  Pattern: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [x]}}}
  Once:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: once
      ScheduleExpression: at(2030-01-01T00:00:00)
      ScheduleExpressionTimezone: Asia/Tokyo
      Target: {Arn: !GetAtt Web.Arn, Input: "[]"}
""",
    )
    assert blueprint.schedules == (
        Schedule("WebOld", "rate(5 minutes)", "Web", '{"a": 1}', source="rule", enabled=False),
        Schedule("WebNew", "cron(0 3 * * ? *)", "Web", timezone="Europe/Berlin", enabled=False),
        Schedule("Rule", "rate(1 day)", "Web", source="rule"),
        Schedule("Rule-second", "rate(1 day)", "Web", '{"stage": "django-faas"}', source="rule"),
        Schedule("once", "at(2030-01-01T00:00:00)", "Web", "[]", timezone="Asia/Tokyo"),
    )
    assert blueprint.notes == (
        "InputPath of Rule is not emulated: the function gets the whole event",
        "Pattern waits for events by pattern; rules are emulated for their schedules alone",
    )


def test_an_input_that_is_no_json(events: Read) -> None:
    with pytest.raises(
        TemplateError, match=r"Resources.Web.Properties.Events.A.Properties.Input: AWS takes JSON alone"
    ):
        events("A: {Type: Schedule, Properties: {Schedule: rate(1 day), Input: clearsessions}}")


def test_bucket_notifications(events: Read) -> None:
    blueprint = events(
        """
        Upload:
          Type: S3
          Properties:
            Bucket: !Ref Media
            Events: [s3:ObjectCreated:Put, s3:ObjectRemoved:*]
            Filter: {S3Key: {Rules: [{Name: suffix, Value: .jpg}]}}
        """,
        """
  Media:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration:
        EventBridgeConfiguration: {EventBridgeEnabled: true}
        LambdaConfigurations:
          - Event: s3:ObjectCreated:*
            Function: !GetAtt Web.Arn
            Filter: {S3Key: {Rules: [{Name: Prefix, Value: in/}]}}
  Static: {Type: AWS::S3::Bucket}
""",
    )
    assert blueprint.notifications == (
        Notification("Web", ("s3:ObjectCreated:Put", "s3:ObjectRemoved:*"), suffix=".jpg"),
        Notification("Web", ("s3:ObjectCreated:*",), prefix="in/"),
    )
    assert blueprint.notes == (
        "EventBridgeConfiguration of Media are not emulated: the bucket tells functions alone",
        (
            "Media and Static are one bucket here; so a function that is told about one's objects is told about all, "
            "save by prefix"
        ),
    )


def test_other_events_are_noted_once_a_type(events: Read) -> None:
    blueprint = events("A: {Type: SNS, Properties: {Topic: x}}\nB: {Type: SNS, Properties: {Topic: y}}")
    assert blueprint.notes == ("Events of type SNS are not emulated: Web.A, Web.B",)
