"""Pushes a site's static files to object storage: what is missing or changed there, in the fewest requests possible.

Importing the package costs nothing; `sync` and its report are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from static_sync.exceptions import StaticSyncError

if TYPE_CHECKING:
    from static_sync.job import sync
    from static_sync.report import SyncReport

__all__ = ["StaticSyncError", "SyncReport", "sync"]

_HOMES = {"sync": "static_sync.job", "SyncReport": "static_sync.report"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
