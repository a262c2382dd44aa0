"""Fixtures for projects that test with pytest; loaded by pytest itself, so nothing heavy is imported before use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import LambdaClient


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("django-faas").addoption(
        "--front-door",
        default="http_api",
        metavar="NAME",
        help="the front door of the lambda_client fixture: http_api (default), function_url, rest_api, alb, "
        "alb_multi_value",
    )


@pytest.fixture
def lambda_client(request: pytest.FixtureRequest) -> LambdaClient:
    """`django.test.Client` through a real event of the front door that ``--front-door`` names."""
    from .testing import LambdaClient

    return LambdaClient(front_door=request.config.getoption("--front-door"))
