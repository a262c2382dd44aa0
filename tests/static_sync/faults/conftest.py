from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.static_sync.faults.command import Command
from tests.static_sync.faults.service import Service, serving
from tests.static_sync.faults.site import Site, make_site, pages


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as server:
        yield server


@pytest.fixture
def command(service: Service, tmp_path: Path) -> Command:
    home = tmp_path / "home"
    home.mkdir()
    return Command(service, home)


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The release in service; nobody changes it."""
    return make_site(tmp_path_factory.mktemp("old"), pages("old"))


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The release that takes its place; nobody changes it."""
    return make_site(tmp_path_factory.mktemp("new"), pages("new"))


@pytest.fixture(scope="session")
def settled(old: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that holds the old release; nobody changes it."""
    with serving() as server:
        assert Command(server, tmp_path_factory.mktemp("home"), development=False).sync(old).code == 0
        yield server
