"""Reads a SAM or CloudFormation template into a blueprint of what is to be emulated.

Lazily: what nothing emulated depends on may be unknown or wrong. What is not emulated becomes a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..blueprint import Blueprint, Door
from . import distribution, doors, functions, triggers
from .document import load
from .errors import TemplateError
from .stack import Stack

__all__ = ["TemplateError", "read_template"]

_EMULATED = {
    *functions.TYPES,
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::Events::Rule",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Url",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Api",
    "AWS::Serverless::HttpApi",
    "AWS::VpcLattice::TargetGroup",
}
# They have a say in what AWS lets through, keeps or names, and nothing to do on a laptop.
_NEEDLESS = {
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::Connector",
}
_INSTEAD = {
    "AWS::CloudFront::Function": " (the CDN here puts the viewer's Host into X-Forwarded-Host by itself)",
}


def read_template(path: Path, parameters: Mapping[str, str], *, region: str, bucket: str = "django-faas") -> Blueprint:
    """What the template at ``path`` describes, with ``parameters`` by name, in ``region``.

    ``parameters`` may have values for what only AWS knows too, by the key that a note names (``ssm:/site/key``).
    All of the template's buckets are ``bucket``. A template in which nothing leads to a function has no doors. Raises
    `TemplateError`.
    """
    stack = Stack(load(path), parameters, path.name, region, bucket)
    found = functions.read(stack, path.parent)
    directory = functions.Directory(stack, found)
    entrances = doors.read(stack, directory)
    cdn = distribution.read(stack, entrances.hosts)
    mappings = triggers.mappings(stack, directory)
    queues = triggers.with_foreign(stack, triggers.queues(stack), mappings)
    schedules = triggers.schedules(stack, directory)
    notifications = triggers.notifications(stack, directory)
    triggers.other_events(stack)
    _note_others(stack)
    return Blueprint(
        functions=found,
        doors=_first(entrances.doors, cdn.door) if cdn else entrances.doors,
        distribution=cdn.distribution if cdn else None,
        queues=queues,
        mappings=mappings,
        schedules=schedules,
        notifications=notifications,
        notes=stack.notes,
    )


def _first(doors: tuple[Door, ...], name: str) -> tuple[Door, ...]:
    """The doors, those called ``name`` before the others."""
    return tuple(sorted(doors, key=lambda door: door.name != name))


def _note_others(stack: Stack) -> None:
    others: dict[str, list[str]] = {}
    for resource in stack.resources.values():
        if resource.unmet is None and resource.type not in _EMULATED | _NEEDLESS:
            others.setdefault(resource.type, []).append(resource.id)
    for kind, names in others.items():
        stack.note(f"{kind} is not emulated: {', '.join(names)}{_INSTEAD.get(kind, '')}")
