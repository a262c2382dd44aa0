"""Scheduled commands: ``{"manage": ["clearsessions"], "schedule": "nightly"}`` as the input of a schedule or a rule.

Nobody waits for what a scheduled command answers. Its output goes to the log, and one that ends with an error fails the
invocation: so it is tried again, counted, and handed to a dead-letter queue, as is set for it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import logging
from typing import Any

from .. import limits
from ..exceptions import CommandFailed, MalformedEventError, UnknownEventError
from . import command

logger = logging.getLogger("adapter.triggers")


def recognises(event: dict[str, Any]) -> bool:
    return ("manage" in event and "schedule" in event) or event.get("detail-type") == "Scheduled Event"


def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The exit status, which is 0; `CommandFailed` for any other."""
    if "manage" not in event:
        raise UnknownEventError(
            event,
            "This is what a schedule sends that was given no input: set its Input to "
            '{"manage": ["COMMAND", "ARGUMENT", ...], "schedule": "NAME"}.',
        )
    argv, environment = command.read(event, {"manage", "environment", "schedule"})
    name = event["schedule"]
    if not isinstance(name, str):
        raise MalformedEventError("a schedule", "schedule is not text", event, "Put any name there.")
    outcome = command.run(argv, environment, limits.seconds_left(context, command.MARGIN))
    if outcome.output.strip():
        logger.log(logging.ERROR if outcome.exit else logging.INFO, "%s", outcome.output.strip())
    if outcome.exit:
        raise CommandFailed(
            f"{argv[0]} of the schedule {name} has ended with exit status {outcome.exit}; its output is in the log."
        )
    return {"exit": outcome.exit}
