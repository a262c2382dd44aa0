"""What guards an API: the authorizers and API keys that SAM's ``Auth`` sections name.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-httpapiauth.html
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-api-apiauth.html
"""

from __future__ import annotations

import dataclasses

from ..blueprint import Authorizer, JwtAuthorizer, LambdaAuthorizer
from .functions import Directory
from .intrinsics import known, unknowns
from .names import Resource
from .properties import Properties
from .stack import Stack

_SOURCES = (
    ("Headers", "request.header."),
    ("QueryStrings", "request.querystring."),
    ("StageVariables", "stageVariables."),
    ("Context", "context."),
)


def note_open(stack: Stack, api: Resource, name: str, why: str) -> None:
    """Says that what guards the API on AWS does not do so here."""
    stack.note(f"{api.id} is open here where {name} guards it on AWS: {why}")


def api_keys(stack: Stack, api: Resource) -> tuple[str, ...]:
    """The API keys of the template; without one, or where AWS makes a key's value up, one that a note tells.

    A key is off unless it says otherwise:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-apikey.html
    """
    keys = {
        resource.id: resource.properties.text("Value")
        for resource in stack.of("AWS::ApiGateway::ApiKey")
        if resource.properties.flag("Enabled")
    }
    for name, value in (keys or {f"{api.id}ApiKey": ""}).items():
        if not value or unknowns(value):
            keys[name] = f"emulator-api-key-{name}"
            stack.note(f"{api.id} wants an API key whose value AWS makes up; here it is {keys[name]}")
    return tuple(keys.values())


class Authorizers:
    """Those of one API, by the names its events use."""

    def __init__(self, stack: Stack, api: Resource, directory: Directory) -> None:
        self._stack = stack
        self._api = api
        self._directory = directory
        self._auth = api.properties.section("Auth")
        self._rest = api.type == "AWS::Serverless::Api"

    def of(self, event: Properties) -> Authorizer | None:
        """The one that guards the event's route; None for a route open to all, or guarded by what is noted."""
        own = event.section("Auth")
        name = own.text("Authorizer") or self._auth.text("DefaultAuthorizer")
        if not name or name == "NONE":
            return None
        if name == "AWS_IAM":
            note_open(self._stack, self._api, name, "signatures of IAM users are not checked here")
            return None
        declared = self._auth.section("Authorizers")
        if name not in declared:
            where = own if "Authorizer" in own else self._auth
            key = "Authorizer" if "Authorizer" in own else "DefaultAuthorizer"
            raise where.error(key, f"{self._api.id} has no authorizer called {name!r}")
        authorizer = self._read(name, declared.section(name))
        if isinstance(authorizer, JwtAuthorizer) and "AuthorizationScopes" in own:
            return dataclasses.replace(authorizer, scopes=own.texts("AuthorizationScopes"))
        return authorizer

    def keys(self, event: Properties) -> tuple[str, ...]:
        """The API keys that count on the event's route, if one is needed."""
        if not self._rest:
            return ()
        if not event.section("Auth").flag("ApiKeyRequired", self._auth.flag("ApiKeyRequired")):
            return ()
        return api_keys(self._stack, self._api)

    def _read(self, name: str, properties: Properties) -> Authorizer | None:
        identity = properties.section("Identity")
        if "JwtConfiguration" in properties and not self._rest:
            # SAM takes these keys in either case.
            jwt = properties.section("JwtConfiguration")
            issuer_key = "issuer" if "issuer" in jwt else "Issuer"
            issuer = jwt.needed(issuer_key)
            known(issuer, jwt.at(issuer_key))
            return JwtAuthorizer(
                name=name,
                issuer=issuer,
                audiences=jwt.texts("audience") or jwt.texts("Audience"),
                scopes=properties.texts("AuthorizationScopes"),
                identity_source=properties.text("IdentitySource", "$request.header.Authorization"),
            )
        if "FunctionArn" not in properties:
            note_open(
                self._stack, self._api, name, "the emulator knows JWT authorizers of HTTP APIs, and Lambda authorizers"
            )
            return None
        function = self._directory.find(properties.needed("FunctionArn"), f"the authorizer {name}")
        if function is None:
            note_open(self._stack, self._api, name, "its function can't be asked")
            return None
        if self._rest:
            return self._of_rest_api(name, function, properties, identity)
        sources = self._sources(identity, "$", "$")
        return LambdaAuthorizer(
            name=name,
            function=function,
            identity_sources=sources,
            # The default is unproven; without an identity source nothing can be kept.
            ttl=identity.number("ReauthorizeEvery", 300) if sources else 0,
            payload="1.0" if properties.text("AuthorizerPayloadFormatVersion") in {"1.0", "1"} else "2.0",
            simple=properties.flag("EnableSimpleResponses"),
        )

    def _of_rest_api(self, name: str, function: str, properties: Properties, identity: Properties) -> LambdaAuthorizer:
        token = properties.one_of("FunctionPayloadType", ("TOKEN", "REQUEST"), "TOKEN") == "TOKEN"
        header = identity.text("Header", "Authorization")
        return LambdaAuthorizer(
            name=name,
            function=function,
            kind="token" if token else "request",
            identity_sources=(
                (f"method.request.header.{header}",) if token else self._sources(identity, "method.", "")
            ),
            ttl=identity.number("ReauthorizeEvery", 300),
            payload="1.0",
            validation=identity.text("ValidationExpression") or None,
        )

    def _sources(self, identity: Properties, request: str, other: str) -> tuple[str, ...]:
        return tuple(
            f"{request if prefix.startswith('request') else other}{prefix}{name}"
            for key, prefix in _SOURCES
            for name in identity.texts(key)
        )
