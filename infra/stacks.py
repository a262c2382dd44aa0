"""CloudFormation: a stage's stack, what a template would make of it, and what came of that."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .clients import Clients, asking, code_of
from .exceptions import DeployError, StackFailed, StackNotFound, TemplateError

_EVERY = 3.0
"""Seconds between two looks at what is under way."""

# What a change set says that has nothing to change, without a transform and with one:
# https://github.com/realestate-com-au/stackup/issues/49, https://github.com/aws/aws-toolkit-azure-devops/issues/97
_NOTHING = ("didn't contain changes", "No updates are to be performed")
# Said of what was under way or not yet begun when another resource failed.
_CANCELLED = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")


@dataclass(frozen=True)
class Stack:
    """A stack as it stands; ``status`` is CloudFormation's word, ``outputs`` and ``parameters`` are by their names."""

    name: str
    status: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> str:
        """The output of that name; `TemplateError` where the stack's template has none."""
        if not self.outputs.get(name):
            raise TemplateError(
                f"The stack {self.name} has no output {name}. The tools read it: take it over from the Outputs of "
                "django-faas's own template, and deploy once more."
            )
        return self.outputs[name]


@dataclass(frozen=True)
class Resource:
    """A resource of a stack; ``physical`` is what AWS knows it by: a name, an ARN or an id."""

    logical: str
    type: str
    physical: str


@dataclass(frozen=True)
class Change:
    """What would become of one resource. ``action`` is Add, Modify, Remove or another of CloudFormation's words.

    ``replacement`` is True, False or Conditional, and empty where there is nothing to replace.
    """

    action: str
    logical: str
    type: str
    replacement: str = ""


@dataclass(frozen=True)
class Proposal:
    """A change set: what would change in ``stack``, which it ``creates`` or not. It waits until it is executed."""

    stack: str
    id: str
    stack_id: str
    creates: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of a stack, or to the stack itself; ``reason`` may be empty."""

    id: str
    logical: str
    type: str
    status: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.logical} ({self.type}) {self.status}{f': {self.reason}' if self.reason else ''}"


Told = Callable[[Event], None]


class CloudFormation:
    """The stacks of one account and region.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def describe(self, name: str) -> Stack:
        """The stack of that name, or that ARN; raises `StackNotFound`."""
        from botocore.exceptions import ClientError

        with asking(f"read the stack {name}"):
            try:
                answer = self._service.describe_stacks(StackName=name)
            except ClientError as error:
                if code_of(error) == "ValidationError" and "does not exist" in str(error):
                    raise StackNotFound(
                        f"There is no stack {name} in {self._clients.region}. Deploy it first: django-faas deploy; or "
                        "see whether --stage, the region and the credentials are those it was deployed with."
                    ) from None
                raise
        return _stack(answer["Stacks"][0])

    def find(self, name: str) -> Stack | None:
        """The stack of that name, if there is one."""
        try:
            return self.describe(name)
        except StackNotFound:
            return None

    def resources(self, name: str) -> list[Resource]:
        """The resources of a stack."""
        with asking(f"list the resources of the stack {name}"):
            pages = self._service.get_paginator("list_stack_resources").paginate(StackName=name)
            return [
                Resource(entry["LogicalResourceId"], entry["ResourceType"], entry.get("PhysicalResourceId", ""))
                for page in pages
                for entry in page["StackResourceSummaries"]
            ]

    def template(self, name: str) -> dict[str, Any]:
        """The stack's template as plain CloudFormation, after all transforms; empty where that is no JSON."""
        with asking(f"read the template of the stack {name}"):
            body = self._service.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
        return body if isinstance(body, dict) else {}

    def propose(
        self, name: str, template: Mapping[str, str], parameters: Mapping[str, str | None], *, creates: bool
    ) -> Proposal | None:
        """What ``template`` would change in the stack; None where that is nothing.

        ``template`` is the argument for it, ``TemplateBody`` or ``TemplateURL``. A parameter whose value is None keeps
        the one it has, one that is not among ``parameters`` gets its default. Raises `TemplateError`.
        """
        from botocore.exceptions import ClientError

        with asking(f"make a change set for the stack {name}"):
            try:
                made = self._service.create_change_set(
                    StackName=name,
                    ChangeSetName=f"django-faas-{uuid.uuid4()}",
                    ChangeSetType="CREATE" if creates else "UPDATE",
                    Parameters=[_parameter(key, value) for key, value in parameters.items()],
                    # The template makes roles without names, and is SAM's.
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                    **template,
                )
            except ClientError as error:
                if code_of(error) == "ValidationError":
                    raise TemplateError(
                        f"CloudFormation refuses the template: {error.response['Error'].get('Message')}"
                    ) from error
                raise
            about = self._settled(made["Id"])
        changes = tuple(_change(entry["ResourceChange"]) for entry in about["Changes"] if "ResourceChange" in entry)
        proposal = Proposal(name, made["Id"], made["StackId"], creates, changes)
        if about["Status"] == "FAILED":
            self.discard(proposal)
            reason = about.get("StatusReason", "")
            if any(text in reason for text in _NOTHING):
                return None
            raise TemplateError(f"CloudFormation can't use the template: {reason}")
        return proposal

    def discard(self, proposal: Proposal) -> None:
        """Forget a change set, and the empty stack that was made to hold it."""
        with asking(f"delete a change set of the stack {proposal.stack}"):
            self._service.delete_change_set(ChangeSetName=proposal.id)
            if proposal.creates:
                self._service.delete_stack(StackName=proposal.stack_id)

    def execute(self, proposal: Proposal, told: Told) -> Stack:
        """Carry a change set out, telling each event as it comes; raises `StackFailed`."""
        last = self._last_event(proposal.stack_id)
        with asking(f"execute a change set of the stack {proposal.stack}"):
            # What a first deploy has made goes when it fails, also what is otherwise kept.
            self._service.execute_change_set(ChangeSetName=proposal.id, RetainExceptOnCreate=True)
        return self._watch(proposal.stack_id, last, told)

    def delete(self, name: str, told: Told) -> None:
        """Delete a stack, telling each event as it comes; raises `StackFailed`."""
        with asking(f"find the stack {name}"):
            # By its name it can't be asked after once it is gone.
            stack_id = self._service.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        last = self._last_event(stack_id)
        with asking(f"delete the stack {name}"):
            self._service.delete_stack(StackName=stack_id)
        self._watch(stack_id, last, told)

    @property
    def _service(self) -> Any:
        return self._clients("cloudformation")

    def _settled(self, change_set: str) -> dict[str, Any]:
        """The change set once it is made or has failed, with the changes of all its pages."""
        while True:
            about: dict[str, Any] = self._service.describe_change_set(ChangeSetName=change_set)
            if about["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            time.sleep(_EVERY)
        token = about.get("NextToken")
        while token:
            more = self._service.describe_change_set(ChangeSetName=change_set, NextToken=token)
            about["Changes"] += more["Changes"]
            token = more.get("NextToken")
        return about

    def _watch(self, stack_id: str, last: str, told: Told) -> Stack:
        """Wait until nothing is under way; ``last`` is the event before."""
        events: list[Event] = []
        while True:
            stack = self.describe(stack_id)
            # After the status, so that what led to it is among them.
            for event in self._events_after(stack_id, last):
                events.append(event)
                last = event.id
                told(event)
            if not stack.status.endswith("_IN_PROGRESS"):
                break
            time.sleep(_EVERY)
        if stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
            return stack
        raise _failure(stack, events)

    def _last_event(self, stack_id: str) -> str:
        return next((event.id for event in self._newest_events(stack_id)), "")

    def _events_after(self, stack_id: str, last: str) -> list[Event]:
        found = []
        for event in self._newest_events(stack_id):
            if event.id == last:
                break
            found.append(event)
        return found[::-1]

    def _newest_events(self, stack_id: str) -> Iterator[Event]:
        with asking(f"read the events of the stack {stack_id}"):
            for page in self._service.get_paginator("describe_stack_events").paginate(StackName=stack_id):
                for entry in page["StackEvents"]:
                    yield Event(
                        entry["EventId"],
                        entry["LogicalResourceId"],
                        entry["ResourceType"],
                        entry.get("ResourceStatus", ""),
                        entry.get("ResourceStatusReason", ""),
                        entry["Timestamp"],
                    )


def check_idle(stack: Stack) -> None:
    """Raise `DeployError` for a stack that can't be changed now."""
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        raise DeployError(
            f"The stack {stack.name} is being changed by somebody else: {stack.status}. Wait until that is done "
            "(django-faas status), and try again."
        )
    if stack.status in ("UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"):
        raise DeployError(
            f"The stack {stack.name} is in {stack.status}, which it can't leave by itself. See the reason of the last "
            "event in CloudFormation's console and remove it, then: aws cloudformation "
            + (
                f"continue-update-rollback --stack-name {stack.name}"
                if stack.status == "UPDATE_ROLLBACK_FAILED"
                else f"delete-stack --stack-name {stack.name}"
            )
        )


def _failure(stack: Stack, events: list[Event]) -> StackFailed:
    """The first thing that went wrong: what follows are its consequences."""
    failed = [event for event in events if event.status.endswith("_FAILED")]
    cause = next((event for event in failed if event.reason not in _CANCELLED), None)
    said = f"{cause.logical} ({cause.type}): {cause.reason or 'no reason was given'}" if cause else stack.status
    return StackFailed(f"{said}\nThe stack {stack.name} is in {stack.status}.", cause.type if cause else "")


def _parameter(key: str, value: str | None) -> dict[str, Any]:
    if value is None:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def _change(change: Mapping[str, Any]) -> Change:
    return Change(
        change["Action"], change["LogicalResourceId"], change["ResourceType"], str(change.get("Replacement", ""))
    )


def _stack(described: Mapping[str, Any]) -> Stack:
    return Stack(
        described["StackName"],
        described["StackStatus"],
        {entry["OutputKey"]: entry["OutputValue"] for entry in described.get("Outputs", ())},
        {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in described.get("Parameters", ())},
    )
