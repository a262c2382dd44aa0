"""Each fact with the stacks it is about, and with faults that break it: changes to the template as it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import facts
from .expansion import ACCOUNT, Stack, Tree

_URL = {"FrontDoor": "function_url"}
_REST = {"FrontDoor": "rest_api"}
_VPC = {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"}
_DOMAIN = {
    "DomainName": "www.example.com,example.com",
    "CertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1",
}

Change = Callable[[Tree], object]


@dataclass(frozen=True)
class Case:
    """A fact, the ``parameters`` of a stack that it is about, and faults by what they do."""

    fact: Callable[[Stack], None]
    faults: Mapping[str, Change]
    parameters: Mapping[str, str] = field(default_factory=dict)


def put(path: str, value: Any) -> Change:
    """Set what lies at ``path`` below Resources (``Jobs.Properties.VisibilityTimeout``)."""

    def change(tree: Tree) -> None:
        *parents, last = path.split(".")
        node = tree["Resources"]
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        node[int(last) if last.isdigit() else last] = value

    return change


def drop(path: str) -> Change:
    """Delete what lies at ``path`` below Resources."""

    def change(tree: Tree) -> None:
        *parents, last = path.split(".")
        node = tree["Resources"]
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        del node[int(last) if last.isdigit() else last]

    return change


def variable(name: str, value: Any) -> Change:
    """Set a variable of all functions."""
    return lambda tree: tree["Globals"]["Function"]["Environment"]["Variables"].update({name: value})


def _given(parameter: str) -> Tree:
    """The condition that a parameter has a value."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


_DOOR = "Cdn.Properties.DistributionConfig.Origins.1"
_PAGE = "Cdn.Properties.DistributionConfig.DefaultCacheBehavior"
_ACCESS = "Access.Properties.PolicyDocument.Statement"
_HOOK = "MigrateRole.Properties.Policies.0.PolicyDocument.Statement"
_PATHS = "RestApi.Properties.DefinitionBody.paths"
_REST_OF_PATHS = f"{_PATHS}./{{proxy+}}.x-amazon-apigateway-any-method.x-amazon-apigateway-integration"

CASES = (
    Case(
        facts.both_permissions_of_the_url,
        {
            "the second is missing": drop("UrlInvokePermission"),
            "the first is missing": drop("UrlPermission"),
            "for the function, not the alias": put("UrlPermission.Properties.FunctionName", {"Ref": "Web"}),
        },
        _URL,
    ),
    Case(facts.the_api_alone_may_call, {"any API may": drop("ApiPermission.Properties.SourceArn")}),
    Case(facts.the_api_alone_may_call, {"none may": drop("ApiPermission")}, _REST),
    Case(
        facts.the_origin_secret_on_both_sides,
        {
            "the CDN has it not": put(f"{_DOOR}.OriginCustomHeaders", []),
            "the functions have another": variable("FAAS_ORIGIN_SECRET", "another"),
            "one function has none": put("Web.Properties.Environment.Variables.FAAS_ORIGIN_SECRET", ""),
        },
    ),
    Case(
        facts.secrets_are_made_by_aws,
        {
            "too short": put("SecretKey.Properties.GenerateSecretString.PasswordLength", 32),
            "with commas": put("OriginSecret.Properties.GenerateSecretString.ExcludePunctuation", False),
            "in the template": variable("DJANGO_SECRET_KEY", "x" * 50),
        },
    ),
    Case(
        facts.a_message_is_hidden_for_six_timeouts,
        {
            "too short": put("Jobs.Properties.VisibilityTimeout", 1799),
            "a slower worker": put("Worker.Properties.Timeout", 301),
        },
    ),
    Case(
        facts.failed_jobs_are_kept,
        {
            "lost at once": put("Jobs.Properties.RedrivePolicy.maxReceiveCount", 1),
            "lost after four days": drop("DeadJobs.Properties.MessageRetentionPeriod"),
        },
    ),
    Case(
        facts.a_failed_job_does_not_repeat_its_batch,
        {"it does": drop("Worker.Properties.Events.Jobs.Properties.FunctionResponseTypes")},
    ),
    Case(
        facts.logs_are_not_kept_for_ever,
        {
            "no retention": drop("Logs.Properties.RetentionInDays"),
            "groups that Lambda makes": lambda tree: tree["Globals"]["Function"]["LoggingConfig"].pop("LogGroup"),
            "one elsewhere": put("Console.Properties.LoggingConfig", {"LogGroup": "/aws/lambda/console"}),
            "another stack's": put("Logs.Properties.LogGroupName", "/aws/lambda/shop"),
            "not allowed": drop(f"{_ACCESS}.0"),
        },
    ),
    Case(
        facts.the_bucket_is_closed,
        {
            "policies may open it": put("Bucket.Properties.PublicAccessBlockConfiguration.BlockPublicPolicy", False),
            "everybody reads": put("BucketPolicy.Properties.PolicyDocument.Statement.0.Principal", "*"),
            "everybody's CDN reads": drop("BucketPolicy.Properties.PolicyDocument.Statement.0.Condition"),
        },
    ),
    Case(
        facts.the_cdn_reads_two_folders,
        {
            "it reads all": put(
                "BucketPolicy.Properties.PolicyDocument.Statement.0.Resource.0", {"Fn::Sub": "${Bucket.Arn}/*"}
            ),
            "a missing file is a 403": put(
                "BucketPolicy.Properties.PolicyDocument.Statement.0.Action", ["s3:GetObject"]
            ),
        },
    ),
    Case(facts.functions_write_media_alone, {"anywhere": put(f"{_ACCESS}.3.Resource", {"Fn::Sub": "${Bucket.Arn}/*"})}),
    Case(
        facts.uploads_outlive_the_stack,
        {
            "deleted with it": drop("Bucket.DeletionPolicy"),
            "overwritten for good": drop("Bucket.Properties.VersioningConfiguration"),
        },
    ),
    Case(
        facts.uploads_run_no_script,
        {
            "no headers": drop("Cdn.Properties.DistributionConfig.CacheBehaviors.1.ResponseHeadersPolicyId"),
            "types are guessed": drop(
                "MediaHeaders.Properties.ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentTypeOptions"
            ),
        },
    ),
    Case(
        facts.browsers_may_upload,
        {"not from a page": put("Bucket.Properties.CorsConfiguration.CorsRules.0.AllowedMethods", [])},
    ),
    Case(
        facts.every_function_has_the_alias,
        {
            "one has none": put("Console.Properties.AutoPublishAlias", ""),
            "another name": put("Worker.Properties.AutoPublishAlias", "current"),
        },
    ),
    Case(
        facts.whatever_calls_goes_by_the_alias,
        {"the API calls $LATEST": put("HttpApi.Properties.Target", {"Fn::GetAtt": ["Web", "Arn"]})},
    ),
    Case(
        facts.whatever_calls_goes_by_the_alias,
        {"one path calls $LATEST": put(f"{_REST_OF_PATHS}.uri", {"Fn::Sub": "arn:aws:lambda/functions/${Web.Arn}/x"})},
        _REST,
    ),
    Case(
        facts.whatever_calls_goes_by_the_alias,
        {"the URL is of $LATEST": put("Url.Properties.TargetFunctionArn", {"Ref": "Web"})},
        _URL,
    ),
    Case(
        facts.migrations_come_before_visitors,
        {
            "no deployment": drop("Web.Properties.DeploymentPreference.Hooks"),
            "a name that CodeDeploy may not call": put(
                "Migrate.Properties.FunctionName", {"Fn::Sub": "${AWS::StackName}-migrate"}
            ),
            "too little time": put("Migrate.Properties.Timeout", 60),
            "an unknown version": drop("Migrate.Properties.Environment.Variables.FAAS_HOOK_TARGET"),
        },
    ),
    Case(facts.jobs_and_console_follow_the_migration, {"jobs run ahead": drop("Worker.DependsOn")}),
    Case(
        facts.the_hook_may_look_and_report,
        {
            "it may not look": drop(f"{_HOOK}.0"),
            "it may not report": drop(f"{_HOOK}.1"),
            "visitors' code may call": put("Web.Properties.Role", {"Fn::GetAtt": ["MigrateRole", "Arn"]}),
        },
    ),
    Case(
        facts.values_make_versions,
        {
            "no new version": drop("Worker.Properties.VersionDescription"),
            "nothing that Lambda would publish": variable("FAAS_ENVIRONMENT_VERSION", ""),
        },
        {"EnvironmentVersion": "a1b2"},
    ),
    Case(facts.versions_stay, {"the one before is deleted": drop("Web.UpdateReplacePolicy")}),
    Case(
        facts.nothing_is_allowed_on_everything,
        {
            "every bucket": put(f"{_ACCESS}.4.Resource", "*"),
            "every action": put(f"{_ACCESS}.2.Action", "sqs:*"),
            "AWS's own policy": put(
                "WorkerRole.Properties.ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]
            ),
        },
        _VPC,
    ),
    Case(
        facts.the_queue_is_read_by_the_worker_alone,
        {
            "by all": put("Web.Properties.Role", {"Fn::GetAtt": ["WorkerRole", "Arn"]}),
            "by none": drop("WorkerRole.Properties.Policies"),
        },
    ),
    Case(
        facts.secrets_of_this_stack_alone,
        {
            "a neighbour's too": put(
                f"{_ACCESS}.1.Resource",
                {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}*"},
            ),
            "with a slash at the end": put(
                f"{_ACCESS}.1.Resource",
                {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/"},
            ),
            "looked for elsewhere": variable("FAAS_SECRETS_PATH", "/elsewhere/"),
        },
    ),
    Case(
        facts.two_stacks_in_one_account,
        {
            "one name for all stages": drop("Worker.Properties.Events.Nightly.Properties.Name"),
            "one name for all regions": put("CopyHost.Properties.Name", {"Ref": "AWS::StackName"}),
        },
    ),
    Case(
        facts.pages_are_not_cached,
        {
            "they are": put(f"{_PAGE}.CachePolicyId", "658327ea-f89d-4fab-a63d-7e88639e58f6"),
            "errors are": drop("Cdn.Properties.DistributionConfig.CustomErrorResponses.1"),
        },
    ),
    Case(
        facts.forms_reach_django,
        {
            "with the visitor's Host": put(f"{_PAGE}.OriginRequestPolicyId", "216adef6-5c7f-47e4-b989-5492eafa07d3"),
            "without any host": drop(f"{_PAGE}.FunctionAssociations.0"),
            "not by POST": put(f"{_PAGE}.AllowedMethods", ["GET", "HEAD"]),
        },
    ),
    Case(
        facts.files_come_from_the_bucket,
        {
            "unsigned": drop("Cdn.Properties.DistributionConfig.Origins.0.OriginAccessControlId"),
            "never cached": put(
                "Cdn.Properties.DistributionConfig.CacheBehaviors.0.CachePolicyId",
                "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            ),
            "media from Django": put("Cdn.Properties.DistributionConfig.CacheBehaviors.1.TargetOriginId", "door"),
        },
    ),
    Case(
        facts.https_all_the_way,
        {
            "http for visitors": put(f"{_PAGE}.ViewerProtocolPolicy", "allow-all"),
            "http behind the CDN": put(f"{_DOOR}.CustomOriginConfig.OriginProtocolPolicy", "match-viewer"),
        },
    ),
    Case(facts.visitors_have_their_own_address, {"CloudFront's for all": variable("FAAS_TRUSTED_PROXIES", 0)}),
    Case(
        facts.the_door_is_where_the_cdn_looks,
        {"at a stage that it has not": put(f"{_DOOR}.OriginPath", "/live")},
    ),
    Case(
        facts.the_door_is_where_the_cdn_looks,
        {
            "another stage": put("RestApi.Properties.StageName", "prod"),
            "none": put(f"{_DOOR}.OriginPath", ""),
            "links that begin with it": drop("Web.Properties.Environment.Variables.FAAS_ORIGIN_PATH"),
        },
        _REST,
    ),
    Case(
        facts.the_door_is_where_the_cdn_looks,
        {"another": put(f"{_DOOR}.DomainName", {"Fn::GetAtt": ["Url", "FunctionUrl"]})},
        _URL,
    ),
    Case(facts.django_has_the_last_word_on_time, {"the gateway has": put("Web.Properties.Timeout", 30)}),
    Case(
        facts.a_rest_api_streams_everything,
        {
            "all at once": drop(f"{_REST_OF_PATHS}.responseTransferMode"),
            "by the old address": put(
                f"{_REST_OF_PATHS}.uri",
                {"Fn::Sub": "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/${Web.Arn}/invocations"},
            ),
            "for 29 s": put(f"{_REST_OF_PATHS}.timeoutInMillis", 29_000),
            "not the front page": drop(f"{_PATHS}./"),
            "not images": put("RestApi.Properties.BinaryMediaTypes", []),
            "by a CDN of API Gateway's": drop("RestApi.Properties.EndpointConfiguration"),
        },
        _REST,
    ),
    Case(
        facts.a_rest_api_is_deployed_to_one_stage,
        {"SAM makes another": drop("RestApi.Properties.OpenApiVersion")},
        _REST,
    ),
    Case(
        facts.an_http_api_takes_every_path,
        {
            "one path": put("HttpApi.Properties.RouteKey", "GET /"),
            "none": drop("HttpApi.Properties.Target"),
        },
    ),
    *(
        Case(
            facts.what_streams_has_a_runtime_for_it,
            {
                "AWS's": drop("Web.Properties.Environment.Variables.AWS_LAMBDA_EXEC_WRAPPER"),
                "that does not know": put("Web.Properties.Environment.Variables.FAAS_INVOKE_MODE", "buffered"),
                "none": put(
                    "Web.Properties.Environment.Variables.AWS_LAMBDA_EXEC_WRAPPER", "/var/task/adapter/exec_wrapper"
                ),
            },
            door,
        )
        for door in (_URL, _REST)
    ),
    Case(
        facts.what_streams_has_a_runtime_for_it,
        {"the URL does not": put("Url.Properties.InvokeMode", "BUFFERED")},
        _URL,
    ),
    Case(
        facts.what_does_not_stream_has_awss_runtime,
        {"it says it does": put("Web.Properties.Environment.Variables.FAAS_INVOKE_MODE", "response_stream")},
    ),
    Case(
        facts.snapshots_are_of_the_web_function,
        {
            "of none": drop("Web.Properties.SnapStart"),
            "of the console": put("Console.Properties.SnapStart", {"ApplyOn": "PublishedVersions"}),
        },
        {"SnapStart": "on"},
    ),
    Case(facts.no_snapshots_unless_asked_for, {"always": put("Web.Properties.SnapStart.ApplyOn", "PublishedVersions")}),
    Case(
        facts.the_domain_is_known_everywhere,
        {
            "not to the CDN": drop("Cdn.Properties.DistributionConfig.Aliases"),
            "without a certificate": put(
                "Cdn.Properties.DistributionConfig.ViewerCertificate", {"CloudFrontDefaultCertificate": True}
            ),
            "not to Django": variable("DJANGO_ALLOWED_HOSTS", ".cloudfront.net"),
            "not to jobs": put("Worker.Properties.Environment", {"Variables": {"FAAS_SITE_URL": ""}}),
        },
        _DOMAIN,
    ),
    Case(
        facts.cloudfronts_domain_does_without_one,
        {
            "an empty alias": put("Cdn.Properties.DistributionConfig.Aliases", [{"Ref": "DomainName"}]),
            "any host": variable("DJANGO_ALLOWED_HOSTS", "*"),
        },
    ),
    Case(
        facts.cloudfronts_domain_does_without_one,
        {"an alias that CloudFront refuses": lambda tree: tree["Conditions"].update(HasDomain=_given("DomainName"))},
        {"DomainName": "www.example.com"},
    ),
    Case(
        facts.all_functions_are_in_the_vpc,
        {
            "not the console": put("Console.Properties.VpcConfig", {"SubnetIds": []}),
            "not allowed": drop(f"{_ACCESS}.5"),
        },
        _VPC,
    ),
    Case(
        facts.no_vpc_unless_asked_for,
        {
            "allowed all the same": put(
                f"{_ACCESS}.5", {"Effect": "Allow", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}
            )
        },
    ),
    Case(
        facts.no_vpc_unless_asked_for,
        {"subnets without a group": lambda tree: tree["Conditions"].update(HasVpc=_given("VpcSubnetIds"))},
        {"VpcSubnetIds": "subnet-1"},
    ),
    Case(
        facts.connections_are_limited,
        {
            "visitors are not": drop("Web.Properties.ReservedConcurrentExecutions"),
            "jobs are not": drop("Worker.Properties.Events.Jobs.Properties.ScalingConfig"),
        },
        {"ReservedConcurrency": "7"},
    ),
    Case(
        facts.somebody_is_told,
        {
            "not of lost jobs": put("LostJobs.Properties.AlarmActions", []),
            "of the wrong queue": put("LostJobs.Properties.Dimensions.0.Value", {"Fn::GetAtt": ["Jobs", "QueueName"]}),
        },
        {"AlarmEmail": "ops@example.com"},
    ),
    Case(
        facts.errors_are_counted_where_they_are,
        {"under another name": put("RestApi.Properties.DefinitionBody.info.title", "shop")},
        _REST,
    ),
    *(
        Case(
            facts.errors_are_counted_where_they_are,
            {"elsewhere": put("ServerErrors.Properties.MetricName", "Errors")},
            {"FrontDoor": door},
        )
        for door in ("http_api", "function_url", "rest_api")
    ),
    Case(
        facts.sessions_are_cleared,
        {
            "by a command that is none": put(
                "Worker.Properties.Events.Nightly.Properties.Input", '{"run": "clearsessions"}'
            )
        },
    ),
    Case(
        facts.the_tools_find_everything,
        {
            "an output is missing": lambda tree: tree["Outputs"].pop("ConsoleFunction"),
            "another queue": lambda tree: tree["Outputs"].update(JobsQueueUrl={"Value": {"Ref": "DeadJobs"}}),
        },
    ),
)
