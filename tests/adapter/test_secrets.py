"""Settings that are kept in SSM: what reaches the project's settings, and what is said when it can't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter import secrets
from adapter.exceptions import ConfigurationError, ServiceError

from .aws_services import Answered, Service, as_function, boto, moto, service, serving
from .processes import python

__all__ = ["as_function", "moto", "service"]

BOOT = """
try:
    import adapter.entrypoint
except Exception as error:
    print(type(error).__name__, error, sep=": ")
else:
    from django.conf import settings
    print(settings.SECRET_KEY, settings.GREETING, settings.DEBUG)
"""
SETTINGS = """
import os
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
GREETING = os.environ["GREETING"]
DEBUG = False
"""


@pytest.fixture
def parameters(moto: str, as_function: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is kept below /shop-production, and something beside it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", moto)
    kept = {f"/shop-production/NAME_{number}": f"value {number}" for number in range(23)}
    kept |= {"/shop-production/DATABASE_URL": "postgres://ada:pa=ss wörd@db/shop", "/shop-staging/DATABASE_URL": "no"}
    ssm = boto("ssm", moto)
    try:
        for name, value in {**kept, "/shop-production/deeper/DATABASE_URL": "no"}.items():
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    finally:
        ssm.close()
    return {name.rpartition("/")[2]: value for name, value in kept.items() if "production" in name}


@pytest.mark.parametrize("path", ["/shop-production", "/shop-production/"])
def test_every_parameter_of_the_path_becomes_a_variable(parameters: dict[str, str], path: str) -> None:
    environment = {"FAAS_SECRETS_PATH": path}
    secrets.load(environment)
    assert environment == {"FAAS_SECRETS_PATH": path, **parameters}


def test_a_variable_that_is_set_already_stays(parameters: dict[str, str]) -> None:
    environment = {"FAAS_SECRETS_PATH": "/shop-production/", "DATABASE_URL": "mine", "NAME_1": ""}
    secrets.load(environment)
    assert (environment["DATABASE_URL"], environment["NAME_1"], environment["NAME_2"]) == ("mine", "", "value 2")


def test_a_path_without_parameters_adds_nothing(parameters: dict[str, str]) -> None:
    environment = {"FAAS_SECRETS_PATH": "/other/"}
    secrets.load(environment)
    assert environment == {"FAAS_SECRETS_PATH": "/other/"}


@pytest.mark.parametrize("path", ["shop-production/", "/"])
def test_a_path_that_can_be_none_is_named(as_function: None, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"FAAS_SECRETS_PATH is '{path}'; it must begin with a slash"):
        secrets.load({"FAAS_SECRETS_PATH": path})


def test_what_was_read_is_not_used_when_the_rest_can_not_be_had(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", service.url)
    first = {"Parameters": [{"Name": "/a/DEBUG", "Value": "hunter2"}], "NextToken": "more"}
    denied = {"__type": "AccessDeniedException", "message": "not authorized to perform: ssm:GetParametersByPath"}
    service.answer = lambda asked: (
        Answered(400, json.dumps(denied).encode())
        if "NextToken" in asked.json
        else Answered(body=json.dumps(first).encode())
    )
    environment = {"FAAS_SECRETS_PATH": "/a/"}
    with pytest.raises(ServiceError, match=r"below /a/ can't be read.*AccessDeniedException.*parameter/a,") as caught:
        secrets.load(environment)
    assert "hunter2" not in str(caught.value)
    assert caught.value.code == "AccessDeniedException"
    assert environment == {"FAAS_SECRETS_PATH": "/a/"}


def boot(folder: Path, url: str, **environment: str) -> str:
    (folder / "shop_settings.py").write_text(SETTINGS)
    result = python(
        BOOT,
        folder,
        DJANGO_SETTINGS_MODULE="shop_settings",
        FAAS_PRIME="off",
        FAAS_SECRETS_PATH="/shop-production/",
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
        AWS_ENDPOINT_URL_SSM=url,
        **environment,
    )
    return result.stdout + result.stderr


def test_settings_find_them_in_their_environment(moto: str, tmp_path: Path) -> None:
    ssm = boto("ssm", moto)
    try:
        for name in ("DJANGO_SECRET_KEY", "GREETING"):
            value = f"the {name}"
            ssm.put_parameter(Name=f"/shop-production/{name}", Value=value, Type="SecureString", Overwrite=True)
    finally:
        ssm.close()
    assert boot(tmp_path, moto, GREETING="mine") == "the DJANGO_SECRET_KEY mine False\n"


def test_without_them_the_project_is_not_booted(tmp_path: Path) -> None:
    with serving(Service(lambda asked: Answered(503, b"busy"))) as service:
        said = boot(tmp_path, service.url)
    assert said.startswith("ServiceError: The settings below /shop-production/ can't be read. ssm refuses")
    assert len(service.asked) == 3


def test_nothing_of_it_is_imported_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "shop_settings.py").write_text(SETTINGS)
    result = python(
        "import sys, adapter.entrypoint; print({'adapter.secrets', 'adapter.aws'} & set(sys.modules))",
        tmp_path,
        DJANGO_SETTINGS_MODULE="shop_settings",
        DJANGO_SECRET_KEY="x",
        GREETING="x",
        FAAS_PRIME="off",
    )
    assert result.stdout == "set()\n", result
