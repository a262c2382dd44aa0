"""What invokes functions without anybody waiting: the template's queues, schedules and bucket notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ..blueprint import DeadLetters, Notification, Queue, QueueMapping, Schedule
from .functions import Directory
from .names import Resource
from .properties import Properties
from .stack import Stack

_SQS = "arn:aws:sqs:"


def queues(stack: Stack) -> tuple[Queue, ...]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html"""
    found = []
    for resource in stack.of("AWS::SQS::Queue"):
        properties = resource.properties
        found.append(
            Queue(
                name=stack.names.name(resource),
                visibility=properties.number("VisibilityTimeout", 30),
                delay=properties.number("DelaySeconds", 0),
                fifo=properties.flag("FifoQueue"),
                deduplicated=properties.flag("ContentBasedDeduplication"),
                dead_letters=_dead_letters(properties),
            )
        )
    return tuple(found)


def _dead_letters(properties: Properties) -> DeadLetters | None:
    if "RedrivePolicy" not in properties:
        return None
    policy = properties.section("RedrivePolicy")
    return DeadLetters(_last(policy.needed("deadLetterTargetArn")), policy.integer("maxReceiveCount", 10))


def with_foreign(stack: Stack, queues: tuple[Queue, ...], mappings: tuple[QueueMapping, ...]) -> tuple[Queue, ...]:
    """The queues, and those of other stacks that this one's functions read or that dead letters go to."""
    names = {queue.name for queue in queues}
    wanted = [mapping.queue for mapping in mappings]
    wanted += [queue.dead_letters.queue for queue in queues if queue.dead_letters]
    foreign = [name for name in dict.fromkeys(wanted) if name not in names]
    for name in foreign:
        stack.note(f"The queue {name} is not in this template; here it is one with the defaults of SQS")
    return (*queues, *(Queue(name, fifo=name.endswith(".fifo")) for name in foreign))


def mappings(stack: Stack, directory: Directory) -> tuple[QueueMapping, ...]:
    """Event source mappings of queues, whether a function's event or a resource."""
    found = []
    for function, name, event in _events(stack, "SQS"):
        found.append(_mapping(stack, directory, f"{function.id}.{name}", event, "Queue", stack.names.name(function)))
    for resource in stack.of("AWS::Lambda::EventSourceMapping"):
        source = resource.properties.text("EventSourceArn")
        if not source.startswith(_SQS):
            stack.note(f"{resource.id} reads {source or 'no queue'}; event source mappings are emulated for SQS")
            continue
        function_name = resource.properties.needed("FunctionName")
        found.append(_mapping(stack, directory, resource.id, resource.properties, "EventSourceArn", function_name))
    return tuple(mapping for mapping in found if mapping is not None)


def _mapping(
    stack: Stack, directory: Directory, purpose: str, properties: Properties, key: str, target: str
) -> QueueMapping | None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html"""
    function = directory.find(target, purpose)
    if function is None:
        return None
    if "FilterCriteria" in properties:
        stack.note(f"FilterCriteria of {purpose} are not emulated: every message counts")
    return QueueMapping(
        queue=_last(properties.needed(key)),
        function=function,
        batch=properties.integer("BatchSize", 10),
        window=properties.number("MaximumBatchingWindowInSeconds", 0),
        partial="ReportBatchItemFailures" in properties.texts("FunctionResponseTypes"),
        concurrency=properties.section("ScalingConfig").integer_or_none("MaximumConcurrency"),
        enabled=properties.flag("Enabled", True),
    )


def schedules(stack: Stack, directory: Directory) -> tuple[Schedule, ...]:
    """Rules of EventBridge and schedules of its Scheduler, whether a function's event or a resource."""
    found = [
        *_event_schedules(stack, directory),
        *_rules(stack, directory),
        *_scheduler(stack, directory),
    ]
    return tuple(found)


def _event_schedules(stack: Stack, directory: Directory) -> Iterator[Schedule]:
    """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-schedule.html"""
    for kind, key in (("Schedule", "Schedule"), ("ScheduleV2", "ScheduleExpression")):
        for resource, event, properties in _events(stack, kind):
            function = directory.find(stack.names.name(resource), f"{resource.id}.{event}")
            if function is None:
                continue
            yield Schedule(
                name=properties.text("Name", f"{resource.id}{event}"),
                expression=properties.needed(key),
                function=function,
                payload=_payload(properties),
                timezone=properties.text("ScheduleExpressionTimezone", "UTC"),
                source="rule" if kind == "Schedule" else "scheduler",
                enabled=properties.flag("Enabled", True) and properties.text("State", "ENABLED") == "ENABLED",
            )


def _rules(stack: Stack, directory: Directory) -> Iterator[Schedule]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html"""
    for resource in stack.of("AWS::Events::Rule"):
        properties = resource.properties
        if "ScheduleExpression" not in properties:
            stack.note(f"{resource.id} waits for events by pattern; rules are emulated for their schedules alone")
            continue
        name = stack.names.name(resource)
        for index, target in enumerate(properties.sections("Targets")):
            function = directory.find(target.needed("Arn"), resource.id)
            if function is None:
                continue
            for key in ("InputPath", "InputTransformer"):
                if key in target:
                    stack.note(f"{key} of {resource.id} is not emulated: the function gets the whole event")
            yield Schedule(
                name=name if index == 0 else f"{name}-{target.text('Id', str(index))}",
                expression=properties.needed("ScheduleExpression"),
                function=function,
                payload=_payload(target),
                source="rule",
                enabled=properties.text("State", "ENABLED") != "DISABLED",
            )


def _scheduler(stack: Stack, directory: Directory) -> Iterator[Schedule]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html"""
    for resource in stack.of("AWS::Scheduler::Schedule"):
        properties = resource.properties
        target = properties.section("Target")
        function = directory.find(target.needed("Arn"), resource.id)
        if function is not None:
            yield Schedule(
                name=stack.names.name(resource),
                expression=properties.needed("ScheduleExpression"),
                function=function,
                payload=_payload(target),
                timezone=properties.text("ScheduleExpressionTimezone", "UTC"),
                enabled=properties.text("State", "ENABLED") == "ENABLED",
            )


def _payload(properties: Properties) -> str | None:
    payload = properties.text("Input") or None
    if payload is not None:
        try:
            json.loads(payload)
        except ValueError as error:
            raise properties.error("Input", f"AWS takes JSON alone, and this is none: {error}") from None
    return payload


def notifications(stack: Stack, directory: Directory) -> tuple[Notification, ...]:
    """What the bucket tells functions; all buckets of the template are one here."""
    found = []
    for resource, event, properties in _events(stack, "S3"):
        purpose = f"{resource.id}.{event}"
        function = directory.find(stack.names.name(resource), purpose)
        if function is not None:
            found.append(_notification(properties, function, properties.texts("Events")))
    for bucket in stack.of("AWS::S3::Bucket"):
        section = bucket.properties.section("NotificationConfiguration")
        for each in section.sections("LambdaConfigurations"):
            function = directory.find(each.needed("Function"), bucket.id)
            if function is not None:
                found.append(_notification(each, function, each.texts("Event")))
        for key in ("QueueConfigurations", "TopicConfigurations", "EventBridgeConfiguration"):
            if key in section:
                stack.note(f"{key} of {bucket.id} are not emulated: the bucket tells functions alone")
    buckets = [bucket.id for bucket in stack.of("AWS::S3::Bucket")]
    if len(buckets) > 1:
        told = "; so a function that is told about one's objects is told about all, save by prefix" if found else ""
        stack.note(f"{' and '.join(buckets)} are one bucket here{told}")
    return tuple(found)


def _notification(properties: Properties, function: str, events: tuple[str, ...]) -> Notification:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-s3keyfilter.html"""
    rules: Mapping[str, str] = {
        rule.text("Name").lower(): rule.text("Value")
        for rule in properties.section("Filter").section("S3Key").sections("Rules")
    }
    return Notification(function, events, rules.get("prefix", ""), rules.get("suffix", ""))


def other_events(stack: Stack) -> None:
    """Notes the events of functions that nothing here stands for."""
    known = {"HttpApi", "Api", "SQS", "Schedule", "ScheduleV2", "S3"}
    missing: dict[str, list[str]] = {}
    for resource in stack.of("AWS::Serverless::Function"):
        for event, properties in resource.properties.section("Events").entries():
            kind = properties.needed("Type")
            if kind not in known:
                missing.setdefault(kind, []).append(f"{resource.id}.{event}")
    for kind, names in missing.items():
        stack.note(f"Events of type {kind} are not emulated: {', '.join(names)}")


def _events(stack: Stack, kind: str) -> Iterator[tuple[Resource, str, Properties]]:
    for resource in stack.of("AWS::Serverless::Function"):
        for event, properties in resource.properties.section("Events").entries():
            if properties.text("Type") == kind:
                yield resource, event, properties.section("Properties")


def _last(arn: str) -> str:
    """The name in a queue's ARN or address."""
    return arn.replace("/", ":").rpartition(":")[2]
