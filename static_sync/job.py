"""The whole way of a static file: collected, taken stock of, compared with the bucket, uploaded."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from static_sync.destination import Destination
from static_sync.exceptions import UploadsFailedError, UsageError
from static_sync.inventory import take_inventory
from static_sync.manifest import read_manifest
from static_sync.plan import make_plan
from static_sync.report import SyncReport
from static_sync.source import scan
from static_sync.stores.s3.client import Client
from static_sync.stores.s3.credentials import find_identity
from static_sync.stores.s3.endpoint import aws_endpoint, custom_endpoint
from static_sync.stores.s3.store import Bucket
from static_sync.transfer import Outcome, transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from static_sync.manifest import Manifest
    from static_sync.source import Entry

# Uploads of small files wait for the service, not for the processor: at 30 ms a request, 32 at a time carry a
# thousand files a second.
WORKERS = 32
MAX_WORKERS = 256


def sync(
    destination: str,
    *,
    source: Path | str | None = None,
    project: Path | str | None = None,
    settings: str | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
    dry_run: bool = False,
    workers: int = WORKERS,
) -> SyncReport:
    """Bring the files of ``source``, or else of the Django project, to ``destination`` (``s3://bucket/prefix``).

    Without ``source`` the project in the folder ``project`` (the current one by default) is loaded into this process
    and its static files are collected. Nothing is ever deleted from the bucket. ``endpoint_url`` and ``region`` default
    to what the environment says, by the names AWS's own tools use.

    Raises `UploadsFailedError`, with the report, when a file did not reach the bucket, and another `StaticSyncError`
    when nothing was uploaded at all.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"{workers} workers: give a number from 1 to {MAX_WORKERS}.")
    if source is not None and settings is not None:
        raise UsageError("A source folder needs no settings: give one of the two.")
    target = Destination.parse(destination)
    url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    identity = find_identity(region, custom_endpoint=url is not None)
    endpoint = custom_endpoint(url, target.bucket) if url else aws_endpoint(target.bucket, identity.region)

    seconds: dict[str, float] = {}
    with _timed(seconds, "collect"):
        files_of = _from_folder(Path(source)) if source is not None else _from_project(Path(project or "."), settings)
    with _timed(seconds, "read"):
        files = take_inventory(files_of.entries, files_of.manifest)
    with Client(endpoint, identity) as client:
        bucket = Bucket(client, target)
        with _timed(seconds, "list"):
            objects = bucket.listing()
        plan = make_plan(files, objects, target)
        with _timed(seconds, "upload"):
            outcome = Outcome() if dry_run else transfer(plan, bucket.put, workers)
    report = SyncReport(
        destination=str(target),
        source=str(files_of.folder),
        settings=files_of.settings,
        collected=files_of.collected,
        dry_run=dry_run,
        files=len(files),
        ignored=files_of.ignored,
        objects=len(objects),
        plan=plan,
        outcome=outcome,
        notes=files_of.notes,
        seconds=seconds,
    )
    if not report.ok:
        raise UploadsFailedError("\n".join(report.failure_lines()), report)
    return report


@dataclass(frozen=True, slots=True)
class _Source:
    """Where files come from, whichever way."""

    folder: Path
    entries: tuple[Entry, ...]
    manifest: Manifest
    ignored: int = 0
    settings: str | None = None
    collected: bool | None = None
    notes: tuple[str, ...] = ()


def _from_folder(folder: Path) -> _Source:
    scanned = scan(folder)
    return _Source(folder.absolute(), scanned.entries, read_manifest(folder), ignored=len(scanned.ignored))


def _from_project(root: Path, settings: str | None) -> _Source:
    from static_sync.collecting.collect import collect
    from static_sync.collecting.project import load_project

    # Settings that print would otherwise spoil the JSON on standard output.
    with redirect_stdout(sys.stderr):
        project = load_project(root.absolute(), settings)
        collection = collect(project)
    return _Source(
        collection.folder,
        collection.entries,
        collection.manifest,
        settings=project.settings_module,
        collected=collection.collected,
        notes=collection.notes,
    )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started
