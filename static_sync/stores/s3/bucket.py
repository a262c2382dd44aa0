"""Requests to one bucket, and to no key of it outside the prefix; what is not done is raised, with what to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    ConflictError,
    WrongRegionError,
)
from static_sync.stores.contract import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from static_sync.destination import Destination
    from static_sync.stores.s3.client import Client
    from static_sync.stores.s3.content import FilePart
    from static_sync.stores.s3.http import Answer

_ADVICE = {
    "ExpiredToken": "The temporary credentials have expired: get new ones and run again; what is done is not repeated.",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to these keys.",
    "InvalidAccessKeyId": "The service does not know this AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID.",
    "RequestTimeTooSkewed": "This machine's clock is wrong by more than 15 minutes: set it, and run again.",
}


class Bucket:
    """``conditional`` is whether the service heeds conditions of writes, as far as is known by now."""

    def __init__(self, client: Client, destination: Destination) -> None:
        self.client = client
        self.destination = destination
        self.conditional = True

    def request(
        self,
        method: str,
        key: str | None,
        action: str,
        body: bytes | FilePart = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        conditions: Mapping[str, str] | None = None,
        error_in_success: bool = False,
        may_be_missing: bool = False,
    ) -> Answer:
        """The answer to a request that succeeded, or to one for a key that is not there, where it ``may_be_missing``.

        ``key`` is None for the bucket itself. ``conditions`` are headers too, which are left out where the service does
        not know them. Raises `ConflictError` when they do not hold, else another `BucketError`; its text says that one
        could not ``action``.
        """
        name = "" if key is None else self.inside(key)
        headers = headers or {}
        expected = conditions if conditions and self.conditional else {}
        send = partial(self.client.send, method, name, body, query=query, error_in_success=error_in_success)
        answer = send(headers={**headers, **expected})
        if expected and _is_unsupported(answer):
            self.conditional = False
            expected = {}
            answer = send(headers=headers)
        if answer.ok and not (error_in_success and answer.error):
            return answer
        if may_be_missing and answer.status == 404 and answer.code == "NoSuchKey":
            return answer
        raise self._refusal(answer, action, expected)

    def inside(self, key: str) -> str:
        """The key itself; raises AssertionError for one outside of the prefix."""
        if not key or not key.startswith(self.destination.prefix):
            raise AssertionError(f"{key} is outside of {self.destination}")
        return key

    def _refusal(self, answer: Answer, action: str, conditions: Mapping[str, str]) -> BucketError:
        client, destination = self.client, self.destination
        code = answer.code
        said = f"{client.endpoint} answered {answer.status} {code or '(no S3 error)'}"
        if answer.error.get("Message"):
            said += f" ({answer.error['Message']})"
        if conditions and (
            answer.status in (409, 412) or code in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
        ):
            found = "it is there already" if ABSENT in conditions.values() else "somebody else has changed it meanwhile"
            return ConflictError(f"Could not {action}: {found}. {said}.")
        bucket, region = destination.bucket, client.region
        home = answer.headers.get("x-amz-bucket-region") or answer.error.get("Region")
        if home and home != region and answer.status in (301, 307, 400, 403):
            return WrongRegionError(
                f"The bucket {bucket} is in {home}, but requests were signed for {region}. Pass --region {home}."
            )
        if code == "NoSuchBucket":
            there = f"--region {region}" if client.endpoint.is_aws else f"--endpoint-url {client.endpoint}"
            return BucketNotFoundError(
                f"There is no bucket {bucket} at {client.endpoint}. Create it first (aws s3 mb s3://{bucket} "
                f"{there}), or check the name, the region ({region}) and --endpoint-url."
            )
        advice = _ADVICE.get(code)
        if answer.status in (401, 403) or advice:
            advice = advice or (
                "The credentials need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and "
                f"s3:AbortMultipartUpload on arn:aws:s3:::{bucket}/{destination.prefix}*; with a KMS key also "
                "kms:GenerateDataKey and kms:Decrypt."
            )
            return AccessDeniedError(f"Not allowed to {action}: {said}. {advice}")
        if answer.status in (429, 503):
            said += ". The service is overloaded: run again later, or with fewer --workers"
        return BucketError(f"Could not {action}: {said}.")


def conditions_of(condition: str | None) -> dict[str, str]:
    """The headers for a condition of `Store.put`.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
    """
    if condition is None:
        return {}
    return {"if-none-match": ABSENT} if condition == ABSENT else {"if-match": f'"{condition}"'}


def _is_unsupported(answer: Answer) -> bool:
    """Whether the service says that it does not know the condition's header."""
    if answer.ok:
        return False
    if answer.status == 501 or answer.code == "NotImplemented":
        return True
    said = " ".join(answer.error.values()).lower() if answer.status == 400 else ""
    return "if-match" in said or "if-none-match" in said
