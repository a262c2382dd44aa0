from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.clients import Clients, asking, code_of
from infra.configuration import Stage
from infra.exceptions import AwsError, ConfigurationError


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def stage(region: str | None = None, profile: str | None = None) -> Stage:
    return Stage("production", "shop-production", region, profile)


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


def test_the_region_is_that_of_the_stage_then_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"No region is set for the stage production.*\[stages.production\]"):
        _ = Clients(stage()).region
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Clients(stage()).region == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert Clients(stage()).region == "eu-west-2"
    assert Clients(stage("eu-central-1")).region == "eu-central-1"


def test_a_client_is_made_once_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9")
    clients = Clients(stage("eu-central-1"))
    ssm = clients("ssm")
    assert clients("ssm") is ssm
    assert clients("ssm", read_timeout=910, retries=0) is not ssm
    assert ssm.meta.endpoint_url == "http://127.0.0.1:9"
    assert clients("ssm", read_timeout=910, retries=0).meta.config.read_timeout == 910
    clients.close()
    assert clients("ssm") is not ssm
    clients.close()


def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients(stage("eu-central-1"))
    told = r"Could not read the account: Unable to locate credentials\. Sign in"
    with pytest.raises(AwsError, match=told), asking("read the account"):
        clients("sts").get_caller_identity()
    clients.close()
    with pytest.raises(ConfigurationError, match=r"profile .*nobody.* could not be found"):
        _ = Clients(stage("eu-central-1", "nobody")).session


def test_nobody_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clients = Clients(stage("eu-central-1"))
    with pytest.raises(AwsError, match="Is there a connection, and is the region's name right"), asking("read it"):
        clients("sts", retries=0).get_caller_identity()
    clients.close()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "sign in again"),
        ("AccessDenied", "lack a permission for DescribeStacks"),
        ("Throttling", "Could not read the stack: Not today (Throttling)."),
    ],
)
def test_what_aws_refuses_says_what_was_asked(code: str, told: str) -> None:
    with pytest.raises(AwsError) as raised, asking("read the stack"):
        raise refused(code, "Not today")
    assert told in str(raised.value)
    assert code_of(refused(code)) == code
    assert code_of(ValueError()) == ""
