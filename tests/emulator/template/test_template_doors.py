"""Front doors of every kind, how they are guarded, and that the emulator can make each of them."""

from __future__ import annotations

import pytest

from emulator.blueprint import Blueprint, Cors, Door, JwtAuthorizer, LambdaAuthorizer, Route
from emulator.front_doors import build
from emulator.template import TemplateError

from .conftest import Read

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:Web"


def doors(blueprint: Blueprint) -> tuple[Door, ...]:
    for door in blueprint.doors:
        build(door)
    return blueprint.doors


def test_the_implicit_http_api(events: Read) -> None:
    blueprint = events(
        """
        All: {Type: HttpApi}
        Hook: {Type: HttpApi, Properties: {Path: /hook/{name}, Method: post, TimeoutInMillis: 5000}}
        """.replace("/hook/{name}", "'/hook/{name}'")
    )
    assert doors(blueprint) == (
        Door("http_api", "Web", routes=(Route("ANY", "$default"),), name="ServerlessHttpApi"),
        Door("http_api", "Web", timeout=5.0, routes=(Route("POST", "/hook/{name}"),), name="ServerlessHttpApi"),
    )
    assert blueprint.notes == ()


def test_an_http_api_with_stage_cors_and_the_older_payload(events: Read) -> None:
    blueprint = events(
        """
        Page: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /, Method: ANY, PayloadFormatVersion: 1.0}}
        Rest:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Path: '/{proxy+}', Method: '*', PayloadFormatVersion: '1.0'}
        """,
        """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: test
      CorsConfiguration:
        AllowOrigins: ["https://a.org"]
        AllowMethods: [GET]
        AllowHeaders: [x-a]
        ExposeHeaders: [x-b]
        MaxAge: 60
        AllowCredentials: true
""",
    )
    cors = Cors(("https://a.org",), ("GET",), ("x-a",), ("x-b",), 60, True)
    routes = (Route("ANY", "/"), Route("ANY", "/{proxy+}"))
    assert doors(blueprint) == (Door("http_api_1", "Web", stage="test", routes=routes, cors=cors, name="Api"),)


@pytest.mark.parametrize(("written", "cors"), [("true", Cors(("*",))), ("false", None)])
def test_cors_as_a_switch(events: Read, written: str, cors: Cors | None) -> None:
    beside = f"  Api: {{Type: AWS::Serverless::HttpApi, Properties: {{CorsConfiguration: {written}}}}}\n"
    (door,) = doors(events("All: {Type: HttpApi, Properties: {ApiId: !Ref Api}}", beside))
    assert door.cors == cors


JWT = """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Users
        Authorizers:
          Users:
            IdentitySource: $request.header.Authorization
            AuthorizationScopes: [read]
            JwtConfiguration: {Issuer: "https://id.example.com", audience: [site]}
"""


def test_a_jwt_authorizer_with_a_route_open_to_all_and_one_with_another_scope(events: Read) -> None:
    blueprint = events(
        """
        All: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /open, Method: GET, Auth: {Authorizer: NONE}}}
        Write:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Path: /write, Method: POST, Auth: {AuthorizationScopes: [write]}}
        """,
        JWT,
    )
    read = JwtAuthorizer("Users", "https://id.example.com", ("site",), ("read",))
    write = JwtAuthorizer("Users", "https://id.example.com", ("site",), ("write",))
    assert doors(blueprint) == (
        Door(
            "http_api",
            "Web",
            routes=(Route("ANY", "$default"), Route("GET", "/open", public=True)),
            authorizer=read,
            name="Api",
        ),
        Door("http_api", "Web", routes=(Route("POST", "/write"),), authorizer=write, name="Api"),
    )


def test_an_authorizer_that_is_not_there(events: Read) -> None:
    text = "All: {Type: HttpApi, Properties: {ApiId: !Ref Api, Auth: {Authorizer: Userss}}}"
    with pytest.raises(TemplateError, match=r"Auth.Authorizer: Api has no authorizer called 'Userss'"):
        events(text, JWT)


def test_lambda_authorizers_of_an_http_api(events: Read) -> None:
    (door,) = doors(
        events(
            "All: {Type: HttpApi, Properties: {ApiId: !Ref Api}}",
            """
  Ask: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: adapter.ask}}
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Asked
        Authorizers:
          Asked:
            FunctionArn: !GetAtt Ask.Arn
            AuthorizerPayloadFormatVersion: 2.0
            EnableSimpleResponses: true
            Identity: {Headers: [X-Token], QueryStrings: [token], ReauthorizeEvery: 30}
""",
        )
    )
    sources = ("$request.header.X-Token", "$request.querystring.token")
    assert door.authorizer == LambdaAuthorizer("Asked", "Ask", "request", sources, 30, "2.0", simple=True)


def test_a_lambda_authorizer_without_identity_is_asked_each_time(events: Read) -> None:
    (door,) = doors(
        events(
            "All: {Type: HttpApi, Properties: {ApiId: !Ref Api}}",
            """
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Asked
        Authorizers: {Asked: {FunctionArn: !GetAtt Web.Arn, AuthorizerPayloadFormatVersion: "1.0"}}
""",
        )
    )
    assert door.authorizer == LambdaAuthorizer("Asked", "Web", ttl=0, payload="1.0")


def test_the_implicit_rest_api(events: Read) -> None:
    blueprint = events(
        """
        Root: {Type: Api, Properties: {Path: /, Method: ANY}}
        All: {Type: Api, Properties: {Path: '/{proxy+}', Method: ANY}}
        """
    )
    routes = (Route("ANY", "/"), Route("ANY", "/{proxy+}"))
    door = Door("rest_api", "Web", stage="Prod", routes=routes, binary_media_types=(), name="ServerlessRestApi")
    assert doors(blueprint) == (door,)


def test_a_rest_api_with_all_it_can_have(events: Read) -> None:
    blueprint = events(
        """
        All: {Type: Api, Properties: {RestApiId: !Ref Api, Path: '/{proxy+}', Method: any}}
        Stream:
          Type: Api
          Properties:
            RestApiId: !Ref Api
            Path: /stream
            Method: GET
            ResponseTransferMode: STREAM
            Auth: {ApiKeyRequired: false, Authorizer: Asking}
        """,
        """
  Ask: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: adapter.ask}}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      BinaryMediaTypes: ["image~1png", "*/*"]
      Cors: "'*'"
      Auth:
        ApiKeyRequired: true
        DefaultAuthorizer: Token
        Authorizers:
          Token:
            FunctionArn: !GetAtt Ask.Arn
            Identity: {Header: X-Token, ValidationExpression: "[a-z]+", ReauthorizeEvery: 0}
          Asking:
            FunctionPayloadType: REQUEST
            FunctionArn: !GetAtt Ask.Arn
            Identity: {Headers: [A], StageVariables: [B], Context: [identity.sourceIp]}
  Given: {Type: AWS::ApiGateway::ApiKey, Properties: {Enabled: true, Value: a-key-of-twenty-letters}}
  Random: {Type: AWS::ApiGateway::ApiKey, Properties: {Enabled: true}}
  Off: {Type: AWS::ApiGateway::ApiKey, Properties: {Value: another-key-of-twenty-letters}}
""",
    )
    token, asking = doors(blueprint)
    assert token == Door(
        "rest_api",
        "Web",
        stage="live",
        routes=(Route("ANY", "/{proxy+}"),),
        binary_media_types=("image/png", "*/*"),
        authorizer=LambdaAuthorizer(
            "Token", "Ask", "token", ("method.request.header.X-Token",), 0, "1.0", validation="[a-z]+"
        ),
        api_keys=("a-key-of-twenty-letters", "emulator-api-key-Random"),
        name="Api",
    )
    assert asking.streaming
    assert asking.api_keys == ()
    sources = ("method.request.header.A", "stageVariables.B", "context.identity.sourceIp")
    assert asking.authorizer == LambdaAuthorizer("Asking", "Ask", "request", sources, 300, "1.0")
    assert blueprint.notes == (
        "Cors of Api is not emulated: OPTIONS goes where the other methods go",
        "Api wants an API key whose value AWS makes up; here it is emulator-api-key-Random",
    )


def test_what_guards_on_aws_alone_is_noted(events: Read) -> None:
    blueprint = events(
        """
        A: {Type: Api, Properties: {Path: /a, Method: GET, Auth: {Authorizer: AWS_IAM}}}
        B: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /b, Method: GET}}
        """,
        """
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      Auth: {DefaultAuthorizer: Pool, Authorizers: {Pool: {UserPoolArn: "arn:aws:cognito-idp:x"}}}
""",
    )
    assert [door.authorizer for door in doors(blueprint)] == [None, None]
    assert blueprint.notes == (
        "ServerlessRestApi is open here where AWS_IAM guards it on AWS: signatures of IAM users are not checked here",
        (
            "Api is open here where Pool guards it on AWS: the emulator knows JWT authorizers of HTTP APIs, and Lambda "
            "authorizers"
        ),
    )


def test_function_urls(resources: Read) -> None:
    blueprint = resources(
        """
  Other:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: adapter.entrypoint.handler
      AutoPublishAlias: live
      FunctionUrlConfig: {AuthType: AWS_IAM, InvokeMode: RESPONSE_STREAM, Cors: {AllowOrigins: ["*"]}}
  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !GetAtt Web.Arn, AuthType: NONE}}
"""
    )
    assert doors(blueprint) == (
        Door("function_url", "Web", name="Url"),
        Door("function_url", "Other", streaming=True, cors=Cors(("*",)), name="OtherUrl"),
    )
    (note,) = blueprint.notes
    assert note.startswith("OtherUrl takes signed requests only")


def test_load_balancer_and_lattice(resources: Read) -> None:
    blueprint = resources(
        """
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Listener: {Type: AWS::ElasticLoadBalancingV2::Listener}
  Plain:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {TargetType: lambda, Targets: [{Id: !GetAtt Web.Arn}]}
  Multi:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      TargetType: lambda
      HealthCheckEnabled: true
      HealthCheckPath: /up
      Targets: [{Id: !GetAtt Web.Arn}]
      TargetGroupAttributes: [{Key: lambda.multi_value_headers.enabled, Value: "true"}]
  Machines: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {TargetType: ip}}
  Older: {Type: AWS::VpcLattice::TargetGroup, Properties: {Type: LAMBDA, Targets: [{Id: !GetAtt Web.Arn}]}}
  Newer:
    Type: AWS::VpcLattice::TargetGroup
    Properties: {Type: LAMBDA, Config: {LambdaEventStructureVersion: V2}, Targets: [{Id: !GetAtt Web.Arn}]}
"""
    )
    assert doors(blueprint) == (
        Door("alb", "Web", name="Plain"),
        Door("alb_multi_value", "Web", health_check="/up", name="Multi"),
        Door("vpc_lattice_1", "Web", name="Older"),
        Door("vpc_lattice", "Web", name="Newer"),
    )


def test_an_http_api_resource_by_resource(resources: Read) -> None:
    blueprint = resources(
        """
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP, CorsConfiguration: {AllowOrigins: ["*"]}}}
  Chat: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET}}
  Live: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: live}}
  ToWeb:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationUri: !GetAtt Web.Arn, PayloadFormatVersion: "2.0", TimeoutInMillis: 9000}
  Users:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      Name: users
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: "https://id.example.com", Audience: [site]}
  All:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${ToWeb}"}
  Post:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: "POST /items"
      Target: !Sub "integrations/${ToWeb}"
      AuthorizationType: JWT
      AuthorizerId: !Ref Users
      AuthorizationScopes: [write]
"""
    )
    (door,) = doors(blueprint)
    assert door == Door(
        "http_api",
        "Web",
        stage="live",
        timeout=9.0,
        routes=(Route("POST", "/items"), Route("ANY", "$default", public=True)),
        cors=Cors(("*",)),
        authorizer=JwtAuthorizer("users", "https://id.example.com", ("site",), ("write",)),
        name="Api",
    )
    assert blueprint.notes == ("Chat is not emulated: its protocol is WEBSOCKET",)


def test_a_rest_api_resource_by_resource(resources: Read) -> None:
    uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Web.Arn}/invocations"
    blueprint = resources(
        f"""
  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{BinaryMediaTypes: ["*/*"]}}}}
  Items:
    Type: AWS::ApiGateway::Resource
    Properties: {{RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: items}}
  Item:
    Type: AWS::ApiGateway::Resource
    Properties: {{RestApiId: !Ref Api, ParentId: !Ref Items, PathPart: "{{id}}"}}
  Live: {{Type: AWS::ApiGateway::Stage, Properties: {{RestApiId: !Ref Api, StageName: live}}}}
  Ask:
    Type: AWS::ApiGateway::Authorizer
    Properties: {{Type: TOKEN, AuthorizerUri: !Sub "{uri}", IdentitySource: method.request.header.X-Token}}
  GetItem:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Item
      HttpMethod: GET
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Ask
      Integration: {{Type: AWS_PROXY, Uri: !Sub "{uri}", ResponseTransferMode: STREAM}}
  Root:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !GetAtt Api.RootResourceId
      HttpMethod: ANY
      Integration: {{Type: AWS_PROXY, Uri: !Sub "{uri}", ResponseTransferMode: STREAM}}
  Preflight:
    Type: AWS::ApiGateway::Method
    Properties: {{RestApiId: !Ref Api, ResourceId: !Ref Item, HttpMethod: OPTIONS, Integration: {{Type: MOCK}}}}
"""
    )
    (door,) = doors(blueprint)
    assert door == Door(
        "rest_api",
        "Web",
        stage="live",
        streaming=True,
        routes=(Route("GET", "/items/{id}"), Route("ANY", "/", public=True)),
        authorizer=LambdaAuthorizer("Ask", "Web", "token", ("method.request.header.X-Token",), 300, "1.0"),
        name="Api",
    )
    assert blueprint.notes == ("Preflight is not emulated: integrations of type MOCK lead to no function",)


@pytest.mark.parametrize(
    ("kind", "key", "beside"),
    [
        ("AWS::Serverless::Api", "StageName: live, DefinitionBody", ""),
        (
            "AWS::ApiGateway::RestApi",
            "Body",
            "  Live: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: live}}\n",
        ),
    ],
)
def test_a_rest_api_by_its_definition(resources: Read, kind: str, key: str, beside: str) -> None:
    uri = "arn:aws:apigateway:eu-central-1:lambda:path/2021-11-15/functions/${Web.Arn}:live/invocations"
    to_web = f"""x-amazon-apigateway-integration: {{
          type: aws_proxy, responseTransferMode: STREAM, timeoutInMillis: 60000, uri: !Sub "{uri}"}}"""
    blueprint = resources(
        f"""
  Api: {{Type: {kind}, Properties: {{BinaryMediaTypes: ["image/*"], {key}: {{openapi: 3.0.1, paths: {{
    "/items": {{
      parameters: [{{name: page, in: query}}],
      get: {{security: [{{users: []}}], {to_web}}},
      post: {{summary: an event of a function has the rest}},
      options: {{x-amazon-apigateway-integration: {{type: mock}}}}}},
    "/{{proxy+}}": {{x-amazon-apigateway-any-method: {{{to_web}}}}}}}}}}}}}
{beside}"""
    )
    (door,) = doors(blueprint)
    assert door == Door(
        "rest_api",
        "Web",
        stage="live",
        streaming=True,
        timeout=60,
        routes=(Route("GET", "/items"), Route("ANY", "/{proxy+}")),
        binary_media_types=("image/*",),
        name="Api",
    )
    assert blueprint.notes == (
        "Api is open here where security guards it on AWS: the emulator reads no authorizers of a definition",
        "OPTIONS /items of Api is not emulated: integrations of type MOCK lead to no function",
    )


def test_a_definition_that_is_made_elsewhere(resources: Read) -> None:
    blueprint = resources(
        """
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      DefinitionBody: {"Fn::Transform": {Name: AWS::Include, Parameters: {Location: s3://bucket/api.yaml}}}
"""
    )
    assert blueprint.notes == ("DefinitionBody of Api is not read: Fn::Transform makes it",)


def test_two_functions_behind_one_api_are_two_doors_of_one_name(events: Read) -> None:
    blueprint = events(
        "All: {Type: HttpApi}",
        """
  Hooks:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: adapter.entrypoint.handler
      Events: {All: {Type: HttpApi, Properties: {Path: "/hooks/{proxy+}", Method: ANY}}}
""",
    )
    assert [(door.name, door.function) for door in doors(blueprint)] == [
        ("ServerlessHttpApi", "Web"),
        ("ServerlessHttpApi", "Hooks"),
    ]


def test_what_leads_nowhere_is_noted(resources: Read) -> None:
    blueprint = resources("  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: other, AuthType: NONE}}\n")
    assert blueprint.doors == ()
    assert blueprint.notes == ("Url leads to other, which is no function of this template",)


def test_an_api_of_another_stack_and_a_definition_that_is_not_read(events: Read) -> None:
    blueprint = events(
        """
        There: {Type: HttpApi, Properties: {ApiId: abc123}}
        Here: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
        """,
        "  Api: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionUri: api.yaml}}\n",
    )
    assert [door.name for door in doors(blueprint)] == ["Api"]
    assert blueprint.notes == (
        "Web.There belongs to an API that is not in this template",
        "DefinitionUri of Api is not read: its routes are those of the functions' events",
    )
