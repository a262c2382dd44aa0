"""boto3's clients for one stage, and what their errors mean to whoever runs the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .exceptions import AwsError, ConfigurationError

if TYPE_CHECKING:
    import boto3

    from .configuration import Stage

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"}
_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}


class Clients:
    """The clients of one account and region; each is made when it is first asked for, and closed with the rest.

    Endpoints are AWS's, or what ``AWS_ENDPOINT_URL`` and ``AWS_ENDPOINT_URL_<SERVICE>`` say.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._made: dict[tuple[str, float, int], Any] = {}
        self._session: boto3.Session | None = None

    @property
    def region(self) -> str:
        """The region's name; `ConfigurationError` where none is set."""
        region = self.session.region_name
        if not region:
            raise ConfigurationError(
                f"No region is set for the stage {self._stage.name}. Name it in faas.toml, below "
                f'[stages.{self._stage.name}]: region = "eu-central-1", or in AWS_REGION.'
            )
        return region

    @property
    def session(self) -> boto3.Session:
        """Credentials and region, as AWS's own tools find them."""
        if self._session is None:
            import os

            import boto3
            from botocore.exceptions import ProfileNotFound

            # boto3 itself reads AWS_DEFAULT_REGION alone, where every other SDK reads AWS_REGION.
            region = self._stage.region or os.environ.get("AWS_REGION") or None
            try:
                self._session = boto3.Session(profile_name=self._stage.profile, region_name=region)
            except ProfileNotFound as error:
                raise ConfigurationError(
                    f"{error}. It is named in faas.toml or AWS_PROFILE; see aws configure list-profiles."
                ) from None
        return self._session

    def __call__(self, service: str, *, read_timeout: float = 60, retries: int = 5) -> Any:
        """The client for ``service``; a call waits ``read_timeout`` seconds and is tried again ``retries`` times."""
        key = (service, read_timeout, retries)
        if key not in self._made:
            from botocore.config import Config

            config = Config(
                read_timeout=read_timeout,
                retries={"total_max_attempts": retries + 1, "mode": "standard"},
                user_agent_extra="django-faas",
            )
            make: Any = self.session.client  # its types know each service by its own name alone
            self._made[key] = make(service, region_name=self.region, config=config)
        return self._made[key]

    def close(self) -> None:
        """Let go of all connections."""
        for client in self._made.values():
            client.close()
        self._made.clear()


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns what boto3 raises into an `AwsError` that says ``what`` was asked ("read the stack shop-production")."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise AwsError(_explained(what, error)) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise AwsError(f"Could not {what}: {error}{_remedy(error)}") from error


def code_of(error: Exception) -> str:
    """The code of a `botocore.exceptions.ClientError`, such as ``ResourceNotFoundException``."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _explained(what: str, error: Any) -> str:
    code, message = code_of(error), error.response.get("Error", {}).get("Message", "")
    said = f"Could not {what}: {message or code} ({code})."
    if code in _EXPIRED:
        return f"{said} The credentials are wrong or have expired: sign in again (aws sso login), or set other ones."
    if code in _DENIED:
        return f"{said} The credentials lack a permission for {error.operation_name}."
    return said


def _remedy(error: Exception) -> str:
    match type(error).__name__:
        case "NoCredentialsError" | "PartialCredentialsError":
            return (
                ". Sign in (aws sso login, aws configure), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        case "SSOTokenLoadError" | "UnauthorizedSSOTokenError" | "TokenRetrievalError" | "CredentialRetrievalError":
            return ". Sign in again: aws sso login"
        case "EndpointConnectionError" | "ConnectTimeoutError" | "ConnectionClosedError":
            return ". Is there a connection, and is the region's name right?"
        case _:
            return "."
