"""The same requests to a web server and to every front door: Django must see, and the client get, the same.

The web server is gunicorn for WSGI and uvicorn for ASGI.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.project.views import EVERY_BYTE

from .conftest import DOORS as COMMON_DOORS
from .conftest import ROOT, Answer, Emulator, emulating, free_ports, send

pytestmark = pytest.mark.emulated

HOST = ("Host", "shop.example:8000")


@dataclass
class Case:
    """One awkward request; ``lost_by`` names the front doors that can't carry it whole, and why.

    ``lost_by_asgi`` is False where the ASGI server loses the same thing, so that there is no difference left.
    """

    name: str
    target: str = "/"
    method: str = "GET"
    headers: list[tuple[str, str | bytes]] = field(default_factory=list)
    body: bytes | None = None
    lost_by: dict[str, str] = field(default_factory=dict)
    lost_by_asgi: bool = True


def multipart(*parts: tuple[str, bytes]) -> bytes:
    return (
        b"".join(b"--line\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + b"--line--\r\n"
    )


FORM = ("Content-Type", "application/x-www-form-urlencoded")
UPLOAD = ("Content-Type", "multipart/form-data; boundary=line")
DOORS = (*COMMON_DOORS, "http_api_1", "vpc_lattice", "vpc_lattice_1")
LAST_ONLY = {"alb": "without multi-value headers only the last of several reaches the function"}
JOINED = {"vpc_lattice_1": "values are joined by a comma and a space"}
DECODED = {"http_api": "the path arrives decoded"}

JSON_AS_TEXT = ("http_api", "http_api_1", "function_url", "vpc_lattice", "vpc_lattice_1")

CASES = [
    Case("plain", "/seen/"),
    Case("encoded slash", "/a%2Fb/c"),
    Case("encoded percent sign", "/a%252Fb/100%25/"),
    Case("encoded question mark", "/what%3F/else", lost_by={"http_api": "the path ends at a decoded question mark"}),
    Case("UTF-8 path", "/caf%C3%A9/%E2%9C%93/%CE%BB/"),
    Case("path of broken UTF-8", "/%FF%C3/", lost_by={"http_api": "what is not UTF-8 is replaced"}, lost_by_asgi=False),
    Case("plus, tilde and reserved characters in the path", "/a+b/~c/d;e=1,2/f@g:h/!$&'()*"),
    Case("lower-case escapes", "/caf%c3%a9/"),
    Case("space in the path", "/a%20b/"),
    Case("doubled slashes", "/a//b///"),
    Case("dots in the path", "/a/./b/../c"),
    Case("repeated query keys", "/?a=1&b=2&a=3", lost_by=LAST_ONLY),
    Case("blank query values", "/?a=&b=&a=x", lost_by=LAST_ONLY),
    Case("query key without a value", "/?flag"),
    Case("plus and spaces in the query", "/?q=a+b&r=a%2Bb&s=a%20b"),
    Case("encoded query", "/?d%5B%5D=1&url=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c&percent=100%25"),
    Case("UTF-8 query", "/?q=caf%C3%A9&%CE%BB=1"),
    Case("raw brackets in the query", "/?filter[a]=1&x=a,b:c/d?e"),
    Case("empty query", "/?"),
    Case("repeated headers", headers=[("X-Probe", "one"), ("X-Probe", "two")], lost_by=LAST_ONLY | JOINED),
    Case("header with a comma and spaces", headers=[("X-Probe", 'a, b;  c="d, e"')]),
    Case("empty header", headers=[("X-Probe", "")]),
    Case("UTF-8 header", headers=[("X-Probe", "Αθήνα".encode())]),
    Case("headers with underscores", headers=[("X_Probe", "dropped"), ("X-Probe", "kept")]),
    Case("header names in odd case", headers=[("x-pRoBe", "1"), ("ACCEPT-LANGUAGE", "de")]),
    Case("cookies", headers=[("Cookie", 'a=1; b="two words"; c=x=y; a=2; d=')]),
    Case("conditional", headers=[("If-None-Match", '"abc", W/"d"'), ("Range", "bytes=0-9")]),
    Case("basic authentication", headers=[("Authorization", "Basic YWRhOmxvdmVsYWNl")]),
    Case("form", method="POST", headers=[FORM], body=b"a=1&a=2&b=a+b%2B&leer=&%CE%BB=caf%C3%A9"),
    Case("form in chunks of nothing", method="POST", headers=[FORM], body=b""),
    Case("JSON", method="POST", headers=[("Content-Type", "application/json")], body='{"λ": "✓"}'.encode()),
    Case("text with line ends", method="POST", headers=[("Content-Type", "text/plain")], body=b"a\r\nb\n\0\tc"),
    Case(
        "text in Latin-1",
        method="POST",
        headers=[("Content-Type", "text/plain; charset=iso-8859-1")],
        body="café".encode("latin-1"),
        lost_by={
            "http_api": "text that is not UTF-8",
            "http_api_1": "the same",
            "vpc_lattice": "the same",
            "vpc_lattice_1": "the same",
            "function_url": "the same",
            "alb": "the same",
            "alb_multi_value": "the same",
        },
    ),
    Case("body without a type", method="POST", body=EVERY_BYTE),
    Case("binary body", method="PUT", headers=[("Content-Type", "image/png")], body=EVERY_BYTE * 100),
    Case(
        "compressed body",
        method="POST",
        headers=[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        body=b"\x1f\x8b\x08\x00" + EVERY_BYTE,
        lost_by=dict.fromkeys(JSON_AS_TEXT, "JSON is taken for text"),
    ),
    Case(
        "multipart",
        method="POST",
        headers=[UPLOAD],
        body=multipart(
            ('Content-Disposition: form-data; name="title"', "Fähre".encode()),
            ('Content-Disposition: form-data; name="cover"; filename="a b.png"\r\nContent-Type: image/png', EVERY_BYTE),
            ('Content-Disposition: form-data; name="cover"; filename="λ.txt"\r\nContent-Type: text/plain', b""),
        ),
    ),
    Case(
        "large upload",
        method="POST",
        headers=[UPLOAD],
        body=multipart(
            ('Content-Disposition: form-data; name="f"; filename="f.bin"\r\nContent-Type: a/b', EVERY_BYTE * 2500),
        ),
    ),
    Case("empty POST", method="POST", body=b"", lost_by={"http_api": "it is given a type", "http_api_1": "the same"}),
    Case("empty PUT with a type", method="PUT", headers=[("Content-Type", "application/json")], body=b""),
    Case("HEAD", method="HEAD"),
    Case("HEAD of a download", "/download/", method="HEAD", lost_by={"rest_api": "Content-Length is renamed"}),
    Case("OPTIONS", method="OPTIONS", headers=[("Origin", "https://other.example")]),
    Case(
        "PATCH with a body", method="PATCH", headers=[("Content-Type", "application/merge-patch+json")], body=b'{"a":1}'
    ),
    Case("DELETE with a body", method="DELETE", headers=[("Content-Type", "text/plain")], body=b"why"),
    Case("GET with a body", headers=[("Content-Type", "text/plain")], body=b"unusual"),
    Case("two cookies set", "/cookies/"),
    Case("every byte", "/binary/"),
    Case("Latin-1 text", "/latin/"),
    Case("Greek JSON", "/greek/"),
    Case("said to be compressed", "/compressed/"),
    Case("download", "/download/"),
    Case("streamed", "/streamed/"),
    Case("redirect", "/redirect/"),
    Case("slash appended", "/cookies"),
    Case("304", "/unchanged/"),
    Case("204", "/empty/"),
    Case("418", "/teapot/"),
    Case("500", "/broken/"),
]

# What lies between client and function adds these, or does not pass them on, on AWS as in the emulator.
ADDED_TO_REQUEST = re.compile(r"X-Forwarded-|X-Amzn-|Via$|Content-Length$")
ADDED_TO_RESPONSE = re.compile(r"x-amzn?-|apigw-|via$|date$|server$|connection$|keep-alive$|transfer-encoding$")


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def interface(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def web_server(interface: str) -> Iterator[int]:
    """The port of the server that the project would have without us."""
    port = free_ports(1)
    command = {
        "wsgi": ["gunicorn", "-b", f"127.0.0.1:{port}", "tests.project.wsgi", "--log-level", "error"],
        "asgi": ["uvicorn", "--port", str(port), "tests.project.asgi:application", "--log-level", "error"],
    }
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.project.settings"}
    with subprocess.Popen([sys.executable, "-m", *command[interface]], cwd=ROOT, env=environment) as process:
        for _ in range(200):
            try:
                send(port, target="/teapot/")
                break
            except OSError:
                assert process.poll() is None, "the web server did not start"
                time.sleep(0.05)
        try:
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "manage.py").write_text(
        "import os\n"
        "from django.core.management import execute_from_command_line\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tests.project.settings')\n"
        "execute_from_command_line()\n"
    )
    return folder


@pytest.fixture(scope="module")
def emulator(interface: str, project: Path) -> Iterator[Emulator]:
    options = ("--interface", interface, "--no-reload")
    with emulating(project, *options, doors=DOORS, environment={"PYTHONPATH": str(ROOT)}) as emulator:
        yield emulator


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("door", DOORS)
def test_a_front_door_is_like_a_web_server(
    web_server: int, emulator: Emulator, interface: str, door: str, case: Case
) -> None:
    expected, actual = (
        said(send(port, case.method, case.target, [HOST, *case.headers], case.body), case, door)
        for port in (web_server, emulator.doors[door])
    )
    if door in case.lost_by and (interface == "wsgi" or case.lost_by_asgi):
        # The loss is the front door's; should it ever carry the request whole, the table above is out of date.
        assert actual != expected, f"no longer lost: {case.lost_by[door]}"
    else:
        assert actual == expected


def said(answer: Answer, case: Case, door: str) -> dict[str, Any]:
    """What there is to compare of an answer: status, headers that no gateway adds, body or Django's view in it."""
    headers: dict[str, Any] = {}
    for name in dict(answer.headers):
        values = [re.sub(r"expires=[^;]+", "expires=", value) for key, value in answer.headers if key == name]
        if not ADDED_TO_RESPONSE.match(name):
            headers[name] = sorted(values) if name == "set-cookie" else ", ".join(values)
    report = answer.status == 200 and headers.get("content-type") == "application/json"
    if answer.status in {204, 304}:
        headers.pop("content-type", None)  # front doors give even these one
    if answer.status in {204, 304} or report or case.name == "streamed":
        # Differs with the port that is reported; a web server streams without it; with 304 it may stand or not.
        headers.pop("content-length", None)
    if report and answer.body:
        return {"status": answer.status, "headers": headers, "seen": comparable(json.loads(answer.body), door)}
    return {"status": answer.status, "headers": headers, "body": answer.body}


def comparable(seen: dict[str, Any], door: str) -> dict[str, Any]:
    seen["headers"] = {name: value for name, value in seen["headers"].items() if not ADDED_TO_REQUEST.match(name)}
    del seen["port"]  # a web server tells its own, a front door the one in the Host header
    if door in {"http_api_1", "rest_api", "alb", "alb_multi_value"}:
        # As maps of names and values: the order of names, and `?a` as against `?a=`, are not in these events.
        del seen["query"], seen["uri"]
    return seen
