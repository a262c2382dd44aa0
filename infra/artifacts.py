"""The bucket that holds what is deployed: the functions' zips, large templates, and which releases have served.

One for each account and region, ``django-faas-<account>-<region>``; each stack has a folder in it. No deploy deletes a
zip: CloudFormation needs that of the release before when it takes an update back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .clients import Clients, asking, code_of
from .exceptions import AwsError, BuildError, ConfigurationError, DeployError

_INLINE = 51_200
"""Bytes of a template that a request can hold; a larger one is read from a bucket, up to 1 MB.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""


@dataclass(frozen=True)
class Release:
    """What served a stage from some time on.

    ``version`` is that of the web function, ``versions`` those of all functions by their names; ``static`` is the
    number of the static files' release, if there are any. ``withdrawn`` is the version that a rollback went back from.
    """

    at: datetime
    version: str
    versions: dict[str, str]
    static: int | None = None
    withdrawn: str | None = None


class Artifacts:
    """The bucket of an account and region, as far as it is one stack's."""

    def __init__(self, clients: Clients, account: str, stack: str) -> None:
        self._clients = clients
        self._account = account
        self._stack = stack
        self.bucket = f"django-faas-{account}-{clients.region}"

    def prepare(self) -> bool:
        """Make the bucket if there is none, private and encrypted; whether it was made.

        A bucket of that name in somebody else's account is refused, as all requests say whose it has to be.
        """
        from botocore.exceptions import ClientError

        with asking(f"look for the bucket {self.bucket}"):
            try:
                self._s3.head_bucket(**self._owned)
            except ClientError as error:
                if code_of(error) == "403":
                    raise AwsError(
                        f"The bucket {self.bucket} is there, and these credentials may not use it. Its name belongs to "
                        "this account: if the bucket is somebody else's, tell AWS's support; if it is yours, the "
                        "credentials lack s3:ListBucket on it."
                    ) from None
                if code_of(error) != "404":
                    raise
            else:
                return False
        self._make()
        return True

    def address(self, sha256: str) -> str:
        """Where the zip with this digest lies once it is uploaded: ``s3://...``."""
        return f"s3://{self.bucket}/{self._stack}/function-{sha256}.zip"

    def upload(self, path: Path, sha256: str) -> tuple[str, bool]:
        """Put a zip there, unless it is there already; its `address`, and whether it was sent.

        ``sha256`` (hexadecimal digits) is what the manifest says of it; raises `BuildError` for another content.
        """
        from botocore.exceptions import ClientError

        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise BuildError(f"{path} is not what the manifest beside it tells of. Build again: django-faas build")
        url = self.address(sha256)
        key = url.removeprefix(f"s3://{self.bucket}/")
        with asking(f"upload {path.name} to {self.bucket}"):
            try:
                if self._s3.head_object(Key=key, **self._owned)["ContentLength"] == path.stat().st_size:
                    return url, False
            except ClientError as error:
                if code_of(error) != "404":
                    raise
            self._s3.upload_file(str(path), self.bucket, key, ExtraArgs={"ExpectedBucketOwner": self._account})
        return url, True

    def template(self, text: str) -> dict[str, str]:
        """The argument that gives CloudFormation a template: its text, or where it lies if that is too long."""
        if len(text.encode()) <= _INLINE:
            return {"TemplateBody": text}
        self.prepare()
        data = text.encode()
        key = f"{self._stack}/template-{hashlib.sha256(data).hexdigest()}.json"
        with asking(f"upload the template to {self.bucket}"):
            self._s3.put_object(Key=key, Body=data, **self._owned)
        # CloudFormation reads it with the caller's own rights.
        return {"TemplateURL": f"{self._s3.meta.endpoint_url}/{self.bucket}/{key}"}

    def record(self, release: Release) -> None:
        """Set down that a release serves from now on."""
        said: dict[str, Any] = {
            "format": 1,
            "version": release.version,
            "versions": release.versions,
            "static": release.static,
            "withdrawn": release.withdrawn,
        }
        key = f"{self._folder}{release.at:%Y%m%dT%H%M%S.%fZ}.json"
        with asking(f"set the release down in {self.bucket}"):
            self._s3.put_object(Key=key, Body=json.dumps(said).encode(), ContentType="application/json", **self._owned)

    def releases(self, newest: int = 50) -> list[Release]:
        """The last releases that have served, from the oldest to the newest; none where there is no bucket."""
        from botocore.exceptions import ClientError

        with asking(f"read the releases in {self.bucket}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Prefix=self._folder, **self._owned)
            try:
                keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))
            except ClientError as error:
                if code_of(error) == "NoSuchBucket":
                    return []
                raise
            return [self._read(key) for key in keys[-newest:]]

    def forget(self) -> None:
        """Delete what `record` has set down, of functions that are no more."""
        empty(self._clients, self.bucket, self._folder)

    def empty(self) -> int:
        """Delete all that the stack has there; how many objects."""
        return empty(self._clients, self.bucket, f"{self._stack}/")

    @property
    def _s3(self) -> Any:
        return self._clients("s3")

    @property
    def _owned(self) -> dict[str, str]:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self._account}

    @property
    def _folder(self) -> str:
        return f"{self._stack}/releases/"

    def _make(self) -> None:
        region = self._clients.region
        # The oldest region takes no constraint: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        lifecycle = {
            "Rules": [
                {
                    "ID": "uploads that were broken off",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            ]
        }
        encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        with asking(f"make the bucket {self.bucket}"):
            self._s3.create_bucket(Bucket=self.bucket, **where)
            self._s3.put_public_access_block(PublicAccessBlockConfiguration=closed, **self._owned)
            self._s3.put_bucket_encryption(ServerSideEncryptionConfiguration=encryption, **self._owned)
            self._s3.put_bucket_lifecycle_configuration(LifecycleConfiguration=lifecycle, **self._owned)

    def _read(self, key: str) -> Release:
        body = self._s3.get_object(Key=key, **self._owned)["Body"].read()
        try:
            said = json.loads(body)
            at = datetime.strptime(key.removeprefix(self._folder), "%Y%m%dT%H%M%S.%fZ.json").replace(tzinfo=UTC)
            return Release(at, said["version"], said["versions"], said["static"], said["withdrawn"])
        except (ValueError, KeyError, TypeError) as error:
            raise DeployError(
                f"s3://{self.bucket}/{key} can't be read ({type(error).__name__}: {error}). It says which versions of "
                "the functions served; delete it if it is damaged, and that release can't be gone back to."
            ) from None


def account_of(clients: Clients) -> str:
    """The number of the account that the credentials belong to."""
    with asking("find out whose the credentials are"):
        return str(clients("sts").get_caller_identity()["Account"])


def empty(clients: Clients, bucket: str, prefix: str = "") -> int:
    """Delete all objects below ``prefix``, with all their versions; how many that were. A missing bucket is empty."""
    from botocore.exceptions import ClientError

    service, deleted = clients("s3"), 0
    with asking(f"empty the bucket {bucket}"):
        try:
            for page in service.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
                entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
                if objects:
                    answer = service.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
                    if answer.get("Errors"):
                        first = answer["Errors"][0]
                        raise AwsError(f"Could not delete {first['Key']} from {bucket}: {first.get('Message')}")
                    deleted += len(objects)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
    return deleted


def chosen(releases: Sequence[Release], now: str, to: str | None) -> Release:
    """The release to go back to; raises `ConfigurationError` with those that there are."""
    there = list(dict.fromkeys(release.version for release in releases if release.version != now))
    known = f"Known: {', '.join(there)}." if there else "No other version has served."
    withdrawn: set[str | None] = set()
    for release in releases:
        withdrawn.discard(release.version)
        withdrawn.add(release.withdrawn)
    for release in reversed(releases):
        if release.version == to or (to is None and release.version not in (now, *withdrawn)):
            return release
    if to is None:
        raise ConfigurationError(
            f"There is no release to go back to from version {now}. {known} Name one: --to VERSION"
            if there
            else f"There is no release to go back to from version {now}: no other version has served."
        )
    raise ConfigurationError(f"No release with version {to} has served here. {known}")
