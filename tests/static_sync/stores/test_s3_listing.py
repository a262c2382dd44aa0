"""Listings that are cut up and asked for in parallel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from static_sync.exceptions import BucketError, UnreadableAnswerError
from static_sync.stores.contract import RemoteObject
from static_sync.stores.s3 import listing as listing_module
from static_sync.stores.s3.client import ATTEMPTS
from static_sync.stores.s3.store import S3Store
from tests.static_sync.conftest import Moto
from tests.static_sync.stub import StubS3, Waits, md5, store_at


@pytest.fixture
def store(stub: StubS3) -> Iterator[S3Store]:
    store = store_at(stub.url, sleep=Waits())
    yield store
    store.close()


def numbered(number: int) -> list[str]:
    return [f"static/{index:05}" for index in range(number)]


@pytest.mark.parametrize(("number", "requests"), [(0, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3), (9500, 10)])
def test_what_is_expected_takes_a_request_for_each_thousand(
    stub: StubS3, store: S3Store, number: int, requests: int
) -> None:
    keys = numbered(number)
    stub.objects = dict.fromkeys(keys, b"x")
    assert store.listing(keys).keys() == stub.objects.keys()
    assert stub.operations == ["ListObjectsV2"] * requests
    assert stub.connections <= min(requests, 8)
    stub.requests.clear()
    assert sorted(store.listing()) == keys
    assert len(stub.requests) == requests


def test_the_pieces_are_asked_for_at_once(stub: StubS3, store: S3Store) -> None:
    keys = numbered(8000)
    stub.objects = dict.fromkeys(keys, b"x")
    original = stub.listing

    def slow(prefix: str, after: str = "") -> bytes:
        stub.lock.release()
        time.sleep(0.3)
        stub.lock.acquire()
        return original(prefix, after)

    stub.listing = slow  # type: ignore[method-assign]
    started = time.monotonic()
    assert len(store.listing(keys)) == 8000
    assert time.monotonic() - started < 1.8  # 2.4 s one after the other
    assert len(stub.requests) == 8


def test_more_than_expected_is_found_and_less_costs_no_more_than_expected(stub: StubS3, store: S3Store) -> None:
    keys = numbered(4000)
    stub.objects = dict.fromkeys(keys + [f"{key}.br" for key in keys[1500:]], b"x")
    assert store.listing(keys).keys() == stub.objects.keys()
    assert len(stub.requests) <= 10
    stub.requests.clear()
    stub.objects = dict.fromkeys(keys[:1001], b"x")
    assert store.listing(keys).keys() == stub.objects.keys()
    assert len(stub.requests) <= 4


letters = st.text(st.sampled_from("ab+% &ü\uffee\U0001f600"), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.sets(letters, max_size=25), expected=st.sets(letters, max_size=25), page=st.integers(1, 4))
def test_what_is_expected_changes_nothing_in_the_result(
    stub: StubS3, store: S3Store, monkeypatch: pytest.MonkeyPatch, held: set[str], expected: set[str], page: int
) -> None:
    monkeypatch.setattr(listing_module, "PAGE", page)
    stub.page = page
    stub.objects = {f"static/{key}": key.encode() for key in held} | {"static-old/x": b"", "stati": b""}
    found = store.listing(sorted(f"static/{key}" for key in expected))
    assert {key: (one.etag, one.size) for key, one in found.items()} == {
        f"static/{key}": (md5(key.encode()), len(key.encode())) for key in held
    }


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.sets(letters, max_size=25), expected=st.sets(letters, max_size=25), order=st.sampled_from(["u", "i"]))
def test_a_service_that_sorts_in_another_way_is_read_whole(
    stub: StubS3, store: S3Store, monkeypatch: pytest.MonkeyPatch, held: set[str], expected: set[str], order: str
) -> None:
    """By UTF-16, as Java does, or backwards."""

    def rank(key: str) -> bytes:
        encoded = key.encode("utf-16-be")
        return encoded if order == "u" else bytes(255 - byte for byte in encoded)

    def page(prefix: str, after: str = "") -> bytes:
        keys = sorted((key for key in stub.objects if not after or rank(key) > rank(after)), key=rank)
        shown = "".join(f"<Contents><Key>{quote_plus(key)}</Key><Size>1</Size></Contents>" for key in keys[:2])
        more = f"<NextContinuationToken>{quote_plus(keys[1])}</NextContinuationToken>" if len(keys) > 2 else ""
        return (
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            f"{shown}{more}</ListBucketResult>"
        ).encode()

    monkeypatch.setattr(listing_module, "PAGE", 2)
    monkeypatch.setattr(stub, "listing", page)
    stub.objects = {f"static/{key}": b"x" for key in held}
    assert store.listing(sorted(f"static/{key}" for key in expected)).keys() == stub.objects.keys()


@pytest.mark.parametrize("bad", [1, 3, 6])
def test_a_page_that_cannot_be_read_fails_the_whole(stub: StubS3, store: S3Store, bad: int) -> None:
    keys = numbered(6000)
    stub.objects = dict.fromkeys(keys, b"x")
    asked: list[str] = []
    original = stub.listing

    def page(prefix: str, after: str = "") -> bytes:
        if after not in asked:
            asked.append(after)
        body = original(prefix, after)
        return body[:-1] if asked.index(after) == bad - 1 else body

    stub.listing = page  # type: ignore[method-assign]
    with pytest.raises(UnreadableAnswerError, match="did not answer a listing"):
        store.listing(keys)
    stub.listing = original  # type: ignore[method-assign]
    stub.fault = lambda number, _method, _key: "500" if number >= 4 else None
    stub.requests.clear()
    with pytest.raises(BucketError, match="500"):
        store.listing(keys)
    assert len(stub.requests) <= 3 + 5 * ATTEMPTS


def test_a_listing_that_is_cut_without_notice_is_asked_for_again(stub: StubS3, store: S3Store) -> None:
    stub.objects = {"static/a.css": b"a"}
    half = stub.listing("static/")[:-40].decode()
    stub.fault = lambda number, _method, _key: (200, half, {}) if number == 1 else None
    assert list(store.listing()) == ["static/a.css"]
    assert stub.count("GET") == 2


def test_a_web_page_is_no_listing(stub: StubS3, store: S3Store) -> None:
    stub.fault = lambda _number, _method, _key: (200, "<html><p>Welcome</html>", {})
    with pytest.raises(UnreadableAnswerError, match="Is it an S3 endpoint"):
        store.listing()


def test_a_listing_tells_of_each_object(stub: StubS3, store: S3Store) -> None:
    stub.page = 3
    stub.objects = {f"static/{name}": b"x" for name in ("a b", "a+b", "%41", "ü", "u\u0308", "&;", "~", "日本")}
    stub.objects["static-old/x"] = b"y"
    stub.modified = dict.fromkeys(stub.objects, 1_700_000_000)
    assert store.listing() == {
        key: RemoteObject(md5(b"x"), 1, "2023-11-14T22:13:20.000Z") for key in stub.objects.keys() - {"static-old/x"}
    }
    assert stub.count("GET") == 3


def test_a_listing_that_runs_in_a_circle_is_left(stub: StubS3, store: S3Store) -> None:
    def page(number: int, _method: str, _key: str) -> tuple[int, str, dict[str, str]]:
        token = f"<NextContinuationToken>{number % 3}</NextContinuationToken>"
        return (200, f"<ListBucketResult><IsTruncated>true</IsTruncated>{token}</ListBucketResult>", {})

    stub.fault = page
    with pytest.raises(UnreadableAnswerError, match="same page"):
        store.listing()
    assert len(stub.requests) <= 5


def test_moto_lists_in_pieces(moto_server: Moto, bucket: str) -> None:
    from moto.s3.models import s3_backends

    keys = sorted(f"static/{number} +%41ü.txt" for number in range(3500))
    for key in keys:
        s3_backends["123456789012"]["aws"].put_object(bucket, key, b"x")
    store = store_at(moto_server.url, bucket)
    assert list(store.listing(keys)) == keys
    assert moto_server.made() == {"GET": 4}
    assert sorted(store.listing(keys[::7])) == keys
    store.close()
