"""The sizes a front door or the function service refuses, and the bytes they are counted in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from ..http import Request

INVOKE_REQUEST = 6_291_456
"""Bytes of event JSON one invocation takes. The service's own error names this figure; the answer's limit, which the
function service checks, is 100 bytes more: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

GATEWAY_BODY = 10 * 1024 * 1024
"""Bytes of body both API Gateway kinds take: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

GATEWAY_HEADERS = 10_240
"""Bytes of headers both API Gateway kinds take; an HTTP API counts the request line too."""

LOAD_BALANCER_JSON = 1024 * 1024
"""Bytes a load balancer takes of a request's body, and of the function's JSON answer:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html"""

LOAD_BALANCER_HEADERS = 64 * 1024
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html"""

LATTICE_BODY = 6_000_000
"""Bytes of body a VPC Lattice service takes for a function (6 MB; whether of 1,000 or 1,024 is unproven):
https://docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html"""

# One byte of body grows to six characters at the most (a control character becomes \u0001), and headers and query are
# bounded: below this size no event can reach INVOKE_REQUEST, so the ordinary request is not serialised only to be
# measured.
_NEVER_TOO_LARGE = 900_000

# From this length on the bytes are copied: orjson's own hold on to a buffer that grew by doubling, and what a thousand
# recorded requests with an upload of 300 KB in every tenth leave in memory is 250 MB with them, 35 MB without.
_LONG = 65_536

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def serialise(event: Mapping[str, Any]) -> bytes:
    """The event as the service hands it to the function: compact JSON in UTF-8, without escapes for plain letters."""
    try:
        data = orjson.dumps(event)
    except TypeError:  # half of a surrogate pair, which it refuses, or an integer of more than 64 bits
        return _encode(event).encode("utf-8", "replace")
    return data if len(data) < _LONG else bytes(memoryview(data))


def event_size(event: Mapping[str, Any], body: bytes) -> int:
    """Bytes of ``event`` as JSON, or 0 where ``body`` is too small for the size to matter."""
    return len(serialise(event)) if len(body) > _NEVER_TOO_LARGE else 0


def header_size(request: Request) -> int:
    """Characters of all header names and values together."""
    return sum([len(name) + len(value) for name, value in request.headers])
