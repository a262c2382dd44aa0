"""The variables of a stage that nobody but its functions may read: SecureStrings of the Parameter Store.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-securestring.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .clients import asking, code_of
from .exceptions import ConfigurationError, StackNotFound
from .site import Site

_LIMIT = 4096
"""Bytes of a value in the standard tier: https://docs.aws.amazon.com/general/latest/gr/ssm.html"""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED = frozenset({
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
})  # fmt: skip
"""With all of `_RESERVED_PREFIX`: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
_RESERVED_PREFIX = "AWS_LAMBDA_"
# What is read before the first line of the function's own code is.
_TOO_EARLY = re.compile(r"PYTHON[A-Z]+|LD_[A-Z_]+|PATH|LANG|LC_[A-Z]+|TZ|AWS_LAMBDA_EXEC_WRAPPER")
_AT_ONCE = 10
"""Parameters that can be deleted in one call:
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html"""


class Variables:
    """The variables of one stage, by their names in the environment.

    They lie below ``path`` of the Parameter Store, where the template has the functions look (FAAS_SECRETS_PATH).
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._clients = site.clients
        self.path = f"/{site.stage.stack}/"

    def set(self, name: str, value: str) -> None:
        """Keep ``value``, in place of what was there; raises `ConfigurationError` for what can't be a variable."""
        check(name, value)
        with asking(f"keep {self.path}{name}"):
            self._clients("ssm").put_parameter(
                Name=f"{self.path}{name}", Value=value, Type="SecureString", Overwrite=True
            )

    def get(self, name: str) -> str:
        """The value; raises `ConfigurationError` where there is none."""
        from botocore.exceptions import ClientError

        with asking(f"read {self.path}{name}"):
            try:
                answer = self._clients("ssm").get_parameter(Name=f"{self.path}{name}", WithDecryption=True)
            except ClientError as error:
                if code_of(error) == "ParameterNotFound":
                    raise self._missing([name]) from None
                raise
        return str(answer["Parameter"]["Value"])

    def all(self, *, decrypted: bool) -> dict[str, str]:
        """Every variable, by name; the values are ciphertext unless ``decrypted``."""
        with asking(f"list the variables below {self.path}"):
            pages = self._clients("ssm").get_paginator("get_parameters_by_path")
            found = {
                parameter["Name"].removeprefix(self.path): parameter["Value"]
                for page in pages.paginate(Path=self.path, WithDecryption=decrypted)
                for parameter in page["Parameters"]
            }
        return dict(sorted(found.items()))

    def unset(self, names: Sequence[str]) -> None:
        """Take the variables away; raises `ConfigurationError` for those that are not there, once the rest is gone."""
        missing: list[str] = []
        for start in range(0, len(names), _AT_ONCE):
            paths = [f"{self.path}{name}" for name in names[start : start + _AT_ONCE]]
            with asking(f"delete {', '.join(paths)}"):
                missing += self._clients("ssm").delete_parameters(Names=paths)["InvalidParameters"]
        if missing:
            raise self._missing([path.removeprefix(self.path) for path in missing])

    def check_free(self, names: Iterable[str]) -> None:
        """Raise `ConfigurationError` for names that the functions have from their template already: that one wins."""
        try:
            function = self._site.functions().get("web")
        except StackNotFound:
            return  # before the first deploy there is nothing to look at
        if function is None:
            return
        with asking(f"read the configuration of {function}"):
            configured = self._clients("lambda").get_function_configuration(FunctionName=function)
        taken = sorted(set(names) & configured.get("Environment", {}).get("Variables", {}).keys())
        if taken:
            raise ConfigurationError(
                f"{', '.join(taken)} would have no effect: the template or faas.toml sets it, and that one wins. Take "
                "it away there and deploy, then set it here."
            )

    def _missing(self, names: Sequence[str]) -> ConfigurationError:
        return ConfigurationError(
            f"There is no {' and no '.join(names)} below {self.path}. What there is: django-faas env list"
        )


def check(name: str, value: str | None = None) -> None:
    """Raise `ConfigurationError` for a name that no variable of a function can have, or a value that can't be kept."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name for a variable: a letter comes first, then letters, digits and underscores."
        )
    if _TOO_EARLY.fullmatch(name):
        raise ConfigurationError(
            f"{name} is read before the function's variables are fetched, so that it would come too late. Put it into "
            "faas.toml, below [stages.<stage>.variables]."
        )
    if name in _RESERVED or name.startswith(_RESERVED_PREFIX):
        raise ConfigurationError(f"{name} is set by Lambda itself, which lets nobody else set it. Choose another name.")
    if value == "":
        raise ConfigurationError(
            f"{name} is empty, and the Parameter Store keeps no empty values. To take it away: "
            f"django-faas env unset {name}"
        )
    if value is not None and (size := len(value.encode())) > _LIMIT:
        raise ConfigurationError(
            f"{name} has {size:,} bytes; the Parameter Store keeps {_LIMIT:,}. Put it into Secrets Manager or a "
            "private bucket, have the settings read it there, and keep its name in a variable."
        )
