"""What AWS would call the resources: names, ARNs, addresses; plausible ones, the same from run to run.

A resource without a name of its own is called by its logical id, where AWS would put a random one.
"Return values" of each type:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import Place
from .intrinsics import unknown, unknowns
from .properties import Properties

ACCOUNT = "123456789012"
STACK = "django-faas"


@dataclass(frozen=True)
class Resource:
    """One resource of the template, or one that SAM makes besides; ``unmet`` is the condition that it fails, if any."""

    id: str
    type: str
    properties: Properties
    place: Place
    unmet: str | None = None


@dataclass(frozen=True)
class _Kind:
    """How a type is called; ``{name}`` is what ``property`` says or the logical id, ``{host}`` the id in an address."""

    property: str = ""
    reference: str = "{name}"
    attributes: Mapping[str, str] = field(default_factory=dict)


_FUNCTION = _Kind("FunctionName", attributes={"Arn": "arn:aws:lambda:{region}:{account}:function:{name}"})
_API_HOST = "{host}.execute-api.{region}.amazonaws.com"
_HTTP_API = _Kind(reference="{host}", attributes={"ApiId": "{host}", "ApiEndpoint": f"https://{_API_HOST}"})
_REST_API = _Kind(reference="{host}", attributes={"RestApiId": "{host}", "RootResourceId": "{host}"})
_KINDS = {
    "AWS::Serverless::Function": _FUNCTION,
    "AWS::Lambda::Function": _FUNCTION,
    "AWS::Lambda::Url": _Kind(
        reference="{function}",
        attributes={"FunctionUrl": "https://{host}.lambda-url.{region}.on.aws/", "FunctionArn": "{function}"},
    ),
    "AWS::Lambda::Alias": _Kind(reference="{function}:{alias}", attributes={"AliasArn": "{function}:{alias}"}),
    "AWS::Lambda::Version": _Kind(reference="{function}:1", attributes={"Version": "1", "FunctionArn": "{function}:1"}),
    "AWS::ApiGateway::Stage": _Kind("StageName"),
    "AWS::ApiGatewayV2::Stage": _Kind("StageName"),
    "AWS::Serverless::HttpApi": _HTTP_API,
    "AWS::ApiGatewayV2::Api": _HTTP_API,
    "AWS::Serverless::Api": _REST_API,
    "AWS::ApiGateway::RestApi": _REST_API,
    "AWS::SQS::Queue": _Kind(
        "QueueName",
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {
            "Arn": "arn:aws:sqs:{region}:{account}:{name}",
            "QueueName": "{name}",
            "QueueUrl": "https://sqs.{region}.amazonaws.com/{account}/{name}",
        },
    ),
    "AWS::S3::Bucket": _Kind(
        reference="{bucket}",
        attributes={
            "Arn": "arn:aws:s3:::{bucket}",
            "DomainName": "{bucket}.s3.amazonaws.com",
            "RegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
            "DualStackDomainName": "{bucket}.s3.dualstack.{region}.amazonaws.com",
            "WebsiteURL": "http://{bucket}.s3-website-{region}.amazonaws.com",
        },
    ),
    "AWS::CloudFront::Distribution": _Kind(
        reference="{host}", attributes={"Id": "{host}", "DomainName": "{host}.cloudfront.net"}
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _Kind(
        reference="arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{host}",
        attributes={
            "DNSName": "{host}.{region}.elb.amazonaws.com",
            "LoadBalancerArn": "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{host}",
            "LoadBalancerName": "{name}",
        },
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _Kind(
        reference="arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{host}",
        attributes={"TargetGroupArn": "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{host}"},
    ),
    "AWS::IAM::Role": _Kind("RoleName", attributes={"Arn": "arn:aws:iam::{account}:role/{name}", "RoleId": "{name}"}),
    "AWS::DynamoDB::Table": _Kind("TableName", attributes={"Arn": "arn:aws:dynamodb:{region}:{account}:table/{name}"}),
    "AWS::Serverless::SimpleTable": _Kind(
        "TableName", attributes={"Arn": "arn:aws:dynamodb:{region}:{account}:table/{name}"}
    ),
    "AWS::SNS::Topic": _Kind(
        "TopicName",
        "arn:aws:sns:{region}:{account}:{name}",
        {"TopicArn": "arn:aws:sns:{region}:{account}:{name}", "TopicName": "{name}"},
    ),
    "AWS::SecretsManager::Secret": _Kind("Name", "arn:aws:secretsmanager:{region}:{account}:secret:{name}"),
    "AWS::SSM::Parameter": _Kind("Name"),
    "AWS::Logs::LogGroup": _Kind(
        "LogGroupName", attributes={"Arn": "arn:aws:logs:{region}:{account}:log-group:{name}:*"}
    ),
    "AWS::Events::Rule": _Kind("Name", attributes={"Arn": "arn:aws:events:{region}:{account}:rule/{name}"}),
    "AWS::Scheduler::Schedule": _Kind(
        "Name", attributes={"Arn": "arn:aws:scheduler:{region}:{account}:schedule/default/{name}"}
    ),
}
_OTHER = _Kind()
_OWNERS = ("FunctionName", "TargetFunctionArn")  # where an alias, a version or a URL says whose it is


class LocalNames:
    """See `intrinsics.Names`; all buckets are one here, ``bucket``."""

    def __init__(self, resources: Mapping[str, Resource], region: str, bucket: str) -> None:
        self._resources = resources
        self._region = region
        self._bucket = bucket
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{STACK}/emulated",
            "AWS::StackName": STACK,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._naming: set[str] = set()

    def known(self) -> Iterable[str]:
        """See `Names.known`."""
        return [*self._pseudo, *self._resources]

    def reference(self, name: str, place: Place) -> str | None:
        """See `Names.reference`."""
        if name in self._pseudo:
            return self._pseudo[name]
        resource = self._find(name, place)
        if resource is None:
            return None
        return self._written(_KINDS.get(resource.type, _OTHER).reference, resource, place)

    def attribute(self, name: str, attribute: str, place: Place) -> str | None:
        """See `Names.attribute`. What is no name and no address of this table is unknown, as a database's host is."""
        resource = self._find(name, place)
        if resource is None:
            return None
        form = _KINDS.get(resource.type, _OTHER).attributes.get(attribute)
        if form is not None:
            return self._written(form, resource, place)
        if attribute == "Arn":
            return f"arn:aws:{resource.type.split('::')[1].lower()}:{self._region}:{ACCOUNT}:{name}"
        return unknown(f"{name}.{attribute}")

    def name(self, resource: Resource) -> str:
        """What the resource is called: its own name, or its logical id. A FIFO queue's always ends in ``.fifo``."""
        kind = _KINDS.get(resource.type, _OTHER)
        name = resource.properties.text(kind.property) if kind.property else ""
        if name and not unknowns(name):
            return name
        fifo = resource.type == "AWS::SQS::Queue" and resource.properties.flag("FifoQueue")
        return f"{resource.id}.fifo" if fifo else resource.id

    def host(self, resource: Resource) -> str:
        """The address at which the API, function URL or load balancer would answer."""
        if resource.type == "AWS::Lambda::Url":
            form = "{host}.lambda-url.{region}.on.aws"
        elif resource.type == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            form = _KINDS[resource.type].attributes["DNSName"]
        else:
            form = _API_HOST
        return self._written(form, resource, resource.place)

    def _find(self, name: str, place: Place) -> Resource | None:
        resource = self._resources.get(name)
        if resource is not None and resource.unmet is not None:
            raise place.error(f"{name} is not made, as its condition {resource.unmet} is false")
        return resource

    def _written(self, form: str, resource: Resource, place: Place) -> str:
        if resource.id in self._naming:
            raise place.error(f"the name of {resource.id} depends on itself")
        self._naming.add(resource.id)
        try:
            values = {
                "account": ACCOUNT,
                "bucket": self._bucket,
                "host": "".join(filter(str.isalnum, resource.id)).lower(),
                "region": self._region,
            }
            if "{name}" in form:
                values["name"] = self.name(resource)
            if "{function}" in form:
                values["function"] = self._function(resource)
            if "{alias}" in form:
                values["alias"] = resource.properties.needed("Name")
            return form.format(**values)
        finally:
            self._naming.discard(resource.id)

    def _function(self, resource: Resource) -> str:
        """The ARN of the function that an alias, a version or a URL belongs to."""
        owner = next((text for key in _OWNERS if (text := resource.properties.text(key))), "")
        return owner if owner.startswith("arn:") else f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{owner}"
