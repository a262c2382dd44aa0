"""What Django believes of a request's scheme and host, and what the front doors send."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.middleware.security import SecurityMiddleware

from .lookup import imported, is_one_of

_SENT = {"HTTP_X_FORWARDED_PROTO", "HTTP_CLOUDFRONT_FORWARDED_PROTO"}


def check_scheme() -> Iterator[checks.CheckMessage]:
    """SECURE_PROXY_SSL_HEADER, where it is set; without it nothing loops, as the adapter sets the scheme."""
    match settings.SECURE_PROXY_SSL_HEADER:
        case [str(key), value]:
            header = key.removeprefix("HTTP_").replace("_", "-").title()
        case _:
            return
    if key in _SENT and value != "https":
        consequence = "build_absolute_uri() begins with http://, and the CSRF check refuses forms sent by https"
        if settings.SECURE_SSL_REDIRECT and _has_security_middleware():
            consequence = "SECURE_SSL_REDIRECT redirects every page to itself, for ever"
        yield checks.Warning(
            f"{header} says https or http, never {value!r}, so no request with it counts as secure: {consequence}.",
            hint=f'SECURE_PROXY_SSL_HEADER = ("{key}", "https"). Or delete it: the adapter tells Django the scheme.',
            obj="SECURE_PROXY_SSL_HEADER",
            id="faas.W030",
        )
    elif key.startswith("HTTP_") and key not in _SENT:
        yield checks.Warning(
            f"AWS's front doors neither set {header} nor take it out, so whoever sends it decides what "
            "request.is_secure() says.",
            hint="Delete the line: the adapter tells Django the scheme, from the front door's own X-Forwarded-Proto. "
            "If a CDN of yours sets the header in every request, keep it and set "
            'SILENCED_SYSTEM_CHECKS = ["faas.W031"].',
            obj="SECURE_PROXY_SSL_HEADER",
            id="faas.W031",
        )


def _has_security_middleware() -> bool:
    return any(is_one_of(imported(path), SecurityMiddleware) for path in settings.MIDDLEWARE)


def check_hosts() -> Iterator[checks.CheckMessage]:
    """USE_X_FORWARDED_HOST behind CloudFront, and what makes it dangerous."""
    secret = bool(os.environ.get("FAAS_ORIGIN_SECRET"))
    distribution = next((host for host in settings.ALLOWED_HOSTS if host.endswith(".cloudfront.net")), None)
    if not settings.USE_X_FORWARDED_HOST and (secret or distribution):
        sign = "FAAS_ORIGIN_SECRET is set" if secret else f'ALLOWED_HOSTS has "{distribution}"'
        yield checks.Warning(
            f"It is off, though {sign}, as it is behind CloudFront. CloudFront sends a gateway the gateway's own name "
            "as Host: build_absolute_uri() and links in mails lead to the gateway, and the CSRF check refuses forms "
            "(unless CSRF_TRUSTED_ORIGINS names the site).",
            hint='USE_X_FORWARDED_HOST = True, ALLOWED_HOSTS = ["www.example.com"], and a CloudFront function that '
            "copies Host to X-Forwarded-Host. If the origin is a load balancer that gets the visitor's Host, set "
            'SILENCED_SYSTEM_CHECKS = ["faas.W032"].',
            obj="USE_X_FORWARDED_HOST",
            id="faas.W032",
        )
    elif settings.USE_X_FORWARDED_HOST and "*" in settings.ALLOWED_HOSTS and not secret:
        yield checks.Warning(
            'With USE_X_FORWARDED_HOST, "*" lets whoever asks the gateway itself name the site: a mail with a link '
            "for a new password can be made to lead to theirs.",
            hint='ALLOWED_HOSTS = ["www.example.com"], and FAAS_ORIGIN_SECRET so that only the CDN gets in.',
            obj="ALLOWED_HOSTS",
            id="faas.W033",
        )
