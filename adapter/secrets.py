"""Settings of a stage that are kept in SSM's Parameter Store, as variables of the environment.

`django-faas env set` puts them there, encrypted; so no value of them is in a template, in a change set, or in the
function's configuration, which many more people may read.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from .aws import Client
from .exceptions import ConfigurationError, ServiceError


def load(environment: MutableMapping[str, str]) -> None:
    """Add what lies directly below ``FAAS_SECRETS_PATH`` to ``environment``; what is set there already stays.

    ``/shop-production/DATABASE_URL`` becomes ``DATABASE_URL``. Raises `ConfigurationError` for a path that can be none,
    and `ServiceError` where the values can't be had: no project is to boot without a part of its settings.
    """
    path = environment["FAAS_SECRETS_PATH"].rstrip("/")
    if not path.startswith("/"):
        raise ConfigurationError(
            f"FAAS_SECRETS_PATH is {environment['FAAS_SECRETS_PATH']!r}; it must begin with a slash and name a level "
            "of SSM's Parameter Store, as /shop-production/ does."
        )
    client = Client("ssm")
    request: dict[str, Any] = {"Path": path, "WithDecryption": True, "MaxResults": 10}  # SSM gives no more at a time
    found: list[dict[str, str]] = []
    try:
        while True:
            answer = client.call("AmazonSSM.GetParametersByPath", request)
            found += answer["Parameters"]
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
    except ServiceError as error:
        raise ServiceError(
            f"The settings below {path}/ can't be read. {error} The function's role must allow ssm:GetParametersByPath "
            f"for parameter{path}, and kms:Decrypt where they have a key of your own.",
            error.code,
        ) from None
    finally:
        client.close()
    for parameter in found:
        environment.setdefault(parameter["Name"].rpartition("/")[2], parameter["Value"])
