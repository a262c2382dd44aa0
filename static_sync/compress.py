"""Compressed variants of files, each made once for a content and kept in a folder from one run to the next.

A CDN compresses too, but lightly, as it does so while a visitor waits. Made beforehand, a variant may take the highest
level that every browser can read.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from static_sync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from static_sync.inventory import StaticFile

ENCODINGS = ("br", "zstd", "gzip")
"""Values of Content-Encoding, the one that makes files smallest first."""

# The level is part of an entry's name in the cache, so that it can be changed here. Of zstd's levels 19 is the highest
# whose window stays within the 8 MB that a browser has to offer: https://www.rfc-editor.org/rfc/rfc9659
_LEVELS = {"br": 11, "zstd": 19, "gzip": 9}
_MODULES = {"br": "brotli", "zstd": "compression.zstd" if sys.version_info >= (3, 14) else "zstandard"}

# Smaller answers fit into one packet with their headers, compressed or not.
MIN_SIZE = 1_000
# A file and its variant are held in memory, and brotli needs 1.5 s a megabyte. CloudFront's limit is 10 MB, so that it
# is the large ones which gain most here.
MAX_SIZE = 50_000_000
# What saves less is not worth an object, nor the decompression.
_WORTH = 0.95

_TYPES = frozenset(
    {
        "application/json",
        "application/rtf",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xml",
        "application/yaml",
        "font/collection",
        "font/otf",
        "font/ttf",
    }
)

_DAY = 86_400.0
_KEPT = 90 * _DAY
_SEAL = 16
# Keeps backups out of the folder: https://bford.info/cachedir/
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Compressed files, made again when they are missing.\n"


def parse_encodings(text: str) -> tuple[str, ...]:
    """The encodings in ``text`` (``"gzip,br"``) in the order of `ENCODINGS`.

    Raises `UsageError` for one that is not known, and for one whose library is not installed.
    """
    asked = {part.strip().lower() for part in text.split(",")}
    unknown = sorted(asked.difference(ENCODINGS))
    if unknown:
        raise UsageError(
            f"No variants can be made for {unknown[0]!r} (of {text!r}): give one or more of {', '.join(ENCODINGS)}, "
            "with commas between them."
        )
    for encoding in sorted(asked & _MODULES.keys()):
        if find_spec(_MODULES[encoding]) is None:
            raise UsageError(
                f"For {encoding} the package {_MODULES[encoding]} is needed, which comes with the extra: "
                "pip install 'django-faas[compression]'"
            )
    return tuple(encoding for encoding in ENCODINGS if encoding in asked)


def compressible(file: StaticFile) -> bool:
    """Whether variants of ``file`` are worth a try, by its type and size."""
    headers = file.headers
    return (
        headers.content_encoding is None
        and MIN_SIZE <= file.size <= MAX_SIZE
        and compressible_type(headers.content_type)
    )


def compressible_type(content_type: str) -> bool:
    """Whether files of this Content-Type hold text, or other bytes that are not compressed by themselves."""
    kind = content_type.partition(";")[0]
    return kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _TYPES


class Compressor:
    """Makes variants in ``encodings``, which `parse_encodings` has found to be possible; may be used by many threads.

    ``cache`` is a folder that belongs to it alone; None keeps nothing. Where the cache cannot be written, variants are
    made all the same, and ``note`` says why they will be made again in the next run.
    """

    def __init__(self, cache: Path | None, encodings: Sequence[str]) -> None:
        self.encodings = tuple(encodings)
        self.note: str | None = None
        self._cache = cache
        self._trimmed = False
        self._busy: set[str] = set()
        self._turn = threading.Condition()
        # More at once than there are processors would take longer for each, and brotli may need 60 MB a thread.
        self._processors = threading.Semaphore(os.cpu_count() or 1)

    def variant(self, data: bytes, md5: str, encoding: str) -> bytes | None:
        """``data``, whose MD5 in hex is ``md5``, compressed; None when that saves too little.

        Raises `ValueError` for data of another MD5: kept under this one, its variant would be another file's content.
        """
        name = f"{md5}.{encoding}{_LEVELS[encoding]}"
        with self._alone(name):
            packed = self._load(name)
            if packed is None:
                if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
                    raise ValueError(f"these {len(data)} bytes do not have the MD5 {md5}")
                with self._processors:
                    packed = _compress(data, encoding)
                if len(packed) > len(data) * _WORTH:
                    packed = b""  # remembered, too: that it is not worth it takes as long to find out
                self._store(name, packed)
        return packed or None

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold other threads up that want the same: a file and its hashed copy often have one content."""
        with self._turn:
            self._turn.wait_for(lambda: name not in self._busy)
            self._busy.add(name)
        try:
            yield
        finally:
            with self._turn:
                self._busy.remove(name)
                self._turn.notify_all()

    def _load(self, name: str) -> bytes | None:
        if self._cache is None:
            return None
        path = _path(self._cache, name)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        packed = content[_SEAL:]
        if content[:_SEAL] != _seal(name, packed):
            return None
        with suppress(OSError):
            os.utime(path)  # used today: see `_trim`
        return packed

    def _store(self, name: str, packed: bytes) -> None:
        if self._cache is None or self.note is not None:
            return
        path = _path(self._cache, name)
        draft = path.with_name(f"{name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(_seal(name, packed) + packed)
            draft.replace(path)
            self._trim(self._cache)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            self.note = (
                f"Compressed variants cannot be kept in {self._cache}: {error.strerror}. They are made again in the "
                "next run."
            )

    def _trim(self, cache: Path) -> None:
        """Once a day remove what has not been used for long."""
        with self._turn:
            if self._trimmed:
                return
            self._trimmed = True
        now = time.time()
        # Its own time says when the last trimming was.
        tag = cache / "CACHEDIR.TAG"
        if tag.exists() and now - tag.stat().st_mtime < _DAY:
            return
        tag.write_text(_TAG)
        for path in cache.glob("[0-9a-f][0-9a-f]/*"):
            with suppress(OSError):  # another run trims as well
                if now - path.stat().st_mtime > _KEPT:
                    path.unlink()


def _path(cache: Path, name: str) -> Path:
    return cache / name[:2] / name


def _seal(name: str, packed: bytes) -> bytes:
    """Tells an entry that is whole, and in its place, from one that was cut short or damaged."""
    return hashlib.blake2b(packed, digest_size=_SEAL, key=name.encode()).digest()


def _compress(data: bytes, encoding: str) -> bytes:
    """The same bytes for the same data, on each machine with the same version of the library."""
    level = _LEVELS[encoding]
    if encoding == "br":
        import brotli  # type: ignore[import-untyped]

        return bytes(brotli.compress(data, quality=level))
    if encoding == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd

            return zstd.compress(data, level)
        import zstandard

        return zstandard.ZstdCompressor(level=level).compress(data)
    packed = zlib.compress(data, level, wbits=31)
    # zlib writes no name and no time, but the operating system: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
    return packed[:9] + b"\xff" + packed[10:]
