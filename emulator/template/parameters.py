"""The values of a template's parameters: those given, else the defaults.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from .document import Map
from .errors import Place
from .intrinsics import text_of, unknown

_NAME = re.compile(r"[A-Za-z0-9]+")


def values(declared: Map, given: Mapping[str, str], place: Place) -> dict[str, Any]:
    """Text by name; a list where the type is one. One without any value is unknown, which counts only where it is used.

    A parameter whose type is ``AWS::SSM::Parameter::Value<...>`` names what Parameter Store has; a value that is given
    is taken for that itself. Raises `TemplateError` for a name that the template has not, and a value it forbids.
    """
    for name in given:
        if name not in declared and _NAME.fullmatch(name):
            close = difflib.get_close_matches(name, declared, 1)
            raise place.error(
                f"--parameter {name}=...: there is no such parameter; "
                + (f"is {close[0]} meant?" if close else f"there are: {', '.join(declared) or 'none'}")
            )
    return {
        name: _value(name, parameter, given.get(name), place.below(name, declared.lines.get(name)))
        for name, parameter in declared.items()
    }


def _value(name: str, parameter: Any, given: str | None, place: Place) -> Any:
    if not isinstance(parameter, Map) or "Type" not in parameter:
        raise place.error("a parameter is a mapping with a Type")
    kind = text_of(parameter["Type"], place.below("Type"))
    if given is None:
        if parameter.get("Default") is None:
            return unknown(name)
        value = text_of(parameter["Default"], place.below("Default"))
        if kind.startswith("AWS::SSM::Parameter::Value<"):
            return unknown(f"ssm:{value}")
    else:
        value = given
        _check(name, parameter, value, kind, place)
    if kind == "CommaDelimitedList" or "List<" in kind:
        return [item.strip() for item in value.split(",")]
    return value


def _check(name: str, parameter: Map, value: str, kind: str, place: Place) -> None:
    allowed = [text_of(choice, place) for choice in parameter.get("AllowedValues") or ()]
    if allowed and value not in allowed:
        raise place.error(f"--parameter {name}={value}: choose one of: {', '.join(allowed)}")
    pattern = parameter.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(str(pattern), value):
        raise place.error(f"--parameter {name}={value}: it has to match {pattern}")
    if kind == "Number":
        try:
            float(value)
        except ValueError:
            raise place.error(f"--parameter {name}={value}: a number is wanted") from None
