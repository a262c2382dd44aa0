"""What is to be in the bucket: each file's digest, headers and place in the order of upload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from static_sync.cache_policy import CachePolicy
from static_sync.content_types import CONTENT_TYPES, ENCODINGS, OCTET_STREAM, content_type, suffix_of
from static_sync.exceptions import SourceError
from static_sync.stage import Stage
from static_sync.stores.contract import Headers

if TYPE_CHECKING:
    import codecs
    from collections.abc import Callable, Iterable

    from static_sync.manifest import Manifest
    from static_sync.source import Entry

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StaticFile:
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
        replace(file, encodings=tuple(name for name in encodings if f"{file.name}{_SUFFIXES[name]}" not in files))
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
        is_text = CONTENT_TYPES.get(suffix_of(name), OCTET_STREAM).startswith("text/")
        size, md5, is_utf8 = _read(entry, decode=is_text)
        if name == self._manifest.name:
            stage = Stage.MANIFEST
        elif name in self._manifest.hashed or self._is_hashed(name):
            stage = Stage.HASHED
        else:
            stage = Stage.UNHASHED
        tag = None if stage is Stage.HASHED else self._cache_tag
        headers = Headers(content_type(name, is_utf8=is_utf8), self._policy.cache_control(name, stage), None, tag)
        return StaticFile(name, entry.path, size, md5, self._headers.setdefault(headers, headers), stage)


def _twin(entry: Entry, plain: StaticFile, encoding: str) -> StaticFile:
    """The compressed form of ``plain``: served in its stead, so all that a client is told of it is the same."""
    size, md5, _ = _read(entry, decode=False)
    headers = replace(plain.headers, content_encoding=encoding)
    return replace(plain, name=entry.name, path=entry.path, size=size, md5=md5, headers=headers)


def _read(entry: Entry, *, decode: bool) -> tuple[int, str, bool]:
    """Size and MD5 of the bytes read, and whether they are UTF-8 (only looked at with ``decode``)."""
    digest = hashlib.md5(usedforsecurity=False)
    decoder = _Utf8() if decode else None
    size = 0
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of them
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
            if decoder is not None and not decoder.feed(chunk):
                decoder = None
            if size >= entry.size and len(chunk) < _CHUNK:
                break  # the end, without asking for it
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
