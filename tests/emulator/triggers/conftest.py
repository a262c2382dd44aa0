from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.triggers.helpers import moto_server


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of moto's S3 and SQS; each test has queues of its own."""
    with moto_server(tmp_path_factory.mktemp("store")) as url:
        yield url
