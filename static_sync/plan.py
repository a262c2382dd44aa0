"""What to do: files x listing x newest record -> steps. Pure, so that a dry run shows exactly what a run would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from static_sync.destination import MAX_KEY_BYTES
from static_sync.exceptions import SourceError
from static_sync.inventory import variant_name
from static_sync.release import FOLDER, Found, Needed, Record, headers_digests
from static_sync.stage import Stage
from static_sync.stores.contract import ABSENT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from static_sync.inventory import StaticFile
    from static_sync.stores.contract import RemoteObject

# A copy in place carries no more: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
MAX_COPY = 5 << 30


class Step(NamedTuple):
    """What one file needs.

    ``reason`` is why: ``new`` and ``changed`` send the file, ``headers`` rewrites them where the object lies,
    ``variants`` sends the compressed variants alone. ``condition`` is that of the put, as `Store.put` takes it.
    ``stale`` are variants of an older content, which have to go if no new ones take their place.
    """

    key: str
    file: StaticFile
    reason: Literal["new", "changed", "headers", "variants"]
    condition: str
    stale: tuple[str, ...] = ()

    @property
    def sends(self) -> bool:
        """Whether the file itself is sent."""
        return self.reason in ("new", "changed")

    def as_dict(self) -> dict[str, object]:
        """The step in plain JSON types."""
        headers = self.file.headers
        return {
            "key": self.key,
            "path": self.file.name,
            "reason": self.reason,
            "size": self.file.size,
            "stage": self.file.stage.name.lower(),
            "content_type": headers.content_type,
            "content_encoding": headers.content_encoding,
            "cache_control": headers.cache_control,
            "variants": list(self.file.encodings),
        }


class Outdated(NamedTuple):
    """A key of which a CDN may hold something else than what it will be; ``same_headers`` if not other headers."""

    key: str
    same_headers: bool


class Plan(NamedTuple):
    """``steps`` in the order of their stages.

    ``unchanged`` counts files, ``unclaimed`` objects that match no file. ``outdated`` is what a CDN has to forget.
    ``found`` is what the record has to say of objects that stay as they are.
    """

    steps: tuple[Step, ...]
    unchanged: int
    unclaimed: int
    outdated: tuple[Outdated, ...]
    found: Found

    @property
    def size(self) -> int:
        """Bytes to send, without compressed variants."""
        return sum(step.file.size for step in self.steps if step.sends)


def make_plan(
    files: Collection[StaticFile],
    objects: Mapping[str, RemoteObject],
    base: Record | None,
    prefix: str,
    *,
    encryption: str = "",
    own: Record | None = None,
) -> Plan:
    """Compare by content digest; times play no part, as a fresh checkout makes them meaningless.

    ``objects`` are those below ``prefix``, records aside. ``base`` is the newest record: an object it does not tell of
    has headers that nobody knows, and gets its own; save what this run has put itself before, which ``own`` tells of.
    Raises `SourceError` for a path that makes no key.
    """
    planner = _Planner(objects, base or Record(), own or Record(), {file.name for file in files}, prefix, encryption)
    steps = []
    outdated: list[Outdated] = []
    found = Found()
    claimed = set()
    for file in files:
        key = prefix + file.name
        _check_key(key, file.name)
        claimed.add(key)
        if file.encodings:
            claimed.update(variant_name(key, encoding) for encoding in file.encodings)
        step = planner.step(key, file)
        if step is not None:
            steps.append(step)
        if step is None or not step.sends:
            planner.note(key, file, found)
        if planner.is_outdated(file, step):
            # Where a function at the CDN asks for the variants, these are what it keeps.
            spellings = (key, *(variant_name(key, encoding) for encoding in file.encodings))
            outdated += [Outdated(spelling, planner.same_headers(file)) for spelling in spellings]
    steps.sort(key=lambda step: (step.file.stage, step.key))
    unchanged = len(files) - len(steps)
    return Plan(tuple(steps), unchanged, sum(key not in claimed for key in objects), tuple(outdated), found)


class _Planner:
    def __init__(
        self,
        objects: Mapping[str, RemoteObject],
        base: Record,
        own: Record,
        names: Collection[str],
        prefix: str,
        encryption: str,
    ) -> None:
        self._objects = objects
        self._base = base
        self._own = own
        self._names = names
        self._prefix = prefix
        self._digest = headers_digests(encryption)

    def step(self, key: str, file: StaticFile) -> Step | None:
        there = self._objects.get(key)
        if there is None:
            return Step(key, file, "new", ABSENT, self._stale(file))
        if not self._same_content(file, there):
            return Step(key, file, "changed", there.etag, self._stale(file))
        known = self._known(file)
        if known is None or known.headers != self._digest(file.headers):
            reason: Literal["headers", "changed"] = "headers" if file.size <= MAX_COPY else "changed"
            return Step(key, file, reason, there.etag)
        if set(file.encodings) - set(known.encodings):
            return Step(key, file, "variants", there.etag)
        return None

    def is_outdated(self, file: StaticFile, step: Step | None) -> bool:
        """Hashed names never change, and the manifest is not for caches: neither has to be forgotten by a CDN."""
        if file.stage is not Stage.UNHASHED:
            return False
        known = self._base.get(file.name)
        if known is None:
            return step is not None and step.reason != "new"
        if known.md5 is None:  # nobody kept account of what the CDN has been told
            return True
        is_same = known.md5 == file.md5 and set(file.encodings) <= set(known.encodings)
        return not (is_same and self.same_headers(file))

    def note(self, key: str, file: StaticFile, found: Found) -> None:
        """Take down of an object that is not sent what only its ETag and the records tell."""
        etag, known = self._objects[key].etag, self._known(file)
        if etag != file.md5:
            found.etags[file.name] = etag
        if known is not None and known.encodings:
            found.encodings[file.name] = known.encodings
        if known is not None and known.unmade:
            found.unmade[file.name] = known.unmade

    def same_headers(self, file: StaticFile) -> bool:
        """Whether the object, where there is one, is known to have the headers that it is to have."""
        known = self._base.get(file.name)
        return known is not None and known.headers == self._digest(file.headers)

    def _same_content(self, file: StaticFile, there: RemoteObject) -> bool:
        if there.size != file.size:
            return False
        if there.etag == file.md5:
            return True
        known = self._known(file)
        return known is not None and known.etag is not None and (known.etag, known.md5) == (there.etag, file.md5)

    def _stale(self, file: StaticFile) -> tuple[str, ...]:
        """Variants that this tool has put beside an earlier content of ``file``."""
        known = self._base.get(file.name)
        if known is None:
            return ()
        names = (variant_name(file.name, encoding) for encoding in known.made)
        return tuple(
            self._prefix + name for name in names if name not in self._names and self._prefix + name in self._objects
        )

    def _known(self, file: StaticFile) -> Needed | None:
        return self._base.get(file.name) or self._own.get(file.name)


def _check_key(key: str, name: str) -> None:
    if len(key) * 4 > MAX_KEY_BYTES and len(key.encode()) > MAX_KEY_BYTES:
        raise SourceError(
            f"Nothing was uploaded: the key {key} is longer than {MAX_KEY_BYTES} bytes; shorten its path."
        )
    if name.startswith(FOLDER):
        raise SourceError(f"Nothing was uploaded: {name} lies where the release records are kept; rename {FOLDER}.")
