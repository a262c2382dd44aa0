"""Which of the suite's modules drive requests by the test client, and the guard that this list stays whole."""

from __future__ import annotations

import re
from pathlib import Path

MODULES = (
    "admin_changelist",
    "admin_custom_urls",
    "admin_docs",
    "admin_inlines",
    "admin_utils",
    "admin_views",
    "admin_widgets",
    "auth_tests",
    "conditional_processing",
    "contenttypes_tests",
    "context_processors",
    "csrf_tests",
    "file_uploads",
    "flatpages_tests",
    "generic_inline_admin",
    "generic_views",
    "handlers",
    "i18n",
    "logging_tests",
    "messages_tests",
    "middleware",
    "middleware_exceptions",
    "project_template",
    "proxy_models",
    "redirects_tests",
    "shortcuts",
    "sitemaps_tests",
    "staticfiles_tests",
    "syndication_tests",
    "template_tests",
    "test_client",
    "test_client_regress",
    "test_utils",
    "timezones",
    "urlpatterns_reverse",
    "view_tests",
)

LEFT_OUT = {
    "gis_tests": "needs GDAL and a spatial database",
}

_DRIVES = re.compile(
    r"\b(?:async_)?client\.(?:a?get|a?post|put|patch|delete|head|options|trace|generic|request)\("
    r"|(?<!class )\b(?:Async)?Client\((?!\w+\.Model|connection)"
)


def drifted(tests: Path) -> list[str]:
    """What is wrong with the list for the suite in ``tests``, one sentence each; empty when all is well."""
    found = {folder.name for folder in tests.iterdir() if folder.is_dir() and _is_driven(folder)}
    known = {*MODULES, *LEFT_OUT}
    return [
        *(f"{name} drives requests and is not in the list of modules" for name in sorted(found - known)),
        *(f"{name} is in the list of modules and drives no requests" for name in sorted(known - found)),
    ]


def _is_driven(folder: Path) -> bool:
    return any(_DRIVES.search(file.read_text("utf-8")) for file in folder.rglob("*.py"))
