"""A function that takes triggers' events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapter import LambdaHandler
from tests.project import wsgi


@pytest.fixture
def as_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.project.settings")


@pytest.fixture(scope="module")
def handler() -> Iterator[LambdaHandler]:
    handler = LambdaHandler(wsgi.application)
    yield handler
    handler.close()
