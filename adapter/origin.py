"""Who is asking: whether the request came through the CDN, and which address it came from."""

from __future__ import annotations

import hmac

from .http import HTTPRequest

SECRET_HEADER = "x-origin-verify"  # noqa: S105 - its name, not its value


def take_secret(request: HTTPRequest, secrets: tuple[bytes, ...]) -> bool:
    """Whether the request carries one of the CDN's secrets; the header is taken out, no page shall ever show it.

    Every secret is compared, each in constant time, so that an answer's delay tells nothing.
    """
    sent = request.take(SECRET_HEADER)
    value = sent[0].encode("latin-1", "replace") if len(sent) == 1 else b""
    return any([hmac.compare_digest(value, secret) for secret in secrets])  # noqa: C419 - all of them, always


def leave_out(request: HTTPRequest, path: str) -> None:
    """Take ``path``, which the CDN has put before the visitor's own, out of the request."""
    name, raw = request.script_name, request.raw_path
    if name == path or name.startswith(f"{path}/"):
        request.script_name = name[len(path) :]
        if raw is not None and raw.startswith(path):
            request.raw_path = raw[len(path) :] or "/"


def viewer_address(request: HTTPRequest, trusted_proxies: int, verified: bool) -> str:
    """The viewer's address, as far as what names it can be trusted.

    Behind a verified CDN that is ``CloudFront-Viewer-Address`` where the CDN sends it; else the entry of
    ``X-Forwarded-For`` that the outermost of the trusted proxies added; else the front door's own peer. The front door
    has appended its peer to ``X-Forwarded-For``, every proxy the one before it; what stands further left was written
    by the client.
    """
    chain: list[str] = []
    for name, value in request.headers.items():
        lower = name.lower()
        if verified and lower == "cloudfront-viewer-address":
            # address:port, the port always there: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/
            # adding-cloudfront-headers.html
            return value.rpartition(":")[0].strip("[]")
        if lower == "x-forwarded-for":
            chain += [entry.strip() for entry in value.split(",")]
    if trusted_proxies and len(chain) > trusted_proxies:
        return chain[-1 - trusted_proxies]
    return request.client
