"""What a change set would do, as a table for the person who is to confirm it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..stacks import Change
from ..steps import Steps

_VERBS = {"Add": "add", "Modify": "change", "Remove": "remove", "Import": "import", "Dynamic": "perhaps change"}
# What is lost with them is not in any package.
_PRECIOUS = (
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::CloudFront::Distribution",
    "AWS::RDS::",
    "AWS::DynamoDB::",
)


def show(steps: Steps, changes: Sequence[Change], parameters: Iterable[tuple[str, str, str]]) -> None:
    """Write the table: resources, then the parameters (name, present and new value)."""
    width = max((len(change.logical) for change in changes), default=0)
    for change in changes:
        verb = verb_of(change)
        style = {"remove": "red", "replace": "red"}.get(verb, "")
        steps.line("", f"{verb:<11} {change.logical:<{width}}  {change.type}", style)
    for name, before, after in parameters:
        steps.line("", f"parameter   {name}: {before or '(empty)'} -> {after or '(empty)'}")
    for change in changes:
        if verb_of(change) in ("remove", "replace") and change.type.startswith(_PRECIOUS):
            steps.note(
                f"{change.logical} ({change.type}) would go, with what is in it, unless its DeletionPolicy or "
                "UpdateReplacePolicy keeps it."
            )


def summary(changes: Sequence[Change]) -> str:
    """How many of each kind: ``12 to add, 3 to change``."""
    counts = Counter(verb_of(change) for change in changes)
    return ", ".join(f"{number} to {verb}" for verb, number in counts.items())


def verb_of(change: Change) -> str:
    """What would be done to the resource, in a word."""
    return "replace" if change.replacement == "True" else _VERBS.get(change.action, change.action.lower())
