"""The project's own checks, by Django itself, under the variables of the functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.document import load
from infra.configuration import Stage
from infra.deploy import checks, template
from infra.deploy.parameters import Secrets
from infra.exceptions import DeployError

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
import os
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")
SILENCED_SYSTEM_CHECKS = os.environ.get("SILENCED", "").split(",")
STATICFILES_DIRS = [os.environ["API_KEY"]]
INSTALLED_APPS = ["django.contrib.staticfiles", "adapter"]
STORAGES = {"staticfiles": {"BACKEND": "static_sync.storage.ManifestStorage", "OPTIONS": {"manifest": "/no/where"}}}
ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
USE_TZ = True
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "urls.py").write_text("urlpatterns = []\n")
    (tmp_path / "settings_faas.py").write_text("from settings import *\nDEBUG = True\n")
    return tmp_path


def given(parameters: dict[str, str], **own: str) -> dict[str, str]:
    read = template.Template(template.OWN, load(template.OWN))
    return checks.variables(read, Stage("production", "shop", variables=own), parameters, "eu-central-1")


def test_what_only_aws_knows_is_made_up_and_the_rest_is_the_template_s() -> None:
    domain = {"DomainName": "www.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
    found = given({**domain, "Interface": "asgi"}, SENTRY_DSN="https://sentry")
    assert found["DJANGO_ALLOWED_HOSTS"] == "www.example.com"
    assert found["FAAS_INTERFACE"] == "asgi"
    assert found["SENTRY_DSN"] == "https://sentry"
    assert found["AWS_REGION"] == "eu-central-1"
    assert len(found["DJANGO_SECRET_KEY"]) >= 64
    assert not any("{{resolve" in value for value in found.values())


def test_warnings_are_told_without_secrets(project: Path) -> None:
    secrets = Secrets({"API_KEY": "planted-key"}, "")
    said = "\n".join(checks.check(project, "settings_faas", given({}), secrets))
    assert "security.W018" in said  # DEBUG, which only the function's settings have
    assert "staticfiles.W004" in said
    assert "'***'" in said
    assert "planted" not in said
    assert "System check identified" not in said
    assert "faas.W041" not in said  # the manifest is the build's affair


def test_an_error_stops_it(project: Path) -> None:
    (project / "settings_faas.py").write_text(
        "from settings import *\nSTATICFILES_DIRS = [('a/b', '/tmp')]\nX = nothing\n"
    )
    with pytest.raises(DeployError, match="NameError: name 'nothing' is not defined"):
        checks.check(project, "settings_faas", given({}), Secrets({"API_KEY": "/tmp"}, ""))


def test_what_waits_is_not_waited_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "manage.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(checks, "_PATIENCE", 0.2)
    with pytest.raises(DeployError, match=r"did not end within 0.2 s"):
        checks.check(project, None, {}, Secrets({}, ""))
