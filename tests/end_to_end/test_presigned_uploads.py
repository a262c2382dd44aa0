"""A page of the site uploads to the emulated bucket by itself, as Chromium lets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from playwright.sync_api import Browser

from tests.emulator.triggers.helpers import moto_server

pytestmark = pytest.mark.browser

UPLOAD = """async ([url, fields]) => {
  const picture = new Blob([new Uint8Array([0, 255, 13, 10])], {type: "image/png"});
  let options = {method: "PUT", body: picture, headers: {"Content-Type": "image/png", "x-amz-meta-owner": "me"}};
  if (fields) {
    options = {method: "POST", body: new FormData()};
    for (const [name, value] of Object.entries(fields)) options.body.append(name, value);
    options.body.append("file", picture, "mine.png");
  }
  try {
    const answer = await fetch(url, options);
    return [answer.status, answer.headers.get("ETag")];
  } catch (error) {
    return [0, String(error)];
  }
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<p>Upload</p>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Where a site answers whose pages show next to nothing: they only have to have an origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_presigned_uploads_from_a_page(chromium: Browser, port: int, tmp_path: Path) -> None:
    site = f"http://127.0.0.1:{port}"
    with moto_server(tmp_path / "bucket", site) as url:
        client: Any = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        put = client.generate_presigned_url("put_object", {"Bucket": "shop", "Key": "put a.png"})
        form = client.generate_presigned_post("shop", "media/form.png", Fields={"Content-Type": "image/png"})
        context = chromium.new_context()
        page = context.new_page()
        page.goto(site)
        status, etag = page.evaluate(UPLOAD, [put, None])
        found = client.get_object(Bucket="shop", Key="put a.png")
        assert (status, etag) == (200, found["ETag"])
        assert (found["Body"].read(), found["Metadata"]) == (b"\0\xff\r\n", {"owner": "me"})
        assert page.evaluate(UPLOAD, [form["url"], form["fields"]])[0] == 204
        found = client.get_object(Bucket="shop", Key="media/form.png")
        assert (found["Body"].read(), found["ContentType"]) == (b"\0\xff\r\n", "image/png")
        page.goto(f"http://localhost:{port}")  # another origin, which the bucket does not know
        assert page.evaluate(UPLOAD, [put, None]) == [0, "TypeError: Failed to fetch"]
        context.close()
        client.close()
