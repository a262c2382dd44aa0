"""Carries a plan out: stage by stage, in parallel within a stage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from static_sync.exceptions import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    StaticSyncError,
    UnreachableError,
    WrongRegionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from static_sync.plan import Plan, Upload

# What fails for one file with these will fail for each: trying thousands more only hides the reason.
_HOPELESS = (AccessDeniedError, BucketNotFoundError, CredentialsError, UnreachableError, WrongRegionError)


@dataclass(frozen=True, slots=True)
class Failure:
    """An upload that did not succeed, and why."""

    upload: Upload
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each upload of a plan: every one is in exactly one of the three."""

    done: tuple[Upload, ...] = ()
    failed: tuple[Failure, ...] = ()
    not_tried: tuple[Upload, ...] = ()


def transfer(plan: Plan, put: Callable[[Upload], None], workers: int) -> Outcome:
    """Put the plan's uploads, up to ``workers`` at a time; a stage begins when the one before it is complete.

    After a failure the rest of its stage is still tried, unless the fault concerns every request, and no later stage
    is: a manifest never arrives before a file it names. Any other exception of ``put`` is a fault of ours, and raised.
    """
    if not plan.uploads:
        return Outcome()
    from concurrent.futures import ThreadPoolExecutor

    done: list[Upload] = []
    failed: list[Failure] = []
    not_tried: list[Upload] = []
    pool = ThreadPoolExecutor(min(workers, len(plan.uploads)), thread_name_prefix="static-sync")
    try:
        for _, stage in groupby(plan.uploads, key=lambda upload: upload.file.stage):
            if failed:
                not_tried.extend(stage)
                continue
            futures: list[tuple[Upload, Future[None]]] = [(upload, pool.submit(put, upload)) for upload in stage]
            for upload, future in futures:
                if future.cancelled():
                    not_tried.append(upload)
                    continue
                try:
                    future.result()
                except StaticSyncError as error:
                    failed.append(Failure(upload, str(error)))
                    if isinstance(error, _HOPELESS):
                        for _, waiting in futures:
                            waiting.cancel()
                else:
                    done.append(upload)
    finally:
        # Also when the user interrupts: what has begun ends, what has not does not begin.
        pool.shutdown(cancel_futures=True)
    return Outcome(tuple(done), tuple(failed), tuple(not_tried))
