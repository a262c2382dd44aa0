"""``template.yaml``: django-faas's own, with a project's values as the defaults of its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[1] / "template.yaml"


def text(defaults: Mapping[str, str]) -> str:
    """The template, each parameter in ``defaults`` with that as its default, and all else as it is written."""
    import yaml

    source = TEMPLATE.read_text(encoding="utf-8")
    document = yaml.compose(source, Loader=yaml.SafeLoader)
    parameters = _entry(document, "Parameters")
    places = {name: _entry(_entry(parameters, name), "Default") for name in defaults}
    # From the end, so that what is still to be replaced stays where it is.
    for name in sorted(places, key=lambda name: places[name].start_mark.index, reverse=True):
        start, end = places[name].start_mark.index, places[name].end_mark.index
        if places[name].value != defaults[name]:
            source = source[:start] + json.dumps(defaults[name]) + source[end:]
    return source


def _entry(mapping: Any, key: str) -> Any:
    """The node of ``key`` in a mapping's."""
    return next(value for name, value in mapping.value if name.value == key)
