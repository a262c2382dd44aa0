"""Who signs: the environment's keys, or whatever botocore finds (profile, SSO, container, instance)."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from static_sync.exceptions import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from botocore.session import Session

# What a custom endpoint is signed for when nobody names a region: MinIO, R2 and moto all take it.
DEFAULT_REGION = "us-east-1"


class Keys(NamedTuple):
    """One set of credentials; the secrets stay out of the repr, and so out of logs and tracebacks."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Keys(access_key={self.access_key!r})"


class Identity(NamedTuple):
    """``keys()`` is asked for each request, as temporary credentials are replaced while a run lasts.

    ``renew(refused)`` looks for new keys after the service said those have expired, and tells whether there are.
    """

    region: str
    keys: Callable[[], Keys]
    renew: Callable[[Keys], bool] = lambda _refused: False


def find_identity(region: str | None, *, custom_endpoint: bool) -> Identity:
    """Look in the environment first and import botocore, which takes 0.15 s, only for what is missing there.

    Raises `CredentialsError` that says what was looked for.
    """
    environment = os.environ
    region = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        keys = Keys(access_key, secret_key, environment.get("AWS_SESSION_TOKEN"))
        if region is None and custom_endpoint:
            region = DEFAULT_REGION
        return Identity(region or _botocore_region(), lambda: keys)
    return _botocore_identity(region, custom_endpoint=custom_endpoint)


def _botocore_region() -> str:
    region = _botocore_session().get_config_variable("region")
    if not region:
        raise CredentialsError(
            "No region is known. Name the bucket's own, for example with --region eu-west-1, or set AWS_REGION."
        )
    return str(region)


def _botocore_identity(region: str | None, *, custom_endpoint: bool) -> Identity:
    session = _botocore_session()
    from botocore.exceptions import BotoCoreError

    try:
        found = _BotocoreKeys(session)
        region = region or session.get_config_variable("region")
    except BotoCoreError as error:
        raise CredentialsError(f"The AWS credentials cannot be used: {error}") from error
    return Identity(region or (DEFAULT_REGION if custom_endpoint else _botocore_region()), found.keys, found.renew)


class _BotocoreKeys:
    """What botocore finds, which it refreshes before the time that it was told they expire at."""

    def __init__(self, session: Session) -> None:
        self._lock = Lock()
        self._found = _find(session)

    def keys(self) -> Keys:
        from botocore.exceptions import BotoCoreError

        try:
            frozen = self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise CredentialsError(f"The AWS credentials could not be refreshed: {error}") from error
        return Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)

    def renew(self, refused: Keys) -> bool:
        """Search from the start again, unless another thread has done so."""
        from botocore.exceptions import BotoCoreError

        with self._lock:
            if self.keys() == refused:
                try:
                    self._found = _find(_botocore_session())
                except BotoCoreError as error:
                    raise CredentialsError(f"The AWS credentials have expired, and: {error}") from error
            return self.keys() != refused


def _find(session: Session) -> Credentials:
    found = session.get_credentials()
    if found is None:
        raise CredentialsError(
            "No AWS credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with "
            "AWS_PROFILE, or sign in with `aws sso login`."
        )
    found.get_frozen_credentials()  # what fails does so here, not in the first request
    return found


def _botocore_session() -> Session:
    try:
        from botocore.session import Session
    except ImportError as error:
        raise CredentialsError(
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION are not all set, and botocore, which could look "
            "further, is not installed. Set them, or install it: pip install 'django-faas[static]'."
        ) from error
    return Session()
