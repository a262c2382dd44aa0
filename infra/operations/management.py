"""A management command, run by the console function."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..clients import Clients
from ..exceptions import ConfigurationError, InvocationFailed
from . import calling


class Outcome(NamedTuple):
    """The command's exit code, and what it wrote to stdout and stderr in that order."""

    exit: int
    output: str


def run(clients: Clients, function: str, arguments: Iterable[str], environment: Mapping[str, str]) -> Outcome:
    """``manage.py`` with ``arguments``, on the function; ``environment`` is there for this one command.

    Raises what `calling.call` raises, and `InvocationFailed` for an answer that is none to a command.
    """
    event = json.dumps({"manage": list(arguments), "environment": dict(environment)}).encode()
    payload = calling.call(clients, function, event)
    try:
        answer = json.loads(payload)
        # Half a surrogate pair can be in JSON, but not on a terminal.
        return Outcome(int(answer["exit"]), str(answer["output"]).encode("utf-8", "backslashreplace").decode())
    except (ValueError, TypeError, KeyError):
        raise InvocationFailed(
            f"{function} answered {payload[:200].decode('utf-8', 'replace')}, and not what the command came to. Is its "
            "handler adapter.entrypoint.handler, and is the django-faas in its package as new as this one?"
        ) from None


def taken_along(names: Iterable[str]) -> dict[str, str]:
    """The variables of this terminal that ``names`` says; raises `ConfigurationError` for one that is not there.

    A name with a value is refused: the value would be in the shell's history and in the list of processes.
    """
    found = {}
    for name in names:
        plain, sign, _ = name.partition("=")
        typed = f"read -rs {plain} && export {plain}"
        if sign:
            raise ConfigurationError(f"--environment takes the name alone. Set {plain} in this terminal first: {typed}")
        if name not in os.environ:
            raise ConfigurationError(f"There is no variable {name} in this terminal. Set it first: {typed}")
        found[name] = os.environ[name]
    return found
