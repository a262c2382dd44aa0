"""The CDN: behaviours, policies, origins, and what works here but not on AWS."""

from __future__ import annotations

import pytest

from emulator.blueprint import (
    ALL_VIEWER_EXCEPT_HOST,
    CACHING_DISABLED,
    CACHING_OPTIMIZED,
    Behaviour,
    Blueprint,
    CachePolicy,
    Distribution,
    ErrorAnswer,
    OriginRequestPolicy,
)
from emulator.template import TemplateError

from .conftest import Read

OPTIMIZED, DISABLED = "658327ea-f89d-4fab-a63d-7e88639e58f6", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER, EXCEPT_HOST = "216adef6-5c7f-47e4-b989-5492eafa07d3", "b689b0a8-53d0-40ab-baf2-68738e2966ac"
COPY = "FunctionAssociations: [{EventType: viewer-request, FunctionARN: x}]"
DOOR = f"TargetOriginId: door, {COPY}"


@pytest.fixture
def cdn(resources: Read) -> Read:
    """Reads a distribution before a function URL, with this default behaviour and these keys besides."""

    def cdn(default: str, besides: str = "", origin: str = "", beside: str = "") -> Blueprint:
        return resources(
            f"""
  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: !Ref Web, AuthType: NONE}}}}
  Files: {{Type: AWS::S3::Bucket}}
  Cdn:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Origins:
          - {{Id: files, DomainName: !GetAtt Files.RegionalDomainName, S3OriginConfig: {{}}, OriginPath: /files}}
          - {{Id: door, DomainName: !Select [2, !Split [/, !GetAtt Url.FunctionUrl]]{origin}}}
        DefaultCacheBehavior: {{{default}}}
{besides}{beside}"""
        )

    return cdn


def behaviours(blueprint: Blueprint) -> tuple[Behaviour, ...]:
    assert blueprint.distribution is not None
    return blueprint.distribution.behaviours


def test_behaviours_errors_and_secrets(cdn: Read) -> None:
    blueprint = cdn(
        f"{DOOR}, CachePolicyId: {DISABLED}, OriginRequestPolicyId: {EXCEPT_HOST}, AllowedMethods: [GET, HEAD, POST]",
        f"""
        CacheBehaviors:
          - {{PathPattern: /static/*, TargetOriginId: files, CachePolicyId: {OPTIMIZED}, Compress: true}}
        CustomErrorResponses:
          - {{ErrorCode: 404, ResponseCode: 200, ResponsePagePath: /404.html, ErrorCachingMinTTL: 0}}
          - {{ErrorCode: 500}}
""",
        ", OriginCustomHeaders: [{HeaderName: x-origin-verify, HeaderValue: s3cret}]",
    )
    assert blueprint.distribution == Distribution(
        (
            Behaviour(
                "/static/*",
                "bucket",
                CACHING_OPTIMIZED,
                compress=True,
                methods=("GET", "HEAD"),
                forward=OriginRequestPolicy(),
                origin_path="/files",
            ),
            Behaviour("*", "door", CACHING_DISABLED, methods=("GET", "HEAD", "POST"), forward=ALL_VIEWER_EXCEPT_HOST),
        ),
        (ErrorAnswer(404, 0, "/404.html", 200), ErrorAnswer(500)),
        (("x-origin-verify", "s3cret"),),
    )
    assert blueprint.notes == ()


def test_policies_of_the_templates_own(cdn: Read) -> None:
    blueprint = cdn(
        f"{DOOR}, CachePolicyId: !Ref Pages, OriginRequestPolicyId: !Ref Passed",
        beside="""
  Pages:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        MinTTL: 0
        DefaultTTL: 10
        MaxTTL: 60
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          EnableAcceptEncodingBrotli: false
          QueryStringsConfig: {QueryStringBehavior: all}
          HeadersConfig: {HeaderBehavior: whitelist, Headers: [Accept-Language]}
          CookiesConfig: {CookieBehavior: none}
  Passed:
    Type: AWS::CloudFront::OriginRequestPolicy
    Properties:
      OriginRequestPolicyConfig:
        QueryStringsConfig: {QueryStringBehavior: none}
        HeadersConfig: {HeaderBehavior: allExcept, Headers: [Host]}
        CookiesConfig: {CookieBehavior: whitelist, Cookies: [sessionid, csrftoken]}
""",
    )
    (behaviour,) = behaviours(blueprint)
    assert behaviour.cache == CachePolicy(0, 10, 60, ("*",), ("Accept-Language",), (), gzip=True)
    assert behaviour.forward == OriginRequestPolicy((), ("*",), ("sessionid", "csrftoken"))
    assert blueprint.notes == ()


def test_settings_from_before_there_were_policies(cdn: Read) -> None:
    forwarded = "{QueryString: true, Headers: [Accept], Cookies: {Forward: whitelist, WhitelistedNames: [sessionid]}}"
    (behaviour,) = behaviours(cdn(f"{DOOR}, MinTTL: 0, DefaultTTL: 5, Compress: true, ForwardedValues: {forwarded}"))
    assert behaviour.cache == CachePolicy(0, 5, 31_536_000, ("*",), ("Accept",), ("sessionid",), gzip=True)
    assert behaviour.forward == OriginRequestPolicy(("*",), ("Accept",), ("sessionid",))

    forwarded = "{QueryString: true, Headers: ['*'], Cookies: {Forward: all}}"
    (behaviour,) = behaviours(cdn(f"{DOOR}, ForwardedValues: {forwarded}"))
    assert (behaviour.cache, behaviour.forward) == (CACHING_DISABLED, ALL_VIEWER_EXCEPT_HOST)


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (
            f"TargetOriginId: door, CachePolicyId: {DISABLED}, OriginRequestPolicyId: {EXCEPT_HOST}",
            "which host was asked",
        ),
        (f"{DOOR}, CachePolicyId: {DISABLED}, OriginRequestPolicyId: {ALL_VIEWER}", "use AllViewerExceptHostHeader"),
        (f"{DOOR}, CachePolicyId: {DISABLED}", r"Cookies do not reach the function for \*"),
        (f"{DOOR}, CachePolicyId: abc, OriginRequestPolicyId: {EXCEPT_HOST}", "cache policy abc is unknown here"),
        (f"{DOOR}, CachePolicyId: {DISABLED}, OriginRequestPolicyId: abc", "request policy abc is unknown here"),
        (
            f"{DOOR}, CachePolicyId: {DISABLED}, OriginRequestPolicyId: {EXCEPT_HOST}, ResponseHeadersPolicyId: x",
            "no header is added",
        ),
        (
            (
                f"{DOOR}, CachePolicyId: {DISABLED}, OriginRequestPolicyId: {EXCEPT_HOST}, "
                "LambdaFunctionAssociations: [{EventType: viewer-request}]"
            ),
            "Lambda@Edge does not run here",
        ),
    ],
)
def test_surprises_are_noted(cdn: Read, default: str, said: str) -> None:
    import re

    (note,) = cdn(default).notes
    assert re.search(said, note)


def test_an_origin_that_is_not_there(cdn: Read) -> None:
    with pytest.raises(TemplateError, match=r"TargetOriginId: there is no origin 'dor'; there are: files, door"):
        cdn(f"TargetOriginId: dor, CachePolicyId: {DISABLED}")


def test_the_default_behaviours_door_is_the_first(events: Read) -> None:
    blueprint = events(
        """
        Page: {Type: Api, Properties: {Path: '/{proxy+}', Method: ANY}}
        """,
        f"""
  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: !Ref Web, AuthType: NONE}}}}
  Cdn:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Origins:
          - Id: api
            DomainName: !Sub "${{ServerlessRestApi}}.execute-api.${{AWS::Region}}.amazonaws.com"
            OriginPath: !Sub "/${{ServerlessRestApi.Stage}}"
          - {{Id: url, DomainName: !Select [2, !Split [/, !GetAtt Url.FunctionUrl]]}}
        CacheBehaviors: [{{PathPattern: /api/*, {COPY}, TargetOriginId: api, CachePolicyId: {DISABLED},
                          OriginRequestPolicyId: {EXCEPT_HOST}}}]
        DefaultCacheBehavior: {{{COPY}, TargetOriginId: url, CachePolicyId: {DISABLED},
                               OriginRequestPolicyId: {EXCEPT_HOST}}}
""",
    )
    assert [door.name for door in blueprint.doors] == ["Url", "ServerlessRestApi"]
    assert [behaviour.origin_path for behaviour in behaviours(blueprint)] == ["/Prod", ""]
    assert blueprint.notes == (
        "/api/* goes to ServerlessRestApi on AWS; the CDN here asks one front door, which is Url",
    )


def test_a_load_balancer_behind_the_cdn_and_an_address_that_is_unknown(resources: Read) -> None:
    blueprint = resources(
        f"""
  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: !Ref Web, AuthType: NONE}}}}
  Balancer: {{Type: AWS::ElasticLoadBalancingV2::LoadBalancer}}
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {{TargetType: lambda, Targets: [{{Id: !GetAtt Web.Arn}}]}}
  Cdn:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Origins:
          - {{Id: balancer, DomainName: !GetAtt Balancer.DNSName}}
          - {{Id: shop, DomainName: shop.example.com}}
        CacheBehaviors: [{{PathPattern: /shop/*, {COPY}, TargetOriginId: shop, CachePolicyId: {DISABLED},
                          OriginRequestPolicyId: {EXCEPT_HOST}}}]
        DefaultCacheBehavior: {{{COPY}, TargetOriginId: balancer, CachePolicyId: {DISABLED},
                               OriginRequestPolicyId: {EXCEPT_HOST}}}
"""
    )
    assert [door.name for door in blueprint.doors] == ["Group", "Url"]
    assert "The origin shop is shop.example.com, unknown here: the first front door is asked" in blueprint.notes
