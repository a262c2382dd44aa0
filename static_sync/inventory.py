"""What is to be in the bucket: each file's digest, headers and place in the order of upload."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from static_sync.cache_policy import CachePolicy
from static_sync.content_types import ENCODINGS, content_type, is_text, with_charset
from static_sync.exceptions import SourceError
from static_sync.stage import Stage
from static_sync.stores.contract import Headers

if TYPE_CHECKING:
    import codecs
    from collections.abc import Callable, Iterable

    from static_sync.manifest import Manifest
    from static_sync.source import Entry

_CHUNK = 1 << 20


class StaticFile(NamedTuple):
    """``name`` is the path below the source, ``path`` where the bytes are; ``size`` in bytes; ``md5`` in hex.

    ``encodings`` are those in which compressed variants are wanted beside it.
    """

    name: str
    path: str
    size: int
    md5: str
    headers: Headers
    stage: Stage
    encodings: tuple[str, ...] = ()


def take_inventory(
    entries: Iterable[Entry],
    manifest: Manifest,
    *,
    policy: CachePolicy | None = None,
    is_hashed: Callable[[str], bool] = lambda _name: False,
    encodings: tuple[str, ...] = (),
    cache_tag: str | None = None,
) -> tuple[StaticFile, ...]:
    """Read every entry once. Raises `SourceError` that names each which cannot be read.

    ``is_hashed`` tells the names that another tool has hashed. ``cache_tag`` goes to files that are not hashed.
    """
    shop = _Describer(manifest, policy or CachePolicy(), is_hashed, cache_tag)
    files: dict[str, StaticFile] = {}
    problems = []
    # In order of their names, ``a.css`` comes before its compressed twin ``a.css.gz``, which is of the same type.
    for entry in sorted(entries, key=lambda entry: entry.name):
        stem, _, suffix = entry.name.rpartition(".")
        plain = files.get(stem) if f".{suffix}" in ENCODINGS else None
        try:
            files[entry.name] = shop.describe(entry) if plain is None else _twin(entry, plain, ENCODINGS[f".{suffix}"])
        except OSError as error:
            problems.append(f"{entry.name} cannot be read: {error.strerror}.")
    if problems:
        raise SourceError("Nothing was uploaded: " + "\n  ".join(problems if len(problems) == 1 else ["", *problems]))
    if not encodings:
        return tuple(files.values())
    from static_sync.compress import compressible

    return tuple(
        file._replace(encodings=tuple(name for name in encodings if f"{file.name}{_SUFFIXES[name]}" not in files))
        if file.stage is not Stage.MANIFEST and compressible(file)
        else file
        for file in files.values()
    )


_SUFFIXES = {encoding: suffix for suffix, encoding in ENCODINGS.items()}


def variant_name(name: str, encoding: str) -> str:
    """The name of the compressed variant of ``name``."""
    return name + _SUFFIXES[encoding]


class _Describer:
    def __init__(
        self, manifest: Manifest, policy: CachePolicy, is_hashed: Callable[[str], bool], cache_tag: str | None
    ) -> None:
        self._manifest = manifest
        self._policy = policy
        self._is_hashed = is_hashed
        self._cache_tag = cache_tag
        # Few sites have more than a dozen kinds of headers: one object each, however many the files.
        self._headers: dict[Headers, Headers] = {}

    def describe(self, entry: Entry) -> StaticFile:
        name = entry.name
        kind = content_type(name)
        size, md5, is_utf8 = _read(entry, decode=is_text(kind))
        if name == self._manifest.name:
            stage = Stage.MANIFEST
        elif name in self._manifest.hashed or self._is_hashed(name):
            stage = Stage.HASHED
        else:
            stage = Stage.UNHASHED
        tag = None if stage is Stage.HASHED else self._cache_tag
        headers = Headers(with_charset(kind) if is_utf8 else kind, self._policy.cache_control(name, stage), None, tag)
        return StaticFile(name, entry.path, size, md5, self._headers.setdefault(headers, headers), stage)


def _twin(entry: Entry, plain: StaticFile, encoding: str) -> StaticFile:
    """The compressed form of ``plain``: served in its stead, so all that a client is told of it is the same."""
    size, md5, _ = _read(entry, decode=False)
    headers = plain.headers._replace(content_encoding=encoding)
    return plain._replace(name=entry.name, path=entry.path, size=size, md5=md5, headers=headers)


def _read(entry: Entry, *, decode: bool) -> tuple[int, str, bool]:
    """Size and MD5 of the bytes read, and whether they are UTF-8 (only looked at with ``decode``)."""
    digest = hashlib.md5(usedforsecurity=False)
    decoder = _Utf8() if decode else None
    size = 0
    # Not by a file object, as there are thousands of them; and a byte more than there should be shows the end.
    file = os.open(entry.path, os.O_RDONLY)
    try:
        while chunk := os.read(file, min(_CHUNK, max(entry.size - size, 0) + 1)):
            size += len(chunk)
            digest.update(chunk)
            if decoder is not None and not decoder.feed(chunk):
                decoder = None
            if size == entry.size and len(chunk) < _CHUNK:
                break
    finally:
        os.close(file)
    return size, digest.hexdigest(), decoder is not None and decoder.feed(b"", final=True)


class _Utf8:
    """Tells whether what is fed to it is UTF-8, without a decoder where all of it is ASCII."""

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes, *, final: bool = False) -> bool:
        if self._decoder is None:
            if chunk.isascii():
                return True
            import codecs

            self._decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            return False
        return True
