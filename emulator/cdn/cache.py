"""The answers that are kept: the least recently used go first when they become too many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass

_MOST_BYTES = 64 << 20
_LARGEST = 16 << 20
# For the entry itself and its headers, roughly.
_OVERHEAD = 2_000
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-tags.html
_MOST_TAGS = 50


@dataclass(slots=True, eq=False)
class Entry:
    """One answer; times in seconds since the epoch. ``url`` is what an invalidation names: path and what is kept of the
    query. ``etag`` is the origin's own, which compression weakens in the ``headers``."""

    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    fetched: float
    expires: float
    etag: str | None = None
    modified: str | None = None
    tags: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD


class Cache:
    """Entries by their key; ``generation`` changes with every invalidation."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._bytes = 0
        self.generation = 0

    def get(self, key: Hashable) -> Entry | None:
        """The entry, expired or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep the entry in place of an older one, unless it is larger than what a cache of this size is for."""
        self.drop(key)
        if entry.size > _LARGEST:
            return
        self._entries[key] = entry
        self._bytes += entry.size
        while self._bytes > _MOST_BYTES:
            self._bytes -= self._entries.popitem(last=False)[1].size

    def drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size

    def invalidate(self, items: Collection[str]) -> None:
        """Forget what the ``items`` name: paths, their last character perhaps a ``*``, and tags after a ``#``."""
        self.generation += 1
        tags = {item[1:].lower() for item in items if item.startswith("#")}
        exact = {item for item in items if item.startswith("/")}
        beginnings = tuple(item[:-1] for item in exact if item.endswith("*"))
        for key, entry in list(self._entries.items()):
            if entry.url in exact or entry.url.startswith(beginnings) or not tags.isdisjoint(entry.tags):
                self.drop(key)


def parse_tags(values: Iterable[str]) -> frozenset[str]:
    """The tags in the values of the header that names them."""
    found = [tag.strip().lower() for value in values for tag in value.split(",")]
    return frozenset([tag for tag in found if tag][:_MOST_TAGS])
