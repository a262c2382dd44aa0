"""What is to be in the bucket: each file's digest, type and cache policy."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from static_sync.content_types import CONTENT_TYPES, ENCODINGS, OCTET_STREAM, content_type, suffix_of
from static_sync.exceptions import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from static_sync.manifest import Manifest
    from static_sync.source import Entry

# A hashed name never gets other bytes, so it may be kept for ever; a year is as long as the field's convention goes.
# Any other name may change with each deploy: a minute, as WhiteNoise has it, takes the load off without staleness.
IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60"
# The manifest is read by the application, not by visitors: no CDN may hand out an old one.
PRIVATE = "private, no-store"

_CHUNK = 1 << 20


class Stage(IntEnum):
    """Order of upload: what is referred to goes before what refers to it."""

    HASHED = 0
    UNHASHED = 1
    MANIFEST = 2


@dataclass(frozen=True, slots=True)
class StaticFile:
    """``name`` is the path below the source; ``size`` in bytes; ``md5`` in hex; ``content_encoding`` None for plain."""

    name: str
    path: str
    size: int
    md5: str
    content_type: str
    content_encoding: str | None
    cache_control: str
    stage: Stage


def take_inventory(entries: Iterable[Entry], manifest: Manifest) -> tuple[StaticFile, ...]:
    """Read every entry once. Raises `SourceError` for the first that cannot be read."""
    files: dict[str, StaticFile] = {}
    # In order of their names, ``a.css`` comes before its compressed twin ``a.css.gz``, which is of the same type.
    for entry in sorted(entries, key=lambda entry: entry.name):
        stem, _, suffix = entry.name.rpartition(".")
        plain = files.get(stem) if f".{suffix}" in ENCODINGS else None
        files[entry.name] = (
            _describe(entry, manifest) if plain is None else _twin(entry, plain, ENCODINGS[f".{suffix}"])
        )
    return tuple(files.values())


def _describe(entry: Entry, manifest: Manifest) -> StaticFile:
    is_text = CONTENT_TYPES.get(suffix_of(entry.name), OCTET_STREAM).startswith("text/")
    size, md5, is_utf8 = _read(entry, decode=is_text)
    if entry.name == manifest.name:
        stage, cache_control = Stage.MANIFEST, PRIVATE
    elif entry.name in manifest.hashed:
        stage, cache_control = Stage.HASHED, IMMUTABLE
    else:
        stage, cache_control = Stage.UNHASHED, SHORT
    kind = content_type(entry.name, is_utf8=is_utf8)
    return StaticFile(entry.name, entry.path, size, md5, kind, None, cache_control, stage)


def _twin(entry: Entry, plain: StaticFile, encoding: str) -> StaticFile:
    """The compressed form of ``plain``: served in its stead, so all that a client is told of it is the same."""
    size, md5, _ = _read(entry, decode=False)
    return replace(plain, name=entry.name, path=entry.path, size=size, md5=md5, content_encoding=encoding)


def _read(entry: Entry, *, decode: bool) -> tuple[int, str, bool]:
    """Size and MD5 of the bytes read, and whether they are UTF-8 (only looked at with ``decode``)."""
    digest = hashlib.md5(usedforsecurity=False)
    decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")() if decode else None
    size = 0
    try:
        with Path(entry.path).open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
                decoder = _still_utf8(decoder, chunk)
    except OSError as error:
        raise SourceError(f"Nothing was uploaded: {entry.name} cannot be read: {error.strerror}.") from error
    return size, digest.hexdigest(), _still_utf8(decoder, b"", final=True) is not None


def _still_utf8(
    decoder: codecs.IncrementalDecoder | None, chunk: bytes, *, final: bool = False
) -> codecs.IncrementalDecoder | None:
    """``decoder`` after ``chunk``, or None once the bytes are no UTF-8."""
    if decoder is not None:
        try:
            decoder.decode(chunk, final)
        except UnicodeDecodeError:
            return None
    return decoder
