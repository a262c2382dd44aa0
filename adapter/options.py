"""What can be set from the function's environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .exceptions import ConfigurationError
from .logs import header_name


@dataclass(frozen=True, slots=True)
class Options:
    """The handler's switches; each is a variable ``FAAS_...`` of the function's environment.

    ``origin_secrets`` (``FAAS_ORIGIN_SECRET``, comma-separated, two while one replaces the other): values of the header
    ``X-Origin-Verify`` that the CDN adds; a request with none of them gets a 403.
    ``trusted_proxies`` (``FAAS_TRUSTED_PROXIES``): how many proxies stand between the viewer and the front door.
    ``origin_path`` (``FAAS_ORIGIN_PATH``): the path that the CDN puts before the visitor's, such as a REST API's
    ``/live``; no address that the application makes has it.
    ``remote_user`` (``FAAS_REMOTE_USER=1``): hand the user that the front door's authorizer found on as REMOTE_USER.
    ``health_check_path`` (``FAAS_HEALTH_CHECK_PATH``): the path at which a load balancer's health check is answered
    without Django; every path when empty. ``health_check_status`` (``FAAS_HEALTH_CHECK_STATUS``): with what.
    ``deadline_margin`` (``FAAS_DEADLINE_MARGIN``, seconds): how long before the function's time limit a request is
    given up, 0 for never.
    ``request_id_header`` (``FAAS_REQUEST_ID_HEADER``): the response header that tells the request id, none when empty.
    ``streams`` (``FAAS_INVOKE_MODE=response_stream``; ``buffered`` is the default): whether the front door takes
    answers chunk by chunk, as it was set to.
    """

    origin_secrets: tuple[bytes, ...] = ()
    trusted_proxies: int = 0
    origin_path: str = ""
    remote_user: bool = False
    health_check_path: str = ""
    health_check_status: int = 200
    deadline_margin: float = 0.5
    request_id_header: str = ""
    streams: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Options:
        """The options that ``environment`` sets; `ConfigurationError` names a value that can't be used."""
        secrets = environment.get("FAAS_ORIGIN_SECRET", "").split(",")
        return cls(
            origin_secrets=tuple(secret.strip().encode() for secret in secrets if secret.strip()),
            trusted_proxies=int(_number(environment, "FAAS_TRUSTED_PROXIES", 0)),
            origin_path=_origin_path(environment),
            remote_user=_switch(environment, "FAAS_REMOTE_USER"),
            health_check_path=environment.get("FAAS_HEALTH_CHECK_PATH", ""),
            health_check_status=int(_number(environment, "FAAS_HEALTH_CHECK_STATUS", 200)),
            deadline_margin=_number(environment, "FAAS_DEADLINE_MARGIN", 0.5),
            request_id_header=header_name(environment, "FAAS_REQUEST_ID_HEADER"),
            streams=_invoke_mode(environment) == "response_stream",
        )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1000:
        raise ConfigurationError(f"{name} is {text!r}; it must be a number of 0 or more.")
    return number


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in {"", "0", "1", "false", "true"}:
        raise ConfigurationError(f"{name} is {text!r}; it can be 1 (on) or 0 (off, the default).")
    return text in {"1", "true"}


def _origin_path(environment: Mapping[str, str]) -> str:
    path = environment.get("FAAS_ORIGIN_PATH", "")
    if path and (not path.startswith("/") or path.endswith("/")):
        raise ConfigurationError(
            f"FAAS_ORIGIN_PATH is {path!r}; it begins with a slash and does not end with one, as the origin path of "
            "the CDN: /live."
        )
    return path


def _invoke_mode(environment: Mapping[str, str]) -> str:
    mode = environment.get("FAAS_INVOKE_MODE", "").lower() or "buffered"
    if mode not in {"buffered", "response_stream"}:
        raise ConfigurationError(
            f"FAAS_INVOKE_MODE is {mode!r}; it can be 'buffered' (the default) or 'response_stream', as the function "
            "URL's invoke mode, or the REST API's response transfer mode, is set."
        )
    return mode
