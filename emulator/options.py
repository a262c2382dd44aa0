"""What can be chosen on the command line, and the blueprint that follows from it where there is no template."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from .blueprint import Blueprint, Door, Function
from .exceptions import EmulatorError

FUNCTION = "django-faas"
_STREAMING = ("function_url", "rest_api")


@dataclass(frozen=True)
class Options:
    """What can be chosen; times in seconds, ``memory`` in MB, ``port`` 0 for free ports throughout.

    None is what the template says, or else the default. ``debug`` is for one environment in the foreground, and
    ``debugpy`` the port on which it waits for a debugger. ``package`` is a zip
    whose code runs in place of the project's.
    """

    front_doors: tuple[str, ...] = ()
    template: Path | None = None
    package: Path | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    stage: str | None = None
    interface: str | None = None
    runtime: str = "own"
    concurrency: int = 10
    timeout: float | None = None
    memory: int | None = None
    memory_limit: bool = False
    idle: float = 300.0
    invoke_mode: str | None = None
    freeze: bool = True
    endpoint_url: str | None = None
    bucket: str = "django-faas"
    reload: bool = True
    debug: bool = False
    debugpy: int | None = None
    json: bool = False

    @property
    def debugging(self) -> bool:
        """Whether somebody looks into a process, who must not be hurried."""
        return self.debug or self.debugpy is not None

    def applied_to(self, found: Blueprint | None) -> Blueprint:
        """The blueprint a template gave, or the default one, with what was chosen here over it.

        Raises `EmulatorError` for a choice that the template, or the front doors, can't follow.
        """
        blueprint = found or Blueprint({FUNCTION: Function(FUNCTION)}, ())
        doors = self._doors(blueprint, from_template=found is not None)
        names = {door.function for door in doors}
        functions = {
            name: self._function(function) if name in names else function
            for name, function in blueprint.functions.items()
        }
        return dataclasses.replace(blueprint, functions=functions, doors=doors)

    def _function(self, function: Function) -> Function:
        return dataclasses.replace(
            function,
            timeout=function.timeout if self.timeout is None else self.timeout,
            memory=function.memory if self.memory is None else self.memory,
        )

    def _doors(self, blueprint: Blueprint, *, from_template: bool) -> tuple[Door, ...]:
        if from_template and not self.front_doors:
            doors = blueprint.doors
        elif from_template:
            doors = tuple(door for kind in self.front_doors for door in blueprint.doors if door.kind == kind)
            missing = [kind for kind in self.front_doors if kind not in {door.kind for door in doors}]
            if missing:
                there = ", ".join(dict.fromkeys(door.kind for door in blueprint.doors)) or "none"
                raise EmulatorError(f"{self.template} has no {missing[0]}; the front doors in it: {there}.")
        else:
            doors = tuple(Door(kind, FUNCTION) for kind in self.front_doors or ("http_api",))
        if not doors:
            raise EmulatorError(
                f"No function in {self.template} has a front door: give one an event of the type HttpApi or Api, or a "
                "FunctionUrlConfig; or leave --template out."
            )
        doors = tuple(self._door(door) for door in doors)
        if self.invoke_mode == "response_stream" and not any(door.kind in _STREAMING for door in doors):
            raise EmulatorError(
                f"--invoke-mode response_stream: {' and '.join(door.kind for door in doors)} can't stream answers; "
                "choose --front-door function_url or --front-door rest_api."
            )
        return doors

    def _door(self, door: Door) -> Door:
        if self.stage is not None:
            door = dataclasses.replace(door, stage=self.stage)
        if self.invoke_mode is not None:
            streaming = self.invoke_mode == "response_stream" and door.kind in _STREAMING
            door = dataclasses.replace(door, streaming=streaming)
        return door
