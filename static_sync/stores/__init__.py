"""Where files go: one small interface (`Store`), an implementation a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from static_sync.exceptions import UsageError

if TYPE_CHECKING:
    from static_sync.destination import Destination
    from static_sync.stores.contract import Store


def open_store(
    destination: Destination,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    encryption: str | None = None,
    kms_key: str | None = None,
) -> Store:
    """The store that ``destination`` is in.

    ``encryption`` is ``AES256`` or ``aws:kms``, and ``kms_key`` the id of the key for the latter; None leaves both to
    the bucket. Raises `UsageError` for what the service does not have, `CredentialsError` where there is nothing to
    sign requests with.
    """
    if kms_key and encryption != "aws:kms":
        raise UsageError("A KMS key goes with the encryption aws:kms: name that too.")
    if destination.scheme == "gs":
        if encryption or region:
            raise UsageError("Google Cloud Storage knows neither a region nor an encryption for a put.")
        from static_sync.stores.gcs import open_gcs

        return open_gcs(destination, endpoint_url=endpoint_url)
    from static_sync.stores.s3 import Encryption, open_s3

    return open_s3(
        destination,
        endpoint_url=endpoint_url,
        region=region,
        encryption=Encryption(encryption, kms_key) if encryption else None,
    )
