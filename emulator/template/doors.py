"""The template's front doors: APIs by the events that lead to functions, function URLs, target groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..blueprint import Cors, Door, Route
from .authorizers import Authorizers
from .definitions import defined_apis
from .functions import Directory
from .names import Resource
from .plain_apis import cors, http_apis, rest_apis, rest_stage
from .properties import Properties
from .stack import IMPLICIT_HTTP_API, IMPLICIT_REST_API, Stack

_ANY = {"ANY", "*", "X-AMAZON-APIGATEWAY-ANY-METHOD"}


@dataclass(frozen=True)
class Entrances:
    """The ``doors``, and by address the names of those that answer there."""

    doors: tuple[Door, ...]
    hosts: dict[str, str]


def read(stack: Stack, directory: Directory) -> Entrances:
    """All doors: one for each API, function and authorizer; those of one API have its name."""
    doors: dict[Any, Door] = {}
    hosts: dict[str, str] = {}
    sources = (_apis, http_apis, rest_apis, defined_apis, _urls, _target_groups)
    for door in (door for source in sources for door in source(stack, directory)):
        key = replace(door, routes=())
        before = doors.get(key)
        doors[key] = door if before is None else replace(before, routes=_joined(before.routes, door.routes))
        if door.kind.startswith(("http_api", "rest_api", "function_url")):
            resource = stack.resources[door.name]
            hosts[stack.names.host(resource).lower()] = door.name
            if domain := resource.properties.section("Domain").text("DomainName"):
                hosts[domain.lower()] = door.name
    merged = tuple(_with_public_routes(doors.values()))
    balancers = [door.name for door in merged if door.kind.startswith("alb")]
    for resource in stack.of("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancers:
            hosts[stack.names.host(resource).lower()] = balancers[0]
    return Entrances(merged, hosts)


def _with_public_routes(doors: Iterable[Door]) -> Iterator[Door]:
    """The doors; one that is open to all becomes public routes of a guarded one that is the same in all else."""
    alike: dict[Door, list[Door]] = {}
    for door in doors:
        alike.setdefault(replace(door, routes=(), authorizer=None, api_keys=()), []).append(door)
    for group in alike.values():
        guarded = [door for door in group if door.authorizer is not None or door.api_keys]
        free = [replace(route, public=True) for door in group if door not in guarded for route in door.routes]
        if guarded and free:
            yield replace(guarded[0], routes=(*guarded[0].routes, *free))
            yield from guarded[1:]
        else:
            yield from group


def _joined(first: tuple[Route, ...], second: tuple[Route, ...]) -> tuple[Route, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _apis(stack: Stack, directory: Directory) -> Iterator[Door]:
    """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-httpapi.html"""
    for function in stack.of("AWS::Serverless::Function"):
        for name, event in function.properties.section("Events").entries():
            kind = event.text("Type")
            if kind not in {"HttpApi", "Api"}:
                continue
            found = directory.find(stack.names.name(function), f"{function.id}.{name}")
            if found is None:
                continue
            properties = event.section("Properties")
            api = _api(stack, kind, properties)
            if api is None:
                stack.note(f"{function.id}.{name} belongs to an API that is not in this template")
                continue
            authorizers = Authorizers(stack, api, directory)
            make = _http_api if kind == "HttpApi" else _rest_api
            yield make(stack, api, found, properties, authorizers)


def _api(stack: Stack, kind: str, properties: Properties) -> Resource | None:
    key, implicit = ("ApiId", IMPLICIT_HTTP_API) if kind == "HttpApi" else ("RestApiId", IMPLICIT_REST_API)
    reference = properties.text(key)
    if not reference:
        return stack.resources[implicit]
    api_type = "AWS::Serverless::HttpApi" if kind == "HttpApi" else "AWS::Serverless::Api"
    for resource in stack.of(api_type):
        if reference == stack.names.reference(resource.id, resource.place):
            return resource
    return None


def _http_api(stack: Stack, api: Resource, function: str, event: Properties, authorizers: Authorizers) -> Door:
    """An event without path and method is the route of all that no other route matches."""
    _note_definition(stack, api, "DefinitionBody", "DefinitionUri")
    stage = api.properties.text("StageName", "$default")
    version = event.one_of("PayloadFormatVersion", ("1.0", "2.0", "1", "2"), "2.0")
    return Door(
        kind="http_api" if version.startswith("2") else "http_api_1",
        function=function,
        stage=None if stage == "$default" or "Domain" in api.properties else stage,
        timeout=event.number("TimeoutInMillis", 0) / 1000 or None,
        routes=(Route(_method(event.text("Method", "ANY")), event.text("Path", "$default")),),
        cors=_http_cors(api.properties),
        authorizer=authorizers.of(event),
        name=api.id,
    )


def _rest_api(stack: Stack, api: Resource, function: str, event: Properties, authorizers: Authorizers) -> Door:
    """Media types are written with ``~1`` for each slash, or as they are."""
    _note_definition(stack, api, "DefinitionUri")
    if "Cors" in api.properties:
        stack.note(f"Cors of {api.id} is not emulated: OPTIONS goes where the other methods go")
    streaming = event.one_of("ResponseTransferMode", ("BUFFERED", "STREAM"), "BUFFERED") == "STREAM"
    types = api.properties.texts("BinaryMediaTypes")
    return Door(
        kind="rest_api",
        function=function,
        stage=rest_stage(stack, api),
        streaming=streaming,
        timeout=event.number("TimeoutInMillis", 0) / 1000 or None,
        routes=(Route(_method(event.needed("Method")), event.needed("Path")),),
        binary_media_types=tuple(media_type.replace("~1", "/") for media_type in types),
        authorizer=authorizers.of(event),
        api_keys=authorizers.keys(event),
        name=api.id,
    )


def _note_definition(stack: Stack, api: Resource, *keys: str) -> None:
    for key in keys:
        if key in api.properties:
            stack.note(f"{key} of {api.id} is not read: its routes are those of the functions' events")


def _method(text: str) -> str:
    method = text.upper()
    return "ANY" if method in _ANY else method


def _http_cors(api: Properties) -> Cors | None:
    """``CorsConfiguration: true`` lets every origin in.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-httpapicorsconfiguration.html
    """
    value = api.outline("CorsConfiguration")
    if not isinstance(value, dict):
        return Cors(("*",)) if value is not None and api.flag("CorsConfiguration") else None
    return cors(api.section("CorsConfiguration"))


def _urls(stack: Stack, directory: Directory) -> Iterator[Door]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html"""
    for url in stack.of("AWS::Lambda::Url"):
        properties = url.properties
        target = properties.text("TargetFunctionArn") or properties.needed("FunctionName")
        function = directory.find(target, url.id)
        if function is None:
            continue
        if properties.one_of("AuthType", ("NONE", "AWS_IAM"), "NONE") == "AWS_IAM":
            stack.note(
                f"{url.id} takes signed requests only (AuthType AWS_IAM); signatures are not checked here. CloudFront "
                "signs for its viewers, save the body of what a browser posts: AWS then answers 403"
            )
        mode = properties.one_of("InvokeMode", ("BUFFERED", "RESPONSE_STREAM"), "BUFFERED")
        yield Door(
            kind="function_url",
            function=function,
            streaming=mode == "RESPONSE_STREAM",
            cors=cors(properties.section("Cors")) if "Cors" in properties else None,
            name=url.id,
        )


def _target_groups(stack: Stack, directory: Directory) -> Iterator[Door]:
    for group in stack.of("AWS::ElasticLoadBalancingV2::TargetGroup"):
        if group.properties.text("TargetType") == "lambda":
            yield from _load_balancer(stack, directory, group)
    for group in stack.of("AWS::VpcLattice::TargetGroup"):
        if group.properties.text("Type") == "LAMBDA":
            # V1 is the default:
            # https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_TargetGroupConfig.html
            version = group.properties.section("Config").one_of("LambdaEventStructureVersion", ("V1", "V2"), "V1")
            kind = "vpc_lattice" if version == "V2" else "vpc_lattice_1"
            for function in _targets(directory, group):
                yield Door(kind=kind, function=function, name=group.id)


def _load_balancer(stack: Stack, directory: Directory, group: Resource) -> Iterator[Door]:
    """Health checks of functions are off unless enabled; their path is ``/`` unless another is given.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """
    properties = group.properties
    attributes = {each.text("Key"): each.text("Value") for each in properties.sections("TargetGroupAttributes")}
    multi_value = attributes.get("lambda.multi_value_headers.enabled") == "true"
    for function in _targets(directory, group):
        yield Door(
            kind="alb_multi_value" if multi_value else "alb",
            function=function,
            health_check=properties.text("HealthCheckPath", "/") if properties.flag("HealthCheckEnabled") else None,
            name=group.id,
        )
    if any(stack.of("AWS::ElasticLoadBalancingV2::ListenerRule")):
        stack.note("The load balancer's listener rules are not emulated: each target group takes every path")


def _targets(directory: Directory, group: Resource) -> Iterator[str]:
    for target in group.properties.sections("Targets"):
        function = directory.find(target.needed("Id"), group.id)
        if function is not None:
            yield function
