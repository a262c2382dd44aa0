"""``django-faas deploy``: the order of things, and what serves when one of them fails."""

from __future__ import annotations

import json
import os
import urllib.request
from types import SimpleNamespace
from typing import Any

import pytest

from infra import stacks
from infra.configuration import Stage
from infra.deploy import static, traffic
from infra.exceptions import AwsError
from tests.infra.aws import REGION

from .conftest import Site

OLD = {"web": "1", "worker": "1", "console": "1", "migrate": "1"}
NEW = dict.fromkeys(OLD, "2")
ARTIFACTS = f"django-faas-123456789012-{REGION}"


def page(site: Site) -> str:
    with urllib.request.urlopen(f"{site.aws.site.url}/") as response:
        return str(response.read().decode())


def status(site: Site) -> str:
    return str(
        site.aws.client("cloudformation").describe_stacks(StackName="shop-production")["Stacks"][0]["StackStatus"]
    )


def actions(site: Site) -> list[str]:
    return [action for action, _ in site.aws.cloudformation.requests]


@pytest.fixture
def at_execution(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The static files in the bucket whenever a change set is executed."""
    seen: list[set[str]] = []
    execute = stacks.CloudFormation.execute

    def watched(self: stacks.CloudFormation, proposal: stacks.Proposal, told: stacks.Told) -> stacks.Stack:
        seen.append(site.objects if site.aws.site.bucket else set())
        return execute(self, proposal, told)

    monkeypatch.setattr(stacks.CloudFormation, "execute", watched)
    return seen


def test_a_first_and_a_second_deploy(site: Site, at_execution: list[set[str]]) -> None:
    (site.folder / "template.yaml").unlink()  # the package has its own
    site.aws.site.not_yet = 2  # an edge that comes late is waited for
    first = site.deploy("first", "body {}")
    assert first.exit_code == 0, first.output
    assert first.output.endswith(f"deployed   Version 1 serves\n{site.aws.site.url}\n")
    assert first.stdout == f"{site.aws.site.url}\n"
    assert "add         Cdn" in first.output
    # There is no hook without a version to move from, so that the console function migrates.
    assert [(name, event) for name, _, event in site.functions.calls] == [
        ("shop-production-console", {"manage": ["migrate", "--noinput"], "environment": {}})
    ]
    assert "migrations Applying sessions.0001_initial... OK" in first.output
    assert site.serves() == OLD
    assert site.objects == {"site.css", "site.62368a1a2925.css", "staticfiles.json"}

    second = site.deploy("second", "body { color: red }")
    assert second.exit_code == 0, second.output
    assert "change      Web" in second.output
    assert len(site.functions.calls) == 1
    assert site.serves() == NEW
    assert page(site) == "version 2"
    # What the new pages need was there before they were, what the old ones need is there still.
    assert at_execution[1] - site.objects == set()
    assert at_execution[1] >= {"site.925e8741be69.css", "site.62368a1a2925.css"}
    steps = [line.split()[0] for line in second.output.splitlines() if not line.startswith((" ", "http"))]
    assert steps == [
        "checks", "settings", "upload", "versions", "changes", "assets", "stack", "static", "smoke", "retirement",
        "deployed",
    ]  # fmt: skip
    invalidated = site.aws.client("cloudfront").list_invalidations(
        DistributionId=site.aws.cloudformation.settle("shop-production")["DistributionId"]
    )
    assert invalidated["InvalidationList"]["Quantity"] == 1


def test_nothing_new_changes_nothing_and_all_lies_in_a_private_bucket(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    again = site.deploy("first")
    assert again.exit_code == 0, again.output
    assert "changes    none" in again.output
    assert "is in the bucket" in again.output
    assert site.serves() == OLD
    listed = site.aws.client("s3").list_objects_v2(Bucket=ARTIFACTS, Prefix="shop-production/releases/")
    assert listed["KeyCount"] == 1

    store = site.aws.client("s3")
    assert all(store.get_public_access_block(Bucket=ARTIFACTS)["PublicAccessBlockConfiguration"].values())
    assert store.get_bucket_encryption(Bucket=ARTIFACTS)["ServerSideEncryptionConfiguration"]["Rules"]
    sent = next(asked for action, asked in site.aws.cloudformation.requests if action == "CreateChangeSet")
    code = json.loads(sent["TemplateBody"])["Globals"]["Function"]["CodeUri"]
    zipped = store.get_object(Bucket=ARTIFACTS, Key=code.removeprefix(f"s3://{ARTIFACTS}/"))["Body"].read()
    assert zipped == (site.folder / "dist" / "function.zip").read_bytes()


def test_a_migration_that_fails_leaves_the_old_version_serving(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    site.aws.cloudformation.migration = [
        '{"type": "platform.start", "record": {"requestId": "1"}}',
        '{"level": "ERROR", "message": "django.db.utils.ProgrammingError: permission denied for schema public"}',
    ]
    failed = site.deploy("second")
    assert failed.exit_code == 1
    assert "stack      failed" in failed.output
    assert "Stack failed: WebAliaslive (AWS::Lambda::Alias)" in failed.output
    assert "The log of CodeDeployHook_shop-production" in failed.output
    assert "platform.start" not in failed.output
    assert "Version 1 serves, as before." in failed.output
    assert "What to do: From PostgreSQL 15 on" in failed.output
    assert site.serves() == OLD
    assert status(site) == "UPDATE_ROLLBACK_COMPLETE"
    assert page(site) == "version 1"

    site.aws.cloudformation.migration = None
    third = site.deploy("third")
    assert third.exit_code == 0, third.output
    assert "versions   serve as the stack knows" in third.output
    assert site.serves()["web"] == "3"


def test_a_page_that_fails_brings_the_old_version_back(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    site.aws.site.broken = {"2"}
    failed = site.deploy("second")
    assert failed.exit_code == 1
    assert "smoke test failed" in failed.output
    assert "way back   Version 1 gets the traffic" in failed.output
    assert f"Smoke test failed: {site.aws.site.url}/ answers 500" in failed.output
    assert "version 2 is broken" in failed.output
    assert "Version 1 serves again." in failed.output
    assert site.serves() == OLD
    assert page(site) == "version 1"

    # CodeDeploy would refuse the next one, had the stack not been told.
    third = site.deploy("third")
    assert third.exit_code == 0, third.output
    assert set(site.serves().values()) == {"3"}
    assert not any("failed" in entry["ResourceStatus"].lower() for entry in events(site))


def events(site: Site) -> list[dict[str, Any]]:
    pages = site.aws.client("cloudformation").get_paginator("describe_stack_events")
    return [event for page in pages.paginate(StackName="shop-production") for event in page["StackEvents"]]


def test_an_alias_that_the_stack_does_not_know_of_is_what_codedeploy_refuses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.deploy("first").exit_code == 0
    assert site.deploy("second").exit_code == 0
    site.aws.client("lambda").update_alias(FunctionName="shop-production-web", Name="live", FunctionVersion="1")
    with monkeypatch.context() as patch:
        patch.setattr(traffic, "align", lambda _target: False)
        refused = site.deploy("third")
    assert "does not match the current version in AppSpec" in refused.output
    assert "What to do: Somebody has moved the alias" in refused.output
    assert "Version 1 serves, as before." in refused.output
    # And what the remedy says is so.
    again = site.deploy("fourth")
    assert "versions   the stack is told which versions serve" in again.output
    assert again.exit_code == 0, again.output


def test_a_static_file_that_is_not_there_fails_the_smoke_test(site: Site) -> None:
    site.aws.site.lost = {"/static/site.62368a1a2925.css"}
    failed = site.deploy("first")
    assert "/static/site.62368a1a2925.css answers 403, though the file was uploaded" in failed.output
    assert "Version 1 serves." in failed.output  # there is none to go back to


def test_a_first_deploy_that_fails_leaves_nothing_in_the_way(site: Site) -> None:
    site.aws.cloudformation.failure = (
        "Cdn",
        "Your account must be verified before you can add new CloudFront resources. To verify your account, please ...",
    )
    failed = site.deploy("first")
    assert failed.exit_code == 1
    assert "Stack failed: Cdn (AWS::CloudFront::Distribution): Your account must be verified" in failed.output
    assert "Nothing is deployed yet." in failed.output
    assert "What to do: AWS wants to verify a new account" in failed.output
    assert status(site) == "ROLLBACK_COMPLETE"
    shown = site.run("deploy", "--no-build", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "ROLLBACK_COMPLETE: a deploy deletes it" in shown.output

    again = site.deploy("first")
    assert again.exit_code == 0, again.output
    assert "clean-up" in again.output


def test_a_database_that_can_not_be_migrated_is_tried_again_with_the_next_deploy(site: Site) -> None:
    site.console.exit, site.console.output = 1, "OperationalError: connection timeout expired\n"
    failed = site.deploy("first")
    assert failed.exit_code == 1
    assert "Migrations failed: migrate --noinput ended with exit code 1:\nOperationalError" in failed.output
    assert "What to do: The function does not get through to the database." in failed.output
    site.console.exit = 0
    assert site.deploy("first").exit_code == 0
    assert len(site.functions.calls) == 2


def test_without_a_yes_nothing_is_changed(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    site.build("second", "body { color: red }")
    declined = site.run("deploy", "--no-build", input="n\n")
    assert declined.exit_code == 1
    assert declined.output.endswith("Nothing was changed.\n")
    assert site.serves() == OLD
    assert site.objects == {"site.css", "site.62368a1a2925.css", "staticfiles.json"}
    assert actions(site)[-1] == "DeleteChangeSet"
    nobody = site.run("deploy", "--no-build", input="")
    assert "Run it in a terminal, or with --yes." in nobody.output


def test_what_was_declined_the_first_time_is_not_in_the_way(site: Site) -> None:
    site.build("first")
    assert site.run("deploy", "--no-build", input="n\n").exit_code == 1
    assert actions(site)[-1] == "DeleteStack"
    # A deploy that was killed while it asked leaves the empty stack.
    site.aws.client("cloudformation").create_change_set(
        StackName="shop-production", ChangeSetName="killed", ChangeSetType="CREATE", TemplateBody='{"Resources": {}}'
    )
    assert status(site) == "REVIEW_IN_PROGRESS"
    assert site.run("deploy", "--no-build", "--yes").exit_code == 0


def test_a_dry_run_shows_what_would_change_and_changes_nothing(site: Site) -> None:
    site.build("first")
    shown = site.run("deploy", "--no-build", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "add         Cdn" in shown.output
    assert site.aws.client("s3").list_buckets()["Buckets"] == []
    assert actions(site)[-2:] == ["DeleteChangeSet", "DeleteStack"]


def test_a_stack_that_somebody_else_changes_is_left_alone(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    stack = site.aws.cloudformation.stacks[-1]
    stack.status = "UPDATE_IN_PROGRESS"
    refused = site.deploy("second")
    assert "is being changed by somebody else: UPDATE_IN_PROGRESS" in refused.output
    assert site.serves() == OLD


def test_a_bucket_that_is_gone_stops_it_before_anything_changes(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    store = site.aws.client("s3")
    for entry in store.list_objects_v2(Bucket=site.aws.site.bucket)["Contents"]:
        store.delete_object(Bucket=site.aws.site.bucket, Key=entry["Key"])
    store.delete_bucket(Bucket=site.aws.site.bucket)
    failed = site.deploy("second", "body { color: red }")
    assert "Assets failed: There is no bucket" in failed.output
    assert "Version 1 serves, as before." in failed.output
    assert site.serves() == OLD


def test_variables_and_parameters_of_the_stage_reach_the_stack(site: Site) -> None:
    site.configure(
        '[stages.production.parameters]\nMemorySize = 1024\n[stages.production.variables]\nSENTRY_DSN = "https://sentry"\n'
    )
    assert site.deploy("first").exit_code == 0
    asked = next(asked for action, asked in site.aws.cloudformation.requests if action == "CreateChangeSet")
    given = {entry["ParameterKey"]: entry["ParameterValue"] for entry in asked["Parameters"]}
    assert given == {
        "MemorySize": "1024",
        "SettingsModule": "shop.settings_faas",
        "Interface": "wsgi",
        "PythonVersion": "3.13",
        "Architecture": "arm64",
        "EnvironmentVersion": given["EnvironmentVersion"],
    }
    assert given["EnvironmentVersion"]
    assert json.loads(asked["TemplateBody"])["Globals"]["Function"]["Environment"]["Variables"]["SENTRY_DSN"]

    # A secret with a new value makes new versions of the same code.
    site.aws.client("ssm").put_parameter(Name="/shop-production/API_KEY", Value="planted", Type="SecureString")
    site.configure("")
    again = site.deploy("first")
    assert again.exit_code == 0, again.output
    assert "parameter   MemorySize: 1024 -> 1769" in again.output
    assert f"parameter   EnvironmentVersion: {given['EnvironmentVersion']} -> " in again.output
    assert status(site) == "UPDATE_COMPLETE"


def test_a_domain_without_a_certificate_changes_nothing(site: Site) -> None:
    (site.folder / "template.yaml").unlink()
    site.configure('[stages.production.parameters]\nDomainName = "www.example.com"\n')
    refused = site.deploy("first")
    assert refused.exit_code == 1
    assert "The stage production has DomainName, but no CertificateArn" in refused.output
    assert "Nothing was changed." in refused.output
    assert "CreateChangeSet" not in actions(site)


def test_without_a_region_nobody_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    refused = site.deploy("first")
    assert refused.exit_code == 1
    assert "No region is set for the stage production" in refused.output
    assert actions(site) == []


def test_static_files_go_up_by_the_stage_s_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another account's")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    target: Any = SimpleNamespace(stage=Stage("staging", "shop-staging", profile="staging"))
    with static.credentials(target):
        assert os.environ["AWS_PROFILE"] == "staging"
        assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert os.environ["AWS_ACCESS_KEY_ID"] == "another account's"
    assert "AWS_PROFILE" not in os.environ


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), AwsError("The credentials have expired.")])
def test_who_stops_watching_is_told_that_cloudformation_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, cause: BaseException
) -> None:
    def stopped(*_arguments: object) -> None:
        raise cause

    monkeypatch.setattr(stacks.CloudFormation, "_watch", stopped)
    done = site.deploy("first")
    assert done.exit_code == 1
    assert "CloudFormation goes on by itself with what it has begun." in done.output
    assert site.aws.cloudformation.settle("shop-production")["SiteUrl"]
