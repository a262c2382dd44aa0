"""Runs against a store in memory, and what a bucket must look like at any moment of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from static_sync.clock import Clock
from static_sync.inventory import StaticFile, take_inventory
from static_sync.manifest import Manifest
from static_sync.progress import NO_PROGRESS
from static_sync.run import Run
from static_sync.source import scan
from static_sync.stores.contract import Store
from tests.static_sync.conftest import write

PREFIX = "static/"


def hashed_name(name: str, content: bytes) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{hashlib.md5(content).hexdigest()[:12]}.{suffix}"


def release(folder: Path, pages: Mapping[str, str], **options: Any) -> tuple[StaticFile, ...]:
    """The inventory of a site with ``pages``, each of which has a hashed twin that the manifest names."""
    contents = {name: text.encode() for name, text in pages.items()}
    hashed = {name: hashed_name(name, content) for name, content in contents.items()}
    listed = ", ".join(f'"{name}": "{twin}"' for name, twin in sorted(hashed.items()))
    files: dict[str, str | bytes] = {**contents, **{hashed[name]: content for name, content in contents.items()}}
    write(folder, {**files, "staticfiles.json": f'{{"paths": {{{listed}}}}}'})
    manifest = Manifest("staticfiles.json", frozenset(hashed.values()))
    return take_inventory(scan(folder).entries, manifest, **options)


def run(store: Store, files: tuple[StaticFile, ...], **options: Any) -> Run:
    """A run of ``files`` that is carried out."""
    made = prepared(store, files, **options)
    made.carry_out(wait=False)
    return made


def prepared(store: Store, files: tuple[StaticFile, ...], **options: Any) -> Run:
    defaults: dict[str, Any] = {
        "only_hashed": False,
        "encryption": "",
        "cdn": None,
        "cache_tag": None,
        "workers": 1,
        "compressor": None,
        "progress": NO_PROGRESS,
        "clock": Clock(),
    }
    return Run(store, PREFIX, files, **{**defaults, **options})
