"""Brings a site's static files to object storage and CDN: what is missing or changed there, in the fewest requests.

Importing the package costs nothing; each function is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from static_sync.exceptions import StaticSyncError

if TYPE_CHECKING:
    from static_sync.job import sync
    from static_sync.published import CheckReport, ReleasesReport, check, releases, rollback
    from static_sync.report import SyncReport
    from static_sync.retirement import PruneReport, prune

__all__ = [
    "CheckReport",
    "PruneReport",
    "ReleasesReport",
    "StaticSyncError",
    "SyncReport",
    "check",
    "prune",
    "releases",
    "rollback",
    "sync",
]

_HOMES = {
    "CheckReport": "published",
    "PruneReport": "retirement",
    "ReleasesReport": "published",
    "SyncReport": "report",
    "check": "published",
    "prune": "retirement",
    "releases": "published",
    "rollback": "published",
    "sync": "job",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
