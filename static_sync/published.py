"""The releases that a bucket holds: what they are, the way back to one, and whether one is whole."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from static_sync import history
from static_sync.destination import Destination
from static_sync.exceptions import ConflictError, ReleaseError, SourceError
from static_sync.release import Record
from static_sync.report import count
from static_sync.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from static_sync.history import Dated, Listing

_SHOWN = 10


class Release(NamedTuple):
    """One release: ``written`` is when, in ISO 8601 and UTC; ``missing`` are hashed files that are no longer there."""

    number: int
    written: str
    hashed: int
    unhashed: int
    missing: tuple[str, ...]
    current: bool

    def as_dict(self) -> dict[str, object]:
        """The release in plain JSON types."""
        return {
            "number": self.number,
            "written": self.written,
            "hashed": self.hashed,
            "unhashed": self.unhashed,
            "missing": list(self.missing),
            "current": self.current,
        }

    def line(self) -> str:
        """The release for a terminal."""
        state = f"{len(self.missing)} deleted since" if self.missing else "whole"
        return (
            f"  {self.number:>6}  {self.written}  {self.hashed} hashed, {self.unhashed} other  {state}"
            f"{'  (current)' if self.current else ''}"
        )


class ReleasesReport(NamedTuple):
    """The releases from the first to the newest; ``rolled_back`` is the number that was made current."""

    destination: str
    releases: tuple[Release, ...]
    rolled_back: int | None = None
    dry_run: bool = False
    ok: bool = True

    @property
    def changed(self) -> bool:
        """Whether another release is current now."""
        return self.rolled_back is not None

    def as_dict(self) -> dict[str, object]:
        """The report in plain JSON types."""
        return {
            "ok": True,
            "changed": self.changed,
            "destination": self.destination,
            "dry_run": self.dry_run,
            "rolled_back": self.rolled_back,
            "releases": [release.as_dict() for release in self.releases],
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        if not self.releases:
            return [f"There is no release at {self.destination}."]
        if self.rolled_back is not None:
            verb = "Would make" if self.dry_run else "Made"
            return [f"{verb} release {self.rolled_back} the current one again. Unhashed files stay as they are."]
        return [f"Releases at {self.destination}:", *(release.line() for release in self.releases)]


class CheckReport(NamedTuple):
    """Whether the hashed files that a manifest names are in the bucket: ``missing`` names, and ``unprotected`` ones
    that the newest release does not need, so that a prune may delete them."""

    destination: str
    manifest: str
    files: int
    missing: tuple[str, ...]
    unprotected: tuple[str, ...]
    changed: bool = False

    @property
    def ok(self) -> bool:
        """Whether every page made with this manifest finds its files, today and after the next prune."""
        return not (self.missing or self.unprotected)

    def as_dict(self) -> dict[str, object]:
        """The report in plain JSON types."""
        return {
            "ok": self.ok,
            "destination": self.destination,
            "manifest": self.manifest,
            "files": self.files,
            "missing": list(self.missing),
            "unprotected": list(self.unprotected),
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        found = self.files - len(self.missing)
        return [f"Checked    {count(self.files, 'hashed name')} of {self.manifest}: {found} at {self.destination}"]

    def failure_lines(self) -> list[str]:
        """What does not agree."""
        lines = []
        if self.missing:
            lines.append(f"{count(len(self.missing), 'file')} of the manifest not in the bucket:{_some(self.missing)}")
            lines.append("Run static-sync with the files that this manifest was made with, before it serves.")
        if self.unprotected:
            lines.append(
                f"{count(len(self.unprotected), 'file')} not needed by the newest release, so that a prune may delete "
                f"them:{_some(self.unprotected)}"
            )
            lines.append("Run static-sync with these files, or static-sync rollback to the release they belong to.")
        return lines


def releases(destination: str, *, endpoint_url: str | None = None, region: str | None = None) -> ReleasesReport:
    """The releases at ``destination``. Raises a `StaticSyncError` when the bucket or a record cannot be read."""
    target = Destination.parse(destination)
    with closing(open_store(target, endpoint_url=endpoint_url, region=region)) as store:
        listing = history.Listing(store.listing(), target.prefix)
        return ReleasesReport(str(target), _described(history.read_all(store, listing), listing, target.prefix))


def rollback(
    destination: str,
    *,
    to: int | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
    dry_run: bool = False,
) -> ReleasesReport:
    """Make release ``to`` (by default the one before the current) the current one, without an upload.

    Its hashed files have never gone; from now on they count as needed. Unhashed files stay as they are: what is there
    now is told of by the new record as by the old. Raises `ReleaseError` when there is no such release, or when a file
    of it was deleted since.
    """
    target = Destination.parse(destination)
    with closing(open_store(target, endpoint_url=endpoint_url, region=region)) as store:
        listing = history.list_settled(store, target.prefix, (), lambda _note: None)
        dated = history.read_all(store, listing)
        known = _described(dated, listing, target.prefix)
        chosen = _choose(known, to, str(target))
        if chosen.missing:
            raise ReleaseError(
                f"Release {chosen.number} is not whole any more: {count(len(chosen.missing), 'file')} deleted since:"
                f"{_some(chosen.missing)}\nPush its files again instead, from the code it was made with."
            )
        by_number = {entry.numbered.number: entry.record for entry in dated}
        newest = next(entry.record for entry in reversed(dated) if entry.record.kind != "prune")
        if not dry_run:
            try:
                record = Record("release", by_number[chosen.number].hashed, newest.unhashed)
                history.commit(store, listing.next_key, record)
            except ConflictError as error:
                raise ReleaseError("Another run has made a release meanwhile; look at it, and run again.") from error
    return ReleasesReport(str(target), known, rolled_back=chosen.number, dry_run=dry_run)


def check(
    destination: str,
    *,
    manifest: Path | str | None = None,
    project: Path | str | None = None,
    settings: str | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
) -> CheckReport:
    """Compare the manifest of a package (``manifest``, or that of the project's own storage) with the bucket.

    One listing, and one request for the newest record. Raises `SourceError` when there is no manifest to read.
    """
    target = Destination.parse(destination)
    where, hashed = _names_of(Path(manifest)) if manifest else _names_of_project(Path(project or "."), settings)
    with closing(open_store(target, endpoint_url=endpoint_url, region=region)) as store:
        listing = history.Listing(store.listing(sorted(target.prefix + name for name in hashed)), target.prefix)
        newest = history.read_newest(store, listing, Record()) or Record()
    missing = tuple(sorted(name for name in hashed if target.prefix + name not in listing.files))
    unprotected = tuple(sorted(hashed - set(newest.hashed) - set(missing)))
    return CheckReport(str(target), where, len(hashed), missing, unprotected)


def _names_of(path: Path) -> tuple[str, frozenset[str]]:
    from static_sync.manifest import read_manifest_file

    try:
        return str(path), read_manifest_file(path).hashed
    except FileNotFoundError as error:
        raise SourceError(f"There is no manifest {path}: name the package's staticfiles.json.") from error


def _names_of_project(root: Path, settings: str | None) -> tuple[str, frozenset[str]]:
    from static_sync.collecting.project import load_project

    project = load_project(root.absolute(), settings)
    from django.contrib.staticfiles.storage import staticfiles_storage

    hashed = getattr(staticfiles_storage, "hashed_files", None)
    if not hashed:
        raise SourceError(
            f"The staticfiles storage of {project.settings_module} has no manifest with names in it. Run "
            "`manage.py collectstatic` first, or name a package's manifest with --manifest."
        )
    return project.settings_module, frozenset(hashed.values())


def _described(dated: Sequence[Dated], listing: Listing, prefix: str) -> tuple[Release, ...]:
    found = [entry for entry in dated if entry.record.kind == "release"]
    return tuple(
        Release(
            entry.numbered.number,
            entry.written.isoformat(timespec="seconds"),
            len(entry.record.hashed),
            len(entry.record.unhashed),
            tuple(sorted(name for name in entry.record.hashed if prefix + name not in listing.files)),
            current=entry is found[-1],
        )
        for entry in found
    )


def _choose(known: Sequence[Release], to: int | None, destination: str) -> Release:
    if to is None:
        if len(known) < 2:
            raise ReleaseError(f"There is no release before the current one at {destination}.")
        return known[-2]
    for release in known:
        if release.number == to:
            return release
    there = ", ".join(str(release.number) for release in known) or "none"
    raise ReleaseError(f"There is no release {to} at {destination}; there are: {there}.")


def _some(names: Sequence[str]) -> str:
    shown = "".join(f"\n  {name}" for name in names[:_SHOWN])
    return shown + (f"\n  and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
