"""Fixtures for projects that test with pytest; loaded by pytest itself, so nothing heavy is imported before use."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .emulation import Emulation
    from .testing import AsyncLambdaClient, LambdaClient


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("django-faas")
    group.addoption(
        "--front-door",
        default="http_api",
        metavar="NAME",
        help="the front door of --lambda-client and of the fixtures lambda_client, async_lambda_client and emulator; "
        "its name as for `django-faas emulate` (default: http_api)",
    )
    group.addoption(
        "--lambda-client",
        action="store_true",
        help="have the requests of every Django test client travel as events of that front door",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--lambda-client"):
        return
    from .front_doors import UnknownFrontDoor
    from .testing import all_clients

    clients = ExitStack()
    try:
        clients.enter_context(all_clients(_front_door(config)))
    except UnknownFrontDoor as error:
        raise pytest.UsageError(f"--front-door: {error}") from None
    config.add_cleanup(clients.close)


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.getoption("--lambda-client"):
        return f"django-faas: all of Django's test clients go through {_front_door(config)}"
    return None


def _front_door(config: pytest.Config) -> str:
    return str(config.getoption("--front-door"))


@pytest.fixture
def lambda_client(pytestconfig: pytest.Config) -> LambdaClient:
    """`django.test.Client` through a real event of the front door that ``--front-door`` names."""
    from .testing import LambdaClient

    return LambdaClient(front_door=_front_door(pytestconfig))


@pytest.fixture
def async_lambda_client(pytestconfig: pytest.Config) -> AsyncLambdaClient:
    """`django.test.AsyncClient` through a real event of the front door that ``--front-door`` names."""
    from .testing import AsyncLambdaClient

    return AsyncLambdaClient(front_door=_front_door(pytestconfig))


@pytest.fixture(scope="session")
def emulator_project(pytestconfig: pytest.Config) -> Path:
    """The folder of the project that `emulator` runs, pytest's root folder; for a ``conftest.py`` to override."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def emulator_options(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The options of `emulator`, by their names in `emulation.Options`; for a ``conftest.py`` to override."""
    return {"front_doors": (_front_door(pytestconfig).replace("-", "_"),)}


@pytest.fixture(scope="session")
def emulator(
    emulator_project: Path, emulator_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulation]:
    """The running site: ``url`` leads through the CDN, ``door_urls[NAME]`` to a front door, ``bucket_url`` to S3.

    One for all tests. The functions are processes of their own, with the settings and the database that
    ``DJANGO_SETTINGS_MODULE`` names in the environment: a test's own transaction or test database they can't see. The
    bucket is a new one.
    """
    from .live import emulation

    with emulation(emulator_project, tmp_path_factory.mktemp("emulator"), **emulator_options) as running:
        yield running


@pytest.fixture(scope="session")
def _services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from .live import services

    with services(tmp_path_factory.mktemp("services")) as url:
        yield url


@pytest.fixture
def _aws(_services: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A boto3 session; until the end of the test no other in this process can reach AWS itself, either."""
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": _services,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


@pytest.fixture
def emulated_bucket(_aws: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket, as boto3's resource: ``.name``, ``.put_object(...)``, ``.objects.all()``, ``.meta.client``.

    During the test every boto3 client of this process that is new and is given no endpoint talks to its service, and
    ``FAAS_MEDIA_BUCKET`` names it.
    """
    bucket = _aws.resource("s3").create_bucket(Bucket=f"test-{uuid.uuid4().hex}")
    monkeypatch.setenv("FAAS_MEDIA_BUCKET", bucket.name)
    return bucket


@pytest.fixture
def emulated_queue(_aws: Any) -> Any:
    """An empty queue, as boto3's resource: ``.url``, ``.send_message(...)``, ``.receive_messages(...)``.

    During the test every boto3 client of this process that is new and is given no endpoint talks to its service.
    """
    return _aws.resource("sqs").create_queue(QueueName=f"test-{uuid.uuid4().hex}")
