"""Each fact about the stack holds, and does not once its fault is in the template."""

from __future__ import annotations

import pytest

from .cases import CASES, Case, Change
from .expansion import deployed, source


def _name(case: Case) -> str:
    return "-".join([case.fact.__name__, *case.parameters.values()])


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_it_holds(case: Case) -> None:
    case.fact(deployed(**dict(case.parameters)))


@pytest.mark.parametrize(
    ("case", "fault"),
    [pytest.param(case, fault, id=f"{_name(case)}: {name}") for case in CASES for name, fault in case.faults.items()],
)
def test_it_is_seen_to_fail(case: Case, fault: Change) -> None:
    tree = source()
    fault(tree)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        case.fact(deployed(tree, **dict(case.parameters)))
