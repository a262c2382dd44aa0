"""Which version of each function gets the traffic: the alias ``live`` of each, and what the stack believes of it.

CodeDeploy refuses to deploy where an alias stands at another version than CloudFormation last put it at ("The Lambda
function alias version does not match the current version in AppSpec file",
https://github.com/aws/serverless-application-model/issues/291). So whoever moves an alias by hand, as a rollback does,
tells the stack afterwards: `aligned` makes a template that differs from the stack's own in that each alias is where it
is, and has no update policy, without which CloudFormation leaves CodeDeploy out
(https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..clients import Clients, asking
from ..exceptions import InfraError
from ..site import ALIAS
from ..stacks import Resource
from .target import Target

_ALIAS = "AWS::Lambda::Alias"


def serving(target: Target) -> dict[str, str]:
    """The version that each function's alias is at, by the function's name."""
    aliases = _aliases(target.stacks.resources(target.name))
    return {_function(alias): _version(target.clients, alias) for alias in aliases}


def shift(clients: Clients, versions: Mapping[str, str]) -> None:
    """Send all traffic of each function to its version: of all of them or, where one refuses, of none."""
    service = clients("lambda")
    with asking("look for the versions to go to"):
        for function, version in versions.items():
            service.get_function_configuration(FunctionName=function, Qualifier=version)
    before = {}
    try:
        for function, version in versions.items():
            with asking(f"move the traffic of {function} to version {version}"):
                before[function] = service.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
                _move(service, function, version)
    except InfraError:
        for function, version in before.items():
            with asking(f"move the traffic of {function} back to version {version}"):
                _move(service, function, version)
        raise


def align(target: Target) -> bool:
    """Tell the stack where the aliases are, if it believes anything else; whether it did. Traffic is not moved.

    Raises `StackFailed` and `TemplateError`.
    """
    resources = target.stacks.resources(target.name)
    live = {alias.logical: _version(target.clients, alias) for alias in _aliases(resources)}
    template = aligned(target.stacks.template(target.name), resources, live)
    if template is None:
        return False

    argument = target.artifacts.template(json.dumps(template, separators=(",", ":")))
    kept = dict.fromkeys(target.stacks.describe(target.name).parameters)
    proposal = target.stacks.propose(target.name, argument, kept, creates=False)
    if proposal is not None:
        target.stacks.execute(proposal, lambda _event: None)
    return True


def aligned(
    template: Mapping[str, Any], resources: Sequence[Resource], live: Mapping[str, str]
) -> dict[str, Any] | None:
    """``template`` with each alias at the version in ``live`` (by logical id); None where it says so already."""
    physical = {resource.logical: resource.physical for resource in resources}
    changed = copy.deepcopy(dict(template))
    moved = False
    for logical, entry in changed.get("Resources", {}).items():
        if logical not in live:
            continue
        if _said(entry["Properties"]["FunctionVersion"], physical) not in (live[logical], None):
            entry["Properties"]["FunctionVersion"] = live[logical]
            entry.pop("UpdatePolicy", None)
            moved = True
    return changed if moved else None


def _said(version: object, physical: Mapping[str, str]) -> str | None:
    """The version that a template gives an alias; None where it is not in it."""
    match version:
        case {"Fn::GetAtt": [str(logical), "Version"]}:
            return physical.get(logical, "").rpartition(":")[2]  # a version's ARN ends with its number
        case str():
            return version
        case _:
            return None


def _aliases(resources: Iterable[Resource]) -> list[Resource]:
    return [resource for resource in resources if resource.type == _ALIAS and resource.physical]


def _function(alias: Resource) -> str:
    """The function's name out of ``arn:aws:lambda:REGION:ACCOUNT:function:NAME:live``."""
    return alias.physical.split(":")[-2]


def _version(clients: Clients, alias: Resource) -> str:
    function = _function(alias)
    with asking(f"find out which version of {function} serves"):
        return str(clients("lambda").get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"])


def _move(service: Any, function: str, version: str) -> None:
    service.update_alias(
        FunctionName=function, Name=ALIAS, FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": {}}
    )
