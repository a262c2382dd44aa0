from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.bucket import BucketClient, BucketServer, state_folder
from emulator.exceptions import BucketError
from tests.emulator.helpers import alive, until


def with_bucket(store: Path, use: Callable[[Any], None], origins: Sequence[str] = ()) -> None:
    """Starts the bucket on ``store``, has ``use`` talk to it with boto3, and stops it."""

    async def main() -> None:
        server = BucketServer("shop", store, origins)
        try:
            await server.start()
            await asyncio.to_thread(_use, server.url)
        finally:
            await server.stop()

    def _use(url: str) -> None:
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )
        try:
            use(client)
        finally:
            client.close()

    asyncio.run(main())


def keys(client: Any) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket="shop").get("Contents", [])]


def test_objects_outlive_the_server(tmp_path: Path) -> None:
    name = "media/Grüße & 100%/a+b.png"
    seen: list[Any] = []

    def write(client: Any) -> None:
        client.put_object(
            Bucket="shop",
            Key=name,
            Body=b"\0\xffpicture\n",
            ContentType="image/png",
            CacheControl="max-age=60",
            ContentEncoding="gzip",
            Metadata={"owner": "me"},
        )
        for key in ("gone/1", "gone/2", "gone/3", "kept"):
            client.put_object(Bucket="shop", Key=key, Body=key.encode())
        client.put_object(Bucket="shop", Key="kept", Body=b"second version")
        client.delete_object(Bucket="shop", Key="gone/1")
        client.delete_objects(Bucket="shop", Delete={"Objects": [{"Key": "gone/2"}, {"Key": "gone/3"}]})
        client.copy_object(Bucket="shop", Key="copied", CopySource="shop/kept")
        client.upload_fileobj(io.BytesIO(b"z" * 9_000_000), "shop", "in-parts")
        seen.append(client.head_object(Bucket="shop", Key=name))
        seen.append(client.head_object(Bucket="shop", Key="in-parts"))

    def read(client: Any) -> None:
        assert keys(client) == ["copied", "in-parts", "kept", name]
        found = client.get_object(Bucket="shop", Key=name)
        assert found["Body"].read() == b"\0\xffpicture\n"
        for field in ("ContentType", "CacheControl", "ContentEncoding", "Metadata", "ETag", "LastModified"):
            assert found[field] == seen[0][field], field
        assert client.get_object(Bucket="shop", Key="kept")["Body"].read() == b"second version"
        assert client.get_object(Bucket="shop", Key="copied")["Body"].read() == b"second version"
        parts = client.get_object(Bucket="shop", Key="in-parts")
        assert parts["ETag"] == seen[1]["ETag"]
        assert parts["Body"].read() == b"z" * 9_000_000

    with_bucket(tmp_path / "bucket", write)
    with_bucket(tmp_path / "bucket", read)


def test_many_requests_use_one_connection(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        for n in range(3):
            answer = client.put_object(Bucket="shop", Key=str(n), Body=b"x")
            assert answer["ResponseMetadata"]["HTTPHeaders"].get("connection") != "close"
        with pytest.raises(ClientError, match="404"):
            client.head_object(Bucket="shop", Key="none")
        assert len(keys(client)) == 3

    with_bucket(tmp_path / "bucket", use)


def test_what_is_damaged_is_dropped_and_the_rest_is_served(tmp_path: Path) -> None:
    store = tmp_path / "bucket"
    with_bucket(store, lambda client: client.put_object(Bucket="shop", Key="whole", Body=b"x"))
    (store / "empty").touch()
    (store / "garbage").write_bytes(b"\xff\0\n")
    (store / "half.new").write_bytes(b"{")

    def use(client: Any) -> None:
        assert keys(client) == ["whole"]
        assert len(list(store.iterdir())) == 1

    with_bucket(store, use)


def test_the_cdn_reads_a_private_bucket(tmp_path: Path) -> None:
    async def main() -> None:
        server = BucketServer("shop", tmp_path / "bucket")
        client = BucketClient(server.url, "shop", None)
        try:
            await server.start()
            assert (await client.get("/nothing", {})).status == 404
        finally:
            await client.close()
            await server.stop()

    asyncio.run(main())


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    async def main() -> None:
        server = BucketServer("shop", tmp_path / "bucket")
        await server.start()
        assert server._process is not None
        assert server._process.stdin is not None
        pid = server._process.pid
        server._process.stdin.close()
        assert await asyncio.to_thread(until, lambda: not alive(pid), 3)
        await server.stop()

    asyncio.run(main())


def test_requests_to_a_bucket_elsewhere_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator.http import Request, Response
    from emulator.ports import listen, port_of
    from emulator.server import Server

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    async def main() -> None:
        asked: list[Request] = []

        async def store(request: Request) -> Response:
            asked.append(request)
            return Response(200, [], b"x")

        sock = listen("127.0.0.1", 0, "a test")
        server = Server(store, sock)
        await server.start()
        client = BucketClient(f"http://127.0.0.1:{port_of(sock)}", "shop", "eu-west-1")
        await client.get("/a%20b", {"Range": "bytes=0-1"})
        await client.close()
        await server.stop()
        [request] = asked
        assert request.path == "/shop/a%20b"
        assert "Credential=AKIATEST/" in (request.header("authorization") or "")
        assert "/eu-west-1/s3/aws4_request" in (request.header("authorization") or "")

    asyncio.run(main())


def test_the_state_folder_stays_out_of_version_control(tmp_path: Path) -> None:
    assert state_folder(tmp_path) == tmp_path / ".faas"
    assert state_folder(tmp_path).is_dir()
    assert (tmp_path / ".faas" / ".gitignore").read_text() == "*\n"
    assert [path.name for path in tmp_path.iterdir()] == [".faas"]


SITE = "http://127.0.0.1:8000"


def ask(method: str, url: str, headers: dict[str, str], **body: Any) -> tuple[int, dict[str, str], bytes]:
    """What a browser would send; status, the headers that it looks at, and the body."""
    with urllib3.PoolManager() as browser:
        answer = browser.request(method, url, headers=headers, redirect=False, **body)
    seen = {name.lower(): value for name, value in answer.headers.items()}
    cors = {name: value for name, value in seen.items() if name.startswith("access-control-") or name == "vary"}
    return answer.status, cors, answer.data


def test_a_page_of_the_site_may_upload_to_a_presigned_url(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        url = client.generate_presigned_url("put_object", {"Bucket": "shop", "Key": "media/a b.png"})
        status, headers, _ = ask(
            "OPTIONS",
            url,
            {
                "Origin": SITE,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "content-type,X-Amz-Meta-Owner",
            },
        )
        assert status == 200
        assert headers == {
            "access-control-allow-origin": SITE,
            "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
            "access-control-allow-headers": "content-type, x-amz-meta-owner",
            "access-control-expose-headers": "ETag",
            "access-control-allow-credentials": "true",
            "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        }
        status, headers, _ = ask("PUT", url, {"Origin": SITE, "Content-Type": "image/png"}, body=b"\0picture")
        assert (status, headers["access-control-allow-origin"]) == (200, SITE)
        assert headers["access-control-expose-headers"] == "ETag"
        found = client.get_object(Bucket="shop", Key="media/a b.png")
        assert (found["Body"].read(), found["ContentType"]) == (b"\0picture", "image/png")
        url = client.generate_presigned_url("get_object", {"Bucket": "shop", "Key": "none"})
        status, headers, _ = ask("GET", url, {"Origin": SITE})
        assert (status, headers["access-control-allow-origin"]) == (404, SITE)

    with_bucket(tmp_path / "bucket", use, [SITE, "http://localhost:8000"])


def test_a_page_of_the_site_may_upload_with_a_presigned_form(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        form = client.generate_presigned_post(
            "shop",
            "media/form.png",
            Fields={"Content-Type": "image/png", "success_action_status": "201"},
            Conditions=[{"Content-Type": "image/png"}, {"success_action_status": "201"}],
        )
        fields = {**form["fields"], "file": ("mine.png", b"\r\n\0\xffpicture\r\n", "image/png")}
        status, headers, _ = ask("POST", form["url"], {"Origin": SITE}, fields=fields)
        assert (status, headers["access-control-allow-origin"]) == (201, SITE)
        found = client.get_object(Bucket="shop", Key="media/form.png")
        assert found["Body"].read() == b"\r\n\0\xffpicture\r\n"
        assert found["ContentType"] == "image/png"

    with_bucket(tmp_path / "bucket", use, [SITE])


def test_pages_of_other_sites_are_refused_as_s3_does(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        url = client.generate_presigned_url("put_object", {"Bucket": "shop", "Key": "a"})
        status, headers, body = ask(
            "OPTIONS", url, {"Origin": "http://evil.test", "Access-Control-Request-Method": "PUT"}
        )
        assert (status, headers) == (403, {})
        assert b"<Code>AccessForbidden</Code><Message>CORSResponse: This CORS request is not allowed." in body
        assert ask("PUT", url, {"Origin": "http://evil.test"}, body=b"x")[:2] == (200, {})
        status, _, body = ask("OPTIONS", url, {"Origin": SITE})
        assert (status, b"Invalid Access-Control-Request-Method: null" in body) == (400, True)
        status, _, body = ask("OPTIONS", url, {"Access-Control-Request-Method": "PUT"})
        assert (status, b"Origin request header needed" in body) == (400, True)

    with_bucket(tmp_path / "bucket", use, [SITE])


def test_the_projects_own_cors_rules_count_the_first_that_fits(tmp_path: Path) -> None:
    def use(client: Any) -> None:
        asks = {"Origin": "https://a.example.com", "Access-Control-Request-Method": "PUT"}
        url = client.generate_presigned_url("put_object", {"Bucket": "shop", "Key": "a"})
        status, _, body = ask("OPTIONS", url, asks)
        assert (status, b"CORSResponse: CORS is not enabled for this bucket." in body) == (403, True)
        rules = [
            {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET"], "MaxAgeSeconds": 5},
            {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["x-amz-*"]},
            {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
        ]
        client.put_bucket_cors(Bucket="shop", CORSConfiguration={"CORSRules": rules})
        assert ask("OPTIONS", url, {**asks, "Access-Control-Request-Headers": "X-Amz-Acl"})[0] == 200
        assert ask("OPTIONS", url, {**asks, "Access-Control-Request-Headers": "x-amz-acl, content-type"})[0] == 403
        client.put_object(Bucket="shop", Key="a", Body=b"x")
        url = client.generate_presigned_url("get_object", {"Bucket": "shop", "Key": "a"})
        _, headers, _ = ask("GET", url, {"Origin": "https://a.example.com"})
        assert headers["access-control-max-age"] == "5"
        assert headers["access-control-allow-credentials"] == "true"
        _, headers, _ = ask("GET", url, {"Origin": "https://example.com"})
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers

    with_bucket(tmp_path / "bucket", use)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "bucket").touch()  # no folder

    async def main() -> None:
        server = BucketServer("shop", tmp_path / "bucket")
        with pytest.raises(BucketError, match="did not start: FileExistsError"):
            await server.start()
        await server.stop()

    asyncio.run(main())
