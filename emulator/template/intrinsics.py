"""CloudFormation's functions: what ``Ref``, ``Fn::Sub``, ``Fn::If`` and their like stand for.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html

What nobody knows before the stack is there (a secret, another stack's export, a database's address) is, as dynamic
references are, the text ``{{resolve:KEY}}`` until a value is given for ``KEY``.
"""

from __future__ import annotations

import base64
import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from .document import Map
from .errors import Place

_UNKNOWN = re.compile(r"\{\{resolve:([^{}]+)\}\}")
_VARIABLE = re.compile(r"\$\{(!?)([^${}]+)\}")


class _NoValue:
    """What ``!Ref AWS::NoValue`` is: whatever it stands for is not there."""


NO_VALUE: Final = _NoValue()


class Names(Protocol):
    """What AWS would call the resources."""

    def known(self) -> Iterable[str]:
        """Everything that may be referred to."""
        ...

    def reference(self, name: str, place: Place) -> str | None:
        """What ``Ref`` gives for ``name``; None where nothing is called so."""
        ...

    def attribute(self, name: str, attribute: str, place: Place) -> str | None:
        """What ``Fn::GetAtt`` gives; None where nothing is called ``name``."""
        ...


def unknown(key: str) -> str:
    """The text that stands for a value that only AWS knows."""
    return f"{{{{resolve:{key}}}}}"


def unknowns(text: str) -> list[str]:
    """The keys of what is not known in ``text``."""
    return _UNKNOWN.findall(text)


def text_of(value: Any, place: Place) -> str:
    """A scalar as CloudFormation writes it where text is wanted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise place.error(f"text is wanted here, not {_kind(value)}")


class Evaluator:
    """Evaluates nodes of the template; lazily, so that what nobody asks for may be wrong or unknown.

    ``given`` has values for ``{{resolve:KEY}}`` by key. `names` has to be set before the first resource is referred to.
    """

    names: Names

    def __init__(
        self,
        parameters: Mapping[str, Any],
        given: Mapping[str, str],
        mappings: Map,
        conditions: Map,
    ) -> None:
        self._parameters = parameters
        self._given = given
        self._mappings = mappings
        self._conditions = conditions
        self._decided: dict[str, bool | None] = {}
        self._functions: dict[str, Callable[[Any, Place], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": lambda node, place: all(self._truth(item, place) for item in self._list(node, place)),
            "Fn::Base64": lambda node, place: base64.b64encode(self.text(node, place).encode()).decode(),
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAZs": self._zones,
            "Fn::GetAtt": self._get_att,
            "Fn::If": self._if,
            "Fn::ImportValue": lambda node, place: unknown(f"import:{self.text(node, place)}"),
            "Fn::Join": self._join,
            "Fn::Length": lambda node, place: len(self._list(node, place)),
            "Fn::Not": self._not,
            "Fn::Or": lambda node, place: any(self._truth(item, place) for item in self._list(node, place)),
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
            "Fn::ToJsonString": lambda node, place: json.dumps(self.value(node, place), separators=(",", ":")),
        }

    def outline(self, node: Any, place: Place) -> Any:
        """``node`` with a function at its top carried out; what lies below is left as it is written."""
        name = function_name(node)
        if name is not None:
            place = place.below(name, node.lines.get(name))
            function = self._functions.get(name)
            if function is None:
                raise place.error("the emulator does not know this function; write what it stands for")
            node = function(node[name], place)
        return self._given_values(node) if isinstance(node, str) else node

    def value(self, node: Any, place: Place) -> Any:
        """``node`` with every function in it carried out, and without what has no value."""
        node = self.outline(node, place)
        if isinstance(node, Map):
            items = {key: self.value(child, place.below(key, node.lines.get(key))) for key, child in node.items()}
            return Map({key: item for key, item in items.items() if item is not NO_VALUE}, node.lines)
        if isinstance(node, list):
            return [item for child in node if (item := self.value(child, place)) is not NO_VALUE]
        return node

    def text(self, node: Any, place: Place) -> str:
        return text_of(self.outline(node, place), place)

    def holds(self, condition: str, place: Place) -> bool:
        """Whether the template's ``condition`` is true."""
        if condition not in self._conditions:
            raise place.error(f"there is no condition {condition!r}{_alike(condition, self._conditions)}")
        if condition not in self._decided:
            self._decided[condition] = None
            at = Place(place.file, self._conditions.lines.get(condition, place.line), ("Conditions", condition))
            self._decided[condition] = self._truth(self._conditions[condition], at)
        decided = self._decided[condition]
        if decided is None:
            raise place.error(f"the condition {condition} depends on itself")
        return decided

    def _given_values(self, text: str) -> str:
        return _UNKNOWN.sub(lambda match: self._given.get(match[1], match[0]), text)

    def _ref(self, node: Any, place: Place) -> Any:
        name = self.text(node, place)
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._parameters:
            return self._parameters[name]
        found = self.names.reference(name, place)
        if found is None:
            raise place.error(self._missing(name))
        return found

    def _get_att(self, node: Any, place: Place) -> str:
        parts = node.split(".", 1) if isinstance(node, str) else [self.text(item, place) for item in node]
        if len(parts) != 2:
            raise place.error("write a resource and its attribute, as in: !GetAtt Queue.Arn")
        return self._attribute(parts[0], parts[1], place)

    def _attribute(self, name: str, attribute: str, place: Place) -> str:
        found = self.names.attribute(name, attribute, place)
        if found is None:
            raise place.error(self._missing(name))
        return found

    def _missing(self, name: str) -> str:
        everything = [*self._parameters, *self.names.known()]
        return f"no parameter and no resource is called {name!r}{_alike(name, everything)}"

    def _sub(self, node: Any, place: Place) -> str:
        template, variables = (node, {}) if not isinstance(node, list) else self._exactly(node, 2, place)
        if not isinstance(template, str) or not isinstance(variables, dict):
            raise place.error("write text with ${names}, or a list of such text and a mapping of names to values")

        def replaced(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{match[2]}}}"
            if name in variables:
                return self.text(variables[name], place.below(name))
            if "." in name and not self._referable(name):
                resource, _, attribute = name.partition(".")
                return self._attribute(resource, attribute, place)
            return text_of(self._ref(name, place), place)

        return _VARIABLE.sub(replaced, template)

    def _referable(self, name: str) -> bool:
        """Whether ``name`` with a dot in it is something to ``Ref``: SAM has such names (``Web.Alias``)."""
        return name in self.names.known()

    def _join(self, node: Any, place: Place) -> str:
        separator, items = self._exactly(node, 2, place)
        return self.text(separator, place).join(text_of(item, place) for item in self._list(items, place))

    def _split(self, node: Any, place: Place) -> list[str]:
        separator, source = self._exactly(node, 2, place)
        return self.text(source, place).split(self.text(separator, place))

    def _select(self, node: Any, place: Place) -> Any:
        index, items = self._exactly(node, 2, place)
        chosen, values = self.text(index, place), self._list(items, place)
        if not chosen.isdigit() or int(chosen) >= len(values):
            raise place.error(f"there is no item {chosen!r} in a list of {len(values)}; they count from 0")
        return values[int(chosen)]

    def _if(self, node: Any, place: Place) -> Any:
        condition, then, otherwise = self._exactly(node, 3, place)
        return self.outline(then if self.holds(self.text(condition, place), place) else otherwise, place)

    def _condition(self, node: Any, place: Place) -> bool:
        return self.holds(self.text(node, place), place)

    def _equals(self, node: Any, place: Place) -> bool:
        first, second = (self.value(item, place) for item in self._exactly(node, 2, place))
        for value in (first, second):
            known(value, place)
        if isinstance(first, (dict, list)) or isinstance(second, (dict, list)):
            return bool(first == second)
        return text_of(first, place) == text_of(second, place)

    def _not(self, node: Any, place: Place) -> bool:
        (item,) = self._exactly(node, 1, place)
        return not self._truth(item, place)

    def _truth(self, node: Any, place: Place) -> bool:
        value = self.outline(node, place)
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise place.error(f"a condition is wanted here, not {_kind(value)}")

    def _find_in_map(self, node: Any, place: Place) -> Any:
        if not isinstance(node, list) or len(node) not in {3, 4}:
            raise place.error("a list is wanted here: the mapping's name and two keys")
        found: Any = self._mappings
        for item in node[:3]:
            key = self.text(item, place)
            if not isinstance(found, Map) or key not in found:
                if len(node) == 4 and isinstance(node[3], Map) and "DefaultValue" in node[3]:
                    return self.outline(node[3]["DefaultValue"], place)
                raise place.error(f"Mappings has no {key!r} there{_alike(key, found)}")
            found = found[key]
        return found

    def _zones(self, node: Any, place: Place) -> list[str]:
        region = self.text(node, place) or self.text(Map({"Ref": "AWS::Region"}), place)
        return [f"{region}{letter}" for letter in "abc"]

    def _list(self, node: Any, place: Place) -> list[Any]:
        value = self.value(node, place)
        if not isinstance(value, list):
            raise place.error(f"a list is wanted here, not {_kind(value)}")
        return value

    def _exactly(self, node: Any, count: int, place: Place) -> list[Any]:
        if not isinstance(node, list) or len(node) != count:
            raise place.error(f"a list of {count} is wanted here")
        return node


def function_name(node: Any) -> str | None:
    """The function that ``node`` is, if it is one."""
    if isinstance(node, Map) and len(node) == 1:
        (name,) = node
        if name in {"Ref", "Condition"} or name.startswith("Fn::"):
            return name
    return None


def known(value: Any, place: Place) -> None:
    """Raises `TemplateError` where ``value`` can't be known here, and says how to give it."""
    if isinstance(value, str) and (keys := unknowns(value)):
        raise place.error(f"only AWS knows this; give it a value with --parameter '{keys[0]}=...'")


def _alike(name: str, others: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, others, 1)
    return f"; is {close[0]!r} meant?" if close else ""


def _kind(value: Any) -> str:
    if value is None or value is NO_VALUE:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)
