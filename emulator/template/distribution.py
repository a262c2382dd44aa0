"""The template's CDN: behaviours, policies, error answers, and what its origins are told.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudfront-distribution-distributionconfig.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..blueprint import (
    ALL_VIEWER_EXCEPT_HOST,
    CACHING_DISABLED,
    CACHING_OPTIMIZED,
    Behaviour,
    CachePolicy,
    Distribution,
    ErrorAnswer,
    OriginRequestPolicy,
)
from .intrinsics import unknowns
from .names import Resource
from .properties import Properties
from .stack import Stack

_DAY, _YEAR = 86_400, 31_536_000
_ALL = ("*",)
_ORIGIN_HEADERS = ("Host", "Origin", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
_MANAGED_CACHING = {
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": CACHING_DISABLED,
    "658327ea-f89d-4fab-a63d-7e88639e58f6": CACHING_OPTIMIZED,
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": CachePolicy(minimum=1, default=_DAY, maximum=_YEAR),
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65": CachePolicy(
        maximum=_YEAR, headers=_ORIGIN_HEADERS, cookies=_ALL, gzip=True, brotli=True
    ),
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe": CachePolicy(
        maximum=_YEAR, queries=_ALL, headers=_ORIGIN_HEADERS, cookies=_ALL, gzip=True, brotli=True
    ),
}
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
_ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
_ALL_VIEWER_AND_CLOUDFRONT = "33f36d7e-f396-46d9-90e0-52428a34d9dc"
_PREFLIGHT = ("Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method")
_MANAGED_FORWARDING = {
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": ALL_VIEWER_EXCEPT_HOST,
    _ALL_VIEWER: ALL_VIEWER_EXCEPT_HOST,
    _ALL_VIEWER_AND_CLOUDFRONT: ALL_VIEWER_EXCEPT_HOST,
    "59781a5b-3903-41f3-afcb-af62929ccde1": OriginRequestPolicy(headers=("Origin",)),
    "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": OriginRequestPolicy(headers=_PREFLIGHT),
    "acba4595-bd28-49b8-b9fe-13317c0390fa": OriginRequestPolicy(headers=("User-Agent", "Referer")),
    "bf0718e1-ba1e-49d1-88b1-f726733018ae": OriginRequestPolicy(headers=("Host",)),
}


@dataclass(frozen=True)
class Cdn:
    """The ``distribution``, and the name of the door that it asks; "" where it is the first there is."""

    distribution: Distribution
    door: str


@dataclass(frozen=True)
class _Origin:
    kind: Literal["bucket", "door"]
    door: str
    path: str
    headers: tuple[tuple[str, str], ...]


def read(stack: Stack, hosts: Mapping[str, str]) -> Cdn | None:
    """The first distribution; ``hosts`` are the doors' names by address."""
    found = list(stack.of("AWS::CloudFront::Distribution"))
    if not found:
        return None
    for other in found[1:]:
        stack.note(f"{other.id} is not emulated: the CDN here is {found[0].id}")
    return _Reader(stack, found[0], hosts).read()


class _Reader:
    def __init__(self, stack: Stack, resource: Resource, hosts: Mapping[str, str]) -> None:
        self._stack = stack
        self._id = resource.id
        self._config = resource.properties.section("DistributionConfig")
        self._origins = {
            origin.needed("Id"): self._origin(origin, hosts) for origin in self._config.sections("Origins")
        }

    def read(self) -> Cdn:
        sections = [*self._config.sections("CacheBehaviors"), self._config.section("DefaultCacheBehavior")]
        origins = [self._target(section) for section in sections]
        # The default behaviour's door comes first, as it has most of the site.
        doors = [origin for origin in reversed(origins) if origin.kind == "door"]
        door = doors[0].door if doors else ""
        behaviours = []
        for section, origin in zip(sections, origins, strict=True):
            pattern = "*" if section is sections[-1] else section.needed("PathPattern")
            if origin.kind == "door" and origin.door != door:
                self._stack.note(
                    f"{pattern} goes to {origin.door} on AWS; the CDN here asks one front door, which is {door}"
                )
            behaviours.append(self._behaviour(pattern, section, origin))
        for key in ("DefaultRootObject", "OriginGroups"):
            if key in self._config:
                self._stack.note(f"{key} of {self._id} is not emulated")
        distribution = Distribution(
            behaviours=tuple(behaviours),
            errors=tuple(_error(section) for section in self._config.sections("CustomErrorResponses")),
            secrets=doors[0].headers if doors else (),
        )
        return Cdn(distribution, door)

    def _origin(self, origin: Properties, hosts: Mapping[str, str]) -> _Origin:
        host = origin.needed("DomainName").lower()
        headers = []
        for header in origin.sections("OriginCustomHeaders"):
            name, value = header.needed("HeaderName"), header.text("HeaderValue")
            if missing := unknowns(value):
                self._stack.note(
                    f"The origin's header {name} is not sent, as it has no value here; give --parameter "
                    f"'{missing[0]}=...' to send it, and the same to the functions that look for it"
                )
            else:
                headers.append((name, value))
        bucket = any(key in origin for key in ("S3OriginConfig", "OriginAccessControlId")) and host not in hosts
        if not bucket and host not in hosts:
            self._stack.note(f"The origin {origin.text('Id')} is {host}, unknown here: the first front door is asked")
        return _Origin(
            kind="bucket" if bucket else "door",
            door=hosts.get(host, ""),
            path=origin.text("OriginPath").rstrip("/"),
            headers=tuple(headers),
        )

    def _target(self, section: Properties) -> _Origin:
        name = section.needed("TargetOriginId")
        if name not in self._origins:
            raise section.error("TargetOriginId", f"there is no origin {name!r}; there are: {', '.join(self._origins)}")
        return self._origins[name]

    def _behaviour(self, pattern: str, section: Properties, origin: _Origin) -> Behaviour:
        if "LambdaFunctionAssociations" in section:
            self._stack.note(f"Lambda@Edge does not run here ({pattern} of {self._id})")
        if "ResponseHeadersPolicyId" in section:
            self._stack.note(f"ResponseHeadersPolicyId is not emulated ({pattern} of {self._id}): no header is added")
        cache, forward = (
            _legacy(section) if "CachePolicyId" not in section else (self._caching(section), self._forwarding(section))
        )
        if origin.kind == "door":
            self._warn(pattern, section, origin, cache, forward)
        return Behaviour(
            pattern=pattern,
            origin=origin.kind,
            cache=cache,
            compress=section.flag("Compress"),
            methods=section.texts("AllowedMethods") or ("GET", "HEAD"),
            forward=forward,
            origin_path=origin.path,
        )

    def _warn(
        self, pattern: str, section: Properties, origin: _Origin, cache: CachePolicy, forward: OriginRequestPolicy
    ) -> None:
        """Notes what works here and not on AWS, or works on neither and is often not meant."""
        forwarded_host = any(name.lower() == "x-forwarded-host" for name, _ in origin.headers)
        if "FunctionAssociations" not in section and not forwarded_host:
            self._stack.note(
                f"On AWS nothing tells the function which host was asked for ({pattern} of {self._id}): copy Host to "
                "X-Forwarded-Host in a CloudFront function. Here the CDN does so by itself"
            )
        if section.text("OriginRequestPolicyId") in {_ALL_VIEWER, _ALL_VIEWER_AND_CLOUDFRONT}:
            self._stack.note(
                f"The origin request policy of {pattern} sends the viewer's Host, which an API or a function URL "
                "answers with 403 on AWS: use AllViewerExceptHostHeader (b689b0a8-53d0-40ab-baf2-68738e2966ac)"
            )
        if not cache.cookies and not forward.cookies:
            self._stack.note(f"Cookies do not reach the function for {pattern}: no policy of that behaviour names them")

    def _caching(self, section: Properties) -> CachePolicy:
        identifier = section.text("CachePolicyId")
        if identifier in _MANAGED_CACHING:
            return _MANAGED_CACHING[identifier]
        for resource in self._stack.of("AWS::CloudFront::CachePolicy"):
            if resource.id == identifier:
                return self._own_caching(resource.properties.section("CachePolicyConfig"))
        self._stack.note(f"The cache policy {identifier} is unknown here: what it is for is not cached")
        return CACHING_DISABLED

    def _own_caching(self, config: Properties) -> CachePolicy:
        """The TTLs of a policy of the template's own are what CloudFormation wants to have said.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudfront-cachepolicy-cachepolicyconfig.html
        """
        key = config.section("ParametersInCacheKeyAndForwardedToOrigin")
        return CachePolicy(
            minimum=config.number("MinTTL", 0),
            default=config.number("DefaultTTL", _DAY),
            maximum=config.number("MaxTTL", _YEAR),
            queries=self._named(key, "QueryString", "QueryStrings"),
            headers=self._named(key, "Header", "Headers"),
            cookies=self._named(key, "Cookie", "Cookies"),
            gzip=key.flag("EnableAcceptEncodingGzip"),
            brotli=key.flag("EnableAcceptEncodingBrotli"),
        )

    def _forwarding(self, section: Properties) -> OriginRequestPolicy:
        """Without a policy the origin hears what the cache policy names, and no more."""
        identifier = section.text("OriginRequestPolicyId")
        if not identifier:
            return OriginRequestPolicy()
        if identifier in _MANAGED_FORWARDING:
            return _MANAGED_FORWARDING[identifier]
        for resource in self._stack.of("AWS::CloudFront::OriginRequestPolicy"):
            if resource.id == identifier:
                config = resource.properties.section("OriginRequestPolicyConfig")
                return OriginRequestPolicy(
                    queries=self._named(config, "QueryString", "QueryStrings"),
                    headers=self._named(config, "Header", "Headers"),
                    cookies=self._named(config, "Cookie", "Cookies"),
                )
        self._stack.note(f"The origin request policy {identifier} is unknown here: all is passed on")
        return ALL_VIEWER_EXCEPT_HOST

    def _named(self, config: Properties, what: str, names: str) -> tuple[str, ...]:
        """What a policy's ``QueryStringsConfig`` and its like name."""
        section = config.section(f"{names}Config")
        behaviour = section.text(f"{what}Behavior", "none")
        if behaviour == "none":
            return ()
        if behaviour == "whitelist":
            return section.texts(names)
        if behaviour == "allExcept" and [name.lower() for name in section.texts(names)] != ["host"]:
            self._stack.note(f"{what}Behavior allExcept counts as all here: {', '.join(section.texts(names))} too")
        return _ALL


def _legacy(section: Properties) -> tuple[CachePolicy, OriginRequestPolicy]:
    """The settings from before there were policies; what is forwarded is then what tells answers apart.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudfront-distribution-forwardedvalues.html
    """
    forwarded = section.section("ForwardedValues")
    queries = (forwarded.texts("QueryStringCacheKeys") or _ALL) if forwarded.flag("QueryString") else ()
    cookies = forwarded.section("Cookies")
    named = {"all": _ALL, "whitelist": cookies.texts("WhitelistedNames")}.get(cookies.text("Forward", "none"), ())
    headers = forwarded.texts("Headers")
    forward = OriginRequestPolicy(_ALL if forwarded.flag("QueryString") else (), headers, named)
    if headers == _ALL:
        return CACHING_DISABLED, forward  # all headers forwarded: nothing is kept
    minimum = section.number("MinTTL", 0)
    caching = CachePolicy(
        minimum=minimum,
        default=section.number("DefaultTTL", _DAY),
        maximum=section.number("MaxTTL", _YEAR),
        queries=queries,
        headers=headers,
        cookies=named,
        gzip=section.flag("Compress"),
    )
    return caching, forward


def _error(section: Properties) -> ErrorAnswer:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudfront-distribution-customerrorresponse.html"""
    return ErrorAnswer(
        status=section.integer("ErrorCode", 0),
        ttl=section.number("ErrorCachingMinTTL", 10),
        page=section.text("ResponsePagePath") or None,
        answer=section.integer_or_none("ResponseCode"),
    )
