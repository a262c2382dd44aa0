"""The API by which tools tell the CDN what has changed, as boto3 and static-sync use it."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.bucket import BucketClient
from emulator.cdn import Cdn, InvalidationApi, default_distribution
from emulator.http import Request, Response
from emulator.ports import listen, port_of
from emulator.server import Server
from tests.emulator.cdn.edge import header, state
from tests.emulator.helpers import ROOT, Heard

BATCH = (
    b"<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths>"
    b"<CallerReference>first</CallerReference></InvalidationBatch>"
)
REFERENCES = itertools.count(1)


class Api:
    """The API on a port, with boto3's client of it; ``heard`` is what it has had forgotten."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.target: Cdn | None = None
        self.log = Heard()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        sock = listen("127.0.0.1", 0, "a test")
        self.endpoint = f"http://127.0.0.1:{port_of(sock)}/.faas/cloudfront"
        self._server = Server(InvalidationApi(self._invalidate, self.log), sock)
        self.run(self._server.start())
        self.client = boto3.client(
            "cloudfront",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self.client.close()
        self.run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def invalidate(self, *items: str, reference: str | None = None, distribution: str = "E1EMULATOR") -> Any:
        batch = {
            "Paths": {"Quantity": len(items), "Items": list(items)},
            "CallerReference": reference or str(next(REFERENCES)),
        }
        return self.client.create_invalidation(DistributionId=distribution, InvalidationBatch=batch)

    def _invalidate(self, items: Collection[str]) -> None:
        self.heard.append(tuple(items))
        if self.target is not None:
            self.target.invalidate(items)


@pytest.fixture(scope="module")
def served() -> Iterator[Api]:
    api = Api()
    yield api
    api.close()


@pytest.fixture
def api(served: Api) -> Api:
    served.heard.clear()
    served.target = None
    return served


def test_an_invalidation_is_made_shown_and_listed(api: Api) -> None:
    made = api.invalidate("/a & b<c>.css", "/static/*", "#tag", reference="first")
    assert api.heard == [("/a & b<c>.css", "/static/*", "#tag")]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    invalidation = made["Invalidation"]
    assert made["Location"].endswith(f"/invalidation/{invalidation['Id']}")
    assert invalidation["Status"] == "Completed"
    assert invalidation["InvalidationBatch"] == {
        "Paths": {"Quantity": 3, "Items": ["/a & b<c>.css", "/static/*", "#tag"]},
        "CallerReference": "first",
    }
    other = api.invalidate("/b")["Invalidation"]
    shown = api.client.get_invalidation(DistributionId="E1EMULATOR", Id=invalidation["Id"])["Invalidation"]
    assert shown == invalidation
    listed = api.client.list_invalidations(DistributionId="E1EMULATOR")["InvalidationList"]
    assert [item["Id"] for item in listed["Items"]][:2] == [other["Id"], invalidation["Id"]]
    assert (listed["Quantity"], listed["IsTruncated"]) == (len(listed["Items"]), False)
    assert api.client.list_invalidations(DistributionId="E2")["InvalidationList"]["Quantity"] == 0
    api.client.get_waiter("invalidation_completed").wait(DistributionId="E1EMULATOR", Id=invalidation["Id"])
    assert "the CDN forgets /a & b<c>.css, /static/*, #tag" in api.log.text


def test_a_repeated_request_makes_no_other(api: Api) -> None:
    first = api.invalidate("/a", reference="once")["Invalidation"]["Id"]
    assert api.invalidate("/a", reference="once")["Invalidation"]["Id"] == first
    assert api.heard == [("/a",)]
    with pytest.raises(ClientError, match="InvalidationBatchAlreadyExists"):
        api.invalidate("/b", reference="once")
    assert api.invalidate("/b", reference="once", distribution="E2")["Invalidation"]["Id"] != first


@pytest.mark.parametrize("item", ["a", "", "/a*b", "/é", "/" + "a" * 4_000, "#", "#a b", "#a,b", "*"])
def test_what_is_neither_path_nor_tag_is_refused(api: Api, item: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidArgument|InconsistentQuantities"):
        api.invalidate("/good", item)
    assert api.heard == []


def test_unknown_invalidations_and_actions(api: Api) -> None:
    with pytest.raises(ClientError, match="NoSuchInvalidation"):
        api.client.get_invalidation(DistributionId="E1", Id="INONE")
    with pytest.raises(ClientError, match="The emulator knows CreateInvalidation"):
        api.client.list_distributions()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedInput"),
        (b"<InvalidationBatch>", "MalformedInput"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "MalformedInput"),
        (b"<InvalidationBatch/>", "InvalidArgument"),
        (BATCH.replace(b"1", b"2"), "InconsistentQuantities"),
    ],
)
def test_a_body_that_is_no_batch(body: bytes, code: str) -> None:
    heard: list[Collection[str]] = []
    path = "/2020-05-31/distribution/E1/invalidation"
    answer = asyncio.run(InvalidationApi(heard.append, Heard())(Request("POST", path, body=body)))
    assert (answer.status, heard) == (400, [])
    assert f"<Code>{code}</Code>".encode() in answer.body


def test_a_hundred_are_remembered() -> None:
    api = InvalidationApi(lambda items: None, Heard())
    path = "/2020-05-31/distribution/E1/invalidation"

    async def main() -> bytes:
        for number in range(101):
            body = BATCH.replace(b"first", str(number).encode())
            await api(Request("POST", path, body=body))
        return (await api(Request("GET", path))).body

    assert b"<Quantity>100</Quantity>" in asyncio.run(main())


@pytest.mark.parametrize("options", [(), ("--cache-tag", "static")], ids=["paths", "tag"])
def test_static_sync_tells_the_cdn_what_has_changed(
    api: Api, bucket_server: tuple[str, Any], tmp_path: Path, options: tuple[str, ...]
) -> None:
    url, client = bucket_server
    name = f"site{len(options)}"
    client.create_bucket(Bucket=name)
    source = tmp_path / "static"
    source.mkdir()
    files = {"changed.css": b"a {}\n" * 500, "same.css": b"c {}\n" * 500}
    for file, content in files.items():
        (source / file).write_bytes(content)

    def sync() -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        subprocess.run(
            [
                *(sys.executable, "-m", "static_sync", f"s3://{name}/static", "--source", str(source)),
                *("--endpoint-url", url, "--distribution", "E1EMULATOR", "--compress", "gzip", "--wait", *options),
            ],
            env={
                **environ,
                "PYTHONPATH": str(ROOT),
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_ENDPOINT_URL_CLOUDFRONT": api.endpoint,
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
            check=True,
            capture_output=True,
            timeout=60,
        )

    async def door(request: Request) -> Response:
        raise AssertionError(request)

    bucket = BucketClient(url, name, None)
    cdn = api.target = Cdn(default_distribution([("/static/", 0)]), door, bucket, Heard())
    asked = [
        Request("GET", f"/static/{file}", headers=(("Accept-Encoding", coding),))
        for file in files
        for coding in ("gzip", "identity")
    ]

    async def look() -> list[str]:
        answers = [await cdn(request) for request in asked]
        assert [header(answer, "content-encoding") for answer in answers] == ["gzip", None, "gzip", None]
        return [state(answer).split()[0] for answer in answers]

    try:
        sync()
        assert api.run(look()) == ["Miss"] * 4
        assert api.run(look()) == ["Hit"] * 4
        (source / "changed.css").write_bytes(b"b {}\n" * 500)
        sync()
        expected = ["Miss", "Miss", "Hit", "Hit"] if not options else ["Miss"] * 4
        assert api.run(look()) == expected
        assert api.heard[-1] == (("#static",) if options else ("/static/changed.css", "/static/changed.css.gz"))
    finally:
        api.run(bucket.close())
