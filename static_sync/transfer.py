"""Carries a plan out: stage by stage, in parallel within a stage."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from static_sync.affinity import one_processor
from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    ConflictError,
    CredentialsError,
    SourceError,
    StaticSyncError,
    UnreachableError,
    WrongRegionError,
)
from static_sync.inventory import variant_name
from static_sync.release import Found
from static_sync.stage import Stage
from static_sync.stores.contract import ABSENT, Body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from static_sync.compress import Compressor
    from static_sync.inventory import StaticFile
    from static_sync.plan import Plan, Step
    from static_sync.progress import Progress
    from static_sync.stores.contract import Store

# What fails for one file with these will fail for each: trying thousands more only hides the reason.
_HOPELESS = (AccessDeniedError, BucketNotFoundError, CredentialsError, UnreachableError, WrongRegionError)
# Files up to this many bytes are held in memory, one a worker; larger ones are read while they are sent.
_WHOLE_FILE = 1 << 19
# Larger ones that are compressed are held all the same, but few at a time.
_LARGE_AT_A_TIME = 4
# Threads are of use as long as they keep a processor busy, and get in each other's way beyond: a few where the service
# is near, a hundred where its answers take long. What a step takes of the processor, in seconds:
_AT_FIRST = 4
_BUSY = 0.0002
# From this size on, in bytes, a step is mostly hashing and encryption, which more than one processor can do.
_HEAVY = 1 << 18


class Failure(NamedTuple):
    """A step that did not succeed, and why."""

    step: Step
    reason: str


class Outcome:
    """What became of each step of a plan: every one is in exactly one of ``done``, ``failed``, ``conflicts`` and
    ``not_tried``.

    ``conflicts`` are steps for objects that somebody else has written meanwhile. ``found`` is what the record has to
    say of what was written; ``variants`` counts the compressed variants put.
    """

    def __init__(self) -> None:
        self.done: list[Step] = []
        self.failed: list[Failure] = []
        self.conflicts: list[Step] = []
        self.not_tried: list[Step] = []
        self.found = Found()
        self.variants = 0

    @property
    def complete(self) -> bool:
        """Whether every step is done."""
        return not (self.failed or self.conflicts or self.not_tried)

    def add(self, before: Outcome) -> None:
        """Take in what was done ``before``, in another round of the same run."""
        self.done[:0] = before.done
        self.found = before.found | self.found
        self.variants += before.variants


def transfer(plan: Plan, store: Store, workers: int, compressor: Compressor | None, progress: Progress) -> Outcome:
    """Carry out the steps, up to ``workers`` at a time; a stage begins when the one before it is complete.

    After a failure the rest of its stage is still tried, unless the fault concerns every request, and no later stage
    is: a manifest never arrives before a file it names. Any exception that is no `StaticSyncError` is a fault of ours,
    and raised.
    """
    outcome = Outcome()
    progress.begin(len(plan.steps), plan.size)
    try:
        for _, stage in groupby(plan.steps, key=lambda step: step.file.stage):
            if not outcome.complete:
                outcome.not_tried.extend(stage)
                continue
            # The largest first: one that begins last would keep all others waiting at the end. But the time that some
            # small ones take, before any, tells how far the service is.
            steps = sorted(stage, key=lambda step: step.file.size, reverse=True)
            steps = steps[-_AT_FIRST:] + steps[:-_AT_FIRST]
            heavy = compressor is not None or sum(step.file.size for step in steps) > len(steps) * _HEAVY
            with nullcontext() if heavy else one_processor():
                _Crew(steps, _Carrier(store, compressor), outcome, progress).work(min(workers, len(steps)))
    finally:
        progress.end()
    return outcome


class _Crew:
    """The threads of one stage."""

    def __init__(self, steps: list[Step], carrier: _Carrier, outcome: Outcome, progress: Progress) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self._carrier = carrier
        self._outcome = outcome
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = False
        self._faults: list[BaseException] = []
        self._size = 0
        self._threads: list[threading.Thread] = []
        self._quickest = float("inf")
        self._taken = 0

    def work(self, size: int) -> None:
        self._size = size
        try:
            for _ in range(min(size, _AT_FIRST)):
                self._begin_thread()
            # The list grows meanwhile.
            for thread in self._threads:
                thread.join()
        except BaseException:
            self._carrier.interrupt()
            raise
        finally:
            # Also when the user interrupts: what has begun ends, what has not does not begin.
            self._stopped = True
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
        if self._faults:
            raise self._faults[0]
        self._outcome.not_tried.extend(self._steps)

    def _begin_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"static-sync-{len(self._threads)}")
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                step = None if self._stopped else next(self._steps, None)
            if step is None:
                return
            begun = time.monotonic()
            try:
                carried = self._carrier.carry(step)
            except ConflictError:
                with self._lock:
                    self._outcome.conflicts.append(step)
            except StaticSyncError as error:
                with self._lock:
                    self._outcome.failed.append(Failure(step, str(error)))
                    self._stopped = self._stopped or isinstance(error, _HOPELESS)
            except BaseException as fault:  # shown by the thread that waits for this one
                with self._lock:
                    self._faults.append(fault)
                    self._stopped = True
            else:
                with self._lock:
                    self._grow(time.monotonic() - begun)
                    self._outcome.done.append(step)
                    self._outcome.variants += len(step.file.encodings) - len(carried.unmade)
                    if carried.unmade:
                        self._outcome.found.unmade[step.file.name] = carried.unmade
                    if carried.etag not in (None, step.file.md5):
                        self._outcome.found.etags[step.file.name] = carried.etag
                self._progress.advance(1, step.file.size if step.sends else 0)

    def _grow(self, seconds: float) -> None:
        """Add as many threads as the quickest step so far shows to be of use; one has taken ``seconds``."""
        self._quickest = min(self._quickest, seconds)
        self._taken += 1
        if self._taken < _AT_FIRST:
            return
        while len(self._threads) < min(self._size, self._quickest / _BUSY) and not self._stopped:
            self._begin_thread()


class _Carried(NamedTuple):
    """``etag`` of what was written, if anything was; ``unmade`` are the encodings that were no gain."""

    etag: str | None = None
    unmade: tuple[str, ...] = ()


class _Carrier:
    """Carries out one step at a time; shared by the threads."""

    def __init__(self, store: Store, compressor: Compressor | None) -> None:
        self._store = store
        self._compressor = compressor
        self._few = threading.Semaphore(_LARGE_AT_A_TIME)

    def interrupt(self) -> None:
        self._store.interrupt()

    def carry(self, step: Step) -> _Carried:
        file = step.file
        etag: str | None = None
        unmade: tuple[str, ...] = ()
        data = _content(file) if step.sends and file.size <= _WHOLE_FILE else None
        # Variants go before the plain file: as long as that is the old one, the next run sees that both are to be sent.
        if self._compressor is not None and file.encodings:
            unmade = self._put_variants(self._compressor, step, data)
        made = {variant_name(step.key, encoding) for encoding in file.encodings if encoding not in unmade}
        self._remove([key for key in step.stale if key not in made])
        if step.sends:
            try:
                body = Body(file.path, file.size, file.md5, data)
                etag = self._store.put(step.key, body, file.headers, step.condition)
            except ConflictError:
                if file.stage is not Stage.HASHED or step.condition != ABSENT:
                    raise
                # Another run has put it meanwhile, and a hashed name has one content only.
        elif step.reason == "headers":
            etag = self._store.rewrite(step.key, file.headers, step.condition)
        return _Carried(etag, unmade)

    def _put_variants(self, compressor: Compressor, step: Step, data: bytes | None) -> tuple[str, ...]:
        file, unmade = step.file, []
        with nullcontext() if data is not None else self._few:
            data = _content(file) if data is None else data
            for encoding in file.encodings:
                variant = compressor.variant(data, file.md5, encoding)
                if variant is None:
                    unmade.append(encoding)
                    continue
                key = variant_name(step.key, encoding)
                md5 = hashlib.md5(variant, usedforsecurity=False).hexdigest()
                headers = file.headers._replace(content_encoding=encoding)
                self._store.put(key, Body(key, len(variant), md5, variant), headers)
        return tuple(sorted(unmade))

    def _remove(self, keys: list[str]) -> None:
        if keys and len(self._store.delete(keys)) < len(keys):
            raise BucketError(f"The compressed variants of an older content could not be deleted: {', '.join(keys)}.")


def _content(file: StaticFile) -> bytes:
    """The bytes of ``file``, which are those it had when the plan was made; raises `SourceError` when they are not."""
    try:
        source = os.open(file.path, os.O_RDONLY)
        try:
            # One byte more than expected is enough to see that the file has grown.
            data = os.read(source, file.size + 1)
        finally:
            os.close(source)
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read any more: {error.strerror}.") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != file.md5:
        raise SourceError(f"{file.name} changed while it was being synced; run again.")
    return data
