"""Release records: which objects a release needs, and what each is served with. Pure; see `history` for their keeping.

A record is an object beside the files it tells of, ``.static-sync/<number>.json``. Numbers only grow, and each is taken
by whoever first creates it (``If-None-Match: *``), so of two runs at once one learns of the other. The bytes of a
record follow from what it says and nothing else: its ETag in a listing tells whether a release is the one at hand, and
no request is made to find out.
"""

from __future__ import annotations

import hashlib
import json
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from static_sync.exceptions import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from static_sync.inventory import StaticFile
    from static_sync.stores.contract import Headers, RemoteObject

FOLDER = ".static-sync/"
_FORMAT = 1
_DIGITS = 8

Kind = Literal["release", "staged", "prune"]
"""``staged``: some files of a release to come. ``prune``: objects are being deleted, see `retirement`."""


class Needed(NamedTuple):
    """One object of a release.

    ``headers`` is a digest of what it is served with. ``encodings`` are those in which it was compressed, ``unmade``
    those of them that were no gain, so that there is no variant. ``md5`` is kept where a CDN may hold an older content,
    and where the ETag is no MD5; ``etag`` in the latter case alone: the object is unchanged as long as its ETag is.
    """

    headers: str
    encodings: tuple[str, ...] = ()
    md5: str | None = None
    etag: str | None = None
    unmade: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[str, ...]:
        """The encodings of the variants that lie beside the object."""
        return tuple(encoding for encoding in self.encodings if encoding not in self.unmade)


_NOTHING: Mapping[str, Needed] = MappingProxyType({})


class Record(NamedTuple):
    """What a release needs, by name below the prefix: ``hashed`` never changes its content, ``unhashed`` may.

    A lease has nothing but a ``holder``.
    """

    kind: Kind = "release"
    hashed: Mapping[str, Needed] = _NOTHING
    unhashed: Mapping[str, Needed] = _NOTHING
    holder: str = ""

    def get(self, name: str) -> Needed | None:
        """What is needed of the object ``name``; None when the release does not need it."""
        return self.hashed.get(name) or self.unhashed.get(name)

    def names(self) -> set[str]:
        """All names, those of compressed variants not among them."""
        return {*self.hashed, *self.unhashed}

    def encode(self) -> bytes:
        """The record as it is stored: the same bytes for the same record on every machine."""
        content: dict[str, Any] = {"format": _FORMAT, "kind": self.kind}
        if self.kind == "prune":
            content["holder"] = self.holder
        else:
            content["hashed"] = {name: _plain(needed) for name, needed in self.hashed.items()}
            content["unhashed"] = {name: _plain(needed) for name, needed in self.unhashed.items()}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, data: bytes, key: str) -> Record:
        """Read what `encode` wrote; ``key`` is for the error. Raises `RecordError` for anything else."""
        try:
            content = json.loads(data)
            if content["format"] != _FORMAT:
                raise RecordError(
                    f"The release record {key} has the format {content['format']!r}, which this version does not "
                    "know: update django-faas here too."
                )
            if content["kind"] == "prune":
                return cls("prune", holder=content["holder"])
            return cls(
                content["kind"],
                {name: _needed(plain) for name, plain in content["hashed"].items()},
                {name: _needed(plain) for name, plain in content["unhashed"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(
                f"The release record {key} cannot be read ({type(error).__name__}: {error}). Delete that object: the "
                "next run then writes the headers of every file once more, and a new record."
            ) from error


def make_lease() -> Record:
    """The record by which one prune, and no other, holds the bucket."""
    return Record("prune", holder=os.urandom(4).hex())


LEASE_SIZE = len(make_lease().encode())
"""Bytes of a lease. Every other record is longer, so that a listing tells leases from all others."""


class Numbered(NamedTuple):
    """A record in the bucket that has been listed, not read."""

    number: int
    key: str
    there: RemoteObject


def record_key(prefix: str, number: int) -> str:
    """Where the record ``number`` is kept."""
    return f"{prefix}{FOLDER}{number:0{_DIGITS}}.json"


def split_listing(
    objects: Mapping[str, RemoteObject], prefix: str
) -> tuple[dict[str, RemoteObject], tuple[Numbered, ...]]:
    """The files of a listing, and its records from the first to the newest."""
    folder = prefix + FOLDER
    files, records = {}, []
    for key, there in objects.items():
        if not key.startswith(folder):
            files[key] = there
            continue
        number, dot, suffix = key.removeprefix(folder).partition(".")
        if dot and suffix == "json" and len(number) == _DIGITS and number.isascii() and number.isdigit():
            records.append(Numbered(int(number), key, there))
    return files, tuple(sorted(records, key=lambda record: record.number))


def headers_digest(headers: Headers, encryption: str = "") -> str:
    """A short digest of what an object is served with, and of how it is encrypted."""
    told = "\0".join([*(value or "" for value in headers), encryption])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def headers_digests(encryption: str) -> Callable[[Headers], str]:
    """`headers_digest`, made once for each object."""
    # By identity: an inventory has thousands of files and a dozen kinds of headers, one object each.
    known: dict[int, tuple[Headers, str]] = {}

    def digest(headers: Headers) -> str:
        entry = known.get(id(headers))
        if entry is None:
            entry = known[id(headers)] = (headers, headers_digest(headers, encryption))
        return entry[1]

    return digest


class Found:
    """What cannot be told from the files, by name: ``etags`` that are no MD5; of the compressed variants, ``encodings``
    that are there from earlier runs, and ``unmade`` ones that were no gain.
    """

    def __init__(self) -> None:
        self.etags: dict[str, str] = {}
        self.encodings: dict[str, tuple[str, ...]] = {}
        self.unmade: dict[str, tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.etags or self.encodings or self.unmade)

    def __or__(self, later: Found) -> Found:
        both = Found()
        for found in (self, later):
            both.etags |= found.etags
            both.encodings |= found.encodings
            both.unmade |= found.unmade
        return both


def record_of(files: Iterable[StaticFile], found: Found, *, encryption: str, with_contents: bool) -> Record:
    """The record of a release of ``files``.

    With ``with_contents`` the digests of unhashed files are kept, so that a later run knows what a CDN has to forget.
    """
    from static_sync.stage import Stage

    hashed: dict[str, Needed] = {}
    unhashed: dict[str, Needed] = {}
    digest = headers_digests(encryption)
    for file in files:
        etag = found.etags.get(file.name)
        is_hashed = file.stage is Stage.HASHED
        md5 = file.md5 if etag or (with_contents and not is_hashed) else None
        encodings = file.encodings
        if encodings or found.encodings:
            encodings = tuple(sorted({*encodings, *found.encodings.get(file.name, ())}))
        needed = Needed(digest(file.headers), encodings, md5, etag, found.unmade.get(file.name, ()))
        (hashed if is_hashed else unhashed)[file.name] = needed
    return Record("release", hashed, unhashed)


_PLAIN = Needed("")[1:]


def _plain(needed: Needed) -> list[Any]:
    if needed[1:] == _PLAIN:
        return [needed.headers]
    plain = [
        needed.headers,
        ",".join(needed.encodings),
        needed.md5 or "",
        needed.etag or "",
        ",".join(needed.unmade),
    ]
    while len(plain) > 1 and not plain[-1]:
        plain.pop()
    return plain


def _needed(plain: list[str]) -> Needed:
    if not all(isinstance(value, str) for value in plain):
        raise TypeError("an entry is no list of texts")
    headers, encodings, md5, etag, unmade = [*plain, "", "", "", ""][:5]
    return Needed(headers, _listed(encodings), md5 or None, etag or None, _listed(unmade))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
