"""A template's text as a tree of plain values that know their lines: YAML with CloudFormation's tags, or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from .errors import Place, TemplateError

# Several times faster, and missing where PyYAML was built without libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Map(dict[str, Any]):
    """A mapping of the template; ``lines`` says where each key stands."""

    def __init__(self, items: dict[str, Any] | None = None, lines: dict[str, int] | None = None) -> None:
        super().__init__(items or {})
        self.lines = lines or {}


def load(path: Path) -> Map:
    """The tree of the template at ``path``; ``!Ref x`` has become ``{"Ref": "x"}``. Raises `TemplateError`."""
    place = Place(path.name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"The template {path} can't be read: {error}. Name a file with --template.") from None
    if text.lstrip().startswith("{"):
        text = text.replace("\t", " ")  # JSON, which may be indented by tabs; YAML may not, and reads all else of it
    try:
        node = yaml.compose(text, Loader=_LOADER)
        tree = None if node is None else _Builder(place).tree(node)
    except RecursionError:
        raise place.error("nested too deeply; does an anchor hold itself?") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = place if mark is None else Place(place.file, mark.line + 1)
        raise at.error(f"no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise place.error(f"no YAML: {error}") from None
    if not isinstance(tree, Map):
        raise place.error("a template is a mapping with a key Resources")
    return tree


class _Builder:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._scalars = SafeConstructor()
        self._mappings: dict[yaml.Node, Map] = {}  # an anchor's is built once

    def tree(self, node: yaml.Node) -> Any:
        if node.tag.startswith("!"):
            name = node.tag[1:]
            content: Any = node.value if isinstance(node, yaml.ScalarNode) else self._content(node)
            if name == "GetAtt" and isinstance(content, str):
                content = content.split(".", 1)
            key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
            return Map({key: content}, {key: _line(node)})
        return self._content(node)

    def _content(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            if node not in self._mappings:
                self._mappings[node] = self._mapping(node)
            return self._mappings[node]
        if isinstance(node, yaml.SequenceNode):
            return [self.tree(item) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode) -> Map:
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = str(key_node.value), _line(key_node)
            if key in lines:
                raise Place(self._place.file, line).error(f"{key} stands here and in line {lines[key]}")
            lines[key] = line
        self._scalars.flatten_mapping(node)  # puts what is merged in (`<<`) before the mapping's own keys
        return Map(
            {str(key_node.value): self.tree(value_node) for key_node, value_node in node.value},
            {str(key_node.value): _line(key_node) for key_node, _ in node.value},
        )

    def _scalar(self, node: Any) -> Any:
        """Dates stay text: to CloudFormation ``Version: 2012-10-17`` is a string."""
        try:
            match node.tag.removeprefix("tag:yaml.org,2002:"):
                case "null":
                    return None
                case "bool":
                    return self._scalars.construct_yaml_bool(node)
                case "int":
                    return self._scalars.construct_yaml_int(node)
                case "float":
                    return self._scalars.construct_yaml_float(node)
        except ValueError:
            pass  # looks like a number and is none, as 08 does
        return node.value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
