"""The bucket of what is deployed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.artifacts import Artifacts, Release
from infra.clients import Clients
from infra.configuration import Stage
from infra.exceptions import AwsError, BuildError, DeployError
from tests.infra.aws import ACCOUNT, Aws, Server


@pytest.fixture
def artifacts(aws: Aws) -> Iterator[Artifacts]:
    with closing(Clients(Stage("production", "shop"))) as clients:
        yield Artifacts(clients, ACCOUNT, "shop")


def test_a_bucket_of_somebody_else_is_not_used(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 refuses whom a bucket does not belong to, which moto does not."""
    owners = []

    def refusing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        owners.append(environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"))
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []

    server = Server(refusing)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    with pytest.raises(AwsError, match="tell AWS's support"):
        artifacts.prepare()
    assert owners == [ACCOUNT]
    server.stop()


def test_a_zip_is_sent_once(artifacts: Artifacts, tmp_path: Path) -> None:
    assert artifacts.prepare()
    assert not artifacts.prepare()
    path = tmp_path / "function.zip"
    path.write_bytes(b"code")
    digest = hashlib.sha256(b"code").hexdigest()
    assert artifacts.upload(path, digest) == (artifacts.address(digest), True)
    assert artifacts.upload(path, digest) == (artifacts.address(digest), False)
    path.write_bytes(b"other")
    with pytest.raises(BuildError, match="Build again"):
        artifacts.upload(path, digest)


def test_a_large_template_is_read_from_the_bucket(artifacts: Artifacts, aws: Aws) -> None:
    assert artifacts.template("{}") == {"TemplateBody": "{}"}
    large = " " * 51_200 + "{}"
    url = artifacts.template(large)["TemplateURL"]
    bucket, _, key = url.removeprefix(f"{aws.url}/").partition("/")
    assert aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode() == large


def test_releases_are_told_from_the_oldest_to_the_newest(artifacts: Artifacts, aws: Aws) -> None:
    assert artifacts.releases() == []
    artifacts.prepare()
    made = [
        Release(datetime(2026, month, 1, tzinfo=UTC), str(month), {"web": str(month)}, month, withdrawn)
        for month, withdrawn in ((1, None), (2, None), (3, "2"))
    ]
    for release in reversed(made):
        artifacts.record(release)
    assert artifacts.releases() == made
    assert artifacts.releases(newest=1) == made[-1:]
    aws.client("s3").put_object(Bucket=artifacts.bucket, Key="shop/releases/20260401T000000.000000Z.json", Body=b"{")
    with pytest.raises(DeployError, match="can't be read"):
        artifacts.releases()
