"""Which content codings serve a client best: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ELEMENT = re.compile(
    r"(?P<coding>[\w!#$%&'*+.^`|~-]+)(?:[ \t]*;[ \t]*q=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII | re.IGNORECASE,
)


def preferred(accept_encoding: str, stored: Sequence[str]) -> str | None:
    """The content coding of ``stored``, the best first, that serves the client best; None for the file as it is.

    That is also the answer to a client which accepts nothing that is there and not even the plain file: S3 and the CDN
    would send it, too. An element that is no HTTP is passed over.
    """
    weights: dict[str, float] = {}
    for element in accept_encoding.split(","):
        if match := _ELEMENT.fullmatch(element.strip(" \t")):
            # x-gzip is gzip: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3
            weights[match["coding"].lower().removeprefix("x-")] = float(match["weight"] or 1)
    others = weights.get("*", 0.0)
    plain = weights.get("identity", others)
    able = [coding for coding in stored if weights.get(coding, others) >= max(plain, 0.001)]
    return max(able, key=lambda coding: weights.get(coding, others), default=None)
