"""Large files in parts."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.exceptions import AccessDeniedError, BucketError, ConflictError, SourceError
from static_sync.stores.contract import ABSENT, Body, Headers
from static_sync.stores.s3 import Encryption, multipart
from static_sync.stores.s3 import store as store_module
from static_sync.stores.s3.content import FilePart
from static_sync.stores.s3.multipart import MOST_PARTS, PART, part_size
from static_sync.stores.s3.store import LARGEST_PUT, S3Store
from tests.static_sync.conftest import Moto
from tests.static_sync.stub import Fault, StubS3, Waits, md5, refuse, store_at

HEADERS = Headers("video/mp4", "public, max-age=60", cache_tag="media")
KEY = "static/film & co.mp4"
SMALL_PART = 64 << 10


@pytest.fixture
def store(stub: StubS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """With small parts, so that tests take no time."""
    monkeypatch.setattr(multipart, "PART", SMALL_PART)
    monkeypatch.setattr(store_module, "LARGEST_PUT", SMALL_PART)
    store = store_at(stub.url, sleep=Waits())
    yield store
    store.close()


@pytest.fixture
def film(tmp_path: Path) -> Body:
    """Seven parts, the last of them a byte."""
    content = os.urandom(6 * SMALL_PART) + b"x"
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    return Body(str(path), len(content), md5(content))


def content(body: Body) -> bytes:
    return Path(body.path).read_bytes()


def multipart_etag(data: bytes, size: int) -> str:
    parts = [hashlib.md5(data[start : start + size]).digest() for start in range(0, len(data), size)]
    return f"{md5(b''.join(parts))}-{len(parts)}"


def assert_nothing_is_left(stub: StubS3) -> None:
    assert stub.objects == {}
    assert stub.uploads == {}
    # Not always the last one: the stub may come later to the head of a part that was broken off.
    assert stub.operations.count("AbortMultipartUpload") == 1


def test_a_large_file_arrives_in_parts(stub: StubS3, store: S3Store, film: Body) -> None:
    etag = store.put(KEY, film, HEADERS)
    assert stub.objects == {KEY: content(film)}
    assert etag == multipart_etag(content(film), SMALL_PART) == store.listing()[KEY].etag
    assert stub.uploads == {}
    assert Counter(stub.operations[:-1]) == {
        "CreateMultipartUpload": 1,
        "UploadPart": 7,
        "CompleteMultipartUpload": 1,
    }
    assert stub.connections <= 4
    assert stub.headers[KEY]["content-type"] == "video/mp4"
    assert stub.headers[KEY]["x-amz-meta-cache-tag"] == "media"


def test_a_file_that_is_just_small_enough_is_one_put(stub: StubS3, store: S3Store, film: Body) -> None:
    Path(film.path).write_bytes(b"x" * SMALL_PART)
    store.put(KEY, Body(film.path, SMALL_PART, md5(b"x" * SMALL_PART)), HEADERS)
    assert stub.operations == ["PutObject"]


@given(st.integers(LARGEST_PUT + 1, 48 << 40))
def test_parts_are_as_few_as_the_service_allows(size: int) -> None:
    part = part_size(size)
    assert -(-size // part) <= MOST_PARTS
    assert PART <= part <= 5 << 30
    assert part == PART or -(-size // (part - (1 << 20))) > MOST_PARTS


def test_four_parts_travel_at_a_time(stub: StubS3, store: S3Store, film: Body) -> None:
    lock, running, most = threading.Lock(), [0], [0]
    send = store._client.send

    def counted(method: str, key: str, body: object = b"", **more: object) -> object:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            threading.Event().wait(0.02)
            return send(method, key, body, **more)  # type: ignore[arg-type]
        finally:
            with lock:
                running[0] -= 1

    store._client.send = counted  # type: ignore[method-assign,assignment]
    store.put(KEY, film, HEADERS)
    assert most == [4]


@pytest.mark.parametrize("kind", ["SlowDown", "reset", "500", "cut"])
def test_passing_faults_cost_a_part_and_not_the_file(stub: StubS3, store: S3Store, film: Body, kind: Fault) -> None:
    stub.fault = lambda number, _method, _key: kind if number % 3 == 0 else None
    store.put(KEY, film, HEADERS)
    assert stub.objects == {KEY: content(film)}
    assert stub.uploads == {}


def test_conditions_are_those_of_the_completion(stub: StubS3, store: S3Store, film: Body) -> None:
    store.put(KEY, film, HEADERS, ABSENT)
    with pytest.raises(ConflictError, match="there already"):
        store.put(KEY, film, HEADERS, ABSENT)
    assert stub.uploads == {}
    etag = store.put(KEY, film, HEADERS, multipart_etag(content(film), SMALL_PART))
    stub.objects[KEY], stub.etags = b"of somebody else", {}
    with pytest.raises(ConflictError, match="somebody else"):
        store.put(KEY, film, HEADERS, etag)
    assert stub.objects == {KEY: b"of somebody else"}
    assert stub.uploads == {}


def test_a_service_without_conditions_completes_without(stub: StubS3, store: S3Store, film: Body) -> None:
    stub.conditions = refuse(501, "NotImplemented")
    store.put(KEY, film, HEADERS, ABSENT)
    assert stub.objects == {KEY: content(film)}
    assert not store.conditional


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_what_is_refused_leaves_nothing(stub: StubS3, store: S3Store, film: Body, operation: str) -> None:
    answer: Fault = (403, "<Error><Code>AccessDenied</Code></Error>", {})
    stub.fault = lambda *_: answer if stub.operations[-1] == operation else None
    with pytest.raises(AccessDeniedError):
        store.put(KEY, film, HEADERS)
    if operation == "CreateMultipartUpload":
        assert stub.operations == [operation]
    else:
        assert_nothing_is_left(stub)
    assert stub.operations.count("UploadPart") <= (4 if operation == "UploadPart" else 7)


def test_an_error_in_the_answer_of_a_completion_is_one(stub: StubS3, store: S3Store, film: Body) -> None:
    def fault(code: str, times: int) -> None:
        answer: Fault = (200, f"<Error><Code>{code}</Code></Error>", {})
        stub.operations.clear()
        stub.fault = lambda *_: (
            answer
            if stub.operations[-1] == "CompleteMultipartUpload"
            and stub.operations.count("CompleteMultipartUpload") <= times
            else None
        )

    fault("InternalError", 2)
    store.put(KEY, film, HEADERS)
    assert stub.operations.count("CompleteMultipartUpload") == 3
    assert stub.objects.pop(KEY) == content(film)
    fault("InvalidPart", 100)
    with pytest.raises(BucketError, match="200 InvalidPart"):
        store.put(KEY, film, HEADERS)
    assert_nothing_is_left(stub)


def test_an_answer_without_an_id_is_none(stub: StubS3, store: S3Store, film: Body) -> None:
    stub.fault = lambda *_: (200, "<InitiateMultipartUploadResult/>", {})
    with pytest.raises(BucketError, match="gave it no id"):
        store.put(KEY, film, HEADERS)


def test_a_part_that_arrived_otherwise_is_noticed(
    stub: StubS3, store: S3Store, film: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.fault = lambda *_: (200, "", {"ETag": f'"{"0" * 32}"'}) if stub.operations[-1] == "UploadPart" else None
    with pytest.raises(BucketError, match="got other bytes than were sent"):
        store.put(KEY, film, HEADERS)
    assert_nothing_is_left(stub)
    stub.fault = lambda *_: (200, "", {}) if stub.operations[-1] == "UploadPart" else None
    with pytest.raises(BucketError, match="got other bytes than were sent"):
        store.put(KEY, film, HEADERS)


def test_with_a_kms_key_the_etag_of_a_part_says_nothing(
    stub: StubS3, film: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "PART", SMALL_PART)
    monkeypatch.setattr(store_module, "LARGEST_PUT", SMALL_PART)
    answer: Fault = (200, "", {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"})
    stub.fault = lambda *_: answer if stub.operations[-1] == "UploadPart" else None
    store = store_at(stub.url, encryption=Encryption("aws:kms", "k"))
    with pytest.raises(BucketError, match="InvalidPart"):  # it never got them: but all were taken for sent
        store.put(KEY, film, HEADERS)
    store.close()
    assert stub.operations.count("UploadPart") == 7


@pytest.mark.parametrize("careless", [True, False])
@pytest.mark.parametrize("when", ["before", "behind", "between", "cut", "grown"])
def test_a_file_that_changes_becomes_no_object(
    stub: StubS3, store: S3Store, film: Body, monkeypatch: pytest.MonkeyPatch, when: str, careless: bool
) -> None:
    """``behind`` what was read already, ``between`` the reading of a part and its sending."""
    if careless:  # also where the service does not look at digests
        monkeypatch.setattr("tests.static_sync.stub.check_digests", lambda *_: None)
    path = Path(film.path)
    data = content(film)

    def change(number: int, _method: str, _key: str) -> None:
        if number != 4:
            return
        match when:
            case "behind":
                path.write_bytes(b"\0" + data[1:-1] + b"\0")
            case "cut":
                path.write_bytes(data[:-1])
            case "grown":
                path.write_bytes(data + b"x")

    if when == "before":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif when == "between":
        original = multipart._put_part

        def put_part(*arguments: object) -> str:
            if arguments[3] == 2:
                path.write_bytes(bytes(len(data)))
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(multipart, "_put_part", put_part)
    stub.fault = change
    with pytest.raises(SourceError, match="changed while it was being synced"):
        store.put(KEY, film, HEADERS)
    assert_nothing_is_left(stub)


def test_a_file_that_vanishes_leaves_nothing(stub: StubS3, store: S3Store, film: Body) -> None:
    stub.fault = lambda number, _method, _key: Path(film.path).unlink() if number == 1 else None
    with pytest.raises(SourceError, match="cannot be read any more"):
        store.put(KEY, film, HEADERS)
    assert_nothing_is_left(stub)


@pytest.mark.parametrize("moment", range(1, 8))
def test_an_interruption_leaves_nothing(
    stub: StubS3, store: S3Store, film: Body, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    original = multipart._put_part

    def interrupted(*arguments: object) -> str:
        if arguments[3] == moment:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(multipart, "_put_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.put(KEY, film, HEADERS)
    assert_nothing_is_left(stub)


def test_an_abort_that_fails_hides_no_reason(stub: StubS3, store: S3Store, film: Body) -> None:
    refusal: Fault = (403, "<Error><Code>AccessDenied</Code></Error>", {})
    Path(film.path).write_bytes(bytes(film.size))
    stub.fault = lambda *_: refusal if stub.operations[-1] == "AbortMultipartUpload" else None
    with pytest.raises(SourceError, match="changed"):
        store.put(KEY, film, HEADERS)
    assert stub.objects == {}


def test_moto_puts_the_parts_together(
    moto_server: Moto, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smallest = 5 << 20  # the least that S3 and moto take
    monkeypatch.setattr(multipart, "PART", smallest)
    monkeypatch.setattr(store_module, "LARGEST_PUT", smallest)
    data = os.urandom(1 << 20) * 11
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    body = Body(str(path), len(data), md5(data))
    store = store_at(moto_server.url, bucket)
    etag = store.put(KEY, body, HEADERS, ABSENT)
    assert etag == multipart_etag(data, smallest) == store.listing()[KEY].etag
    found = moto_server.client.get_object(Bucket=bucket, Key=KEY)
    assert found["ContentType"] == "video/mp4"
    assert md5(found["Body"].read()) == body.md5
    with pytest.raises(ConflictError):
        store.put(KEY, body, HEADERS, ABSENT)
    assert "Uploads" not in moto_server.client.list_multipart_uploads(Bucket=bucket)
    store.close()


def test_the_file_is_not_held_in_memory(tmp_path: Path) -> None:
    """Each part is read in blocks: what is allocated at a time stays far below the size of a part."""
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    part = FilePart.whole(Body(str(path), 50 << 20, md5(bytes(50 << 20))))
    tracemalloc.start()
    assert sum(map(len, part.blocks(1 << 16))) == 50 << 20
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20
