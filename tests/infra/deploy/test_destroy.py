"""``django-faas destroy``: what goes, and what stays."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from infra.deploy import destroying
from infra.exceptions import AwsError

from .conftest import Site


@pytest.fixture
def deployed(site: Site) -> Site:
    assert site.deploy("first").exit_code == 0
    site.aws.client("ssm").put_parameter(Name="/shop-production/API_KEY", Value="planted", Type="SecureString")
    return site


def buckets(site: Site) -> set[str]:
    return {bucket["Name"] for bucket in site.aws.client("s3").list_buckets()["Buckets"]}


def test_data_is_kept(deployed: Site) -> None:
    done = deployed.run("destroy", input="shop-production\n")
    assert done.exit_code == 0, done.output
    assert "The bucket shop-production-files-123456789012 is kept, with its files." in done.output
    assert deployed.objects
    assert deployed.aws.client("ssm").get_parameter(Name="/shop-production/API_KEY")
    with pytest.raises(ClientError, match="does not exist"):
        deployed.aws.client("cloudformation").describe_stacks(StackName="shop-production")
    with pytest.raises(ClientError, match="not found"):
        deployed.aws.alias("shop-production-web")
    again = deployed.run("destroy", "--yes")
    assert "There is no stack shop-production" in again.output

    # What comes after it begins anew.
    anew = deployed.deploy("second")
    assert anew.exit_code == 0, anew.output
    assert len(deployed.functions.calls) == 2
    assert "no other version has served" in deployed.run("rollback").output


def test_data_goes_when_told(deployed: Site) -> None:
    done = deployed.run("destroy", "--yes", "--delete-data")
    assert done.exit_code == 0, done.output
    assert buckets(deployed) == {"django-faas-123456789012-eu-central-1"}
    assert "Contents" not in deployed.aws.client("s3").list_objects_v2(Bucket="django-faas-123456789012-eu-central-1")
    assert deployed.aws.client("ssm").get_parameters_by_path(Path="/shop-production/")["Parameters"] == []


def test_another_name_deletes_nothing(deployed: Site) -> None:
    refused = deployed.run("destroy", "--delete-data", input="shop-staging\n")
    assert refused.exit_code == 1
    assert "all files in shop-production-files-123456789012, for good" in refused.output
    assert "That is not its name. Nothing was deleted." in refused.output
    assert deployed.aws.alias("shop-production-web") == "1"
    assert "with --yes" in deployed.run("destroy", input="").output


def test_what_could_not_be_deleted_is_named(deployed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise AwsError("Could not empty the bucket")

    monkeypatch.setattr(destroying, "empty", refuse)
    failed = deployed.run("destroy", "--yes", "--delete-data")
    assert failed.exit_code == 1
    assert "By hand: aws s3 rb --force s3://shop-production-files-123456789012" in failed.output
