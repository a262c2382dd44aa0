"""The client against a service that misbehaves."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from static_sync.destination import Destination
from static_sync.exceptions import (
    AccessDeniedError,
    BucketError,
    BucketNotFoundError,
    SourceError,
    UnreachableError,
    UnreadableAnswerError,
    WrongRegionError,
)
from static_sync.inventory import take_inventory
from static_sync.manifest import Manifest
from static_sync.plan import Plan, Upload, make_plan
from static_sync.source import scan
from static_sync.stores.s3.client import ATTEMPTS, ATTEMPTS_TO_REACH, Client
from static_sync.stores.s3.credentials import Identity, Keys
from static_sync.stores.s3.endpoint import custom_endpoint
from static_sync.stores.s3.store import WHOLE_FILE, Bucket
from static_sync.transfer import transfer
from tests.static_sync.conftest import write
from tests.static_sync.stub import Fault, StubS3

DESTINATION = Destination("b", "static/")
IDENTITY = Identity("us-east-1", lambda: Keys("id", "secret"))


class Waits(list[float]):
    """Stands in for time.sleep and notes how long it was asked to wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def bucket(stub: StubS3, waits: Waits) -> Iterator[Bucket]:
    with Client(custom_endpoint(stub.url, "b"), IDENTITY, sleep=waits) as client:
        yield Bucket(client, DESTINATION)


def plan_of(folder: Path, bucket: Bucket) -> Plan:
    return make_plan(take_inventory(scan(folder).entries, Manifest()), bucket.listing(), DESTINATION)


def many(folder: Path, number: int) -> dict[str, bytes]:
    files = {f"{index:03}.css": f"/* {index} */".encode() * 50 for index in range(number)}
    write(folder, dict(files))
    return {f"static/{name}": content for name, content in files.items()}


def one(folder: Path, content: bytes = b"a") -> Upload:
    write(folder, {"a.css": content})
    (file,) = take_inventory(scan(folder).entries, Manifest())
    return Upload("static/a.css", file, "new")


def test_connections_are_kept(stub: StubS3, bucket: Bucket, tmp_path: Path) -> None:
    objects = many(tmp_path, 200)
    outcome = transfer(plan_of(tmp_path, bucket), bucket.put, workers=4)
    assert len(outcome.done) == 200
    assert stub.objects == objects
    assert stub.connections <= 5


def test_a_service_that_closes_idle_connections_costs_no_waiting(
    stub: StubS3, bucket: Bucket, waits: Waits, tmp_path: Path
) -> None:
    objects = many(tmp_path, 40)
    stub.fault = lambda number, _method, _key: "close" if number % 2 else None
    outcome = transfer(plan_of(tmp_path, bucket), bucket.put, workers=4)
    assert len(outcome.done) == 40
    assert stub.objects == objects
    assert waits == []


@pytest.mark.parametrize("share", [0.05, 0.3])
@pytest.mark.parametrize("kind", ["503", "SlowDown", "reset", "RequestTimeout", "cut", "500"])
def test_passing_faults_lose_no_file(
    stub: StubS3, bucket: Bucket, waits: Waits, tmp_path: Path, share: float, kind: Fault
) -> None:
    objects = many(tmp_path, 100)
    dice = random.Random(7)
    stub.fault = lambda _number, _method, _key: kind if dice.random() < share else None
    outcome = transfer(plan_of(tmp_path, bucket), bucket.put, workers=8)
    assert (len(outcome.done), outcome.failed, outcome.not_tried) == (100, (), ())
    assert stub.objects == objects
    assert len(stub.requests) > 101
    if kind != "reset":  # a reset of a kept connection may be one that was idle: tried again at once
        assert waits


def test_waiting_grows_and_is_left_to_chance(stub: StubS3, bucket: Bucket, waits: Waits) -> None:
    stub.fault = lambda _number, _method, _key: "SlowDown"
    with pytest.raises(BucketError, match="503 SlowDown"):
        bucket.listing()
    assert len(stub.requests) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    assert len(set(waits)) == len(waits)
    assert all(wait <= min(10, 0.1 * 2**index) for index, wait in enumerate(waits))


def test_a_listing_that_is_cut_without_notice_is_asked_for_again(stub: StubS3, bucket: Bucket) -> None:
    stub.objects = {"static/a.css": b"a"}
    half = stub.listing("static/", "")[:-40].decode()
    stub.fault = lambda number, _method, _key: (200, half, {}) if number == 1 else None
    assert list(bucket.listing()) == ["static/a.css"]
    assert stub.count("GET") == 2


def test_a_web_page_is_no_listing(stub: StubS3, bucket: Bucket) -> None:
    stub.fault = lambda _number, _method, _key: (200, "<html><p>Welcome</html>", {})
    with pytest.raises(UnreadableAnswerError, match="Is it an S3 endpoint"):
        bucket.listing()


def test_a_listing_is_read_to_its_end(stub: StubS3, bucket: Bucket) -> None:
    stub.page = 3
    stub.objects = {f"static/{name}": b"x" for name in ("a b", "a+b", "%41", "ü", "ü", "&;", "~", "日本")}
    stub.objects["static-old/x"] = b"y"
    assert bucket.listing().keys() == stub.objects.keys() - {"static-old/x"}
    assert stub.count("GET") == 3


def test_a_listing_that_runs_in_a_circle_is_left(stub: StubS3, bucket: Bucket) -> None:
    page = (
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        "</ListBucketResult>"
    )
    stub.fault = lambda _number, _method, _key: (200, page, {})
    with pytest.raises(UnreadableAnswerError, match="same page"):
        bucket.listing()


def error(code: str, message: str = "m", more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "says"),
    [
        (404, error("NoSuchBucket"), {}, BucketNotFoundError, "aws s3 mb s3://b"),
        (403, error("AccessDenied"), {}, AccessDeniedError, "s3:PutObject on arn:aws:s3:::b/static/"),
        (403, error("SignatureDoesNotMatch"), {}, AccessDeniedError, "does not belong to AWS_ACCESS_KEY_ID"),
        (403, error("InvalidAccessKeyId"), {}, AccessDeniedError, "does not know this AWS_ACCESS_KEY_ID"),
        (403, error("RequestTimeTooSkewed"), {}, AccessDeniedError, "clock"),
        (400, error("ExpiredToken"), {}, AccessDeniedError, "get new ones"),
        (403, "", {}, AccessDeniedError, "s3:ListBucket"),
        (301, error("PermanentRedirect"), {"x-amz-bucket-region": "eu-west-1"}, WrongRegionError, "--region eu-west-1"),
        (
            400,
            error("AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
            {},
            WrongRegionError,
            "--region eu-west-1",
        ),
        (418, "teapot", {}, BucketError, "418"),
    ],
)
def test_refusals_teach(
    stub: StubS3,
    bucket: Bucket,
    status: int,
    body: str,
    headers: dict[str, str],
    kind: type[BucketError],
    says: str,
) -> None:
    stub.fault = lambda _number, _method, _key: (status, body, headers)
    with pytest.raises(kind) as caught:
        bucket.listing()
    assert says in str(caught.value)
    assert len(stub.requests) == 1


def test_an_endpoint_where_nothing_listens_is_named_soon(waits: Waits) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            Client(custom_endpoint(url, "b"), IDENTITY, sleep=waits) as client,
            pytest.raises(UnreachableError, match="nothing listens there"),
        ):
            Bucket(client, DESTINATION).listing()
    assert len(waits) == ATTEMPTS_TO_REACH - 1


def test_a_host_that_is_none_is_named(waits: Waits) -> None:
    with (
        Client(custom_endpoint("http://nowhere.invalid", "b"), IDENTITY, sleep=waits) as client,
        pytest.raises(UnreachableError, match="there is no such host"),
    ):
        Bucket(client, DESTINATION).listing()


def test_plain_http_taken_for_tls_is_explained(stub: StubS3, waits: Waits) -> None:
    url = stub.url.replace("http:", "https:")
    with (
        Client(custom_endpoint(url, "b"), IDENTITY, sleep=waits) as client,
        pytest.raises(UnreachableError, match="TLS failed"),
    ):
        Bucket(client, DESTINATION).listing()


def test_a_file_that_changed_since_the_inventory_is_not_sent(stub: StubS3, bucket: Bucket, tmp_path: Path) -> None:
    upload = one(tmp_path, b"before")
    for content in (b"after!", b"longer than before", b""):
        write(tmp_path, {"a.css": content})
        with pytest.raises(SourceError, match="changed while it was being synced"):
            bucket.put(upload)
    (tmp_path / "a.css").unlink()
    with pytest.raises(SourceError, match="cannot be read any more"):
        bucket.put(upload)
    assert stub.requests == []


def test_a_large_file_streams(stub: StubS3, bucket: Bucket, tmp_path: Path) -> None:
    content = os.urandom(WHOLE_FILE + 12_345)
    upload = one(tmp_path, content)
    stub.fault = lambda number, _method, _key: "503" if number == 1 else None
    bucket.put(upload)
    assert stub.objects == {"static/a.css": content}
    assert len(stub.requests) == 2


def test_a_large_file_that_changed_is_refused_by_the_service(stub: StubS3, bucket: Bucket, tmp_path: Path) -> None:
    upload = one(tmp_path, b"a" * (WHOLE_FILE + 1))
    write(tmp_path, {"a.css": b"b" * (WHOLE_FILE + 1)})
    with pytest.raises(BucketError, match="BadDigest"):
        bucket.put(upload)
    write(tmp_path, {"a.css": b"a" * WHOLE_FILE})
    with pytest.raises(SourceError, match="became shorter"):
        bucket.put(upload)
    write(tmp_path, {"a.css": b"a" * (WHOLE_FILE + 9)})
    with pytest.raises(BucketError, match="XAmzContentSHA256Mismatch"):
        bucket.put(upload)
    assert stub.objects == {}


def test_nothing_is_put_outside_of_the_prefix(stub: StubS3, bucket: Bucket, tmp_path: Path) -> None:
    upload = one(tmp_path)
    with pytest.raises(AssertionError, match="outside"):
        bucket.put(Upload("other/a.css", upload.file, "new"))
    assert stub.requests == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_unreadable_file_stops_the_run_before_anything_is_sent(open_folder: Path) -> None:
    write(open_folder, {"a.css": "a", "b.css": "b", "deep/c.css": "c"})
    (open_folder / "b.css").chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match=r"b\.css cannot be read: Permission denied"):
            take_inventory(scan(open_folder).entries, Manifest())
    finally:
        if is_root:
            os.seteuid(0)
    (open_folder / "deep").chmod(0)
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match="deep/: cannot be listed"):
            scan(open_folder)
    finally:
        if is_root:
            os.seteuid(0)
        (open_folder / "deep").chmod(0o755)
