"""One run against one destination: listed, planned, transferred, announced to the CDN, recorded.

Two runs at once cross each other in three ways, and each shows: an unhashed file that was written meanwhile fails the
condition of its put, a record that was taken meanwhile fails that of the commit, and a prune takes the number of the
record that a run wants to write. Whoever sees it begins again with a new listing, so that the bucket ends as one of the
runs wants it, unless one gives up.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from static_sync import history
from static_sync.exceptions import CdnError, ConflictError, StaticSyncError
from static_sync.plan import make_plan
from static_sync.release import Found, Record, record_of
from static_sync.stage import Stage
from static_sync.transfer import Outcome, transfer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from static_sync.cdn import CloudFront, Invalidation
    from static_sync.clock import Clock
    from static_sync.compress import Compressor
    from static_sync.history import Listing
    from static_sync.inventory import StaticFile
    from static_sync.plan import Plan
    from static_sync.progress import Progress
    from static_sync.stores.contract import Store

# Who gives up may have written over the unhashed files of the run that is recorded. The pauses between the last rounds
# are longer than most runs, so that a few runs at once all come through.
_ROUNDS = 8


class Run:
    """Brings ``files`` below ``prefix``; what was planned and what became of it is in the attributes afterwards.

    ``objects`` counts the files that were there before; ``release`` is the key of the newest record, if there is one;
    ``cdn_error`` is what the CDN had against the ``invalidation``, which the next run asks for again.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        files: tuple[StaticFile, ...],
        *,
        only_hashed: bool,
        encryption: str,
        cdn: CloudFront | None,
        cache_tag: str | None,
        workers: int,
        compressor: Compressor | None,
        progress: Progress,
        clock: Clock,
    ) -> None:
        self.plan: Plan
        self.outcome = Outcome()
        self.objects = 0
        self.release: str | None = None
        self.invalidation: Invalidation | None = None
        self.cdn_error: str | None = None
        self.notes: list[str] = []
        self._store = store
        self._prefix = prefix
        self._all_files = files
        self._files = tuple(file for file in files if file.stage is Stage.HASHED) if only_hashed else files
        self._only_hashed = only_hashed
        self._encryption = encryption
        self._cdn = cdn
        self._cache_tag = cache_tag
        self._workers = workers
        self._compressor = compressor
        self._progress = progress
        self._clock = clock
        # The record when there is nothing to say of the files but what they tell themselves.
        self._likely = self._record_of(files, Found())

    def look(self) -> None:
        """List and plan, and leave it at that."""
        listing, _, self.plan = self._look()
        self.objects = len(listing.files)
        self.invalidation = self._plan_invalidation(self.plan)

    def carry_out(self, *, wait: bool) -> None:
        """Do all that is to be done. Raises `ConflictError` when other runs never cease to cross this one."""
        for number in range(_ROUNDS):
            listing, base, plan = self._look()
            if not number:
                self.plan, self.objects = plan, len(listing.files)
            with self._clock.step("upload"):
                outcome = transfer(plan, self._store, self._workers, self._compressor, self._progress)
            outcome.add(self.outcome)
            self.outcome = outcome
            if outcome.failed:
                self._keep_account(listing, base or Record())
                return
            if outcome.complete and self._finish(listing, base, plan, wait=wait):
                return
            time.sleep(random.uniform(0, 0.1 * 2**number))  # noqa: S311 - not a secret
        raise ConflictError(
            f"Other runs have written to the same place {_ROUNDS} times while this one did. Each file there is whole, "
            "but the unhashed ones may be of several runs: run again when the others are done."
        )

    def notes_of_the_service(self) -> list[str]:
        """What turned out to be odd about the service, for a person."""
        notes = []
        if not self._store.conditional:
            notes.append(
                "The service does not know conditional writes: of two runs at once, the last to write a file wins, and "
                "nothing can be pruned."
            )
        offset = self._store.clock_offset
        if offset:
            notes.append(
                f"This machine's clock is {abs(offset):.0f} s {'behind' if offset > 0 else 'ahead'}; requests were "
                "signed by the service's."
            )
        return notes

    def _look(self) -> tuple[Listing, Record | None, Plan]:
        expected = sorted(self._prefix + file.name for file in self._all_files)
        with self._clock.step("list"):
            for _ in range(_ROUNDS):
                listing = history.list_settled(self._store, self._prefix, expected, self.notes.append)
                try:
                    base = history.read_newest(self._store, listing, self._likely)
                    break
                except ConflictError:
                    continue  # the newest record went as a newer one came
            else:
                raise ConflictError("The release records change faster than they can be read; run again.")
        self.release = listing.records[-1].key if base is not None else None
        plan = make_plan(
            self._files,
            listing.files,
            base,
            self._prefix,
            encryption=self._encryption,
            own=self._record_of([step.file for step in self.outcome.done], self.outcome.found),
        )
        return listing, base, plan

    def _finish(self, listing: Listing, base: Record | None, plan: Plan, *, wait: bool) -> bool:
        """Tell the CDN, then take the next record; returns False when another run has taken it."""
        found = plan.found | self.outcome.found
        record = self._record_of(self._all_files, found) if found else self._likely
        if self._only_hashed:
            known = base or Record()
            record = Record("staged", {**record.hashed}, known.unhashed)
            if all(known.hashed.get(name) == needed for name, needed in record.hashed.items()):
                return True
        elif plan.outdated and not self._invalidate(plan, wait=wait):
            # What the CDN has not been told is left open, for the next run to tell it.
            open_names = {outdated.key.removeprefix(self._prefix) for outdated in plan.outdated}
            unhashed = {
                name: needed._replace(md5=None, etag=None) if name in open_names else needed
                for name, needed in record.unhashed.items()
            }
            record = record._replace(unhashed=unhashed)
        if record == base or not self._files:
            return True
        try:
            history.commit(self._store, listing.next_key, record)
        except ConflictError:
            return False
        self.release = listing.next_key
        return True

    def _keep_account(self, listing: Listing, base: Record) -> None:
        """Record what has arrived before something failed, so that the next run knows it and no prune takes it."""
        done = self._record_of([step.file for step in self.outcome.done], self.outcome.found)
        # The CDN was told of nothing yet.
        unhashed = {
            name: needed if needed.etag else needed._replace(md5=None) for name, needed in done.unhashed.items()
        }
        record = Record("staged", {**base.hashed, **done.hashed}, {**base.unhashed, **unhashed})
        if not self.outcome.done:
            return
        with suppress(StaticSyncError):  # what went wrong before is what there is to tell
            history.commit(self._store, listing.next_key, record)

    def _record_of(self, files: Iterable[StaticFile], found: Found) -> Record:
        return record_of(files, found, encryption=self._encryption, with_contents=self._cdn is not None)

    def _invalidate(self, plan: Plan, *, wait: bool) -> bool:
        """Have the CDN forget what is outdated; returns whether it will."""
        self.invalidation = self._plan_invalidation(plan)
        if self.invalidation is None or self._cdn is None:
            return True
        try:
            with self._clock.step("invalidate"):
                identifier = self._cdn.invalidate(self.invalidation)
        except CdnError as error:
            self.cdn_error = str(error)
            return False
        if wait:
            with self._clock.step("wait"):
                if not self._cdn.wait(identifier):
                    self.notes.append(f"The invalidation {identifier} is accepted, but not complete yet.")
        return True

    def _plan_invalidation(self, plan: Plan) -> Invalidation | None:
        if self._cdn is None or not plan.outdated:
            return None
        from static_sync.cdn import plan_invalidation

        # A copy that the CDN took before the tag was there can be named by its path only.
        tagged = all(outdated.same_headers for outdated in plan.outdated)
        return plan_invalidation(
            [outdated.key for outdated in plan.outdated],
            all_keys=[self._prefix + file.name for file in self._all_files],
            tag=self._cache_tag if tagged else None,
        )
