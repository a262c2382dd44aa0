"""The comparison: no test that passes without the adapter may fail with it, what a door is known to lose apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .suite_run import Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """Test ids: those that passed and those lost as listed; and each unexpected one with what is wrong about it."""

    passed: set[str]
    lost: set[str]
    wrong: dict[str, str]
    without_too: Counter[str]
    """How many did not pass before either: ``failed`` and ``skipped``."""


def judge(before: dict[str, Outcome], after: dict[str, Outcome], losses: dict[str, str]) -> Verdict:
    """Compare the run without events to the one with them."""
    passed: set[str] = set()
    lost: set[str] = set()
    wrong: dict[str, str] = {}
    for test, outcome in after.items():
        if outcome.state == "passed":
            if test in losses:
                wrong[test] = f"passes, though listed as lost ({losses[test]}): take it off the list"
            passed.add(test)
        elif test in losses and outcome.state == "failed":
            lost.add(test)
        elif before.get(test, Outcome("passed", "")).state == "passed":
            wrong[test] = f"{outcome.state} behind this door only:\n{_short(outcome.detail)}"
    for test in before.keys() - after.keys():
        if before[test].state == "passed":
            wrong[test] = "did not run"
    for test in losses.keys() - after.keys() - before.keys():
        wrong[test] = "is listed as lost, and there is no such test"
    states = Counter(outcome.state for outcome in before.values())
    del states["passed"]
    return Verdict(passed - wrong.keys(), lost, wrong, states)


def _short(detail: str) -> str:
    # Many an assertion of the suite repeats a whole page in its message.
    return "\n".join(line if len(line) < 400 else f"{line[:200]} ... {line[-200:]}" for line in detail.splitlines())
