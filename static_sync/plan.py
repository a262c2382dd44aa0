"""What to do: inventory x listing -> uploads. Pure, so that a dry run shows exactly what a run would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from static_sync.destination import MAX_KEY_BYTES
from static_sync.exceptions import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from static_sync.destination import Destination
    from static_sync.inventory import StaticFile
    from static_sync.stores.contract import RemoteObject


@dataclass(frozen=True, slots=True)
class Upload:
    """One PUT to make."""

    key: str
    file: StaticFile
    reason: Literal["new", "changed"]

    def as_dict(self) -> dict[str, object]:
        """The upload in plain JSON types."""
        return {
            "key": self.key,
            "path": self.file.name,
            "reason": self.reason,
            "size": self.file.size,
            "stage": self.file.stage.name.lower(),
            "content_type": self.file.content_type,
            "content_encoding": self.file.content_encoding,
            "cache_control": self.file.cache_control,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """``uploads`` in the order of their stages; ``unchanged`` files; ``unclaimed`` objects that match no file."""

    uploads: tuple[Upload, ...]
    unchanged: int
    unclaimed: int

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(upload.file.size for upload in self.uploads)


def make_plan(files: Iterable[StaticFile], objects: Mapping[str, RemoteObject], destination: Destination) -> Plan:
    """Compare by size and content digest; times play no part, as a fresh checkout makes them meaningless.

    An object whose ETag is no MD5 (KMS encryption, multipart) never equals a file and is sent again, which costs a
    request and loses nothing. Raises `SourceError` for a path that makes too long a key.
    """
    uploads = []
    keys = set()
    for file in files:
        key = destination.prefix + file.name
        keys.add(key)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise SourceError(
                f"Nothing was uploaded: the key {key} is longer than {MAX_KEY_BYTES} bytes; shorten its path."
            )
        there = objects.get(key)
        if there is None:
            uploads.append(Upload(key, file, "new"))
        elif there.size != file.size or there.etag.lower() != file.md5:
            uploads.append(Upload(key, file, "changed"))
    uploads.sort(key=lambda upload: (upload.file.stage, upload.key))
    return Plan(tuple(uploads), len(keys) - len(uploads), sum(key not in keys for key in objects))
