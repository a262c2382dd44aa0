"""Which template is deployed, and what is put into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.build import Package, Zip
from infra.configuration import Configuration, Stage
from infra.deploy import parameters, template
from infra.exceptions import ConfigurationError, TemplateError
from infra.stacks import Stack

from .conftest import TEMPLATE

ZIP = Zip(Path("dist/function.zip"), "0", 1, 1)
PACKAGE = Package(Path("dist"), "shop", ZIP, "3.13", "arm64", "", "shop.settings", "wsgi", None, ())


def read(folder: Path, text: str | None = None) -> template.Template:
    if text is not None:
        (folder / "template.yaml").write_text(text)
    return template.read(Configuration(folder, "shop"))


def test_the_project_s_own_template_goes_before_the_package_s(tmp_path: Path) -> None:
    assert read(tmp_path).path == template.OWN
    assert read(tmp_path, TEMPLATE).path == tmp_path / "template.yaml"
    other = tmp_path / "other.yaml"
    other.write_text(TEMPLATE)
    assert template.read(Configuration(tmp_path, "shop", template=other)).path == other


def test_code_and_variables_are_put_in_and_nothing_else_changes(tmp_path: Path) -> None:
    own = "  Hook: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://elsewhere/hook.zip}}\n"
    found = read(tmp_path, TEMPLATE.replace("Outputs:", f"{own}Outputs:"))
    tree = json.loads(found.with_code("s3://bucket/function.zip", {"SENTRY_DSN": "https://sentry"}))
    shared = tree["Globals"]["Function"]
    assert shared["CodeUri"] == "s3://bucket/function.zip"
    assert shared["Environment"]["Variables"].pop("SENTRY_DSN") == "https://sentry"
    assert tree["Resources"]["Hook"]["Properties"]["CodeUri"] == "s3://elsewhere/hook.zip"
    shared["CodeUri"] = "dist/function.zip"
    assert tree == found.tree
    assert tree["Outputs"]["SiteUrl"]["Value"] == {"Fn::Sub": "https://${Cdn.DomainName}"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources: {Bucket: {Type: AWS::S3::Bucket}}", "has no AWS::Serverless::Function"),
        (TEMPLATE.replace("  SiteUrl:", "  Url:"), "has no output SiteUrl"),
        (TEMPLATE.replace("CodeUri: dist/function.zip", "CodeUri: src/"), "the code of Web is src/"),
        (TEMPLATE.replace("Resources:", "Resources: ["), "no YAML"),
    ],
)
def test_what_can_not_be_deployed_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        read(tmp_path, text)


def decide(tmp_path: Path, stage: Stage, current: Stack | None = None) -> dict[str, str | None]:
    return parameters.decide(read(tmp_path, TEMPLATE), stage, PACKAGE, parameters.Secrets({}, "abc"), current)


def test_the_package_says_what_it_was_built_for(tmp_path: Path) -> None:
    decided = decide(tmp_path, Stage("production", "shop", parameters={"MemorySize": "512", "Interface": "asgi"}))
    assert decided == {
        "SettingsModule": "shop.settings",
        "Interface": "asgi",
        "PythonVersion": "3.13",
        "Architecture": "arm64",
        "EnvironmentVersion": decided["EnvironmentVersion"],
        "MemorySize": "512",
    }


def test_whatever_changes_makes_another_version(tmp_path: Path) -> None:
    def version(stage: Stage, text: str = TEMPLATE, digest: str = "abc") -> str | None:
        decided = parameters.decide(read(tmp_path, text), stage, PACKAGE, parameters.Secrets({}, digest), None)
        return decided["EnvironmentVersion"]

    plain = Stage("production", "shop")
    versions = [
        version(plain),
        version(Stage("production", "shop", parameters={"MemorySize": "512"})),
        version(Stage("production", "shop", variables={"GREETING": "Hello"})),
        version(plain, TEMPLATE.replace("1769", "1024")),
        version(plain, digest="another value of a secret"),
    ]
    assert len(set(versions)) == len(versions)
    assert version(plain, f"# a remark\n{TEMPLATE}") == versions[0]
    chosen = Stage("production", "shop", parameters={"EnvironmentVersion": "7"})
    assert version(chosen) == "7"


def test_a_stage_can_not_say_otherwise(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='architecture = "x86_64"'):
        decide(tmp_path, Stage("production", "shop", parameters={"Architecture": "x86_64"}))


def test_what_nobody_may_read_back_is_kept(tmp_path: Path) -> None:
    current = Stack("shop", "UPDATE_COMPLETE", parameters={"Token": "****", "MemorySize": "512"})
    decided = decide(tmp_path, Stage("production", "shop"), current)
    assert decided["Token"] is None
    assert "MemorySize" not in decided
    found = parameters.differences(read(tmp_path), decided, current)
    assert found == [("MemorySize", "512", "1769")]


def test_a_parameter_that_the_template_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is MemorySize meant"):
        parameters.check_names(read(tmp_path, TEMPLATE), Stage("production", "shop", parameters={"Memorysize": "512"}))


DOMAIN = {"DomainName": "www.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
VPC = {"VpcSubnetIds": "subnet-1", "VpcSecurityGroupIds": "sg-1"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [*zip(DOMAIN, reversed(DOMAIN), strict=True), *zip(VPC, reversed(VPC), strict=True)],
)
def test_half_of_what_belongs_together_is_refused(tmp_path: Path, given: str, missing: str) -> None:
    half = {given: (DOMAIN | VPC)[given]}
    said = rf"The stage production has {given}, but no {missing}: .* Set {missing} below \[stages\.production\.para"
    with pytest.raises(ConfigurationError, match=said):
        parameters.check_pairs(read(tmp_path), Stage("production", "shop", parameters=half))


def test_all_of_it_is_not(tmp_path: Path) -> None:
    for whole in ({}, DOMAIN, VPC, DOMAIN | VPC):
        parameters.check_pairs(read(tmp_path), Stage("production", "shop", parameters=whole))


def test_the_other_half_may_be_in_the_template(tmp_path: Path) -> None:
    declared = "VpcSubnetIds: {Type: String, Default: subnet-1}\n  VpcSecurityGroupIds: {Type: String, Default: ''}"
    own = read(tmp_path, TEMPLATE.replace("MemorySize:", f"{declared}\n  MemorySize:", 1))
    parameters.check_pairs(own, Stage("production", "shop", parameters={"VpcSecurityGroupIds": "sg-1"}))
    with pytest.raises(ConfigurationError, match="has VpcSubnetIds, but no VpcSecurityGroupIds"):
        parameters.check_pairs(own, Stage("production", "shop"))


def test_a_template_that_has_one_of_them_alone_needs_no_other(tmp_path: Path) -> None:
    own = read(tmp_path, TEMPLATE.replace("MemorySize:", 'DomainName: {Type: String, Default: "x"}\n  MemorySize:', 1))
    parameters.check_pairs(own, Stage("production", "shop"))
