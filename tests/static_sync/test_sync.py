"""A source folder to moto's S3, request by request."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from static_sync import StaticSyncError, SyncReport, sync
from static_sync.destination import Destination
from static_sync.exceptions import BucketNotFoundError, CredentialsError, SourceError, UploadsFailedError, UsageError
from static_sync.inventory import take_inventory
from static_sync.manifest import Manifest
from static_sync.release import FOLDER, Found, record_key, record_of
from static_sync.source import scan
from static_sync.stores import open_store
from static_sync.stores.contract import Body, Headers
from tests.static_sync.conftest import Moto, write
from tests.static_sync.stub import Fault, StubS3

ODD_NAMES = [
    "with space.css",
    "%41.css",
    "a+b.css",
    "a&b;c=d.css",
    "~tilde.css",
    "ü-composed.css",
    "u\u0308-decomposed.css",
    "日本/語.css",
    "Case.css",
    "case.css",
    "what?.css",
    "hash#tag.css",
    "quote'\".css",
    "back\\slash.css",
    "comma,semi;colon:.css",
    "(a)[b]{c}<d>|^`@!$*.css",
]


def push(server: Moto, bucket: str, source: Path, *, prefix: str = "static", dry_run: bool = False) -> SyncReport:
    return sync(f"s3://{bucket}/{prefix}", source=source, endpoint_url=server.url, dry_run=dry_run)


def test_first_upload_then_nothing(moto_server: Moto, bucket: str, source: Path) -> None:
    report = push(moto_server, bucket, source)
    assert moto_server.made() == {"GET": 1, "PUT": 6}  # and the release record
    assert (report.ok, len(report.outcome.done), report.files) == (True, 5, 5)

    report = push(moto_server, bucket, source)
    assert moto_server.made() == {"GET": 1}
    assert (report.ok, report.plan.steps, report.plan.unchanged) == (True, (), 5)


def test_objects_carry_their_headers(moto_server: Moto, bucket: str, source: Path) -> None:
    push(moto_server, bucket, source)
    hashed = moto_server.client.get_object(Bucket=bucket, Key="static/css/site.0123456789ab.css")
    assert hashed["Body"].read() == b"body { color: red }"
    assert hashed["ContentType"] == "text/css; charset=utf-8"
    assert hashed["CacheControl"] == "public, max-age=31536000, immutable"
    plain = moto_server.client.head_object(Bucket=bucket, Key="static/css/site.css")
    assert plain["CacheControl"] == "public, max-age=60"
    manifest = moto_server.client.head_object(Bucket=bucket, Key="static/staticfiles.json")
    assert (manifest["CacheControl"], manifest["ContentType"]) == ("private, no-store", "application/json")


def test_a_change_of_equal_size_and_older_time_is_one_put(moto_server: Moto, bucket: str, source: Path) -> None:
    push(moto_server, bucket, source)
    moto_server.made()
    write(source, {"css/site.css": "body { color: tan }"})
    os.utime(source / "css/site.css", (0, 0))
    report = push(moto_server, bucket, source)
    assert moto_server.made() == {"GET": 1, "PUT": 1}
    assert [(upload.key, upload.reason) for upload in report.plan.steps] == [("static/css/site.css", "changed")]
    body = moto_server.client.get_object(Bucket=bucket, Key="static/css/site.css")["Body"].read()
    assert body == b"body { color: tan }"


def test_new_times_alone_are_no_change(moto_server: Moto, bucket: str, source: Path) -> None:
    push(moto_server, bucket, source)
    moto_server.made()
    for path in source.rglob("*.*"):
        path.touch()
    assert push(moto_server, bucket, source).plan.steps == ()
    assert moto_server.made() == {"GET": 1}


def test_a_dry_run_puts_nothing_and_plans_the_same(moto_server: Moto, bucket: str, source: Path) -> None:
    planned = push(moto_server, bucket, source, dry_run=True)
    assert moto_server.made() == {"GET": 1}
    done = push(moto_server, bucket, source)
    assert planned.plan[:4] == done.plan[:4]
    assert vars(planned.plan.found) == vars(done.plan.found)
    assert [upload.file.stage for upload in done.plan.steps] == [0, 1, 1, 1, 2]


def test_one_listing_for_each_thousand_objects(moto_server: Moto, bucket: str, tmp_path: Path) -> None:
    from moto.s3.models import s3_backends

    objects = {f"{number:04}.txt": str(number) for number in range(1001)}
    write(tmp_path, dict(objects))
    files = take_inventory(scan(tmp_path).entries, Manifest())
    record = record_of(files, Found(), encryption="", with_contents=False)
    backend = s3_backends["123456789012"]["aws"]
    for name, content in objects.items():
        backend.put_object(bucket, f"static/{name}", content.encode())
    backend.put_object(bucket, record_key("static/", 1), record.encode())
    assert push(moto_server, bucket, tmp_path).plan.unchanged == 1001
    assert moto_server.made() == {"GET": 2}


def test_odd_names_arrive_as_they_are(moto_server: Moto, bucket: str, tmp_path: Path) -> None:
    write(tmp_path, {name: name for name in ODD_NAMES})
    push(moto_server, bucket, tmp_path)
    listed = moto_server.client.list_objects_v2(Bucket=bucket)["Contents"]
    keys = sorted(item["Key"] for item in listed if FOLDER not in item["Key"])
    assert keys == sorted(f"static/{name}" for name in ODD_NAMES)
    for name in ODD_NAMES:
        body = moto_server.client.get_object(Bucket=bucket, Key=f"static/{name}")["Body"].read()
        assert body.decode() == name
    moto_server.made()
    assert push(moto_server, bucket, tmp_path).plan.steps == ()


numbers = count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_any_key_comes_back_from_the_bucket(moto_server: Moto, bucket: str, name: str) -> None:
    content = name.encode()
    destination = Destination(bucket, f"{next(numbers)}/")
    with closing(open_store(destination, endpoint_url=moto_server.url)) as store:
        body = Body("", len(content), hashlib.md5(content).hexdigest(), content)
        store.put(destination.prefix + name, body, Headers("text/plain", "no-cache"))
        assert list(store.listing()) == [destination.prefix + name]
        assert store.get(destination.prefix + name) == content


def test_only_the_prefix_is_looked_at_and_nothing_is_deleted(moto_server: Moto, bucket: str, source: Path) -> None:
    for key in ("static-old/a", "other", "static/left.css", "static/css/site.css"):
        moto_server.client.put_object(Bucket=bucket, Key=key, Body=b"before")
    moto_server.made()
    report = push(moto_server, bucket, source)
    assert moto_server.made() == {"GET": 1, "PUT": 6}
    assert (report.objects, report.plan.unclaimed) == (2, 1)
    keys = {item["Key"] for item in moto_server.client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {"static-old/a", "other", "static/left.css"} < keys


def test_without_a_prefix_files_go_to_the_top(moto_server: Moto, bucket: str, source: Path) -> None:
    push(moto_server, bucket, source, prefix="")
    assert moto_server.client.head_object(Bucket=bucket, Key="css/site.css")["ContentType"].startswith("text/css")


def test_an_empty_source_is_nothing_to_do(moto_server: Moto, bucket: str, tmp_path: Path) -> None:
    report = push(moto_server, bucket, tmp_path)
    assert report.ok
    assert "there are no files" in report.lines()[-1]


def test_a_broken_link_stops_before_the_first_request(moto_server: Moto, bucket: str, source: Path) -> None:
    (source / "gone.css").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"gone\.css"):
        push(moto_server, bucket, source)
    assert moto_server.made() == {}


def test_a_bucket_that_is_not_there_is_named(moto_server: Moto, source: Path) -> None:
    with pytest.raises(BucketNotFoundError, match=f"aws s3 mb s3://not-there --endpoint-url {moto_server.url}"):
        push(moto_server, "not-there", source)


def test_failures_are_named_and_the_manifest_stays_behind(stub: StubS3, source: Path) -> None:
    refusal: Fault = (400, "<Error><Code>EntityTooLarge</Code><Message>too large</Message></Error>", {})
    stub.fault = lambda _number, _method, key: refusal if key.endswith(".mjs") else None
    with pytest.raises(UploadsFailedError) as caught:
        sync("s3://bucket/static", source=source, endpoint_url=stub.url)
    text = str(caught.value)
    assert "1 file could not be uploaded" in text
    assert "static/js/app.mjs: " in text
    assert "EntityTooLarge" in text
    assert "1 file not tried" in text
    report = caught.value.report
    assert not report.ok
    assert report.as_dict()["not_tried"] == ["static/staticfiles.json"]
    assert {key for key in stub.objects if FOLDER not in key} == {
        "static/css/site.0123456789ab.css",
        "static/css/site.css",
        "static/img/logo.svg",
    }
    stub.fault = lambda _number, _method, _key: None
    report = sync("s3://bucket/static", source=source, endpoint_url=stub.url)
    assert [upload.key for upload in report.outcome.done] == ["static/js/app.mjs", "static/staticfiles.json"]


def test_aws_is_used_without_an_endpoint_and_the_environment_names_one(
    monkeypatch: pytest.MonkeyPatch, stub: StubS3, source: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.url)
    assert sync("s3://bucket/static", source=source).ok
    assert len(stub.objects) == 6


@pytest.mark.parametrize("workers", [0, 257])
def test_the_number_of_workers_is_checked(source: Path, workers: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 256"):
        sync("s3://bucket/static", source=source, workers=workers)


def test_a_source_and_settings_do_not_go_together(source: Path) -> None:
    with pytest.raises(UsageError, match="one of the two"):
        sync("s3://bucket/static", source=source, settings="x.settings")


class TestIdentity:
    def test_no_credentials_are_explained(self, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(CredentialsError, match="AWS_PROFILE"):
            sync("s3://bucket/static", source=source, endpoint_url="http://127.0.0.1:1")

    def test_no_region_is_explained(self, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
        monkeypatch.delenv("AWS_REGION")
        with pytest.raises(CredentialsError, match="--region"):
            sync("s3://bucket/static", source=source)

    def test_a_profile_is_found(
        self, monkeypatch: pytest.MonkeyPatch, stub: StubS3, source: Path, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_REGION")
        monkeypatch.setenv("AWS_PROFILE", "site")
        write(
            tmp_path,
            {
                "no-aws-credentials": "[site]\naws_access_key_id = FROMPROFILE\naws_secret_access_key = x\n",
                "no-aws-config": "[profile site]\nregion = ap-south-1\n",
            },
        )
        sync("s3://bucket/static", source=source, endpoint_url=stub.url)
        authorization = stub.headers["static/css/site.css"]["authorization"]
        assert "Credential=FROMPROFILE/" in authorization
        assert "/ap-south-1/s3/" in authorization

    def test_an_unknown_profile_is_explained(self, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        with pytest.raises(CredentialsError, match="nobody"):
            sync("s3://bucket/static", source=source)

    def test_a_session_token_is_sent(self, monkeypatch: pytest.MonkeyPatch, stub: StubS3, source: Path) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "temporary")
        sync("s3://bucket/static", source=source, endpoint_url=stub.url)
        assert stub.headers["static/css/site.css"]["x-amz-security-token"] == "temporary"


def test_every_error_has_one_root() -> None:
    from static_sync import exceptions

    errors = [value for value in vars(exceptions).values() if isinstance(value, type)]
    assert len(errors) > 10
    assert all(issubclass(error, StaticSyncError) for error in errors)
    tree = exceptions.__doc__ or ""
    assert all(error.__name__ in tree for error in errors)
