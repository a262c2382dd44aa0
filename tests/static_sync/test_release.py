from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.exceptions import RecordError
from static_sync.release import (
    LEASE_SIZE,
    Needed,
    Record,
    headers_digest,
    make_lease,
    record_key,
    split_listing,
)
from static_sync.stores.contract import Headers, RemoteObject

needed = st.builds(
    Needed,
    headers=st.text("0123456789abcdef", min_size=12, max_size=12),
    encodings=st.sampled_from([(), ("br",), ("br", "gzip")]),
    md5=st.none() | st.text("0123456789abcdef", min_size=32, max_size=32),
    etag=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    unmade=st.sampled_from([(), ("br",)]),
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
records = st.builds(
    Record,
    st.sampled_from(["release", "staged"]),
    st.dictionaries(names, needed),
    st.dictionaries(names, needed),
)
leases = st.builds(make_lease)


@given(records | leases)
def test_a_record_comes_back_as_it_was_written(record: Record) -> None:
    data = record.encode()
    assert Record.decode(data, "key") == record
    assert data == Record.decode(data, "key").encode()


@given(st.lists(st.tuples(names, needed), unique_by=lambda pair: pair[0]), st.randoms())
def test_the_order_of_files_makes_no_other_record(pairs: list[tuple[str, Needed]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Record("release", dict(pairs)).encode() == Record("release", dict(shuffled)).encode()


@given(records)
def test_no_release_is_as_long_as_a_lease(record: Record) -> None:
    """Its size in the listing tells a lease from all else, without a request."""
    assert len(record.encode()) > LEASE_SIZE
    assert len(make_lease().encode()) == LEASE_SIZE
    assert make_lease() != make_lease()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b'{"format":1}', b'{"format":1,"kind":"release","hashed":{"a":[1]},"unhashed":{}}'],
)
def test_what_is_no_record_is_named(data: bytes) -> None:
    with pytest.raises(RecordError, match=r"static/\.static-sync/00000001\.json cannot be read"):
        Record.decode(data, record_key("static/", 1))


def test_a_record_of_a_later_version_is_left_alone() -> None:
    data = json.dumps({"format": 2, "files": []}).encode()
    with pytest.raises(RecordError, match="update django-faas"):
        Record.decode(data, "key")


def test_records_are_told_from_files() -> None:
    records_there = ["static/.static-sync/00000010.json", "static/.static-sync/00000009.json"]
    others = ["static/.static-sync/9.json", "static/.static-sync/note.txt"]
    files_there = ["static/a.css", "static/js/.static-sync/00000011.json"]
    listing = dict.fromkeys([*records_there, *others, *files_there], RemoteObject("etag", 1))
    files, records = split_listing(listing, "static/")
    assert files.keys() == {"static/a.css", "static/js/.static-sync/00000011.json"}
    assert [record.number for record in records] == [9, 10]


def test_all_that_is_sent_makes_the_digest() -> None:
    digests = {
        headers_digest(Headers("a", "b")),
        headers_digest(Headers("a", "c")),
        headers_digest(Headers("b", "b")),
        headers_digest(Headers("a", "b", "gzip")),
        headers_digest(Headers("a", "b", None, "tag")),
        headers_digest(Headers("a", "b"), "aws:kms"),
        headers_digest(Headers("ab", "")),
    }
    assert len(digests) == 7
