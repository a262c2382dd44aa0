"""The pytest plugin as a project has it: pytest in a process of its own, in a folder that knows nothing of this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.emulator.helpers import replace, start_project, until

pytest_plugins = ["pytester"]

SUITE = """
import os
import django.test
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, SimpleTestCase, TestCase
from django.test.client import ClientHandler

def came_its_way(response):
    assert response.status_code == 200
    assert ("x-amzn-RequestId" in response.headers) is (os.environ["WAY"] == "rest_api")

class OwnHandler(ClientHandler):
    def get_response(self, request):
        request.forced = True
        return super().get_response(request)

class OwnClient(Client):  # made as REST framework's is
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.handler = OwnHandler(False)

class SimpleTests(SimpleTestCase):
    def test_client(self):
        came_its_way(self.client.get("/up/"))
        came_its_way(django.test.Client().get("/up/"))
        response = OwnClient().get("/up/")
        came_its_way(response)
        assert response.wsgi_request.forced

    async def test_async_client(self):
        came_its_way(await self.async_client.get("/up/"))
        came_its_way(await AsyncClient().get("/up/"))

class DatabaseTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = User.objects.create_user("ada", password="lovelace")

    def test_login(self):
        assert self.client.post("/login/", {"name": "ada"}).content == b"ada"
        self.client.force_login(self.user)
        came_its_way(self.client.get("/me/"))

    async def test_async_login(self):
        assert (await self.async_client.post("/login/", {"name": "ada"})).content == b"ada"
        await self.async_client.aforce_login(self.user)
        response = await self.async_client.get("/me/")
        assert response.content == b"ada"
        came_its_way(response)

def test_fixture(client):
    came_its_way(client.get("/up/"))

def test_streamed(client):
    assert b"".join(client.get("/drip/")) == b"onetwo"
"""
URLS = """
from django.contrib.auth.models import User
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

urlpatterns = [
    path("up/", csrf_exempt(lambda request: HttpResponse("up"))),
    path("login/", lambda request: HttpResponse(User.objects.get(username=request.POST["name"]).username)),
    path("me/", lambda request: HttpResponse(request.user.username)),
    path("drip/", lambda request: StreamingHttpResponse(iter(["one", "two"]))),
]
"""
LIVE = """
import os, urllib.request
import boto3
import pytest

@pytest.fixture(scope="session")
def emulator_options(emulator_options):
    return {**emulator_options, "front_doors": ("rest_api", "alb"), "concurrency": 1}

def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.headers, answer.read()

def test_the_site(emulator):
    headers, body = fetch(emulator.url + "/up/")
    assert body == b"up"
    assert "x-amzn-RequestId" in headers
    headers, body = fetch(emulator.door_urls["alb"] + "/up/")
    assert "x-amzn-RequestId" not in headers
    assert fetch(emulator.url + "/static/admin/css/base.css")[0]["Server"] == "AmazonS3"

def test_the_sites_bucket(emulator):
    headers, body = fetch(emulator.bucket_url)
    assert b"<Name>django-faas</Name>" in body

@pytest.mark.parametrize("time", [1, 2])
def test_a_bucket_is_new_in_each_test(emulated_bucket, time):
    assert list(emulated_bucket.objects.all()) == []
    # As an application does it, which knows the variables alone.
    boto3.client("s3").put_object(Bucket=os.environ["FAAS_MEDIA_BUCKET"], Key="a/b", Body=b"c")
    assert [entry.key for entry in emulated_bucket.objects.all()] == ["a/b"]

@pytest.mark.parametrize("time", [1, 2])
def test_a_queue_is_new_in_each_test(emulated_queue, time):
    assert emulated_queue.receive_messages() == []
    boto3.client("sqs").send_message(QueueUrl=emulated_queue.url, MessageBody="hello")
    [message] = emulated_queue.receive_messages()
    assert message.body == "hello"

def test_variables_are_as_before():
    assert os.environ["AWS_ACCESS_KEY_ID"] == "of-the-user"
    assert "AWS_ENDPOINT_URL" not in os.environ
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    start_project(pytester.path)
    (pytester.path / "mysite" / "urls.py").write_text(URLS)
    replace(pytester.path / "mysite" / "settings.py", r"ALLOWED_HOSTS = \[\]", "ALLOWED_HOSTS = ['*']")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "mysite.settings")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytester.path), *filter(None, [os.getenv("PYTHONPATH")])]))
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester.path


@pytest.mark.parametrize("way", ["", "rest_api"])
def test_an_existing_suite_goes_through_a_front_door_by_a_flag_alone(
    project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    pytest.importorskip("pytest_django", reason="pytest-django is not installed")
    pytester.makepyfile(SUITE)
    monkeypatch.setenv("WAY", way)
    options = ("--lambda-client", f"--front-door={way}") if way else ()
    result = pytester.runpytest_subprocess("-W", "error", *options)
    result.assert_outcomes(passed=6)
    header = f"django-faas: all of Django's test clients go through {way}"
    assert (header in result.outlines) is bool(way)


def test_an_unknown_front_door_is_refused_with_those_there_are(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--lambda-client", "--front-door=cellar", "-p", "no:django")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --front-door: There is no front door called 'cellar'. *http_api, *"])


def test_nothing_heavy_is_loaded_before_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test_modules():\n"
        "    assert 'emulator.pytest_plugin' in sys.modules\n"
        "    assert not {'django', 'aiohttp', 'boto3', 'moto', 'adapter'} & set(sys.modules)\n"
    )
    pytester.runpytest_subprocess("-p", "no:django").assert_outcomes(passed=1)


@pytest.mark.emulated
def test_what_is_live(project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    monkeypatch.setenv("FAAS_TEST_MARK", str(project))
    pytester.makepyfile(LIVE)
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:django")
    result.assert_outcomes(passed=7)
    # What developers keep in their own bucket is not touched.
    assert not (project / ".faas" / "bucket").exists()
    assert until(lambda: not processes_of(project), 5)


@pytest.mark.emulated
def test_a_folder_without_a_project_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_url(emulator):\n    assert emulator.url\n")
    result = pytester.runpytest_subprocess("-p", "no:django")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*ProjectError: There is no manage.py in *"])


def processes_of(project: Path) -> list[str]:
    """The command lines of what still runs of a pytest in ``project``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"FAAS_TEST_MARK={project}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return [line for line in found if line and str(os.getpid()) != line]
