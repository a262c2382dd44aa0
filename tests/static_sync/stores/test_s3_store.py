"""What a store promises, kept by S3: against a stub for what goes wrong, and against moto."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from static_sync.destination import Destination
from static_sync.exceptions import AccessDeniedError, BucketError, BucketNotFoundError, ConflictError
from static_sync.stores.contract import ABSENT, Body, Headers, Store
from static_sync.stores.s3 import Encryption, open_s3
from static_sync.stores.s3.client import ATTEMPTS
from static_sync.stores.s3.multipart import base64_md5
from static_sync.stores.s3.store import S3Store
from tests.static_sync.conftest import Moto
from tests.static_sync.stub import Answer, Fault, StubS3, Waits, md5, refuse, store_at

HEADERS = Headers("text/css; charset=utf-8", "public, max-age=60")
FULL = Headers("text/css", "no-cache", "br", "unhashed,css")
KEY = "static/a.css"


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def store(stub: StubS3, waits: Waits) -> Iterator[S3Store]:
    store = store_at(stub.url, sleep=waits)
    yield store
    store.close()


def body(data: bytes = b"a") -> Body:
    return Body("nowhere", len(data), md5(data), data)


def refused(status: int, code: str, more: str = "") -> Fault:
    return (status, f"<Error><Code>{code}</Code><Message>m</Message>{more}</Error>", {})


def only(number: int, fault: Fault) -> object:
    return lambda made, _method, _key: fault if made == number else None


class TestPut:
    def test_headers_are_sent_and_empty_ones_are_not(self, stub: StubS3, store: S3Store) -> None:
        assert store.put(KEY, body(), FULL) == md5(b"a")
        names = {"cache-control", "content-type", "content-encoding", "x-amz-meta-cache-tag", "content-md5"}
        names |= {"host", "authorization", "x-amz-date", "x-amz-content-sha256", "content-length"}
        assert stub.headers[KEY].keys() == names
        assert stub.headers[KEY]["content-md5"] == base64_md5(md5(b"a"))
        assert stub.headers[KEY]["x-amz-meta-cache-tag"] == "unhashed,css"
        store.put(KEY, body(b""), Headers("text/css", ""))
        assert stub.headers[KEY].keys() == names - {"cache-control", "content-encoding", "x-amz-meta-cache-tag"}
        assert stub.objects[KEY] == b""

    def test_what_is_there_already_is_left(self, stub: StubS3, store: S3Store) -> None:
        store.put(KEY, body(b"1"), HEADERS, ABSENT)
        with pytest.raises(ConflictError, match="it is there already"):
            store.put(KEY, body(b"2"), HEADERS, ABSENT)
        assert stub.objects == {KEY: b"1"}
        assert len(stub.requests) == 2

    def test_what_somebody_has_changed_is_left(self, stub: StubS3, store: S3Store) -> None:
        stub.objects[KEY] = b"1"
        assert store.put(KEY, body(b"2"), HEADERS, md5(b"1")) == md5(b"2")
        with pytest.raises(ConflictError, match="somebody else has changed it"):
            store.put(KEY, body(b"3"), HEADERS, md5(b"1"))
        assert stub.objects == {KEY: b"2"}

    def test_what_somebody_has_deleted_is_not_made_again(self, stub: StubS3, store: S3Store) -> None:
        with pytest.raises(ConflictError, match="somebody else"):
            store.put(KEY, body(), HEADERS, "0" * 32)
        assert stub.objects == {}

    def test_a_bucket_that_is_not_there_is_no_conflict(self, stub: StubS3, store: S3Store) -> None:
        stub.fault = lambda *_: refused(404, "NoSuchBucket")
        with pytest.raises(BucketNotFoundError):
            store.put(KEY, body(), HEADERS, "0" * 32)

    def test_a_race_is_run_again(self, stub: StubS3, store: S3Store, waits: Waits) -> None:
        race = refused(409, "ConditionalRequestConflict")
        stub.fault = lambda number, _method, _key: race if number <= 2 else None
        assert store.put(KEY, body(), HEADERS, ABSENT) == md5(b"a")
        assert (len(stub.requests), len(waits)) == (3, 2)
        stub.fault = lambda *_: race
        with pytest.raises(ConflictError):
            store.put("static/b", body(), HEADERS, ABSENT)
        assert len(stub.requests) == 3 + ATTEMPTS

    def test_a_lost_answer_shows_as_a_conflict_and_never_as_success_of_another(
        self, stub: StubS3, store: S3Store
    ) -> None:
        stub.fault = lambda number, _method, _key: "lost" if number == 1 else None
        with pytest.raises(ConflictError):
            store.put(KEY, body(), HEADERS, ABSENT)
        assert stub.objects == {KEY: b"a"}

    @pytest.mark.parametrize(
        "answer",
        [
            refuse(501, "NotImplemented", "<Header>If-None-Match</Header>"),
            refuse(400, "InvalidArgument", "<ArgumentName>If-None-Match</ArgumentName>"),
            Answer(400, b"<Error><Code>InvalidRequest</Code><Message>Unsupported header 'if-match'</Message></Error>"),
            Answer(501),
        ],
    )
    def test_a_service_without_conditions_is_used_without(self, stub: StubS3, store: S3Store, answer: Answer) -> None:
        stub.conditions = answer
        assert store.conditional
        for number, condition in enumerate((ABSENT, "0" * 32, None)):
            store.put(f"static/{number}", body(), HEADERS, condition)
            assert not store.conditional
        assert len(stub.objects) == 3
        assert len(stub.requests) == 4

    def test_another_refusal_is_none_of_conditions(self, stub: StubS3, store: S3Store) -> None:
        stub.conditions = refuse(400, "InvalidArgument", "<ArgumentName>Content-Type</ArgumentName>")
        with pytest.raises(BucketError, match="InvalidArgument"):
            store.put(KEY, body(), HEADERS, ABSENT)
        assert store.conditional
        assert stub.objects == {}

    @pytest.mark.parametrize("key", ["other/a.css", "static", "statics/a", ""])
    def test_nothing_is_touched_outside_of_the_prefix(self, stub: StubS3, store: S3Store, key: str) -> None:
        with pytest.raises(AssertionError, match="outside"):
            store.get(key)
        with pytest.raises(AssertionError, match="outside"):
            store.put(key, body(), HEADERS)
        with pytest.raises(AssertionError, match="outside"):
            store.rewrite(key, HEADERS, "x")
        with pytest.raises(AssertionError, match="outside"):
            store.delete(["static/fine", key])
        with pytest.raises(AssertionError, match="outside"):
            store.delete([f"{key}\x01"])
        assert stub.requests == []


class TestEncryption:
    @pytest.mark.parametrize(
        ("encryption", "sent"),
        [
            (Encryption("AES256"), ("AES256", None)),
            (Encryption("aws:kms"), ("aws:kms", None)),
            (Encryption("aws:kms", "arn:aws:kms:x"), ("aws:kms", "arn:aws:kms:x")),
        ],
    )
    def test_it_is_asked_for_whenever_an_object_is_written(
        self, stub: StubS3, encryption: Encryption, sent: tuple[str, str | None]
    ) -> None:
        store = store_at(stub.url, encryption=encryption)
        written = [store.put(KEY, body(), HEADERS)]
        headers = [stub.headers[KEY]]
        written.append(store.rewrite(KEY, HEADERS, written[0]))
        headers.append(stub.headers[KEY])
        assert (written[0] == md5(b"a")) is (encryption.algorithm == "AES256")
        assert store.listing()[KEY].etag == written[1]
        store.close()
        for one in headers:
            name = "x-amz-server-side-encryption"
            assert (one[name], one.get(f"{name}-aws-kms-key-id")) == sent


class TestGet:
    def test_content_comes_back(self, stub: StubS3, store: S3Store) -> None:
        content = b"<Error><Code>NoSuchKey</Code></Error>" + bytes(range(256)) * 1000
        stub.objects = {"static/a b+%41&ü": content, "static/empty": b""}
        assert store.get("static/a b+%41&ü") == content
        assert store.get("static/empty") == b""

    def test_what_is_not_there_is_none(self, stub: StubS3, store: S3Store) -> None:
        assert store.get(KEY) is None
        stub.fault = lambda *_: refused(404, "NoSuchBucket")
        with pytest.raises(BucketNotFoundError):
            store.get(KEY)
        stub.fault = lambda *_: (404, "not found", {})
        with pytest.raises(BucketError, match="no S3 error"):
            store.get(KEY)

    def test_half_of_it_is_nothing(self, stub: StubS3, store: S3Store) -> None:
        stub.objects = {KEY: b"whole"}
        stub.fault = lambda number, _method, _key: "cut" if number <= 3 else None
        assert store.get(KEY) == b"whole"


class TestRewrite:
    def test_headers_are_replaced_and_the_content_stays(self, stub: StubS3, store: S3Store) -> None:
        key = "static/a b+%41&ü?.css"
        store.put(key, body(), HEADERS)
        assert store.rewrite(key, FULL, md5(b"a")) == md5(b"a")
        assert stub.objects == {key: b"a"}
        sent = stub.headers[key]
        assert sent["x-amz-copy-source"] == "/b/static/a%20b%2B%2541%26%C3%BC%3F.css"
        assert (sent["x-amz-metadata-directive"], sent["content-encoding"], sent["cache-control"]) == (
            "REPLACE",
            "br",
            "no-cache",
        )
        assert sent["content-length"] == "0"

    @pytest.mark.parametrize("there", [b"changed", None])
    def test_another_object_keeps_its_own(self, stub: StubS3, store: S3Store, there: bytes | None) -> None:
        if there is not None:
            stub.objects[KEY] = there
        with pytest.raises(ConflictError, match="somebody else"):
            store.rewrite(KEY, FULL, md5(b"a"))
        assert stub.headers == {}

    def test_an_error_in_an_answer_of_success_is_one(self, stub: StubS3, store: S3Store, waits: Waits) -> None:
        stub.objects[KEY] = b"a"
        passing = refused(200, "InternalError")
        stub.fault = lambda number, _method, _key: passing if number == 1 else None
        assert store.rewrite(KEY, FULL, md5(b"a")) == md5(b"a")
        assert (len(stub.requests), len(waits)) == (2, 1)
        stub.fault = lambda *_: refused(200, "EntityTooLarge")
        with pytest.raises(BucketError, match=r"new headers: .* answered 200 EntityTooLarge"):
            store.rewrite(KEY, FULL, md5(b"a"))
        stub.fault = lambda *_: refused(200, "PreconditionFailed")
        with pytest.raises(ConflictError):
            store.rewrite(KEY, FULL, md5(b"a"))


class TestDelete:
    def test_a_thousand_go_in_one_request(self, stub: StubS3, store: S3Store) -> None:
        keys = [f"static/{number}" for number in range(2001)]
        stub.objects = dict.fromkeys(keys, b"x") | {"static/stays": b"x"}
        assert store.delete(keys) == keys
        assert stub.objects == {"static/stays": b"x"}
        assert stub.operations == ["DeleteObjects"] * 3

    def test_odd_keys_go_too_and_so_do_those_that_were_never_there(self, stub: StubS3, store: S3Store) -> None:
        keys = ["static/<&>\"'", "static/\r\n\t", "static/ü+%41", "static/\x01\x1f", "static/never"]
        stub.objects = dict.fromkeys(keys[:-1], b"x")
        assert sorted(store.delete(keys)) == sorted(keys)
        assert stub.objects == {}
        assert stub.operations == ["DeleteObjects", "DeleteObject"]

    def test_nothing_is_no_request(self, stub: StubS3, store: S3Store) -> None:
        assert store.delete([]) == []
        assert stub.requests == []

    def test_what_is_refused_is_not_gone(self, stub: StubS3, store: S3Store) -> None:
        keys = [f"static/{number}&" for number in range(4)]
        stub.objects = dict.fromkeys(keys, b"x")
        stub.undeletable = {keys[1]: "AccessDenied"}
        assert store.delete(keys) == [keys[0], *keys[2:]]
        assert stub.objects.keys() == {keys[1]}
        assert len(stub.requests) == 1
        with pytest.raises(AccessDeniedError, match="Could not delete static/1&"):
            store.delete(keys[1:2])

    def test_a_passing_fault_of_one_key_concerns_that_key(
        self, stub: StubS3, store: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = ["static/a", "static/b", "static/c"]
        stub.objects = dict.fromkeys(keys, b"x")
        stub.undeletable = {"static/b": "InternalError", "static/c": "AccessDenied"}

        def repair(number: int, _method: str, _key: str) -> None:
            if number == 3:
                del stub.undeletable["static/b"]

        stub.fault = repair
        assert store.delete(keys) == ["static/a", "static/b"]
        assert len(stub.requests) == 3
        stub.objects, stub.undeletable = {"static/b": b"x"}, {"static/b": "InternalError"}
        with pytest.raises(BucketError, match="InternalError"):
            store.delete(["static/b"])
        assert len(stub.requests) == 3 + ATTEMPTS

    def test_whoever_asks_may_stop(self, stub: StubS3, store: S3Store) -> None:
        keys = [f"static/{number:04}" for number in range(2500)]
        stub.objects = dict.fromkeys(keys, b"x")
        answers = iter([True, False])  # whoever has said no is not asked again
        assert store.delete([*keys, "static/\x01"], lambda: next(answers)) == keys[:1000]
        assert sorted(stub.objects) == keys[1000:]
        assert store.delete(["static/\x01"], lambda: False) == []
        assert len(stub.requests) == 1

    def test_a_failure_of_keys_that_nobody_named_is_not_believed(self, stub: StubS3, store: S3Store) -> None:
        answer = "<DeleteResult><Error><Key>other</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        stub.fault = lambda *_: (200, answer, {})
        with pytest.raises(BucketError, match="that none named"):
            store.delete([KEY])


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_environment_names_the_endpoint(stub: StubS3, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, stub.url)
    store: Store = open_s3(Destination("b", "static/"))
    store.put(KEY, body(), HEADERS)
    store.close()
    assert stub.headers[KEY]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert stub.requests == [("PUT", KEY)]


def test_moto_agrees(moto_server: Moto, bucket: str, tmp_path: Path) -> None:
    store = store_at(moto_server.url, bucket)
    key = "static/ü +%41&.css"
    etag = store.put(key, body(), FULL, ABSENT)
    with pytest.raises(ConflictError):
        store.put(key, body(b"b"), FULL, ABSENT)
    assert store.get(key) == b"a"
    assert store.get(KEY) is None
    (listed,) = store.listing().items()
    assert (listed[0], listed[1].etag, listed[1].size) == (key, etag, 1)
    assert listed[1].modified.startswith("20")

    assert store.rewrite(key, HEADERS, etag) == etag
    found = moto_server.client.get_object(Bucket=bucket, Key=key)
    assert (found["ContentType"], found["CacheControl"]) == ("text/css; charset=utf-8", "public, max-age=60")
    assert (found.get("ContentEncoding"), found["Metadata"], found["Body"].read()) == (None, {}, b"a")
    # moto does not look at the condition of a copy.

    large = tmp_path / "large"
    large.write_bytes(b"x" * 2_000_000)
    assert store.put("static/large", Body(str(large), 2_000_000, md5(large.read_bytes())), HEADERS)
    assert moto_server.client.get_object(Bucket=bucket, Key="static/large")["Body"].read() == large.read_bytes()

    keys = [key, "static/large", "static/never<&>"]
    assert store.delete(keys) == keys
    assert store.listing() == {}
    store.close()
    assert store.conditional
