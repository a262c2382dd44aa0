"""Bodies on their way into an event, where they are either text or base64."""

from __future__ import annotations

import base64

_TEXT = frozenset({"application/json", "application/javascript", "application/xml"})


def is_text(content_type: str) -> bool:
    """Whether HTTP APIs, function URLs and load balancers pass this type as text.

    Parameters don't count; forms, multipart and a missing type are not text. The list is the load balancer's documented
    one, and real answers of the other two agree:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in _TEXT


def into_event(body: bytes, *, text: bool) -> str:
    """``body`` as an event's string: text in UTF-8 (other bytes replaced) or base64."""
    return body.decode("utf-8", "replace") if text else base64.b64encode(body).decode("ascii")
