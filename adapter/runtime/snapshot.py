"""The moment at which the process is put into a snapshot, and the one at which it is restored."""

from __future__ import annotations

import sys

from .. import snapshots
from .client import RuntimeClient
from .report import Report


def take(client: RuntimeClient) -> None:
    """Run the hooks around the snapshot; exit status 64 or 65 where one before or after it fails, as AWS's client has.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    """
    snapshots.register()
    try:
        snapshots.run_before()
        client.restored()
    except Exception as error:
        client.fail_init("Runtime.BeforeSnapshotError", Report(error).payload)
        sys.exit(64)
    try:
        snapshots.run_after()
    except Exception as error:
        client.fail_restore("Runtime.AfterRestoreError", Report(error).payload)
        sys.exit(65)
