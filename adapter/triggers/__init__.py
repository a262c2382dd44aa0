"""One module a trigger, all of one shape: does it send this event, answer the event.

They are tried only when no front door knows the event, and loaded only then. A front door hands a request's body on as
text inside of its event, so nothing that a client sends can be one of these.
"""

from __future__ import annotations

from typing import Any, Protocol

from .. import invocation
from ..exceptions import UnknownEventError
from . import command, deployment, queue, schedule

__all__ = ["TRIGGERS", "Trigger", "answer"]


class Trigger(Protocol):
    """What each module of this package offers."""

    def recognises(self, event: dict[str, Any]) -> bool:
        """Whether the event carries this trigger's own mark."""

    def answer(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Do what the event asks for; `EventError` where it is malformed. What is raised fails the invocation."""


TRIGGERS: tuple[Trigger, ...] = (queue, schedule, command, deployment)  # a schedule's command is told from others first


def answer(event: Any, context: Any) -> dict[str, Any]:
    """What the trigger that sent ``event`` is answered; `UnknownEventError` when none did."""
    if isinstance(event, dict):
        for trigger in TRIGGERS:
            if trigger.recognises(event):
                invocation.begin(context)
                return trigger.answer(event, context)
    raise UnknownEventError(event)
