"""A deployed site to operate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from click.testing import CliRunner, Result

from infra.operations import cli
from tests.emulator.helpers import start_project
from tests.infra.aws import Aws, Server, aws_account  # noqa: F401 - a fixture
from tests.infra.functions import Function, Lambda

_COMMANDS = {
    "status": cli.status, "open": cli.open_site, "manage": cli.manage, "invoke": cli.invoke, "logs": cli.logs,
    "env": cli.env,
}  # fmt: skip
Run = Callable[..., Result]


@pytest.fixture(scope="package", autouse=True)
def _models() -> Iterator[None]:
    """botocore reads its models of the services once and not for each command, which would be half of the time."""
    loader = botocore.loaders.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_: loader)
        yield


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `startproject` leaves it, as it would be in production."""
    folder = start_project(tmp_path_factory.mktemp("project"))
    settings = folder / "mysite" / "settings.py"
    text = settings.read_text().replace("DEBUG = True", "DEBUG = False")
    text = text.replace("ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ['*']")
    settings.write_text(f"{text}\nPASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']\n")
    return folder


@pytest.fixture(scope="session")
def process(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    """One process for all tests."""
    function = Function(project, tmp_path_factory.mktemp("function") / "log", {"FAAS_ORIGIN_SECRET": "planted-origin"})
    yield function
    function.stop()


@pytest.fixture(scope="module")
def deployed(aws_account: Aws, process: Function) -> Iterator[tuple[Lambda, str]]:  # noqa: F811
    """An account with the stack ``shop-production``, and its function service with its URL."""
    aws_account.stack()
    service = Lambda(aws_account, process)
    server = Server(service)
    yield service, server.url
    server.stop()
    aws_account.reset()


@pytest.fixture
def aws(aws_account: Aws, deployed: tuple[Lambda, str], monkeypatch: pytest.MonkeyPatch) -> Aws:  # noqa: F811
    """The account, in an environment that leads there alone."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "FAAS_STAGE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in aws_account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", deployed[1])
    return aws_account


@pytest.fixture
def functions(aws: Aws, deployed: tuple[Lambda, str]) -> Lambda:
    """The function service; nothing was called yet."""
    service = deployed[0]
    service.calls.clear()
    service.logs.clear()
    service.refusal = service.failure = service.answer = None
    service.log = ""
    return service


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of `django-faas` in the folder of the project ``shop``, in this process."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def started(command: str, *arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(_COMMANDS[command], arguments, prog_name=f"django-faas {command}", **options)

    return started
