"""What ``init`` writes, on a function: each project boots, its checks are content, its admin lets its maker in."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from django.core.files.base import ContentFile
from django.test import override_settings

from emulator.live import emulation
from emulator.live import services as emulated_services
from infra.init import snippets
from infra.init.cli import init
from tests.emulator.helpers import ROOT
from tests.postgresql import PostgreSQL

from .projects import PROJECTS

SECRET = "between-cdn-and-function"
ADMIN = {"wagtail": "/django-admin/"}


def own_environment(**more: str) -> dict[str, str]:
    """This machine's, without what leads to somebody's AWS account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO_", "FAAS_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Site:
    """A project after ``init``, and the variables its functions have."""

    def __init__(self, kind: str, folder: Path, database: str, services: str) -> None:
        PROJECTS[kind](folder)
        self.emulator = {"endpoint_url": services, "bucket": kind, "front_doors": ("http_api",)}
        self.folder = folder
        self.admin = ADMIN.get(kind, "/admin/")
        done = CliRunner().invoke(init, catch_exceptions=False)
        assert (done.exit_code, done.stdout) == (0, "")
        (folder / ".env").unlink(missing_ok=True)  # no package has it
        self.variables = {
            "DJANGO_SETTINGS_MODULE": tomllib.loads((folder / "faas.toml").read_text())["settings"],
            "DJANGO_SECRET_KEY": "a-key-of-the-stack's-own-making-0123456789-0123456789-0123456789",
            "DJANGO_ALLOWED_HOSTS": "www.example.com,127.0.0.1",
            "DATABASE_URL": database,
            "FAAS_INTERFACE": "wsgi",
            "FAAS_ORIGIN_SECRET": SECRET,
            "FAAS_TRUSTED_PROXIES": "1",
            "FAAS_ORIGIN_PATH": "/live",
            "FAAS_MEDIA_BUCKET": kind,
            "FAAS_JOBS_QUEUE_URL": "http://127.0.0.1:1/123456789012/jobs",
        }

    def visited(self) -> Any:
        """What a function with this site answers; see function.py."""
        script = Path(__file__).with_name("function.py")
        place = {"AWS_LAMBDA_FUNCTION_NAME": "web", "AWS_REGION": "eu-central-1"}
        done = subprocess.run(
            [sys.executable, str(script), self.admin],
            cwd=self.folder,
            env=own_environment(**self.variables, **place, PYTHONPATH=f"{self.folder}{os.pathsep}{ROOT}"),
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = re.search(r"^function:(.*)$", done.stdout, re.MULTILINE)
        assert said, done.stderr
        return json.loads(said[1])


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the bucket and the queues of all the projects answer."""
    with emulated_services(tmp_path_factory.mktemp("services")) as url:
        yield url


@pytest.fixture(params=list(PROJECTS))
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgresql: PostgreSQL,
    services: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    postgresql.execute(f"CREATE DATABASE {request.param}")
    for name in set(os.environ) - set(own_environment()):
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "emulator")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with contextlib.closing(boto3.client("s3", region_name="us-east-1", endpoint_url=services)) as s3:
        s3.create_bucket(Bucket=request.param)
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    return Site(
        request.param, tmp_path / "site", f"postgres://shop@/{request.param}?host={postgresql.folder}", services
    )


def get(url: str, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.emulated
def test_a_project_works_on_the_function(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in site.variables.items():
        monkeypatch.setenv(name, value)
    with emulation(site.folder, tmp_path / "state", **site.emulator) as running:
        status, _, page = get(running.url, f"{site.admin}login/")
        assert status == 200
        [sheet] = re.findall(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page.decode())
        status, headers, _ = get(running.url, sheet)
        assert (status, headers["server"]) == (200, "AmazonS3")
        assert "immutable" in headers["cache-control"]
        # Past the CDN there is no way in.
        assert get(running.door_urls["http_api"], f"{site.admin}login/")[0] == 403

    seen = site.visited()
    assert (seen["refused"], seen["page"], seen["sheet"]) == (403, 200, [sheet])
    assert seen["sent_on"] == [f"{site.admin}login/?next={site.admin}"]
    assert seen["entered"] == [302, site.admin]
    assert seen["index"] == [200, True]
    for name in ("csrftoken", "sessionid"):
        assert re.search(rf"^{name}=.*; Secure", seen["cookies"], re.MULTILINE)
    # Django's own warnings are the project's to think about; of those for functions none is left.
    assert re.search(r"identified (\d+|no) issues?", seen["checked"])
    assert "faas." not in seen["checked"]


def test_uploads_go_to_the_bucket(services: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "emulator")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", services)
    monkeypatch.setenv("FAAS_MEDIA_BUCKET", "uploads")
    code: dict[str, Any] = {"__name__": "storage_faas"}
    exec(snippets.MEDIA_BUCKET, code)
    storage = code["MediaBucket"]()
    with override_settings(MEDIA_URL="/media/"):
        assert storage.url("a b/ä.txt") == "/media/a%20b/%C3%A4.txt"
    assert "bucket" not in vars(storage)  # no boto3 for a link
    with contextlib.closing(boto3.client("s3")) as s3:
        s3.create_bucket(Bucket="uploads")
        assert storage.save("letters/a.txt", ContentFile(b"first")) == "letters/a.txt"
        assert s3.get_object(Bucket="uploads", Key="media/letters/a.txt")["Body"].read() == b"first"
    second = storage.save("letters/a.txt", ContentFile(b"second"))
    assert second != "letters/a.txt"
    assert storage.listdir("letters") == ([], sorted(["a.txt", second.removeprefix("letters/")]))
    with storage.open(second) as file:
        assert file.read() == b"second"
    assert storage.size(second) == 6
    assert storage.get_modified_time(second)
    storage.delete(second)
    assert not storage.exists(second)
    assert storage.exists("letters/a.txt")
    storage.bucket.connection.meta.client.close()
