"""The INIT phase, in processes of its own: what it loads, and what it says when it can't."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import python

SHOW_ERROR = """
try:
    import adapter.entrypoint
except Exception as error:
    print(type(error).__name__, error, sep=": ")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `django-admin startproject mysite` lays down."""
    subprocess.run(
        [sys.executable, "-m", "django", "startproject", "mysite", "."], cwd=tmp_path, check=True, timeout=60
    )
    return tmp_path


@pytest.mark.parametrize(("interface", "leg"), [("", "WSGILeg"), ("wsgi", "WSGILeg"), ("asgi", "ASGILeg")])
def test_the_handler_needs_nothing_but_the_settings_name(project: Path, interface: str, leg: str) -> None:
    result = python(
        "from adapter.entrypoint import handler; print(type(handler._leg).__name__); handler.close()",
        project,
        DJANGO_SETTINGS_MODULE="mysite.settings",
        FAAS_INTERFACE=interface,
    )
    assert result.stdout.split() == [leg], result.stderr


def test_the_application_is_the_one_the_setting_names(project: Path) -> None:
    (project / "mysite/wsgi.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'my own']\n"
    )
    event = json.dumps({"httpMethod": "GET", "path": "/", "requestContext": {}})
    result = python(
        f"from adapter.entrypoint import handler; print(handler({event})['body'])",
        project,
        DJANGO_SETTINGS_MODULE="mysite.settings",
    )
    assert result.stdout == "my own\n", result.stderr
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "ConfigurationError: DJANGO_SETTINGS_MODULE is not set"),
        ({"DJANGO_SETTINGS_MODULE": "yoursite.settings"}, "is 'yoursite.settings', but there is no module 'yoursite'"),
        ({"DJANGO_SETTINGS_MODULE": "mysite.setings"}, "is 'mysite.setings', but there is no module 'mysite.setings'"),
        (
            {"DJANGO_SETTINGS_MODULE": "mysite.settings", "FAAS_INTERFACE": "fcgi"},
            "ConfigurationError: FAAS_INTERFACE is 'fcgi'",
        ),
        (
            {"DJANGO_SETTINGS_MODULE": "mysite.settings", "FAAS_PRIME": "-views"},
            "ConfigurationError: FAAS_PRIME is '-views'",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_do(project: Path, environment: dict[str, str], message: str) -> None:
    result = python(SHOW_ERROR, project, **environment)
    assert message in result.stdout, result
    assert result.stdout.startswith("ConfigurationError: ")


@pytest.mark.parametrize("path", ["mysite.wsgj.application", "mysite.wsgi.app", "application", "yoursite.wsgi.app"])
def test_a_wrong_application_setting_is_named(project: Path, path: str) -> None:
    with (project / "mysite/settings.py").open("a") as settings:
        settings.write(f"\nWSGI_APPLICATION = {path!r}\n")
    result = python(SHOW_ERROR, project, DJANGO_SETTINGS_MODULE="mysite.settings")
    assert result.stdout.startswith(f"ConfigurationError: The setting WSGI_APPLICATION is {path!r}, which can't be"), (
        result
    )


@pytest.mark.parametrize("module", ["settings", "wsgi"])
def test_what_the_projects_own_code_lacks_is_not_blamed_on_the_setting(project: Path, module: str) -> None:
    with (project / f"mysite/{module}.py").open("a") as source:
        source.write("\nimport pillov\n")
    result = python(SHOW_ERROR, project, DJANGO_SETTINGS_MODULE="mysite.settings")
    assert result.stdout == "ModuleNotFoundError: No module named 'pillov'\n"


def test_an_error_in_a_view_is_logged_though_debug_is_off(project: Path) -> None:
    (project / "mysite/urls.py").write_text(
        "from django.urls import path\n\ndef broken(request):\n    raise LookupError('on purpose')\n\n"
        "urlpatterns = [path('', broken)]\n"
    )
    with (project / "mysite/settings.py").open("a") as settings:
        settings.write("\nDEBUG = False\nALLOWED_HOSTS = ['*']\n")
    event = json.dumps({"httpMethod": "GET", "path": "/", "requestContext": {}})
    result = python(
        f"from adapter.entrypoint import handler; print(handler({event})['statusCode'])",
        project,
        DJANGO_SETTINGS_MODULE="mysite.settings",
    )
    assert result.stdout == "500\n"
    assert result.stderr.count("LookupError: on purpose") == 1


HEAVY = {"asyncio", "boto3", "botocore", "werkzeug", "http.server", "aiohttp", "moto", "click"}


def test_the_wsgi_handler_imports_nothing_heavy_that_django_does_not(project: Path) -> None:
    def modules(code: str) -> set[str]:
        code = f"import sys, json, {code}; print(json.dumps(sorted(sys.modules)))"
        run = python(code, project, DJANGO_SETTINGS_MODULE="mysite.settings", FAAS_PRIME="off")
        return set(json.loads(run.stdout))

    extra = {name for name in modules("adapter.entrypoint") - modules("mysite.wsgi") if not name.startswith("adapter")}
    assert not extra & HEAVY
    assert extra <= {"__future__", "gc"}, "a new import in the cold start: needed by every request?"
