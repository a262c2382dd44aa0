"""The Terraform twin has the shape of the template, and Terraform finds it valid where its provider can be had."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

from .expansion import DOORS, Stack, expand, source

TWIN = Path(__file__).parents[3] / "samples" / "terraform"
PLUGINS = os.environ.get("TERRAFORM_PLUGIN_DIR", "")

# What stands for a type of CloudFormation's.
TYPES = {
    "AWS::ApiGateway::Deployment": "aws_api_gateway_deployment",
    "AWS::ApiGateway::RestApi": "aws_api_gateway_rest_api",
    "AWS::ApiGateway::Stage": "aws_api_gateway_stage",
    "AWS::ApiGatewayV2::Api": "aws_apigatewayv2_api",
    "AWS::CloudFront::Distribution": "aws_cloudfront_distribution",
    "AWS::CloudFront::Function": "aws_cloudfront_function",
    "AWS::CloudFront::OriginAccessControl": "aws_cloudfront_origin_access_control",
    "AWS::CloudFront::ResponseHeadersPolicy": "aws_cloudfront_response_headers_policy",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CodeDeploy::Application": "aws_lambda_invocation",  # migrations and smoke test go before the alias
    "AWS::CodeDeploy::DeploymentGroup": "aws_lambda_invocation",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Lambda::Alias": "aws_lambda_alias",
    "AWS::Lambda::EventSourceMapping": "aws_lambda_event_source_mapping",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Lambda::Url": "aws_lambda_function_url",
    "AWS::Lambda::Version": "aws_lambda_function",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::Scheduler::Schedule": "aws_scheduler_schedule",
    "AWS::SecretsManager::Secret": "aws_secretsmanager_secret",
}


@cache
def _text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(TWIN.glob("*.tf")))


def _blocks(kind: str) -> list[dict[str, Any]]:
    return [block for path in sorted(TWIN.glob("*.tf")) for block in _parsed(path).get(kind, ())]


@cache
def _parsed(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        parsed: dict[str, Any] = hcl2.load(file)
    return parsed


def _named(kind: str) -> dict[str, dict[str, Any]]:
    return {name.strip('"'): body for block in _blocks(kind) for name, body in block.items()}


def _resources() -> set[str]:
    return {kind.strip('"') for block in _blocks("resource") for kind in block}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _plain(value: object) -> object:
    """A default as the template writes it: text, and nothing where there is an empty list."""
    if isinstance(value, str):
        value = value.strip('"')
    return {"[]": "", "False": "off", "false": "off"}.get(str(value), str(value))


def test_the_same_parameters_with_the_same_defaults() -> None:
    found = {name: _plain(body.get("default")) for name, body in _named("variable").items()}
    assert found.pop("name") == "None"
    assert found.pop("package") == source()["Globals"]["Function"]["CodeUri"]
    assert found == {_snake(name): str(entry["Default"]) for name, entry in source()["Parameters"].items()}


def test_the_same_outputs() -> None:
    assert set(_named("output")) == {_snake(name) for name in source()["Outputs"]}


@pytest.mark.parametrize("door", DOORS)
def test_the_same_resources(door: str) -> None:
    stack = Stack(expand(source()), {"FrontDoor": door, "AlarmEmail": "ops@example.com"})
    kinds = {entry["Type"] for entry in stack.resources.values()}
    assert {TYPES[kind] for kind in kinds} <= _resources()


def test_functions_are_told_the_same() -> None:
    environment = _text().partition("environment = {")[2].partition("\n  functions = {")[0]
    told = set(re.findall(r"\b((?:DJANGO|FAAS|AWS)_[A-Z_]+)\s*=", environment))
    stack = Stack(expand(source()), {"FrontDoor": "rest_api"})
    # Migrate is not told what to look at: Terraform looks itself.
    assert told == set(stack.variables("Web"))


def test_functions_may_do_the_same() -> None:
    allowed = re.findall(r'"((?:logs|ssm|sqs|s3|ec2):[A-Za-z]+)"', _text())
    stack = Stack(expand(source()), {"VpcSubnetIds": "subnet-1", "VpcSecurityGroupIds": "sg-1"})
    actions = {
        action
        for name, statement in stack.statements()
        if name in ("Access", "WorkerRole")
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert set(allowed) == actions


def test_the_same_numbers_and_policies() -> None:
    stack, text = Stack(expand(source())), _text()
    assert f"visibility_timeout_seconds = {stack['Jobs']['VisibilityTimeout']} " in text
    assert f"maxReceiveCount = {stack['Jobs']['RedrivePolicy']['maxReceiveCount']} " in text
    assert f"message_retention_seconds = {stack['DeadJobs']['MessageRetentionPeriod']}\n" in text
    assert f"timeout = local.streams ? 300 : {stack['Web']['Timeout']}," in text
    config = stack["Cdn"]["DistributionConfig"]
    for behaviour in (*config["CacheBehaviors"], config["DefaultCacheBehavior"]):
        assert f'"{behaviour["CachePolicyId"]}"' in text
    assert f'"{config["DefaultCacheBehavior"]["OriginRequestPolicyId"]}"' in text
    assert (
        stack["CopyHost"]["FunctionCode"].split()
        == text.partition("<<-JAVASCRIPT\n")[2].partition("  JAVASCRIPT")[0].split()
    )


def test_the_same_doors() -> None:
    text = _text()
    assert re.search(r"target\s+= local\.web\.arn\b", text)
    paths = Stack(expand(source()), {"FrontDoor": "rest_api"})["RestApi"]["Body"]["paths"]
    assert f"for path in {json.dumps(list(paths))}" in text
    for item in paths.values():
        (operation,) = item.values()
        integration = operation["x-amazon-apigateway-integration"]
        assert integration.pop("uri").partition("/functions/")[2] == "<Web.Arn>:live/response-streaming-invocations"
        for key, value in integration.items():
            assert re.search(rf"{key}\s+= {json.dumps(value)}\n", text), key
    assert "/functions/${local.web.arn}/response-streaming-invocations" in text


def test_both_permissions_of_the_url() -> None:
    assert 'action                 = "lambda:InvokeFunctionUrl"' in _text()
    assert "InvokedViaFunctionUrl = true" in _text()


@pytest.mark.skipif(
    not PLUGINS or shutil.which("terraform") is None,
    reason="needs Terraform, and in TERRAFORM_PLUGIN_DIR a folder with the provider hashicorp/aws",
)
def test_terraform_finds_it_valid(tmp_path: Path) -> None:
    for path in TWIN.glob("*.tf"):
        shutil.copy(path, tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "AWS_"))}
    environment |= {"CHECKPOINT_DISABLE": "1", "HOME": str(tmp_path)}

    def terraform(*arguments: str) -> str:
        done = subprocess.run(
            ["terraform", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    terraform("init", "-backend=false", "-input=false", f"-plugin-dir={PLUGINS}")
    assert json.loads(terraform("validate", "-json"))["diagnostics"] == []
    assert terraform("fmt", "-check", "-recursive") == ""
