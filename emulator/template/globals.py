"""SAM's Globals: what every function and API has in common, merged into each.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
"""

from __future__ import annotations

from typing import Any

from .document import Map
from .intrinsics import function_name

SECTIONS = {
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::Api": "Api",
    "AWS::Serverless::HttpApi": "HttpApi",
}


def merged(common: Any, own: Any) -> Any:
    """Maps are merged, lists are put after the common one, everything else is replaced."""
    if isinstance(common, Map) and isinstance(own, Map) and not function_name(common) and not function_name(own):
        items = {**common, **{key: merged(common[key], item) if key in common else item for key, item in own.items()}}
        return Map(items, {**common.lines, **own.lines})
    if isinstance(common, list) and isinstance(own, list):
        return [*common, *own]
    return own
