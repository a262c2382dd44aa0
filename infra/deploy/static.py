"""The static files of a deploy, by `static_sync`: what is hashed before the new version serves, the rest after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import DeployError
from ..stacks import Stack
from .target import Target

if TYPE_CHECKING:
    from static_sync import SyncReport

    from ..build import StaticFiles

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def destination(stack: Stack) -> str:
    """Where the stack's static files live."""
    return f"s3://{stack.output('StaticBucket')}/static"


def push(target: Target, stack: Stack, files: StaticFiles, *, only_hashed: bool) -> SyncReport:
    """Bring the files to the stack's bucket, and tell its CDN what to forget; raises `DeployError`."""
    from static_sync import StaticSyncError, sync

    with credentials(target):
        try:
            return sync(
                destination(stack),
                source=files.folder,
                region=target.clients.region,
                only_hashed=only_hashed,
                distribution=None if only_hashed else stack.outputs.get("DistributionId"),
            )
        except StaticSyncError as error:
            raise DeployError(str(error)) from error


def release_number(report: SyncReport) -> int | None:
    """The number of the release record that a push has left or found."""
    return int(Path(report.release).stem) if report.release else None


def make_current(target: Target, stack: Stack, release: int) -> None:
    """Have the files of an earlier release count as needed; raises `DeployError` if any of them is gone."""
    from static_sync import StaticSyncError, rollback

    with credentials(target):
        try:
            rollback(destination(stack), to=release, region=target.clients.region)
        except StaticSyncError as error:
            raise DeployError(str(error)) from error


def retire(target: Target, stack: Stack) -> str:
    """Delete the files that no release needs any more; what came of it. Nothing depends on it, so it never fails."""
    from static_sync import StaticSyncError, prune

    with credentials(target):
        try:
            report = prune(destination(stack), region=target.clients.region)
        except StaticSyncError as error:
            return f"obsolete static files stay: {error}"
    return report.failure_lines()[0] if report.left else f"{len(report.selection.keys)} obsolete static files deleted"


@contextmanager
def credentials(target: Target) -> Iterator[None]:
    """Has static_sync, which goes by the environment, use the profile that faas.toml names for the stage."""
    profile = target.stage.profile
    if profile is None:
        yield
        return
    before = {name: os.environ.pop(name, None) for name in (*_KEYS, "AWS_PROFILE")}
    os.environ["AWS_PROFILE"] = profile
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
