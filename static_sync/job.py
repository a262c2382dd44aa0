"""The whole way of a static file: collected, taken stock of, brought to the bucket."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from static_sync.cache_policy import CachePolicy
from static_sync.clock import Clock
from static_sync.destination import Destination
from static_sync.exceptions import UploadsFailedError, UsageError
from static_sync.inventory import take_inventory
from static_sync.manifest import read_manifest
from static_sync.patterns import matcher
from static_sync.progress import NO_PROGRESS
from static_sync.report import SyncReport
from static_sync.run import Run
from static_sync.source import scan
from static_sync.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from static_sync.cdn import CloudFront
    from static_sync.compress import Compressor
    from static_sync.manifest import Manifest
    from static_sync.progress import Progress
    from static_sync.source import Entry

# Uploads of small files wait for the service, not for the processor: at 30 ms a request, 128 at a time could carry four
# thousand files a second, which is what S3 takes for one prefix.
WORKERS = 128
MAX_WORKERS = 256


def sync(
    destination: str,
    *,
    source: Path | str | None = None,
    project: Path | str | None = None,
    settings: str | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
    workers: int = WORKERS,
    dry_run: bool = False,
    only_hashed: bool = False,
    cache_control: Sequence[tuple[str, str]] = (),
    hashed: Sequence[str] = (),
    compress: Sequence[str] = (),
    distribution: str | None = None,
    cache_tag: str | None = None,
    wait: bool = False,
    encryption: str | None = None,
    kms_key: str | None = None,
    ignore: Sequence[str] = (),
    follow_links: bool = False,
    progress: Progress = NO_PROGRESS,
) -> SyncReport:
    """Bring the files of ``source``, or else of the Django project, to ``destination`` (``s3://bucket/prefix``).

    Without ``source`` the project in the folder ``project`` (the current one by default) is loaded into this process
    and its static files are collected. Nothing but compressed variants of an older content is deleted from the bucket,
    see `prune`. ``endpoint_url`` and ``region`` default to what the environment says, by the names AWS's own tools use.

    ``only_hashed`` puts just the files with hashed names, which no page refers to yet: the first half of a deploy.
    ``cache_control`` are rules of pattern and value, ``hashed`` patterns of names that another tool has hashed,
    ``compress`` the encodings to store variants in. ``distribution`` is the CloudFront distribution to tell of what has
    changed, ``cache_tag`` the tag by which to do so. ``ignore`` are patterns to leave out of ``source`` besides hidden
    and backup files; ``follow_links`` takes in what links out of it lead to.

    Raises `UploadsFailedError`, with the report, when something is not as it should be now, and another
    `StaticSyncError` when nothing was uploaded at all.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"{workers} workers: give a number from 1 to {MAX_WORKERS}.")
    if source is not None and settings is not None:
        raise UsageError("A source folder needs no settings: give one of the two.")
    target = Destination.parse(destination)
    policy = CachePolicy(cache_control)
    compressor = _compressor(compress)
    clock = Clock()
    with ExitStack() as stack:
        cdn = _cdn(distribution, cache_tag, target, region)
        if cdn is not None:
            stack.callback(cdn.close)
        store = open_store(target, endpoint_url=endpoint_url, region=region, encryption=encryption, kms_key=kms_key)
        stack.callback(store.close)
        with clock.step("collect"):
            if source is not None:
                found = _from_folder(Path(source), matcher(ignore), follow_links=follow_links)
            else:
                found = _from_project(Path(project or "."), settings)
        with clock.step("read"):
            files = take_inventory(
                found.entries,
                found.manifest,
                policy=policy,
                is_hashed=matcher(hashed),
                encodings=compressor.encodings if compressor else (),
                cache_tag=cache_tag,
            )
        run = Run(
            store,
            target.prefix,
            files,
            only_hashed=only_hashed,
            encryption=":".join(filter(None, (encryption, kms_key))),
            cdn=cdn,
            cache_tag=cache_tag,
            workers=workers,
            compressor=compressor,
            progress=progress,
            clock=clock,
        )
        if dry_run:
            run.look()
        else:
            run.carry_out(wait=wait)
    report = SyncReport(
        destination=str(target),
        source=str(found.folder),
        settings=found.settings,
        collected=found.collected,
        dry_run=dry_run,
        files=len(files),
        ignored=found.ignored,
        objects=run.objects,
        plan=run.plan,
        outcome=run.outcome,
        release=run.release,
        invalidation=run.invalidation,
        cdn_error=run.cdn_error,
        notes=(
            *found.notes,
            *policy.notes(files),
            *run.notes,
            *run.notes_of_the_service(),
            *([compressor.note] if compressor and compressor.note else []),
        ),
        seconds=clock.seconds,
    )
    if not report.ok:
        raise UploadsFailedError("\n".join(report.failure_lines()), report)
    return report


class _Source(NamedTuple):
    """Where files come from, whichever way."""

    folder: Path
    entries: tuple[Entry, ...]
    manifest: Manifest
    ignored: int = 0
    settings: str | None = None
    collected: bool | None = None
    notes: tuple[str, ...] = ()


def _from_folder(folder: Path, left_out: Callable[[str], bool], *, follow_links: bool) -> _Source:
    scanned = scan(folder, left_out=left_out, follow_links=follow_links)
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


def _compressor(encodings: Sequence[str]) -> Compressor | None:
    if not encodings:
        return None
    from static_sync.compress import Compressor, parse_encodings

    # Of use to every project of this user: what is kept there goes by its content.
    caches = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - never raises
    # A user without a home has none.
    cache = caches / "django-faas" / "compressed" if caches.is_absolute() else None
    return Compressor(cache, parse_encodings(",".join(encodings)))


def _cdn(distribution: str | None, cache_tag: str | None, target: Destination, region: str | None) -> CloudFront | None:
    if distribution is None and cache_tag is None:
        return None
    from static_sync.cdn import CloudFront, check_cache_tag

    if cache_tag is not None:
        if target.scheme != "s3":
            raise UsageError(f"Cache tags are CloudFront's, which serves from S3: {target} has none.")
        check_cache_tag(cache_tag)
    return CloudFront(distribution, region=region) if distribution is not None else None
