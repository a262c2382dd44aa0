"""APIs that the template spells out resource by resource, without SAM's events."""

from __future__ import annotations

from collections.abc import Iterator

from ..blueprint import Authorizer, Cors, Door, JwtAuthorizer, LambdaAuthorizer, Route
from .authorizers import api_keys, note_open
from .functions import Directory
from .intrinsics import known
from .names import Resource
from .properties import Properties
from .stack import Stack


def cors(section: Properties) -> Cors:
    """An HTTP API's or a function URL's: the keys are the same."""
    return Cors(
        origins=section.texts("AllowOrigins"),
        methods=section.texts("AllowMethods"),
        headers=section.texts("AllowHeaders"),
        exposed=section.texts("ExposeHeaders"),
        max_age=section.integer_or_none("MaxAge"),
        credentials=section.flag("AllowCredentials"),
    )


def http_apis(stack: Stack, directory: Directory) -> Iterator[Door]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html"""
    routes = list(stack.of("AWS::ApiGatewayV2::Route"))
    integrations = {resource.id: resource for resource in stack.of("AWS::ApiGatewayV2::Integration")}
    for api in stack.of("AWS::ApiGatewayV2::Api"):
        identifier = stack.names.reference(api.id, api.place)
        if api.properties.text("ProtocolType", "HTTP") != "HTTP":
            stack.note(f"{api.id} is not emulated: its protocol is {api.properties.text('ProtocolType')}")
            continue
        _note_body(stack, api, "Body", "BodyS3Location")
        stage = _stage(stack, "AWS::ApiGatewayV2::Stage", "ApiId", identifier, "$default")
        allowed = cors(api.properties.section("CorsConfiguration")) if "CorsConfiguration" in api.properties else None
        if target := api.properties.text("Target"):  # one route for all; that its payload is 2.0 is unproven
            function = directory.find(target, api.id)
            if function is not None:
                yield Door("http_api", function, routes=(Route("ANY", "$default"),), cors=allowed, name=api.id)
        for route in routes:
            properties = route.properties
            if properties.text("ApiId") != identifier:
                continue
            integration = integrations.get(properties.text("Target").rpartition("/")[2])
            uri = integration.properties.text("IntegrationUri") if integration else ""
            function = directory.find(uri, route.id)
            if integration is None or function is None:
                continue
            method, _, path = properties.needed("RouteKey").rpartition(" ")
            version = integration.properties.one_of("PayloadFormatVersion", ("1.0", "2.0"), "1.0")
            yield Door(
                kind="http_api" if version == "2.0" else "http_api_1",
                function=function,
                stage=None if stage == "$default" else stage,
                timeout=_seconds(integration.properties),
                routes=(Route(method.upper() or "ANY", path),),
                cors=allowed,
                authorizer=_http_authorizer(stack, directory, api, properties),
                name=api.id,
            )


def rest_apis(stack: Stack, directory: Directory) -> Iterator[Door]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html"""
    parts = {resource.id: resource.properties for resource in stack.of("AWS::ApiGateway::Resource")}
    for api in stack.of("AWS::ApiGateway::RestApi"):
        identifier = stack.names.reference(api.id, api.place)
        _note_body(stack, api, "BodyS3Location")
        stage = rest_stage(stack, api)
        for method in stack.of("AWS::ApiGateway::Method"):
            properties = method.properties
            if properties.text("RestApiId") != identifier:
                continue
            integration = properties.section("Integration")
            kind = integration.text("Type")
            if kind != "AWS_PROXY":
                stack.note(f"{method.id} is not emulated: integrations of type {kind or 'MOCK'} lead to no function")
                continue
            function = directory.find(integration.needed("Uri"), method.id)
            if function is None:
                continue
            mode = integration.one_of("ResponseTransferMode", ("BUFFERED", "STREAM"), "BUFFERED")
            needs_key = properties.flag("ApiKeyRequired")
            yield Door(
                kind="rest_api",
                function=function,
                stage=stage,
                streaming=mode == "STREAM",
                timeout=_seconds(integration),
                routes=(Route(properties.needed("HttpMethod").upper(), _path(parts, properties.text("ResourceId"))),),
                binary_media_types=api.properties.texts("BinaryMediaTypes"),
                authorizer=_rest_authorizer(stack, directory, api, properties),
                api_keys=api_keys(stack, api) if needs_key else (),
                name=api.id,
            )


def rest_stage(stack: Stack, api: Resource) -> str | None:
    """The stage of a REST API, SAM's or spelt out; None where a domain leads to it."""
    if api.type == "AWS::Serverless::Api":
        return None if "Domain" in api.properties else api.properties.needed("StageName")
    identifier = stack.names.reference(api.id, api.place)
    stage = _stage(stack, "AWS::ApiGateway::Stage", "RestApiId", identifier, "")
    return stage or _stage(stack, "AWS::ApiGateway::Deployment", "RestApiId", identifier, "prod")


def _path(parts: dict[str, Properties], identifier: str) -> str:
    """The path of a REST API's resource: the parts from the root on."""
    path = ""
    while (part := parts.get(identifier)) is not None:
        path = f"/{part.needed('PathPart')}{path}"
        identifier = part.text("ParentId")
    return path or "/"


def _stage(stack: Stack, kind: str, key: str, api: str | None, default: str) -> str:
    for resource in stack.of(kind):
        if resource.properties.text(key) == api and resource.properties.text("StageName"):
            return resource.properties.text("StageName")
    return default


def _seconds(integration: Properties) -> float | None:
    return integration.number("TimeoutInMillis", 0) / 1000 or None


def _note_body(stack: Stack, api: Resource, *keys: str) -> None:
    for key in keys:
        if key in api.properties:
            stack.note(f"{key} of {api.id} is not read: its routes are those that are resources")


def _http_authorizer(stack: Stack, directory: Directory, api: Resource, route: Properties) -> Authorizer | None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-authorizer.html"""
    kind = route.one_of("AuthorizationType", ("NONE", "JWT", "CUSTOM", "AWS_IAM"), "NONE")
    if kind == "NONE":
        return None
    resource = _named(stack, "AWS::ApiGatewayV2::Authorizer", route)
    if resource is None:
        note_open(stack, api, kind, "the emulator knows JWT and Lambda authorizers of this template")
        return None
    properties, name = resource.properties, resource.properties.text("Name", resource.id)
    if kind == "JWT":
        jwt = properties.section("JwtConfiguration")
        issuer = jwt.needed("Issuer")
        known(issuer, jwt.at("Issuer"))
        source = properties.texts("IdentitySource")
        return JwtAuthorizer(
            name=name,
            issuer=issuer,
            audiences=jwt.texts("Audience"),
            scopes=route.texts("AuthorizationScopes"),
            identity_source=source[0] if source else "$request.header.Authorization",
        )
    function = directory.find(properties.text("AuthorizerUri"), f"the authorizer {name}")
    if function is None:
        note_open(stack, api, name, "its function can't be asked")
        return None
    version = properties.one_of("AuthorizerPayloadFormatVersion", ("1.0", "2.0"), "2.0")
    return LambdaAuthorizer(
        name=name,
        function=function,
        identity_sources=properties.texts("IdentitySource"),
        ttl=properties.number("AuthorizerResultTtlInSeconds", 300) if "IdentitySource" in properties else 0,
        payload="1.0" if version == "1.0" else "2.0",
        simple=properties.flag("EnableSimpleResponses"),
    )


def _rest_authorizer(stack: Stack, directory: Directory, api: Resource, method: Properties) -> Authorizer | None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html"""
    kind = method.text("AuthorizationType", "NONE")
    if kind == "NONE":
        return None
    resource = _named(stack, "AWS::ApiGateway::Authorizer", method)
    if resource is None or kind != "CUSTOM":
        note_open(stack, api, kind, "the emulator knows Lambda authorizers of REST APIs")
        return None
    properties, name = resource.properties, resource.properties.text("Name", resource.id)
    function = directory.find(properties.text("AuthorizerUri"), f"the authorizer {name}")
    if function is None:
        note_open(stack, api, name, "its function can't be asked")
        return None
    source = properties.text("IdentitySource")
    return LambdaAuthorizer(
        name=name,
        function=function,
        kind="token" if properties.one_of("Type", ("TOKEN", "REQUEST"), "TOKEN") == "TOKEN" else "request",
        identity_sources=tuple(part.strip() for part in source.split(",") if part.strip()),
        ttl=properties.number("AuthorizerResultTtlInSeconds", 300),
        payload="1.0",
        validation=properties.text("IdentityValidationExpression") or None,
    )


def _named(stack: Stack, kind: str, user: Properties) -> Resource | None:
    identifier = user.text("AuthorizerId")
    return next((resource for resource in stack.of(kind) if resource.id == identifier), None)
