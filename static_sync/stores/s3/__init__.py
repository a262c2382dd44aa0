"""S3, and every service that speaks its protocol, with the standard library alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from static_sync.destination import Destination
    from static_sync.stores.s3.store import S3Store


class Encryption(NamedTuple):
    """How the service shall encrypt what it stores: ``AES256``, or ``aws:kms`` with the id of a key or its default one.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
    """

    algorithm: str
    key_id: str | None = None


def open_s3(
    destination: Destination,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    encryption: Encryption | None = None,
) -> S3Store:
    """The store at ``destination``; what is not given is looked for in the environment, as AWS's own tools do.

    Raises `CredentialsError` when nothing is found to sign with, `UsageError` for an endpoint that is none.
    """
    import os

    from static_sync.stores.s3.client import Client
    from static_sync.stores.s3.credentials import find_identity
    from static_sync.stores.s3.endpoint import aws_endpoint, custom_endpoint
    from static_sync.stores.s3.store import S3Store

    url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    identity = find_identity(region, custom_endpoint=url is not None)
    bucket = destination.bucket
    endpoint = custom_endpoint(url, bucket) if url else aws_endpoint(bucket, identity.region)
    return S3Store(Client(endpoint, identity), destination, encryption)
