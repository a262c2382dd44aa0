"""The database's migrations, which the new version of the code runs before it gets any traffic.

They are a hook of CodeDeploy's, of the template's: this module shows what the hook said when it failed, and runs them
where there is no hook. A first deploy has none, as nothing is moved from one version to another.
"""

from __future__ import annotations

from ..clients import Clients
from ..exceptions import DeployError, InfraError
from ..operations import management
from ..operations.log_entries import parse
from ..operations.logs import Logs

_COMMAND = ("migrate", "--noinput")
_SHOWN = 25


def run(clients: Clients, console: str) -> str:
    """Run the migrations by the function ``console``; the last line they say. Raises `DeployError`."""
    outcome = management.run(clients, console, _COMMAND, {})
    lines = outcome.output.strip().splitlines()
    if outcome.exit:
        said = "\n".join(lines[-_SHOWN:])
        raise DeployError(f"{' '.join(_COMMAND)} ended with exit code {outcome.exit}:\n{said}")
    return lines[-1].strip() if lines else "done"


def log_of(clients: Clients, function: str, since: int) -> list[str]:
    """What the hook's function has logged since ``since`` (milliseconds since the epoch), its last lines."""
    try:
        entries = [parse(line.message) for line in Logs(clients, {"migrate": function}).read(since)]
    except InfraError as error:
        return [f"(its log can't be read: {error})"]
    lines = []
    for entry in entries:
        if not entry.is_routine:
            lines += [entry.text, *entry.stack.splitlines()]
    return lines[-_SHOWN:]
