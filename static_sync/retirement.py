"""Deletes what only old releases need, and nothing that anybody may still ask for.

An object goes when every release that needs it has been out of service for longer than the grace period and is none of
the last few. What no release record tells of was not put there by this tool, and stays.

While it deletes, no other run may rely on what it lists. So a prune takes the next number of the release records for a
lease: a run that has listed before fails to take that number for its own record and begins again, and one that lists
after waits until a newer record follows, or until the lease has run out.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from static_sync import history
from static_sync.destination import Destination
from static_sync.exceptions import BucketError, ConflictError, PruneRefusedError, UsageError
from static_sync.history import moment
from static_sync.inventory import variant_name
from static_sync.release import LEASE_SIZE, make_lease, record_key
from static_sync.report import count
from static_sync.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from static_sync.history import Dated
    from static_sync.stores.contract import RemoteObject, Store

KEEP_RELEASES = 3
GRACE_DAYS = 14.0
# Up to so many objects may go without being asked for, however few there are; beyond, half of them.
_FEW = 100
# A run of another machine that has listed so long ago will hardly still be at it: until then its record's number is
# held by the old record.
_RECORDS_STAY = timedelta(days=1)
_ROUNDS = 5


class Selection(NamedTuple):
    """``keys`` to delete, ``records`` that nobody needs then; ``kept`` releases."""

    keys: tuple[str, ...]
    records: tuple[str, ...]
    kept: int


class PruneReport(NamedTuple):
    """What a prune did, or would do. ``left`` are keys that are still there although they should be gone."""

    destination: str
    dry_run: bool
    objects: int
    releases: int
    selection: Selection
    left: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was to go is gone."""
        return not self.left

    @property
    def changed(self) -> bool:
        """Whether anything was to go."""
        return bool(self.selection.keys)

    def as_dict(self) -> dict[str, object]:
        """The report in plain JSON types."""
        return {
            "ok": self.ok,
            "changed": self.changed,
            "destination": self.destination,
            "dry_run": self.dry_run,
            "objects": self.objects,
            "releases": self.releases,
            "releases_kept": self.selection.kept,
            "obsolete": list(self.selection.keys),
            "left": list(self.left),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        kept = f"{self.selection.kept} of {count(self.releases, 'release')} kept"
        lines = [f"Note       {note}" for note in self.notes]
        lines.append(f"Listed     {count(self.objects, 'object')} at {self.destination}; {kept}")
        if not self.selection.keys:
            return [*lines, "Nothing to delete: every object is needed by a release that is kept, or is not ours."]
        if self.dry_run:
            lines += [f"  obsolete  {key}" for key in self.selection.keys]
            return [*lines, f"To delete  {count(len(self.selection.keys), 'object')}"]
        return [*lines, f"Deleted    {count(len(self.selection.keys) - len(self.left), 'object')}"]

    def failure_lines(self) -> list[str]:
        """What is left, and why."""
        left = count(len(self.left), "object")
        return [f"{left} could not be deleted, {self.left[0]} among them. Nothing is lost: run again."]


def prune(
    destination: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    keep_releases: int = KEEP_RELEASES,
    grace_days: float = GRACE_DAYS,
    max_delete: int | None = None,
    dry_run: bool = False,
) -> PruneReport:
    """Delete from ``destination`` what only releases need that are neither of the last ``keep_releases`` nor were in
    service within ``grace_days``.

    Raises `PruneRefusedError` when that is more than ``max_delete`` objects (by default half of all, or 100), and when
    the service cannot tell runs apart; another `StaticSyncError` when the bucket cannot be read.
    """
    if keep_releases < 1 or grace_days < 0:
        raise UsageError("At least the newest release is kept, and the days of grace are not fewer than none.")
    target = Destination.parse(destination)
    notes: list[str] = []
    with closing(open_store(target, endpoint_url=endpoint_url, region=region)) as store:
        for _ in range(_ROUNDS):
            listing = history.list_settled(store, target.prefix, (), notes.append)
            try:
                dated = history.read_all(store, listing)
            except ConflictError:
                continue
            selection = select(
                dated, listing.files, target.prefix, keep_releases, timedelta(days=grace_days), history.now(store)
            )
            _guard(selection, len(listing.files), max_delete)
            left: tuple[str, ...] = ()
            if selection.keys and not dry_run:
                try:
                    left = _delete(store, target.prefix, listing, dated, selection)
                except ConflictError:
                    continue
            releases = sum(record.record.kind == "release" for record in dated)
            return PruneReport(str(target), dry_run, len(listing.files), releases, selection, left, tuple(notes))
    raise ConflictError("Other runs write there all the time. Nothing was deleted; run again when they are done.")


def select(
    dated: Sequence[Dated],
    objects: Mapping[str, RemoteObject],
    prefix: str,
    keep_releases: int,
    grace: timedelta,
    now: datetime,
) -> Selection:
    """What may go: pure. ``objects`` are the files that were listed, ``dated`` all records up to the newest."""
    kept, dropped = _kept(dated, keep_releases, now - grace)
    needed = {name for entry in kept for name in entry.record.names()}
    chosen = set()
    for name, ended in _ends(dated, dropped).items():
        encodings = {encoding for entry in dropped if (known := entry.record.get(name)) for encoding in known.made}
        if name not in needed:
            for spelling in {name, *(variant_name(name, encoding) for encoding in encodings)} - needed:
                there = objects.get(prefix + spelling)
                # What was written after the last release that needed it had gone is somebody else's.
                if there is not None and moment(there.modified, prefix + spelling) <= ended:
                    chosen.add(prefix + spelling)
    records = tuple(
        entry.numbered.key
        for entry in (*dropped, *(entry for entry in dated if entry.record.kind == "prune"))
        if entry.written < now - max(grace, _RECORDS_STAY)
    )
    return Selection(tuple(sorted(chosen)), records, sum(entry.record.kind == "release" for entry in kept))


def _ends(dated: Sequence[Dated], dropped: Sequence[Dated]) -> dict[str, datetime]:
    """All that the ``dropped`` releases need, and when the last of them that needs it was superseded."""
    ends: dict[str, datetime] = {}
    told = [entry for entry in dated if entry.record.kind != "prune"]
    for entry, following in pairwise(told):
        if entry in dropped:
            ends.update(dict.fromkeys(entry.record.names(), following.written))
    return ends


def _kept(dated: Sequence[Dated], keep_releases: int, limit: datetime) -> tuple[list[Dated], list[Dated]]:
    """The records that count, and the others; each counts that was the newest at any time since ``limit``."""
    kept: list[Dated] = []
    dropped: list[Dated] = []
    distinct: list[set[str]] = []
    superseded: datetime | None = None
    for entry in reversed(dated):
        if entry.record.kind == "prune":
            continue
        names = set(entry.record.hashed)
        is_new = entry.record.kind == "release" and names not in distinct
        if superseded is None or superseded > limit or (is_new and len(distinct) < keep_releases):
            kept.append(entry)
            if is_new:
                distinct.append(names)
        else:
            dropped.append(entry)
        superseded = entry.written
    return kept, dropped


def _guard(selection: Selection, objects: int, max_delete: int | None) -> None:
    allowed = max_delete if max_delete is not None else max(_FEW, objects // 2)
    if len(selection.keys) > allowed:
        raise PruneRefusedError(
            f"{len(selection.keys)} of {objects} objects are obsolete, and {allowed} may be deleted at a time: nothing "
            f"was. Look at them with --dry-run; if all is well, pass --max-delete {len(selection.keys)}."
        )


def _delete(
    store: Store, prefix: str, listing: history.Listing, dated: Sequence[Dated], selection: Selection
) -> tuple[str, ...]:
    newest = next(entry for entry in reversed(dated) if entry.record.kind != "prune")
    number = listing.records[-1].number + 1
    lease = _Lease()
    history.commit(store, record_key(prefix, number), make_lease())
    if not _refuses_a_second(store, record_key(prefix, number)):
        if len(store.get(record_key(prefix, number)) or b"") == LEASE_SIZE:
            store.delete([record_key(prefix, number)])
        raise PruneRefusedError(
            "The service does not heed conditional writes, so a run that is under way cannot be told of what is "
            "deleted. Nothing was; delete by hand, while nothing is deployed, what --dry-run names."
        )
    gone = set(store.delete(selection.keys, lease.holds))
    left = tuple(key for key in selection.keys if key not in gone)
    try:
        # The lease ends with a newer record, never with its own removal: nobody may take its number any more.
        history.commit(store, record_key(prefix, number + 1), newest.record)
    except ConflictError as error:
        if lease.holds():
            raise BucketError(f"The lease {record_key(prefix, number)} was not respected by another run.") from error
    if not left and selection.records:
        store.delete(selection.records)
    return left


def _refuses_a_second(store: Store, key: str) -> bool:
    """Whether the lease at ``key`` keeps others out: some services take a condition and pay no heed to it."""
    try:
        history.commit(store, key, make_lease())
    except ConflictError:
        return True
    return False


class _Lease:
    """Holds for a part of the time that others wait, as the last request may be tried again for minutes.

    By both clocks: the steady one stands still while a laptop sleeps.
    """

    def __init__(self) -> None:
        self._steady, self._wall = time.monotonic(), time.time()

    def holds(self) -> bool:
        return max(time.monotonic() - self._steady, time.time() - self._wall) < history.LEASE / 4
