"""The client against a service that misbehaves."""

from __future__ import annotations

import itertools
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    CredentialsError,
    SourceError,
    UnreachableError,
    UnreadableAnswerError,
    WrongRegionError,
)
from static_sync.stores.contract import Body, Headers
from static_sync.stores.s3 import client as client_module
from static_sync.stores.s3.client import ATTEMPTS, ATTEMPTS_WHEN_THROTTLED, ATTEMPTS_WITHOUT_HOPE
from static_sync.stores.s3.credentials import Identity, Keys, find_identity
from static_sync.stores.s3.store import S3Store
from tests.static_sync.conftest import write
from tests.static_sync.stub import Fault, StubS3, Waits, md5, store_at

HEADERS = Headers("text/css", "public, max-age=60")


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def store(stub: StubS3, waits: Waits) -> Iterator[S3Store]:
    store = store_at(stub.url, sleep=waits)
    yield store
    store.close()


def body_of(data: bytes) -> Body:
    return Body("nowhere", len(data), md5(data), data)


def put_all(store: S3Store, objects: dict[str, bytes], workers: int) -> list[BucketError]:
    """Put the objects with so many threads; returns what failed."""
    items = iter(objects.items())
    lock, failed = threading.Lock(), []

    def work() -> None:
        while True:
            with lock:
                item = next(items, None)
            if item is None:
                return
            try:
                store.put(item[0], body_of(item[1]), HEADERS)
            except BucketError as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def many(number: int) -> dict[str, bytes]:
    return {f"static/{index:04}.css": f"/* {index} */".encode() * 50 for index in range(number)}


def test_connections_are_kept(stub: StubS3, store: S3Store) -> None:
    objects = many(200)
    assert put_all(store, objects, workers=4) == []
    assert stub.objects == objects
    assert stub.connections == 4


def test_a_service_that_closes_idle_connections_costs_no_waiting(stub: StubS3, store: S3Store, waits: Waits) -> None:
    objects = many(40)
    stub.fault = lambda number, _method, _key: "close" if number % 2 else None
    assert put_all(store, objects, workers=4) == []
    assert stub.objects == objects
    assert waits == []


@pytest.mark.parametrize("share", [0.05, 0.3])
@pytest.mark.parametrize("kind", ["503", "SlowDown", "reset", "RequestTimeout", "cut", "500", "lost"])
def test_passing_faults_lose_no_file(stub: StubS3, store: S3Store, waits: Waits, share: float, kind: Fault) -> None:
    objects = many(100)
    dice = random.Random(7)
    stub.fault = lambda _number, _method, _key: kind if dice.random() < share else None
    assert put_all(store, objects, workers=8) == []
    assert stub.objects == objects
    assert len(stub.requests) > 100
    print(f"{kind} at {share:.0%}: 100 objects in {len(stub.requests)} requests, {len(waits)} waits")
    if kind not in ("reset", "lost"):  # the reset of a kept connection may be one of an idle one: no wait at first
        assert waits


def test_a_third_of_refusals_loses_nothing_of_a_large_site(stub: StubS3, store: S3Store, waits: Waits) -> None:
    objects = many(1500)
    dice = random.Random(3)
    stub.fault = lambda _number, _method, _key: "SlowDown" if dice.random() < 0.3 else None
    assert put_all(store, objects, workers=32) == []
    assert stub.objects == objects
    print(f"1,500 objects in {len(stub.requests)} requests, {sum(waits) / 32:.1f} s of waiting a thread")
    assert sum(waits) / 32 < 10


@pytest.mark.parametrize(("kind", "attempts"), [("500", ATTEMPTS), ("SlowDown", ATTEMPTS_WHEN_THROTTLED)])
def test_waiting_grows_and_is_left_to_chance(
    stub: StubS3, store: S3Store, waits: Waits, kind: Fault, attempts: int
) -> None:
    stub.fault = lambda _number, _method, _key: kind
    with pytest.raises(BucketError, match="answered 50"):
        store.listing()
    assert len(stub.requests) == attempts
    assert len(waits) == attempts - 1
    assert len(set(waits)) == len(waits)
    assert all(wait <= min(10, 0.1 * 2**index) for index, wait in enumerate(waits))


def test_a_service_that_has_failed_for_good_is_not_waited_for_again(stub: StubS3, store: S3Store, waits: Waits) -> None:
    stub.fault = lambda number, _method, _key: "500" if number != ATTEMPTS + ATTEMPTS_WITHOUT_HOPE + 1 else None
    made = []
    for _ in range(4):
        before = len(stub.requests)
        try:
            store.listing()
        except BucketError:
            made.append(len(stub.requests) - before)
        else:
            made.append(0)
    assert made == [ATTEMPTS, ATTEMPTS_WITHOUT_HOPE, 0, ATTEMPTS]


def refused(code: str, message: str = "m", more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "says"),
    [
        (404, refused("NoSuchBucket"), {}, BucketNotFoundError, "aws s3 mb s3://b"),
        (403, refused("AccessDenied"), {}, AccessDeniedError, "s3:AbortMultipartUpload on arn:aws:s3:::b/static/*"),
        (403, refused("SignatureDoesNotMatch"), {}, AccessDeniedError, "does not belong to AWS_ACCESS_KEY_ID"),
        (403, refused("InvalidAccessKeyId"), {}, AccessDeniedError, "does not know this AWS_ACCESS_KEY_ID"),
        (403, refused("RequestTimeTooSkewed"), {"Date": "no date"}, AccessDeniedError, "clock"),
        (400, refused("ExpiredToken"), {}, AccessDeniedError, "get new ones"),
        (403, "", {}, AccessDeniedError, "s3:ListBucket"),
        (301, refused("PermanentRedirect"), {"x-amz-bucket-region": "eu-west-1"}, WrongRegionError, "eu-west-1"),
        (
            400,
            refused("AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
            {},
            WrongRegionError,
            "--region eu-west-1",
        ),
        (418, "teapot", {}, BucketError, "418"),
    ],
)
def test_refusals_teach(
    stub: StubS3,
    store: S3Store,
    status: int,
    body: str,
    headers: dict[str, str],
    kind: type[BucketError],
    says: str,
) -> None:
    stub.fault = lambda _number, _method, _key: (status, body, headers)
    with pytest.raises(kind) as caught:
        store.listing()
    assert says in str(caught.value)
    assert len(stub.requests) == 1


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def assert_unreachable(url: str, waits: Waits, says: str) -> None:
    store = store_at(url, sleep=waits)
    with pytest.raises(UnreachableError, match=says):
        store.listing()
    store.close()
    assert len(waits) == ATTEMPTS_WITHOUT_HOPE - 1


def test_an_endpoint_where_nothing_listens_is_named_soon(waits: Waits) -> None:
    assert_unreachable(f"http://127.0.0.1:{closed_port()}", waits, "nothing listens there")


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70])
def test_a_host_that_is_none_is_named(waits: Waits, host: str) -> None:
    assert_unreachable(f"http://{host}", waits, "there is no such host")


def test_plain_http_taken_for_tls_is_explained(stub: StubS3, waits: Waits) -> None:
    assert_unreachable(stub.url.replace("http:", "https:"), waits, "TLS failed")


def test_a_service_that_answered_before_is_given_the_time_to_restart(waits: Waits) -> None:
    stub = StubS3()
    store = store_at(stub.url, sleep=waits)
    assert store.listing() == {}
    stub.fault = lambda _number, _method, _key: "close"
    store.listing()
    stub.stop()
    with pytest.raises(UnreachableError, match="nothing listens there"):
        store.listing()
    store.close()
    assert len(waits) == ATTEMPTS - 1


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Starts a server whose connections are handled by the function given; returns its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handlers: list[Callable[[socket.socket], None]] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    handlers[0](connection)

        thread = threading.Thread(target=accept)
        thread.start()

        def start(handler: Callable[[socket.socket], None]) -> str:
            handlers.append(handler)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_what_does_not_speak_http_is_no_endpoint(serve: Callable[..., str], waits: Waits) -> None:
    store = store_at(serve(lambda connection: connection.sendall(b"220 mail ready\r\n")), sleep=waits)
    with pytest.raises(UnreadableAnswerError, match=r"does not speak HTTP/1\.1\. Is it an S3 endpoint"):
        store.listing()
    store.close()


def test_silence_is_not_waited_for_for_ever(
    serve: Callable[..., str], waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 0.05)
    store = store_at(serve(lambda _connection: time.sleep(0.1)), sleep=waits)
    with pytest.raises(UnreachableError, match="no answer within"):
        store.listing()
    store.close()
    assert len(waits) == ATTEMPTS - 1


@pytest.fixture
def large(tmp_path: Path) -> Body:
    """A file too large to hold, and larger than what a connection buffers."""
    content = os.urandom(12_345_678)
    write(tmp_path, {"large.bin": content})
    return Body(str(tmp_path / "large.bin"), len(content), md5(content))


def test_a_large_file_streams(stub: StubS3, store: S3Store, large: Body) -> None:
    stub.fault = lambda number, _method, _key: "503" if number == 1 else None
    assert store.put("static/large.bin", large, HEADERS) == large.md5
    assert stub.objects == {"static/large.bin": Path(large.path).read_bytes()}
    assert len(stub.requests) == 2


@pytest.mark.parametrize("held", [True, False])
def test_a_refusal_while_a_body_is_sent_is_read(stub: StubS3, store: S3Store, large: Body, held: bool) -> None:
    stub.fault = lambda _number, _method, _key: "early"
    body = body_of(Path(large.path).read_bytes()) if held else large
    with pytest.raises(BucketError, match="400 EntityTooLarge"):
        store.put("static/large.bin", body, HEADERS)
    assert len(stub.requests) == 1
    stub.fault = lambda _number, _method, _key: None
    assert store.listing() == {}


def test_an_answer_of_success_before_the_end_is_none(serve: Callable[..., str], waits: Waits, large: Body) -> None:
    def hasty(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

    store = store_at(serve(hasty), sleep=waits)
    with pytest.raises(UnreadableAnswerError, match="before it had the whole"):
        store.put("static/large.bin", large, HEADERS)
    store.close()


@pytest.mark.parametrize("change", ["other", "shorter", "longer", "gone"])
@pytest.mark.parametrize("careless", [True, False])
def test_a_file_that_changed_becomes_no_object(
    stub: StubS3, store: S3Store, large: Body, change: str, careless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if careless:  # also where the service does not look at the digest
        monkeypatch.setattr("tests.static_sync.stub.check_digests", lambda *_: None)
    path = Path(large.path)
    content = path.read_bytes()
    match change:
        case "other":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "shorter":
            path.write_bytes(content[:-1])
        case "longer":
            path.write_bytes(content + b"x")
        case "gone":
            path.unlink()
    with pytest.raises(SourceError, match=r"changed while|cannot be read any more"):
        store.put("static/large.bin", large, HEADERS)
    assert stub.objects == {}
    assert store.listing() == {}


def test_a_file_that_is_cut_while_it_is_sent_becomes_no_object(
    stub: StubS3, store: S3Store, large: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = itertools.count()
    original = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = original(descriptor)
        if not next(taken):
            os.truncate(large.path, 5_000_000)
        return found

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(SourceError, match="changed while"):
        store.put("static/large.bin", large, HEADERS)
    assert stub.objects == {}


def first_of(number: int, fault: Fault | None) -> Callable[[int, str, str], Fault | None]:
    """What goes wrong with the first request for each of so many keys."""
    seen: set[str] = set()

    def decide(_number: int, _method: str, key: str) -> Fault | None:
        if key in seen or len(seen) == number:
            return None
        seen.add(key)
        return fault

    return decide


class TestClock:
    def skewed(self, seconds: float) -> Callable[[int, str, str], Fault | None]:
        answer: Fault = (403, refused("RequestTimeTooSkewed"), {"Date": formatdate(time.time() + seconds, usegmt=True)})
        return lambda number, _method, _key: answer if number == 1 else None

    @pytest.mark.parametrize("seconds", [7200, -86_400])
    def test_the_services_clock_is_followed(self, stub: StubS3, store: S3Store, waits: Waits, seconds: float) -> None:
        stub.fault = self.skewed(seconds)
        store.put("static/a", body_of(b"a"), HEADERS)
        assert store.clock_offset == pytest.approx(seconds, abs=2)
        expected = time.strftime("%Y%m%dT%H%M", time.gmtime(time.time() + seconds))
        assert stub.headers["static/a"]["x-amz-date"].startswith(expected)
        assert expected[:8] + "/us-east-1/s3" in stub.headers["static/a"]["authorization"]
        assert (len(stub.requests), waits) == (2, [])

    def test_once_is_enough(self, stub: StubS3, store: S3Store) -> None:
        assert store.clock_offset == 0
        answer = self.skewed(7200)(1, "", "")
        stub.fault = lambda _number, _method, _key: answer
        with pytest.raises(AccessDeniedError, match="clock"):
            store.put("static/a", body_of(b"a"), HEADERS)
        assert len(stub.requests) == 2

    def test_many_threads_correct_it_alike(self, stub: StubS3, store: S3Store) -> None:
        answer = self.skewed(7200)(1, "", "")
        stub.fault = first_of(8, answer)
        assert put_all(store, many(50), workers=8) == []
        assert store.clock_offset == pytest.approx(7200, abs=2)
        assert len(stub.requests) == 58


class TestExpiredCredentials:
    def test_new_ones_are_looked_for_once(self, stub: StubS3) -> None:
        keys, renewed, lock = [Keys("OLD", "x")], [], threading.Lock()

        def renew(refused: Keys) -> bool:
            with lock:
                if keys[0] == refused:
                    keys[0] = Keys("NEW", "y")
                    renewed.append(refused)
                return keys[0] != refused

        stub.expired.add("OLD")
        store = store_at(stub.url, identity=Identity("us-east-1", lambda: keys[0], renew))
        assert put_all(store, many(50), workers=8) == []
        store.close()
        assert renewed == [Keys("OLD", "x")]
        assert 50 < len(stub.requests) <= 58
        assert all("Credential=NEW/" in headers["authorization"] for headers in stub.headers.values())

    def test_those_of_the_environment_are_explained(self, stub: StubS3) -> None:
        stub.fault = lambda _number, _method, _key: (400, refused("ExpiredToken"), {})
        store = store_at(stub.url, identity=find_identity(None, custom_endpoint=True))
        with pytest.raises(AccessDeniedError, match="have expired: get new ones"):
            store.put("static/a", body_of(b"a"), HEADERS)
        store.close()
        assert len(stub.requests) == 1

    def test_botocore_is_asked_again(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")

        def save(access_key: str) -> None:
            content = f"[default]\naws_access_key_id={access_key}\naws_secret_access_key=x"
            write(tmp_path, {"no-aws-credentials": content})

        save("FIRST")
        identity = find_identity("eu-west-1", custom_endpoint=False)
        first = identity.keys()
        assert first == Keys("FIRST", "x")
        assert not identity.renew(first)
        save("SECOND")
        assert identity.keys() == first
        assert identity.renew(first)
        assert identity.keys() == Keys("SECOND", "x")
        save("THIRD")
        assert identity.renew(first)  # somebody has looked already
        assert identity.keys() == Keys("SECOND", "x")
        write(tmp_path, {"no-aws-credentials": ""})
        with pytest.raises(CredentialsError, match="No AWS credentials were found"):
            identity.renew(identity.keys())
