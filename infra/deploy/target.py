"""Where a command of this package is to act: a stage of the project, in an account and a region."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import configuration
from ..artifacts import Artifacts, account_of
from ..clients import Clients
from ..configuration import Configuration, Stage
from ..stacks import CloudFormation


@dataclass(frozen=True)
class Target:
    """A stage, and what it takes to reach it."""

    configuration: Configuration
    stage: Stage
    clients: Clients
    account: str
    stacks: CloudFormation
    artifacts: Artifacts

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.stage.stack


@contextmanager
def opened(stage: str, folder: Path) -> Iterator[Target]:
    """The stage of the project in ``folder``; raises `ConfigurationError`, and `AwsError` for credentials of no use."""
    configured = configuration.load(folder)
    chosen = configured.stage(stage)
    with closing(Clients(chosen)) as clients:
        account = account_of(clients)
        artifacts = Artifacts(clients, account, chosen.stack)
        yield Target(configured, chosen, clients, account, CloudFormation(clients), artifacts)
