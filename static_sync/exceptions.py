"""Everything static_sync raises on purpose.

StaticSyncError
├── UsageError               the destination or an option cannot mean anything; nothing was looked at
├── ProjectError             no Django project, or its settings do not load
├── CollectError             the project's static files could not be collected
├── SourceError              a file of the source must not, or cannot, be read
├── CredentialsError         nothing to sign requests with
├── BucketError              the storage service said no, or something nobody can read
│   ├── UnreachableError     no connection to the endpoint
│   ├── BucketNotFoundError  there is no such bucket
│   ├── AccessDeniedError    the credentials are wrong, expired or not allowed to do this
│   ├── WrongRegionError     the bucket lives in another region
│   ├── ConflictError        somebody else has written the object meanwhile
│   └── UnreadableAnswerError  an answer was cut short, or came from something that is no S3 service
├── ManifestError            the manifest that the storage reads at run time is not there, or lacks a name
├── RecordError              a release record in the bucket cannot be read
├── ReleaseError             there is no such release in the bucket, or it is not whole any more
├── PruneRefusedError        more would be deleted than the guard allows, or without a guard against other runs
├── CdnError                 the CDN refused an invalidation; the files themselves have arrived
└── UploadsFailedError       some files did not reach the bucket; names each, with the reason
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from static_sync.report import SyncReport


class StaticSyncError(Exception):
    """Root of the package's errors; its text is written for the person at the terminal."""


class UsageError(StaticSyncError):
    """The destination or an option cannot mean anything; the command ends with exit code 2."""


class ProjectError(StaticSyncError):
    """There is no Django project to collect from, or its settings do not load."""


class CollectError(StaticSyncError):
    """Collecting the project's static files failed; nothing was uploaded."""


class SourceError(StaticSyncError):
    """A file of the source cannot be read, or must not be: it is a link that leads out of the source."""


class CredentialsError(StaticSyncError):
    """No credentials or no region were found to sign requests with."""


class BucketError(StaticSyncError):
    """The storage service refused a request, or answered what no S3 service answers."""


class UnreachableError(BucketError):
    """No connection to the endpoint could be made, or kept."""


class BucketNotFoundError(BucketError):
    """The bucket does not exist."""


class AccessDeniedError(BucketError):
    """The credentials are unknown, expired, or not allowed to do what was asked."""


class WrongRegionError(BucketError):
    """The bucket lives in another region than the one requests were signed for."""


class ConflictError(BucketError):
    """An object is not what a conditional request expected it to be: somebody else has written it meanwhile."""


class UnreadableAnswerError(BucketError):
    """The body of an answer is not the XML document it should be."""


class ManifestError(StaticSyncError, ValueError):
    """The manifest that the storage reads at run time is not there, or lacks a name; Django raises a ValueError."""


class RecordError(StaticSyncError):
    """A release record in the bucket is not what this version writes."""


class ReleaseError(StaticSyncError):
    """There is no such release to go back to, or files of it were deleted."""


class PruneRefusedError(StaticSyncError):
    """Deleting obsolete objects would not be safe, or would delete more than the guard allows; nothing was deleted."""


class CdnError(StaticSyncError):
    """The CDN refused an invalidation; the files themselves have arrived."""


class UploadsFailedError(StaticSyncError):
    """Some files did not reach the bucket. ``report`` tells what did, what did not and why."""

    def __init__(self, message: str, report: SyncReport) -> None:
        super().__init__(message)
        self.report = report
