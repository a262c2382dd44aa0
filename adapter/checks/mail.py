"""Mail that nobody gets."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterator

from django.conf import settings
from django.core import checks
from django.core.mail.backends.console import EmailBackend as ConsoleBackend
from django.core.mail.backends.filebased import EmailBackend as FileBackend
from django.core.mail.backends.locmem import EmailBackend as MemoryBackend
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from .lookup import imported, is_here, is_one_of


def check() -> Iterator[checks.CheckMessage]:
    """MAILERS (Django 6.1), or the single settings before it."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is None:
        yield from _single_settings()
        return
    # Of the backends for development Django says it itself (mail.E001).
    for alias, mailer in mailers.items():
        options = mailer.get("OPTIONS", {})
        if is_one_of(imported(mailer.get("BACKEND", SMTPBackend)), SMTPBackend) and "host" in options:
            default = 465 if options.get("use_ssl") else 587 if options.get("use_tls") else 25
            yield from _server(f'MAILERS["{alias}"]', options["host"], options.get("port") or default)


def _single_settings() -> Iterator[checks.CheckMessage]:
    with warnings.catch_warnings(action="ignore"):  # from 6.1 on they are deprecated, and that is no finding of ours
        backend, host, port = imported(settings.EMAIL_BACKEND), settings.EMAIL_HOST, settings.EMAIL_PORT
    end = None
    # Django's file backend is derived from the one that prints.
    if is_one_of(backend, FileBackend, MemoryBackend):
        end = "kept in the environment that makes them"
    elif is_one_of(backend, ConsoleBackend):
        end = "printed to the function's log, the links for a new password with them,"
    elif is_one_of(backend, SMTPBackend) and _is_used():
        yield from _server("EMAIL_HOST", host, port)
    if end:
        yield checks.Warning(
            f"Mails are {end} and never sent.",
            hint='EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend" with EMAIL_HOST, EMAIL_PORT = 587 and '
            "EMAIL_USE_TLS = True, or the backend of a mail service (django-anymail, django-ses).",
            obj="EMAIL_BACKEND",
            id="faas.W052",
        )


def _is_used() -> bool:
    """Whether the project means to send mail: by default SMTP is set up towards localhost, and nobody minds."""
    return bool(settings.ADMINS or settings.MANAGERS or settings.is_overridden("EMAIL_HOST"))


def _server(setting: str, host: str, port: int) -> Iterator[checks.CheckMessage]:
    if is_here(host):
        problem = f"Mails are handed to {host}, and in a function's environment nothing listens there"
    elif port == 25 and not _is_private(host):
        problem = f"Mails are sent to port 25 of {host}, which AWS blocks: sending one ends in a time-out"
    else:
        return
    yield checks.Warning(
        f"{problem}.",
        hint="The host of a mail service with EMAIL_PORT = 587 and EMAIL_USE_TLS = True; in MAILERS: "
        '"OPTIONS": {"host": ..., "port": 587, "use_tls": True}.',
        obj=setting,
        id="faas.W053",
    )


def _is_private(host: str) -> bool:
    """Port 25 is closed towards public addresses: https://repost.aws/knowledge-center/ec2-port-25-throttle"""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
