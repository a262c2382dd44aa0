from __future__ import annotations

import os
from pathlib import Path

import pytest

from emulator import variables
from emulator.blueprint import Blueprint, Door, Function
from emulator.exceptions import EmulatorError
from emulator.options import Options
from emulator.project import Project
from tests.emulator.helpers import ROOT

REAL = Options(endpoint_url="https://s3.example.org")
PROJECT = Project(
    folder=Path("/site"),
    settings="mysite.settings",
    static_path=None,
    static_note=None,
    static_relative=False,
    media_path=None,
    media_root=None,
    static_root=None,
    static_manifest=None,
    static_dirs=(),
    hashes_static=False,
    debug=True,
    allowed_hosts=(),
    variables={"FROM_MANAGE": "1", "AWS_REGION": "eu-west-1"},
    paths=("/site/apps",),
)


@pytest.fixture(autouse=True)
def _nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "FAAS_"))]:
        monkeypatch.delenv(name)


def common(options: Options) -> dict[str, str]:
    return variables.of_all(Path("/site"), options, "http://bucket", "http://site")


def of(function: Function, options: Options | None = None, *doors: Door) -> dict[str, str]:
    return variables.of_function(function, Blueprint({function.name: function}, doors), options or Options())


def test_what_the_user_has_for_aws_does_not_reach_it_from_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.setenv(name, "real")
    monkeypatch.setenv("SECRET_KEY", "mine")
    found = common(Options())
    assert "real" not in found.values()
    assert found["SECRET_KEY"] == "mine"
    assert {name: value for name, value in found.items() if name.startswith(("AWS_", "FAAS_"))} == {
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": "http://bucket",
        "AWS_ENDPOINT_URL_SQS": "http://bucket",
        "AWS_ENDPOINT_URL_CLOUDFRONT": "http://site/.faas/cloudfront",
        "FAAS_MEDIA_BUCKET": "django-faas",
        "FAAS_INTERFACE": "wsgi",
    }


def test_a_service_of_the_users_own_is_asked_with_the_users_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "real")
    assert variables.region_of(REAL) == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    found = common(REAL)
    assert (found["AWS_PROFILE"], found["AWS_REGION"], found["AWS_DEFAULT_REGION"]) == ("real", *["eu-north-1"] * 2)
    assert "AWS_ACCESS_KEY_ID" not in found
    assert "AWS_ENDPOINT_URL_SQS" not in found
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert variables.region_of(REAL) == "eu-west-3"
    assert variables.region_of(Options()) == "us-east-1"


@pytest.mark.parametrize(
    ("option", "environment", "template", "expected"),
    [
        (None, None, None, "wsgi"),
        (None, None, "asgi", "asgi"),
        (None, "asgi", None, "asgi"),
        (None, "asgi", "wsgi", "asgi"),
        ("wsgi", "asgi", "asgi", "wsgi"),
    ],
)
def test_who_says_how_django_is_called(
    monkeypatch: pytest.MonkeyPatch, option: str | None, environment: str | None, template: str | None, expected: str
) -> None:
    if environment is not None:
        monkeypatch.setenv("FAAS_INTERFACE", environment)
    function = Function("web", variables={} if template is None else {"FAAS_INTERFACE": template})
    options = Options(interface=option)
    assert {**common(options), **of(function, options)}["FAAS_INTERFACE"] == expected


def test_a_templates_variables_give_way_to_what_is_true_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mine")
    template = {
        "DATABASE_URL": "theirs",
        "GREETING": "hello",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "FAAS_MEDIA_BUCKET": "shop-files",
        "FAAS_INVOKE_MODE": "response_stream",
    }
    function = Function("web", variables=template)
    assert of(function) == {"GREETING": "hello", "FAAS_INVOKE_MODE": "buffered"}
    assert variables.told(function, {"A": "1"}) == Function("web", variables={"A": "1"})


def test_a_function_streams_where_one_of_its_own_doors_does() -> None:
    doors = Door("http_api", "web"), Door("function_url", "web", streaming=True), Door("alb", "worker")
    assert of(Function("web"), None, *doors)["FAAS_INVOKE_MODE"] == "response_stream"
    assert of(Function("worker"), None, *doors)["FAAS_INVOKE_MODE"] == "buffered"


def test_what_manage_py_adds_is_kept() -> None:
    found = variables.with_project({"PYTHONPATH": "/site", "A": "1"}, PROJECT)
    assert found == {
        "A": "1",
        "FROM_MANAGE": "1",
        "AWS_REGION": "eu-west-1",
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "PYTHONPATH": os.pathsep.join(["/site", "/site/apps"]),
    }


def test_the_project_comes_first_on_the_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert common(Options())["PYTHONPATH"].split(os.pathsep)[:2] == ["/site", "/mine"]
    # From a checkout the packages are found nowhere else.
    monkeypatch.delenv("PYTHONPATH")
    assert common(Options())["PYTHONPATH"].split(os.pathsep) == ["/site", str(ROOT)]


def test_what_the_service_sets_goes_over_what_is_there() -> None:
    found = variables.of_lambda(Path("/site"), {"AWS_REGION": "eu-west-1", "TZ": "Europe/Vienna", "A": "1"})
    assert (found["AWS_REGION"], found["TZ"], found["A"]) == ("eu-west-1", ":UTC", "1")
    assert found["LAMBDA_TASK_ROOT"] == "/site"


def test_where_queues_are(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, identity = variables.queue_service(Options(), "http://bucket", "us-east-1")
    assert (endpoint, identity.region) == ("http://bucket", "us-east-1")
    with pytest.raises(EmulatorError, match="set AWS_ENDPOINT_URL_SQS to where SQS answers"):
        variables.queue_service(REAL, "http://bucket", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://queues")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    endpoint, identity = variables.queue_service(REAL, "http://bucket", "eu-west-1")
    assert (endpoint, identity.region) == ("http://queues", "eu-west-1")


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, ""), ({"FAAS_ORIGIN_SECRET": "one"}, "one"), ({"FAAS_ORIGIN_SECRET": " new , old"}, "new")],
)
def test_the_secret_that_the_cdn_sends_is_the_newest(said: dict[str, str], expected: str) -> None:
    assert variables.origin_secret(said) == expected


def test_parameter_store_is_asked_only_where_somebody_answers() -> None:
    function = Function("web", variables={"FAAS_SECRETS_PATH": "/shop-production/", "GREETING": "Hello"})
    assert "FAAS_SECRETS_PATH" not in of(function)
    assert of(function)["GREETING"] == "Hello"
    assert of(function, REAL)["FAAS_SECRETS_PATH"] == "/shop-production/"
