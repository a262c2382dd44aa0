"""What must be true of the stack and no linter notices: functions that take it and assert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .expansion import ACCOUNT, FUNCTIONS, REGION, STACK, Stack

_ROOT = Path(__file__).parents[3]
_ARN = f"{REGION}:{ACCOUNT}"
_CALL = "lambda:InvokeFunction"
_ANY = "x-amazon-apigateway-any-method"


def both_permissions_of_the_url(stack: Stack) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"""
    granted = list(stack.of("AWS::Lambda::Permission").values())
    common = {"FunctionName": stack.alias("Web"), "Principal": "*"}
    assert {**common, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"} in granted
    assert {**common, "Action": _CALL, "InvokedViaFunctionUrl": True} in granted
    assert len(granted) == 2


def the_api_alone_may_call(stack: Stack) -> None:
    api = "RestApi" if "RestApi" in stack else "HttpApi"
    assert list(stack.of("AWS::Lambda::Permission").values()) == [
        {
            "FunctionName": stack.alias("Web"),
            "Action": _CALL,
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": f"arn:aws:execute-api:{_ARN}:<{api}>/*",
        }
    ]


def the_origin_secret_on_both_sides(stack: Stack) -> None:
    (header,) = _origin(stack, "door")["OriginCustomHeaders"]
    assert header["HeaderName"] == "x-origin-verify"
    for function in FUNCTIONS:
        assert stack.variables(function)["FAAS_ORIGIN_SECRET"] == header["HeaderValue"]
    assert header["HeaderValue"] == "{{resolve:secretsmanager:<OriginSecret>}}"


def secrets_are_made_by_aws(stack: Stack) -> None:
    """A comma would be the end of a secret in FAAS_ORIGIN_SECRET; Django wants a key of 50 characters."""
    for name, variable in {"SecretKey": "DJANGO_SECRET_KEY", "OriginSecret": "FAAS_ORIGIN_SECRET"}.items():
        assert stack[name] == {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}}
        for function in FUNCTIONS:
            assert stack.variables(function)[variable] == f"{{{{resolve:secretsmanager:<{name}>}}}}"


def a_message_is_hidden_for_six_timeouts(stack: Stack) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    assert stack["Jobs"]["VisibilityTimeout"] >= 6 * stack["Worker"]["Timeout"]


def failed_jobs_are_kept(stack: Stack) -> None:
    """Five attempts at least, as AWS advises; and kept longer than the four days of a queue, of which age goes on."""
    redrive = stack["Jobs"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == "<DeadJobs.Arn>"
    assert redrive["maxReceiveCount"] >= 5
    assert stack["DeadJobs"]["MessageRetentionPeriod"] > 4 * 86_400


def a_failed_job_does_not_repeat_its_batch(stack: Stack) -> None:
    (mapping,) = stack.of("AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == "<Jobs.Arn>"


def logs_are_not_kept_for_ever(stack: Stack) -> None:
    """All in one group, which the functions may write to, and nothing beside it."""
    assert list(stack.of("AWS::Logs::LogGroup").values()) == [
        {"LogGroupName": f"/aws/lambda/{STACK}", "RetentionInDays": "30"}
    ]
    for function in FUNCTIONS:
        assert stack[function]["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "<Logs>"}
        assert _allowed(stack, function, "logs:PutLogEvents", "<Logs.Arn>")


def the_bucket_is_closed(stack: Stack) -> None:
    assert set(stack["Bucket"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(stack["Bucket"]["PublicAccessBlockConfiguration"]) == 4
    (statement,) = stack["BucketPolicy"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    source = f"arn:aws:cloudfront::{ACCOUNT}:distribution/<Cdn>"
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceArn": source}}


def the_cdn_reads_two_folders(stack: Stack) -> None:
    (statement,) = stack["BucketPolicy"]["PolicyDocument"]["Statement"]
    objects = [resource for resource in statement["Resource"] if "/" in resource]
    assert objects == ["<Bucket.Arn>/static/*", "<Bucket.Arn>/media/*"]
    assert "s3:ListBucket" in statement["Action"], "a missing file would be a 403"


def functions_write_media_alone(stack: Stack) -> None:
    for function in FUNCTIONS:
        assert _allowed(stack, function, "s3:PutObject", "<Bucket.Arn>/media/a.jpg")
        assert not _allowed(stack, function, "s3:PutObject", "<Bucket.Arn>/static/a.js")


def uploads_outlive_the_stack(stack: Stack) -> None:
    bucket = stack.resources["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert stack["Bucket"]["VersioningConfiguration"] == {"Status": "Enabled"}


def uploads_run_no_script(stack: Stack) -> None:
    (media,) = [each for each in _behaviours(stack) if each.get("PathPattern") == "/media/*"]
    headers = stack[media["ResponseHeadersPolicyId"].strip("<>")]["ResponseHeadersPolicyConfig"][
        "SecurityHeadersConfig"
    ]
    assert "script-src 'none'" in headers["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert headers["ContentTypeOptions"] == {"Override": True}


def browsers_may_upload(stack: Stack) -> None:
    (rule,) = stack["Bucket"]["CorsConfiguration"]["CorsRules"]
    assert {"POST", "PUT"} <= set(rule["AllowedMethods"])


def every_function_has_the_alias(stack: Stack) -> None:
    assert list(stack.of("AWS::Lambda::Function")) == list(FUNCTIONS)
    for function in FUNCTIONS:
        alias = stack[f"{function}Aliaslive"]
        assert alias == {
            "Name": "live",
            "FunctionName": f"<{function}>",
            "FunctionVersion": f"<{stack.version(function)}.Version>",
        }


def whatever_calls_goes_by_the_alias(stack: Stack) -> None:
    called = [
        *(each["Target"] for each in stack.of("AWS::ApiGatewayV2::Api").values()),
        *(each["uri"] for each in _rest_integrations(stack).values()),
        *(each["TargetFunctionArn"] for each in stack.of("AWS::Lambda::Url").values()),
        *(each["FunctionName"] for each in stack.of("AWS::Lambda::Permission").values()),
        *(each["FunctionName"] for each in stack.of("AWS::Lambda::EventSourceMapping").values()),
        *(each["Target"]["Arn"] for each in stack.of("AWS::Scheduler::Schedule").values()),
    ]
    assert len(called) >= 4
    assert [each for each in called if not re.search(r"<\w+Aliaslive>|<\w+\.Arn>:live(?!\w)", each)] == []


def migrations_come_before_visitors(stack: Stack) -> None:
    """CodeDeploy's role may call functions of this prefix alone.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambda.html
    """
    policy = stack.resources["WebAliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["BeforeAllowTrafficHook"] == "<Migrate>"
    assert stack["Migrate"]["FunctionName"].startswith("CodeDeployHook_")
    assert stack["Migrate"]["Timeout"] == 900
    assert stack.variables("Migrate")["FAAS_HOOK_TARGET"] == f"<{stack.version('Web')}>"


def jobs_and_console_follow_the_migration(stack: Stack) -> None:
    for function in ("Worker", "Console"):
        assert stack.resources[function]["DependsOn"] == "WebAliaslive"


def the_hook_may_look_and_report(stack: Stack) -> None:
    version = "<Web.Arn>:12"
    group = f"arn:aws:codedeploy:{_ARN}:deploymentgroup:<ServerlessDeploymentApplication>/<WebDeploymentGroup>"
    assert _allowed(stack, "Migrate", _CALL, version)
    assert _allowed(stack, "Migrate", "codedeploy:PutLifecycleEventHookExecutionStatus", group)
    assert not _allowed(stack, "Web", _CALL, version)


def values_make_versions(stack: Stack) -> None:
    """SAM publishes a version for new code alone: https://github.com/aws/serverless-application-model/issues/3820

    A version's description can't be changed, so another one is another version; and as Lambda publishes nothing where
    nothing has changed, the function has the text too.
    """
    for function in FUNCTIONS:
        assert stack[stack.version(function)]["Description"] == "a1b2"
        assert stack.variables(function)["FAAS_ENVIRONMENT_VERSION"] == "a1b2"


def versions_stay(stack: Stack) -> None:
    for function in FUNCTIONS:
        version = stack.resources[stack.version(function)]
        assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")


def nothing_is_allowed_on_everything(stack: Stack) -> None:
    """Save network interfaces, which have no name before they are made, and only where there is a VPC."""
    for name, statement in stack.statements():
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        assert not any("*" in action for action in actions), name
        if not all(action.startswith("ec2:") for action in actions):
            assert not any(resource == "*" or resource.endswith(":*:*") for resource in resources), name
    foreign = {
        name: [policy for policy in role.get("ManagedPolicyArns", ()) if policy.startswith("arn:")]
        for name, role in stack.of("AWS::IAM::Role").items()
    }
    # SAM's own, for CodeDeploy: it calls hooks by their prefix, and moves aliases.
    assert {name for name, policies in foreign.items() if policies} == {"CodeDeployServiceRole"}


def the_queue_is_read_by_the_worker_alone(stack: Stack) -> None:
    for function in FUNCTIONS:
        assert _allowed(stack, function, "sqs:SendMessage", "<Jobs.Arn>")
        assert _allowed(stack, function, "sqs:ReceiveMessage", "<Jobs.Arn>") == (function == "Worker")


def secrets_of_this_stack_alone(stack: Stack) -> None:
    """The permission is for the path that is asked for, not for what is found below it.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-retrieval-authorization.html
    """
    path = stack.variables("Web")["FAAS_SECRETS_PATH"].rstrip("/")
    for function in FUNCTIONS:
        for other, allowed in {path: True, f"{path}-2": False, "/": False, "": False}.items():
            arn = f"arn:aws:ssm:{_ARN}:parameter{other}"
            assert _allowed(stack, function, "ssm:GetParametersByPath", arn) == allowed, other


def two_stacks_in_one_account(stack: Stack) -> None:
    """Names are the stack's own; those of CloudFront hold for all regions of an account."""
    names = {
        name: value
        for name, entry in stack.resources.items()
        for key, value in _names(entry["Type"], entry.get("Properties", {}))
    }
    assert len(names) >= 10
    for name, value in names.items():
        assert STACK in value, name
        if stack.resources[name]["Type"].startswith("AWS::CloudFront::"):
            assert REGION in value, name
        assert len(value) <= 64, name


def pages_are_not_cached(stack: Stack) -> None:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html"""
    page = _cdn(stack)["DefaultCacheBehavior"]
    assert page["TargetOriginId"] == "door"
    assert page["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
    errors = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in _cdn(stack)["CustomErrorResponses"]}
    assert errors == dict.fromkeys((404, 500, 502, 503, 504), 0)


def forms_reach_django(stack: Stack) -> None:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html"""
    page = _cdn(stack)["DefaultCacheBehavior"]
    assert page["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"  # AllViewerExceptHostHeader
    assert page["FunctionAssociations"] == [{"EventType": "viewer-request", "FunctionARN": "<CopyHost.FunctionARN>"}]
    assert {"POST", "PUT", "PATCH", "DELETE"} <= set(page["AllowedMethods"])


def files_come_from_the_bucket(stack: Stack) -> None:
    origin = _origin(stack, "bucket")
    assert origin["OriginAccessControlId"] == "<BucketAccess>"
    assert origin["DomainName"] == "<Bucket.RegionalDomainName>"
    for each in _behaviours(stack):
        assert each["TargetOriginId"] == "bucket"
        assert each["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6"  # CachingOptimized
        assert each["Compress"]
    assert [each["PathPattern"] for each in _behaviours(stack)] == ["/static/*", "/media/*"]


def https_all_the_way(stack: Stack) -> None:
    for each in (*_behaviours(stack), _cdn(stack)["DefaultCacheBehavior"]):
        assert each["ViewerProtocolPolicy"] == "redirect-to-https"
    assert _origin(stack, "door")["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def visitors_have_their_own_address(stack: Stack) -> None:
    assert str(stack.variables("Web")["FAAS_TRUSTED_PROXIES"]) == "1"


def the_door_is_where_the_cdn_looks(stack: Stack) -> None:
    expected = {
        "HttpApi": ("<HttpApi>.execute-api.eu-central-1.amazonaws.com", "", []),  # its own is $default, without a path
        "RestApi": ("<RestApi>.execute-api.eu-central-1.amazonaws.com", "/live", ["live"]),
        "Url": ("<Url.FunctionUrl>", "", []),
    }
    (door,) = [name for name in expected if name in stack]
    origin = _origin(stack, "door")
    stages = [*stack.of("AWS::ApiGatewayV2::Stage").values(), *stack.of("AWS::ApiGateway::Stage").values()]
    assert (origin["DomainName"], origin["OriginPath"], [stage["StageName"] for stage in stages]) == expected[door]
    assert stack.variables("Web").get("FAAS_ORIGIN_PATH", "") == origin["OriginPath"]


def django_has_the_last_word_on_time(stack: Stack) -> None:
    """An HTTP API gives up after 30 s.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    """
    assert stack["Web"]["Timeout"] < 30


def a_rest_api_streams_everything(stack: Stack) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html"""
    integrations = _rest_integrations(stack)
    assert set(integrations) == {("/", _ANY), ("/{proxy+}", _ANY)}
    for integration in integrations.values():
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
        assert integration["uri"] == (
            f"arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/<Web.Arn>:live"
            "/response-streaming-invocations"
        )
        assert integration["responseTransferMode"] == "STREAM"
        assert integration["timeoutInMillis"] >= 1000 * stack["Web"]["Timeout"]
    assert stack["RestApi"]["BinaryMediaTypes"] == ["*/*"], "uploads would be damaged"
    assert stack["RestApi"]["EndpointConfiguration"] == {"Types": ["REGIONAL"]}, "CloudFront is there already"


def a_rest_api_is_deployed_to_one_stage(stack: Stack) -> None:
    (stage,) = stack.of("AWS::ApiGateway::Stage").values()
    assert stage["DeploymentId"].strip("<>") in stack
    for deployment in stack.of("AWS::ApiGateway::Deployment").values():
        assert "StageName" not in deployment, "SAM would make a second one"


def an_http_api_takes_every_path(stack: Stack) -> None:
    """By "quick create", which makes the integration, the route $default and its stage.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-api.html
    """
    (api,) = stack.of("AWS::ApiGatewayV2::Api").values()
    assert api == {"Name": STACK, "ProtocolType": "HTTP", "Target": stack.alias("Web")}
    assert {entry["Type"] for entry in stack.resources.values()}.isdisjoint(
        {"AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage"}
    )


def what_streams_has_a_runtime_for_it(stack: Stack) -> None:
    """The front door, the variable and the wrapper go together: docs/streaming.md."""
    wrapper = stack.variables("Web")["AWS_LAMBDA_EXEC_WRAPPER"]
    assert stack.variables("Web")["FAAS_INVOKE_MODE"] == "response_stream"
    assert (_ROOT / wrapper.removeprefix("/var/task/")).is_file()
    assert [url["InvokeMode"] for url in stack.of("AWS::Lambda::Url").values()] in ([], ["RESPONSE_STREAM"])


def what_does_not_stream_has_awss_runtime(stack: Stack) -> None:
    assert "AWS_LAMBDA_EXEC_WRAPPER" not in stack.variables("Web")
    assert stack.variables("Web")["FAAS_INVOKE_MODE"] == "buffered"


def snapshots_are_of_the_web_function(stack: Stack) -> None:
    applied = {name: stack[name].get("SnapStart", {}).get("ApplyOn", "None") for name in FUNCTIONS}
    assert applied == {"Web": "PublishedVersions", "Worker": "None", "Console": "None", "Migrate": "None"}


def no_snapshots_unless_asked_for(stack: Stack) -> None:
    assert stack["Web"]["SnapStart"] == {"ApplyOn": "None"}


def the_domain_is_known_everywhere(stack: Stack) -> None:
    cdn = _cdn(stack)
    assert cdn["Aliases"] == ["www.example.com", "example.com"]
    certificate = cdn["ViewerCertificate"]
    assert certificate["AcmCertificateArn"].endswith(":certificate/1")
    assert (certificate["SslSupportMethod"], certificate["MinimumProtocolVersion"]) == ("sni-only", "TLSv1.2_2021")
    for function in FUNCTIONS:
        assert stack.variables(function)["DJANGO_ALLOWED_HOSTS"] == "www.example.com,example.com"
        assert stack.variables(function)["FAAS_SITE_URL"] == "https://www.example.com"
    assert stack.outputs["SiteUrl"] == "https://www.example.com"


def cloudfronts_domain_does_without_one(stack: Stack) -> None:
    assert "Aliases" not in _cdn(stack)
    assert _cdn(stack)["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert stack.variables("Web")["DJANGO_ALLOWED_HOSTS"] == ".cloudfront.net"
    assert stack.outputs["SiteUrl"] == "https://<Cdn.DomainName>"


def all_functions_are_in_the_vpc(stack: Stack) -> None:
    for function in FUNCTIONS:
        assert stack[function]["VpcConfig"] == {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
        assert _allowed(stack, function, "ec2:CreateNetworkInterface", "*")


def no_vpc_unless_asked_for(stack: Stack) -> None:
    for function in FUNCTIONS:
        assert "VpcConfig" not in stack[function]
        assert not _allowed(stack, function, "ec2:CreateNetworkInterface", "*")


def connections_are_limited(stack: Stack) -> None:
    assert stack["Web"]["ReservedConcurrentExecutions"] == "7"
    (mapping,) = stack.of("AWS::Lambda::EventSourceMapping").values()
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}


def somebody_is_told(stack: Stack) -> None:
    assert stack["Alarms"]["Subscription"] == [{"Protocol": "email", "Endpoint": "ops@example.com"}]
    alarms = stack.of("AWS::CloudWatch::Alarm")
    assert set(alarms) == {"ServerErrors", "WorkerErrors", "LostJobs"}
    assert [alarm["AlarmActions"] for alarm in alarms.values()] == [["<Alarms>"]] * 3
    assert alarms["LostJobs"]["Dimensions"] == [{"Name": "QueueName", "Value": "<DeadJobs.QueueName>"}]


def errors_are_counted_where_they_are(stack: Stack) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html and
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html and
    https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html
    """
    alarm = stack["ServerErrors"]
    found = alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"][0]["Name"], alarm["Dimensions"][0]["Value"]
    assert found in {
        ("AWS/ApiGateway", "5xx", "ApiId", "<HttpApi>"),
        ("AWS/ApiGateway", "5XXError", "ApiName", STACK),
        ("AWS/Lambda", "Url5xxCount", "FunctionName", "<Web>"),
    }
    assert found[3].strip("<>") in stack or stack["RestApi"]["Body"]["info"]["title"] == STACK


def sessions_are_cleared(stack: Stack) -> None:
    (schedule,) = stack.of("AWS::Scheduler::Schedule").values()
    assert schedule["Target"]["Input"] == '{"manage": ["clearsessions"], "schedule": "nightly"}'
    assert schedule["Target"]["Arn"] == stack.alias("Worker")


def the_tools_find_everything(stack: Stack) -> None:
    expected = {
        "SiteUrl": "https://<Cdn.DomainName>",
        "DistributionId": "<Cdn>",
        "DistributionDomain": "<Cdn.DomainName>",
        "StaticBucket": "<Bucket>",
        "MediaBucket": "<Bucket>",
        "WebFunction": "<Web>",
        "WorkerFunction": "<Worker>",
        "ConsoleFunction": "<Console>",
        "MigrateFunction": "<Migrate>",
        "JobsQueueUrl": "<Jobs>",
        "DeadJobsQueueUrl": "<DeadJobs>",
    }
    assert stack.outputs == expected


def _cdn(stack: Stack) -> Any:
    return stack["Cdn"]["DistributionConfig"]


def _rest_integrations(stack: Stack) -> dict[tuple[str, str], Any]:
    """The integrations of REST APIs by path and method."""
    return {
        (path, method): operation["x-amazon-apigateway-integration"]
        for api in stack.of("AWS::ApiGateway::RestApi").values()
        for path, item in api["Body"]["paths"].items()
        for method, operation in item.items()
    }


def _behaviours(stack: Stack) -> list[Any]:
    return list(_cdn(stack)["CacheBehaviors"])


def _origin(stack: Stack, identifier: str) -> Any:
    (origin,) = [each for each in _cdn(stack)["Origins"] if each["Id"] == identifier]
    return origin


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _allowed(stack: Stack, function: str, action: str, resource: str) -> bool:
    """Whether the role of ``function`` allows this, as far as its own policies go."""
    role = stack[function]["Role"].removeprefix("<").removesuffix(".Arn>")
    policies = {role, *(arn.strip("<>") for arn in stack[role].get("ManagedPolicyArns", ()))}
    return any(
        action in _listed(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
        for name, statement in stack.statements()
        if name in policies
    )


def _names(kind: str, properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names of its own that a resource asks for."""
    inner = {
        "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig",
        "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig",
    }
    properties = properties.get(inner.get(kind, ""), properties)
    keys = ("Name", "FunctionName", "LogGroupName", "BucketName", "QueueName", "RoleName", "TopicName", "AlarmName")
    aliases = (
        "AWS::Lambda::Alias",
        "AWS::Lambda::Version",
        "AWS::Lambda::Permission",
        "AWS::Lambda::EventSourceMapping",
    )
    return [(key, properties[key]) for key in keys if key in properties and kind not in aliases]
