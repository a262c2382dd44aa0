"""What every front door does to request headers: drop the connection's own, add what it knows of the client."""

from __future__ import annotations

from ..http import Request
from . import identifiers

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers about one connection only: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1"""

TRACE = "x-amzn-trace-id"


def passed_on(request: Request, request_id: str) -> dict[str, list[str]]:
    """Every value of the headers a function may see, by lower-case name.

    The peer's address is appended to `x-forwarded-for`; port and scheme are the connection's own, whatever the client
    claims. A body that came in chunks gets the `content-length` it turned out to have.
    """
    headers: dict[str, list[str]] = {}
    chunked = False
    for name, value in request.headers:
        lower = name.lower()
        if lower in HOP_BY_HOP:
            chunked = chunked or lower == "transfer-encoding"
        elif lower in headers:
            headers[lower].append(value)
        else:
            headers[lower] = [value]
    if chunked:
        headers["content-length"] = [str(len(request.body))]
    # HTTP/2 clients may send one field a cookie; whoever turns that into HTTP/1.1 joins them:
    # https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3
    if "cookie" in headers and len(headers["cookie"]) > 1:
        headers["cookie"] = ["; ".join(headers["cookie"])]
    headers["x-forwarded-for"] = [", ".join([*headers.get("x-forwarded-for", ()), request.client])]
    headers["x-forwarded-port"] = [str(request.port)]
    headers["x-forwarded-proto"] = [request.scheme]
    trace = headers.get(TRACE, ("",))[-1]
    if "Root=" not in trace:
        trace = f"Root={identifiers.trace_root(request_id, request.received)}"
    headers[TRACE] = [trace]
    return headers
