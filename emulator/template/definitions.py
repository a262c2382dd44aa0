"""REST APIs whose routes stand in an OpenAPI definition within the template, by API Gateway's extensions.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-extensions.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..blueprint import Door, Route
from .authorizers import note_open
from .functions import Directory
from .names import Resource
from .plain_apis import rest_stage
from .properties import Properties
from .stack import Stack

_KEYS = {"AWS::ApiGateway::RestApi": "Body", "AWS::Serverless::Api": "DefinitionBody"}
_METHODS = {
    **{method: method.upper() for method in ("get", "put", "post", "delete", "options", "head", "patch")},
    "x-amazon-apigateway-any-method": "ANY",
}
_INTEGRATION = "x-amazon-apigateway-integration"


def defined_apis(stack: Stack, directory: Directory) -> Iterator[Door]:
    """What the integrations of the definitions lead to; a method without one gets it from a function's event."""
    for api in stack.of(*_KEYS):
        key = _KEYS[api.type]
        if transform := api.properties.function(key):
            stack.note(f"{key} of {api.id} is not read: {transform} makes it")
            continue
        definition = api.properties.section(key)
        for path, item in definition.section("paths").entries():
            for name, method in _METHODS.items():
                operation = item.section(name)
                if _INTEGRATION in operation:
                    yield from _doors(stack, directory, api, definition, operation, Route(method, path))


def _doors(
    stack: Stack, directory: Directory, api: Resource, definition: Properties, operation: Properties, route: Route
) -> Iterator[Door]:
    integration = operation.section(_INTEGRATION)
    kind = integration.text("type").upper()
    if kind != "AWS_PROXY":
        stack.note(
            f"{route.method} {route.path} of {api.id} is not emulated: integrations of type {kind or 'MOCK'} lead to "
            "no function"
        )
        return
    function = directory.find(integration.needed("uri"), f"{route.method} {route.path} of {api.id}")
    if function is None:
        return
    if operation.value("security") or definition.value("security"):
        note_open(stack, api, "security", "the emulator reads no authorizers of a definition")
    types = api.properties.texts("BinaryMediaTypes") or definition.texts("x-amazon-apigateway-binary-media-types")
    yield Door(
        kind="rest_api",
        function=function,
        stage=rest_stage(stack, api),
        streaming=integration.one_of("responseTransferMode", ("BUFFERED", "STREAM"), "BUFFERED") == "STREAM",
        timeout=integration.number("timeoutInMillis", 0) / 1000 or None,
        routes=(route,),
        binary_media_types=tuple(media_type.replace("~1", "/") for media_type in types),
        name=api.id,
    )
