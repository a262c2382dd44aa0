"""The bookshop's static files in headless Chromium: pushed by static-sync, compressed, and kept for ever."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response

from .browser import Visit, came_from_the_bucket, path_of, visiting
from .conftest import Emulator, emulating, send

pytestmark = [pytest.mark.browser, pytest.mark.emulated]

BOOK = "/books/анна-каренина/"
HASHED = r"\.[0-9a-f]{12}\."


@pytest.fixture(scope="module")
def shop(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The shop, with brotli variants put beside its static files by a second run of static-sync."""
    folder = tmp_path_factory.mktemp("static") / "bookshop"
    shutil.copytree(prepared, folder)
    with emulating(folder, "--no-reload", doors=["http_api"]) as emulator:
        bucket = re.search(r"^ *bucket +(http://\S+)/(\S+)", emulator.output, re.MULTILINE)
        assert bucket, emulator.output
        pushed = subprocess.run(
            [sys.executable, "-m", "static_sync", f"s3://{bucket[2]}/static", "--compress", "br"],
            cwd=folder,
            env={
                **os.environ,
                "AWS_ENDPOINT_URL_S3": bucket[1],
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_REGION": "us-east-1",
                "XDG_CACHE_HOME": str(folder / ".faas" / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert not pushed.returncode, pushed.stdout
        yield emulator


def static_answers(visit: Visit) -> dict[str, Response]:
    """Each file below /static/, by its path without the hash."""
    found = {}
    for answer in visit.answers:
        path = path_of(answer)
        if path.startswith("/static/"):
            assert re.search(HASHED, path), path
            found[re.sub(HASHED, ".", path)] = answer
    return found


def test_fonts_and_images_of_hashed_stylesheets_are_kept_for_ever(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto(BOOK, wait_until="networkidle")
        fonts = page.evaluate(
            "document.fonts.ready.then(all => [...all].filter(one => one.status == 'loaded').map(one => one.family))"
        )
        assert {family.strip('"') for family in fonts} >= {"Literata", "Commissioner"}
        found = static_answers(visit)
        # What stylesheets ask for by names that Django has put into them, those of an imported one among them.
        by_stylesheets = {
            name for name, answer in found.items() if answer.request.headers.get("referer", "").endswith(".css")
        }
        assert by_stylesheets >= {
            "/static/css/fonts.css",
            "/static/fonts/literata-cyrillic.woff2",
            "/static/fonts/commissioner-latin.woff2",
            "/static/img/awning.svg",
            "/static/img/mark.svg",
        }
        for name, answer in found.items():
            assert answer.status == 200
            assert came_from_the_bucket(answer), name
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", name


def test_what_is_text_arrives_in_brotli_and_nothing_else_does(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        visit.page.goto(BOOK, wait_until="networkidle")
        found = static_answers(visit)
        encoded = {name for name, answer in found.items() if answer.headers.get("content-encoding") == "br"}
        assert encoded >= {"/static/css/site.css", "/static/css/fonts.css", "/static/js/search.js"}
        assert not [name for name in encoded if name.endswith((".woff2", ".jpg", ".png"))]
        for name in encoded:
            answer = found[name]
            assert answer.headers["vary"] == "Accept-Encoding"
            assert "br" in (answer.request.header_value("accept-encoding") or "")
            kind = "text/css" if name.endswith(".css") else "text/javascript" if name.endswith(".js") else ""
            assert answer.headers["content-type"].startswith(kind)
            # What came over the wire, and what the page was given.
            assert answer.request.sizes()["responseBodySize"] < 0.95 * len(answer.body()), name
        site = found["/static/css/site.css"]
        assert site.request.sizes()["responseBodySize"] < len(site.body()) / 3
        assert site.text() == send(shop.port, target=path_of(site)).text, "the plain file, for whoever takes no other"


def test_nothing_is_asked_for_a_second_time(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        visit.page.goto(BOOK, wait_until="networkidle")
        seen = {path_of(answer) for answer in static_answers(visit).values()}
        assert seen <= asked_of_the_bucket(shop, "first")
        shop.lines.clear()
        visit.page.reload(wait_until="networkidle")
        assert len(static_answers(visit)) == len(seen)
        assert not asked_of_the_bucket(shop, "second")


def asked_of_the_bucket(shop: Emulator, mark: str) -> set[str]:
    """The static files that the terminal has a line of, up to this moment."""
    send(shop.port, target=f"/static/{mark}")
    shop.wait_for(f"/static/{mark} ")
    return set(re.findall(r"GET +(/static/\S+\.\S+) .* bucket$", shop.output, re.MULTILINE))


def test_a_name_without_a_hash_is_compressed_too_and_soon_asked_for_again(shop: Emulator) -> None:
    answer = send(shop.port, target="/static/css/site.css", headers=[("Accept-Encoding", "gzip, br")])
    assert answer.header("cache-control") == "public, max-age=60"
    assert answer.header("content-encoding") == "br"
    assert answer.header("content-type") == "text/css; charset=utf-8"
    etag = answer.header("etag") or ""
    again = send(
        shop.port, target="/static/css/site.css", headers=[("Accept-Encoding", "gzip, br"), ("If-None-Match", etag)]
    )
    assert again.status == 304
