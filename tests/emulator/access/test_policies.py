"""IAM policies: which requests a Lambda authorizer's answer lets pass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.access.policies import MalformedPolicy, refusal
from emulator.front_doors.contract import Refusal

API = "arn:aws:execute-api:us-east-1:123456789012:api"
ARN = f"{API}/prod/GET/pets/7"


def statement(effect: str = "Allow", resource: Any = ARN, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def judged(*statements: Any, arn: str = ARN) -> Refusal | None:
    return refusal({"Version": "2012-10-17", "Statement": list(statements)}, arn)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (ARN, True),
        ("*", True),
        ("arn:aws:execute-api:*:*:*", True),
        (f"{API}/*", True),
        (f"{API}/*/GET/*", True),
        (f"{API}/prod/GET/pets/?", True),
        (f"{API}/prod/GET/pets/??", False),
        (f"{API}/prod/*/pets/*", True),
        (f"{API}/prod/GET/pets", False),
        (f"{API}/prod/POST/*", False),
        (f"{API}/dev/*", False),
        (f"{API}/prod/get/pets/7", False),
        (f"{API}/prod/GET/pets/.", False),
        ([f"{API}/prod/POST/*", f"{API}/prod/GET/*"], True),
        ([], False),
    ],
)
def test_resources(resource: Any, allowed: bool) -> None:
    assert judged(statement(resource=resource)) is (None if allowed else Refusal.DENIED)


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("execute-api:Invoke", True),
        ("execute-api:invoke", True),
        ("execute-api:*", True),
        ("*", True),
        (["s3:GetObject", "execute-api:Invoke"], True),
        ("execute-api:InvalidateCache", False),
    ],
)
def test_actions(action: Any, allowed: bool) -> None:
    assert judged(statement(action=action)) is (None if allowed else Refusal.DENIED)


def test_a_deny_goes_before_every_allow() -> None:
    assert judged(statement(), statement("Deny", "*")) is Refusal.DENIED_EXPLICITLY
    assert judged(statement("Deny", f"{API}/prod/POST/*"), statement()) is None


def test_nothing_said_is_a_no() -> None:
    assert judged() is Refusal.DENIED
    assert refusal({"Statement": statement()}, ARN) is None


def test_what_is_left_out_by_not() -> None:
    assert judged({"Effect": "Allow", "NotAction": "s3:*", "NotResource": f"{API}/dev/*"}) is None
    assert judged({"Effect": "Allow", "Action": "*", "NotResource": f"{API}/prod/*"}) is Refusal.DENIED


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("Allow", "has to be an object"),
        ({}, "each Statement"),
        ({"Statement": [{"Action": "*", "Resource": "*"}]}, "Effect"),
        ({"Statement": [{**statement(), "Effect": "allow"}]}, "Effect"),
        ({"Statement": [{"Effect": "Allow", "Action": "*"}]}, "Resource or NotResource"),
        ({"Statement": [statement(resource=[1])]}, "Resource has to be text"),
        ({"Statement": [statement(), {**statement("Deny"), "Condition": {}}]}, "Condition, which is not emulated"),
    ],
)
def test_what_is_no_policy(document: Any, said: str) -> None:
    with pytest.raises(MalformedPolicy, match=said):
        refusal(document, ARN)


@given(st.text(), st.text(), st.text())
def test_a_star_stands_for_anything_and_all_else_for_itself(before: str, between: str, after: str) -> None:
    literal = before.replace("*", "+").replace("?", "!"), after.replace("*", "+").replace("?", "!")
    assert judged(statement(resource="*".join(literal)), arn=literal[0] + between + literal[1]) is None
    assert judged(statement(resource="".join(literal)), arn="".join(literal) + "x") is Refusal.DENIED
