"""What goes wrong with Django behind other emulators, through every door, the adapter and a real view."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter import LambdaHandler
from emulator.front_doors import FRONT_DOORS, create, serialise
from emulator.http import Request, Response
from tests.project.views import EVERY_BYTE, digest
from tests.project.wsgi import application

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
HANDLER = LambdaHandler(application)
BROWSER = ("Accept", "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5")
# Without multi-value headers a load balancer hands on the last of several alone.
LAST_ONLY = ("alb",)


@pytest.fixture(params=list(FRONT_DOORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def through(
    name: str, path: str, query: str = "", headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
) -> Response:
    door = create(name)
    length = (("Content-Length", str(len(body))),) if body else ()
    method = "POST" if body else "GET"
    request = Request(method, path, query, (("Host", "shop.example"), *headers, *length), body)
    # Through JSON, as on the wire.
    event = json.loads(serialise(door.event(request, REQUEST_ID)))
    return door.response(json.dumps(HANDLER(event)).encode(), event, REQUEST_ID)


def seen(response: Response) -> dict[str, Any]:
    assert response.status == 200
    return dict(json.loads(response.body))


def test_a_trailing_slash_stays_and_redirects_nobody(name: str) -> None:
    assert seen(through(name, "/seen/"))["path"] == "/seen/"
    assert seen(through(name, "/up"))["path"] == "/up"


def test_a_binary_upload_arrives_byte_for_byte(name: str) -> None:
    data = EVERY_BYTE * 40
    body = (
        b'--line\r\nContent-Disposition: form-data; name="title"\r\n\r\nF\xc3\xa4hre\r\n'
        b'--line\r\nContent-Disposition: form-data; name="cover"; filename="a b.png"\r\nContent-Type: image/png\r\n\r\n'
        + data
        + b"\r\n--line--\r\n"
    )
    report = seen(through(name, "/", headers=(("Content-Type", "multipart/form-data; boundary=line"),), body=body))
    assert report["POST"] == {"title": ["Fähre"]}
    assert report["FILES"] == {"cover": [["a b.png", "image/png", len(data), digest(data)]]}


def test_both_of_two_cookies_reach_the_browser(name: str) -> None:
    cookies = [value for header, value in through(name, "/cookies/").headers if header.lower() == "set-cookie"]
    assert sorted(cookie.split(";")[0] for cookie in cookies) == ["first=1", 'second="two words"']


def test_an_image_is_an_image_whatever_a_browser_accepts(name: str) -> None:
    for headers in ((BROWSER,), (("Accept", "*/*"),), ()):
        response = through(name, "/binary/", headers=headers)
        assert response.body == EVERY_BYTE
        assert [value for header, value in response.headers if header.lower() == "content-type"] == ["image/png"]


def test_a_path_beyond_ascii_arrives_decoded_once(name: str) -> None:
    assert seen(through(name, "/caf%C3%A9/x%20y/"))["path"] == "/café/x y/"
    assert seen(through(name, "/100%25/"))["path"] == "/100%/"


def test_every_value_of_a_repeated_parameter_arrives(name: str) -> None:
    expected = ["2"] if name in LAST_ONLY else ["1", "2"]
    assert seen(through(name, "/", query="q=1&q=2&r=a+b"))["GET"] == {"q": expected, "r": ["a b"]}


def test_an_exception_is_django_s_500_and_no_200(name: str, caplog: pytest.LogCaptureFixture) -> None:
    response = through(name, "/broken/")
    assert (response.status, b"Server Error (500)" in response.body) == (500, True)
    assert "on purpose" in caplog.text
