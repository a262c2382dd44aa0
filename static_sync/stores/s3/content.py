"""What is too large to hold in memory: a part of a file, read while it is sent, and never sent whole if it changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from static_sync.exceptions import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from static_sync.stores.contract import Body


class FilePart(NamedTuple):
    """``size`` bytes from ``offset`` of the file that ``body`` describes; ``md5`` in hex is that of the part."""

    body: Body
    offset: int
    size: int
    md5: str

    @classmethod
    def whole(cls, body: Body) -> FilePart:
        """All of the file."""
        return cls(body, 0, body.size, body.md5)

    def blocks(self, length: int) -> Iterator[bytes]:
        """The part in blocks of at most ``length`` bytes, the last of which comes only when the digest is right.

        A request that lacks its last block never becomes an object, whether the service looks at Content-MD5 or not.
        Raises `SourceError`, never the OSError that would be taken for a fault of the network.
        """
        digest = hashlib.md5(usedforsecurity=False)
        left = self.size
        for block in read_blocks(self.body, self.offset, self.size, length):
            digest.update(block)
            left -= len(block)
            if not left and digest.hexdigest() != self.md5:
                raise changed(self.body.path)
            yield block


def read_blocks(body: Body, offset: int, size: int, length: int) -> Iterator[bytes]:
    """``size`` bytes of the file from ``offset``, in blocks; raises `SourceError` when the file's size has changed."""
    try:
        with Path(body.path).open("rb", buffering=0) as source:
            if os.fstat(source.fileno()).st_size != body.size:
                raise changed(body.path)
            source.seek(offset)
            while size:
                block = source.read(min(length, size))
                if not block:
                    raise changed(body.path)
                size -= len(block)
                yield block
    except OSError as error:
        raise SourceError(f"{body.path} cannot be read any more: {error.strerror}.") from error


def changed(path: str) -> SourceError:
    """The error for a file that is no longer what it was when the plan was made."""
    return SourceError(f"{path} changed while it was being synced; run again.")
