"""What works on a server and goes wrong on a function, as Django system checks; docs/checks.md explains each id.

A check reads the settings and what they name; it opens no connection. What can't be imported is passed over: Django
itself says so, and better. Imported by `manage.py check --deploy` alone, never by a request.
"""

from __future__ import annotations

from django.core.checks import CheckMessage

from . import caches, databases, files, mail, process, proxies, static_files

_CHECKS = (
    databases.check,
    caches.check_sessions,
    caches.check_sharing,
    caches.check_locations,
    files.check_uploads,
    files.check_upload_settings,
    files.check_logging,
    proxies.check_scheme,
    proxies.check_hosts,
    static_files.check,
    process.check_threads,
    process.check_secret_key,
    mail.check,
)


def run() -> list[CheckMessage]:
    """Every finding of every check."""
    return [message for check in _CHECKS for message in check()]
