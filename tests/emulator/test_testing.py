"""The test client whose requests travel as events."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_protect

from emulator.front_doors import FRONT_DOORS, UnknownFrontDoor
from emulator.testing import AsyncLambdaClient, LambdaClient
from tests.project.views import EVERY_BYTE, digest


@pytest.fixture(params=sorted(FRONT_DOORS))
def client(request: pytest.FixtureRequest) -> LambdaClient:
    return LambdaClient(front_door=request.param)


def test_a_request_arrives_as_it_was_made(client: LambdaClient) -> None:
    response = client.get("/café/x y/", {"q": "a+b&c", "leer": ""}, headers={"X-Probe": "1"}, secure=True)
    seen = response.json()
    assert seen["path"] == "/café/x y/"
    assert seen["GET"] == {"q": ["a+b&c"], "leer": [""]}
    assert seen["headers"]["X-Probe"] == "1"
    assert seen["host"] == "testserver"
    assert seen["secure"] is True
    assert seen["client"] == "127.0.0.1"


def test_an_upload_arrives_whole(client: LambdaClient) -> None:
    response = client.post("/", {"title": "Fähre", "cover": SimpleUploadedFile("a.png", EVERY_BYTE, "image/png")})
    assert response.json()["POST"] == {"title": ["Fähre"]}
    assert response.json()["FILES"] == {"cover": [["a.png", "image/png", 256, digest(EVERY_BYTE)]]}


def test_the_event_and_the_request_are_at_hand(client: LambdaClient) -> None:
    response = client.get("/seen/")
    event = response.wsgi_request.META["faas.event"]
    assert "/seen/" in {event.get("rawPath"), event.get("path"), event.get("raw_path")}
    assert response.request["PATH_INFO"] == "/seen/"


def test_cookies_are_kept_for_the_next_request(client: LambdaClient) -> None:
    response = client.get("/cookies/")
    assert response.cookies["first"]["max-age"] == 60
    assert client.get("/seen/", secure=True).json()["COOKIES"] == {"first": "1", "second": "two words"}


def test_a_download_arrives_byte_for_byte(client: LambdaClient) -> None:
    assert client.get("/binary/").content == EVERY_BYTE
    streamed = client.get("/download/")
    assert streamed.getvalue() == EVERY_BYTE


def test_an_exception_in_a_view_is_raised_unless_told_otherwise(client: LambdaClient) -> None:
    with pytest.raises(LookupError, match="on purpose"):
        client.get("/broken/")
    client.raise_request_exception = False
    assert client.get("/broken/").status_code == 500


def test_what_no_front_door_could_carry_is_set_all_the_same(client: LambdaClient) -> None:
    assert client.get("/", REMOTE_USER="ada").wsgi_request.META["REMOTE_USER"] == "ada"


def test_the_application_stays_where_the_test_mounts_it(client: LambdaClient) -> None:
    response = client.get("/page/", SCRIPT_NAME="/below")
    assert (response.json()["path"], response.json()["path_info"]) == ("/below/page/", "/page/")


def test_a_request_begins_and_ends_once(client: LambdaClient) -> None:
    told: list[str] = []

    def started(**kwargs: object) -> None:
        told.append("started")

    def finished(**kwargs: object) -> None:
        told.append("finished")

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        client.get("/seen/")
        client.get("/streamed/")
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    assert told == ["started", "finished"] * 2


@override_settings(ROOT_URLCONF="tests.no_such_module")
def test_what_django_raises_before_there_is_a_response_is_raised_in_the_test(
    client: LambdaClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        client.get("/")
    assert "failed outside the application" not in caplog.text


def test_a_request_over_the_front_doors_limit_never_reaches_django(client: LambdaClient) -> None:
    response = client.post("/", b"x" * (11 << 20), content_type="application/octet-stream")
    assert response.status_code == 413


@csrf_protect
def protected(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


urlpatterns = [path("", protected), path("thread/", lambda request: HttpResponse(threading.get_ident()))]


@override_settings(ROOT_URLCONF=__name__)
def test_csrf_is_enforced_only_when_asked_for() -> None:
    assert LambdaClient().post("/").status_code == 200
    assert LambdaClient(enforce_csrf_checks=True).post("/").status_code == 403


def test_an_unknown_front_door_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownFrontDoor, match=", ".join(FRONT_DOORS)):
        LambdaClient(front_door="cellar")


def test_the_fixture_uses_the_front_door_of_the_command_line(
    lambda_client: Any, request: pytest.FixtureRequest
) -> None:
    assert lambda_client.get("/seen/").status_code == 200
    assert lambda_client.handler._door.name == request.config.getoption("--front-door")


@pytest.mark.parametrize("door", sorted(FRONT_DOORS))
def test_the_async_client(door: str) -> None:
    async def main() -> None:
        client = AsyncLambdaClient(front_door=door)
        response = await client.get("/café/x y/", {"q": "a+b&c", "leer": ""}, headers={"X-Probe": "1"}, secure=True)
        seen = response.json()
        assert (seen["path"], seen["GET"]) == ("/café/x y/", {"q": ["a+b&c"], "leer": [""]})
        assert (seen["headers"]["X-Probe"], seen["host"], seen["secure"]) == ("1", "testserver", True)
        upload = SimpleUploadedFile("a.png", EVERY_BYTE, "image/png")
        seen = (await client.post("/", {"title": "Fähre", "cover": upload})).json()
        assert (seen["POST"], seen["FILES"]["cover"][0][3]) == ({"title": ["Fähre"]}, digest(EVERY_BYTE))
        assert (await client.get("/cookies/")).cookies["first"]["max-age"] == 60
        assert (await client.get("/seen/", secure=True)).json()["COOKIES"] == {"first": "1", "second": "two words"}
        assert (await client.get("/binary/")).content == EVERY_BYTE
        assert b"".join(await client.get("/streamed/")).startswith(b"line 0\n")
        with pytest.raises(LookupError, match="on purpose"):
            await client.get("/broken/")
        large = await client.post("/", b"x" * (11 << 20), content_type="application/octet-stream")
        assert large.status_code == 413

    asyncio.run(main())


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("run", [lambda main: asyncio.run(main()), lambda main: async_to_sync(main)()])
def test_synchronous_code_runs_where_that_of_an_async_test_does(run: Callable[[Any], object]) -> None:
    """A test's connection to the database, and its transaction, belong to one thread."""

    async def main() -> None:
        here = await sync_to_async(threading.get_ident)()
        for _ in range(2):
            assert int((await AsyncLambdaClient().get("/thread/")).content) == here
        assert await sync_to_async(threading.get_ident)() == here

    run(main)


STREAMS = {"test_a_reading_comes_word_by_word", "test_the_catalogue_goes_out_row_by_row"}
REPEATED_QUERY_KEYS = {
    "test_pages_of_books",
    "test_a_forgotten_slash_is_added",
    "test_page_links_keep_repeated_keys",
    "test_repeated_keys_widen_and_different_keys_narrow",
}
OVER_ONE_MEGABYTE = {"test_a_photo_too_large_is_refused_with_the_limit"}


@pytest.mark.parametrize(
    ("door", "lost"),
    [
        ("http_api", STREAMS),
        ("function_url", STREAMS),
        ("rest_api", STREAMS),
        ("vpc_lattice", STREAMS),
        ("alb_multi_value", STREAMS | OVER_ONE_MEGABYTE),
        ("alb", STREAMS | OVER_ONE_MEGABYTE | REPEATED_QUERY_KEYS),
    ],
)
def test_an_existing_suite_shows_what_a_front_door_loses_and_nothing_else(
    door: str, lost: set[str], tmp_path: Path
) -> None:
    suite = f"""
        import functools, django
        django.setup()
        from django.core.management import execute_from_command_line
        from django.test import SimpleTestCase
        from emulator.testing import AsyncLambdaClient, LambdaClient
        SimpleTestCase.client_class = functools.partial(LambdaClient, front_door={door!r})
        execute_from_command_line(["manage.py", "test"])
    """
    bookshop = Path(__file__).parent.parent.parent / "samples/bookshop"
    settings = {"DJANGO_SETTINGS_MODULE": "bookshop.settings", "BOOKSHOP_DATA_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(suite)],
        cwd=bookshop,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.search(r"^Ran (\d+) tests", result.stderr, re.MULTILINE), result.stderr
    assert set(re.findall(r"^(?:FAIL|ERROR): (\w+)", result.stderr, re.MULTILINE)) == lost, result.stderr
