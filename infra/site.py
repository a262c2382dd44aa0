"""The stage that a command is about, and what there is of it on AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

import click

from . import configuration
from .clients import Clients
from .configuration import Stage
from .exceptions import InfraError
from .stacks import CloudFormation, Stack

ALIAS = "live"
"""The alias that visitors, queues and schedules come to; it names the version that serves."""

FUNCTIONS = {
    "web": "WebFunction",
    "worker": "WorkerFunction",
    "console": "ConsoleFunction",
    "migrate": "MigrateFunction",
}
"""What a function is called on the command line, and the stack's output that has its name."""


class Site:
    """One stage; its stack is read when it is first asked for."""

    def __init__(self, stage: Stage, clients: Clients) -> None:
        self.stage = stage
        self.clients = clients

    @cached_property
    def stack(self) -> Stack:
        """The stage's stack; raises `StackNotFound`."""
        return CloudFormation(self.clients).describe(self.stage.stack)

    def function(self, kind: str) -> str:
        """The name of the function that the command line calls ``kind``; raises `TemplateError` where there is none."""
        return self.stack.output(FUNCTIONS[kind])

    def functions(self) -> dict[str, str]:
        """The names of all functions that the stack has, by what the command line calls them."""
        return {kind: self.stack.outputs[output] for kind, output in FUNCTIONS.items() if output in self.stack.outputs}


@contextmanager
def opened(stage: str, folder: Path | None = None) -> Iterator[Site]:
    """The stage of the project in ``folder``, the present one by default; errors become those of the command line."""
    try:
        chosen = configuration.load(folder or Path.cwd()).stage(stage)
        with closing(Clients(chosen)) as clients:
            yield Site(chosen, clients)
    except InfraError as error:
        raise click.ClickException(str(error)) from None
