from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from emulator.bucket import BucketServer


@pytest.fixture(scope="package")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The endpoint, and boto3's client of it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = BucketServer("unused", tmp_path_factory.mktemp("bucket"))
    client = boto3.client(
        "s3", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server.url, client
    finally:
        client.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
