"""IAM policies as a Lambda authorizer returns them: do they allow this request?

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..front_doors.contract import Refusal

_ACTION = "execute-api:invoke"


class MalformedPolicy(Exception):
    """What the authorizer returned is no policy, or has parts that are not emulated; says which."""


def refusal(document: object, arn: str) -> Refusal | None:
    """None where ``document`` lets the request with this ARN pass: a statement allows it, and none denies it."""
    effects = set(_effects(document, arn))
    if "Deny" in effects:
        return Refusal.DENIED_EXPLICITLY
    return None if "Allow" in effects else Refusal.DENIED


def _effects(document: object, arn: str) -> Iterator[str]:
    """The effect of each statement that is about the request; all of them are read, so that a bad one shows."""
    if not isinstance(document, Mapping):
        raise MalformedPolicy("policyDocument has to be an object with a Statement")
    statements = document.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, Mapping) or statement.get("Effect") not in ("Allow", "Deny"):
            raise MalformedPolicy("each Statement has to be an object whose Effect is Allow or Deny")
        if "Condition" in statement:
            raise MalformedPolicy("a Statement has a Condition, which is not emulated")
        # Actions are compared without regard to case, resources with it.
        action = _concerns(statement, "Action", _ACTION, str.lower)
        resource = _concerns(statement, "Resource", arn, str)
        if action and resource:
            yield statement["Effect"]


def _concerns(statement: Mapping[str, Any], name: str, value: str, fold: Callable[[str], str]) -> bool:
    """Whether ``value`` is among the statement's ``name``, or not among its ``Not`` + ``name``."""
    for key, wanted in ((name, True), (f"Not{name}", False)):
        if key in statement:
            patterns = statement[key] if isinstance(statement[key], list) else [statement[key]]
            if not all(isinstance(pattern, str) for pattern in patterns):
                raise MalformedPolicy(f"{key} has to be text, or a list of texts")
            return any(_pattern(fold(pattern)).fullmatch(value) for pattern in patterns) is wanted
    raise MalformedPolicy(f"each Statement has to have {name} or Not{name}")


@functools.lru_cache(maxsize=256)
def _pattern(written: str) -> re.Pattern[str]:
    """``*`` stands for any characters, slashes and colons included, ``?`` for any one.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
    """
    return re.compile(re.escape(written).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
