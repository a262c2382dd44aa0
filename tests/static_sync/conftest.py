from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.static_sync.stub import StubS3

_numbers = count(1)


class Moto:
    """moto's S3 in a thread; ``requests`` are the method and the query of each one made, ``client`` is boto3's."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import boto3
            from botocore.config import Config
            from moto.moto_server.werkzeug_app import (
                DomainDispatcherApplication,
                MotoRequestHandler,
                create_backend_app,
            )
            from werkzeug.serving import make_server
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.requests: list[tuple[str, str]] = []
        dispatch = DomainDispatcherApplication(create_backend_app)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            self.requests.append((environ["REQUEST_METHOD"], environ["QUERY_STRING"]))
            return dispatch(environ, start_response)

        self._server = make_server("127.0.0.1", 0, application, True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def stop(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def made(self) -> dict[str, int]:
        """How many requests of each method were made since the last call."""
        methods = [method for method, _ in self.requests]
        self.requests.clear()
        return {method: methods.count(method) for method in sorted(set(methods))}


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    server = Moto()
    yield server
    server.stop()


@pytest.fixture
def bucket(moto_server: Moto) -> str:
    """The name of a new, empty bucket."""
    name = f"site-{next(_numbers)}"
    moto_server.client.create_bucket(Bucket=name)
    moto_server.made()
    return name


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment and nowhere else."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))


@pytest.fixture
def stub() -> Iterator[StubS3]:
    server = StubS3()
    yield server
    server.stop()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A collected folder: hashed names and the manifest that says so."""
    folder = tmp_path / "collected"
    write(
        folder,
        {
            "css/site.css": "body { color: red }",
            "css/site.0123456789ab.css": "body { color: red }",
            "js/app.mjs": "export default 1",
            "img/logo.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "staticfiles.json": '{"paths": {"css/site.css": "css/site.0123456789ab.css"}, "version": "1.1"}',
        },
    )
    return folder


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def settle() -> None:
    """Wait until files written before are old enough to be relied upon: see `fingerprint.SETTLED_NS`."""
    time.sleep(2.1)
