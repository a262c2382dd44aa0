"""The release records of one destination: read from the bucket, and the next one taken."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from static_sync.exceptions import BucketError, ConflictError
from static_sync.release import LEASE_SIZE, Record, record_key, split_listing
from static_sync.stores.contract import ABSENT, Body, Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from static_sync.release import Numbered
    from static_sync.stores.contract import RemoteObject, Store

# A record is read by this tool and nobody else; no CDN may keep it.
_HEADERS = Headers("application/json", "private, no-store")
# How long a `prune` may delete, in seconds. Nobody else relies on the listing of the bucket for as long.
LEASE = 600.0
# A service refuses requests from a clock that is wrong by more, and then tells its own time.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
_SKEW = 900.0
_POLL = 3.0
_READERS = 8


class Listing:
    """The bucket at one moment: ``files`` and ``records``, each by key or from first to newest."""

    def __init__(self, objects: Mapping[str, RemoteObject], prefix: str) -> None:
        self.files, self.records = split_listing(objects, prefix)
        self._prefix = prefix

    @property
    def next_key(self) -> str:
        """The key of the record that is to be written next."""
        return record_key(self._prefix, self.records[-1].number + 1 if self.records else 1)


def list_settled(
    store: Store,
    prefix: str,
    expected: Sequence[str],
    notify: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Listing:
    """List the bucket; wait for as long as a `prune` deletes objects there.

    ``notify`` is told, once, that there is something to wait for. Costs no request but the listing where the newest
    record is known to be none of a prune, see `newest_record`.
    """
    waited = 0.0
    while True:
        listing = Listing(store.listing(expected), prefix)
        newest = listing.records[-1] if listing.records else None
        if newest is None or newest.there.size != LEASE_SIZE or waited > LEASE or _long_ago(newest, store):
            return listing
        if not waited:
            notify(f"{newest.key} says that obsolete objects are being deleted; waiting until that is over.")
        sleep(_POLL)
        waited += _POLL


def read_newest(store: Store, listing: Listing, likely: Record) -> Record | None:
    """The newest record of a release; None where there is none.

    ``likely`` is what it is when nothing has changed: by its digest that is known without a request.
    """
    for record in reversed(listing.records):
        if record.there.size == LEASE_SIZE:
            continue  # a prune that is over, or was killed
        data = likely.encode()
        if (record.there.size, record.there.etag) == (len(data), hashlib.md5(data, usedforsecurity=False).hexdigest()):
            return likely
        return read(store, record)
    return None


def read(store: Store, record: Numbered) -> Record:
    """Read a record that was listed. Raises `ConflictError` when it is gone."""
    data = store.get(record.key)
    if data is None:
        raise ConflictError(f"{record.key} was deleted just now.")
    return Record.decode(data, record.key)


class Dated(NamedTuple):
    """A record that was read, and when it was written."""

    numbered: Numbered
    record: Record
    written: datetime


def read_all(store: Store, listing: Listing) -> list[Dated]:
    """Every record, from the first to the newest. Raises `ConflictError` when one is gone."""
    from concurrent.futures import ThreadPoolExecutor

    def dated(numbered: Numbered) -> Dated:
        is_lease = numbered.there.size == LEASE_SIZE
        record = Record("prune") if is_lease else read(store, numbered)
        return Dated(numbered, record, written(numbered))

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(dated, listing.records))


def commit(store: Store, key: str, record: Record) -> None:
    """Write the next record. Raises `ConflictError` when another run was first."""
    data = record.encode()
    body = Body(key, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), data)
    try:
        store.put(key, body, _HEADERS, ABSENT)
    except ConflictError:
        # The answer to a first attempt may be lost, and a second one then meets what the first has written.
        if store.get(key) != data:
            raise


def moment(modified: str, key: str) -> datetime:
    """When an object was written, from what a listing says of it; raises `BucketError` where that is no time."""
    try:
        read = datetime.fromisoformat(modified)
    except ValueError as error:
        raise BucketError(f"The listing says that {key} was written at {modified!r}, which is no time.") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def written(record: Numbered) -> datetime:
    """When the record was written, by the service's clock."""
    return moment(record.there.modified, record.key)


def now(store: Store) -> datetime:
    """The time by the service's clock, as far as that is known to be another than ours."""
    return datetime.now(UTC) + timedelta(seconds=store.clock_offset)


def _long_ago(record: Numbered, store: Store) -> bool:
    return (now(store) - written(record)).total_seconds() > LEASE + 2 * _SKEW
