"""The bookshop, used over HTTP through every front door: both legs, our runtime loop and AWS's own."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from PIL import Image

from .conftest import DOORS, FUNCTIONS, Answer, Emulator, emulating, send

pytestmark = pytest.mark.emulated

BOOK = "/books/" + quote("анна-каренина") + "/"


@dataclass
class Visitor:
    """A browser without a window: keeps cookies, sends Origin and the CSRF token with its forms."""

    port: int
    jar: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        return self.send(method, target, headers)

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        if self.jar:
            headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())}
        answer = send(self.port, method, target, list(headers.items()), body)
        self.jar.update(answer.cookies)
        return answer

    def post(self, target: str, fields: dict[str, str], page: str | None = None) -> Answer:
        """Fill in and send the form on ``page`` (by default at ``target``)."""
        form = urlencode({**fields, "csrfmiddlewaretoken": self.token(page or target)})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        return self.send("POST", target, headers, form.encode())

    def token(self, page: str) -> str:
        match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page).text)
        assert match, f"no form on {page}"
        return match[1]

    def log_in(self) -> None:
        answer = self.post("/account/login/", {"username": "admin", "password": "bookshop"})
        assert answer.status == 302, answer.text


@pytest.fixture(scope="module")
def shop(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "bookshop"
    shutil.copytree(prepared, folder)
    return folder


@pytest.fixture(scope="module", params=FUNCTIONS)
def emulator(shop: Path, request: pytest.FixtureRequest) -> Iterator[Emulator]:
    interface, runtime = request.param
    with emulating(shop, "--interface", interface, "--runtime", runtime, "--no-reload") as emulator:
        yield emulator


@pytest.fixture(params=["cdn", *DOORS])
def visitor(emulator: Emulator, request: pytest.FixtureRequest) -> Visitor:
    return Visitor(emulator.port if request.param == "cdn" else emulator.doors[request.param])


def test_a_page_is_made_by_the_function(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer.status == 200
    assert "First Line" in answer.text
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("x-frame-options") == "DENY"


def test_a_reader_logs_in_and_out(visitor: Visitor) -> None:
    visitor.log_in()
    assert visitor.jar["sessionid"]
    assert "admin" in visitor.get("/account/").text
    assert visitor.post("/account/logout/", {}, page="/account/").status == 302
    assert visitor.get("/account/").status == 302


def test_a_form_without_its_token_is_refused(visitor: Visitor) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.send("POST", "/account/login/", form, b"username=admin&password=bookshop").status == 403


def test_a_form_from_elsewhere_is_refused(visitor: Visitor) -> None:
    token = visitor.token("/account/login/")
    body = urlencode({"username": "admin", "password": "bookshop", "csrfmiddlewaretoken": token}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://elsewhere.example"}
    assert visitor.send("POST", "/account/login/", headers, body).status == 403


def test_wrong_credentials_are_told_on_the_page(visitor: Visitor) -> None:
    answer = visitor.post("/account/login/", {"username": "admin", "password": "wrong"})
    assert answer.status == 200
    assert "sessionid" not in visitor.jar


def test_several_cookies_are_set_at_once(visitor: Visitor) -> None:
    answer = visitor.post("/display/", {"theme": "dark", "per_page": "12"}, page="/account/login/")
    assert answer.status == 302
    assert {"theme", "per_page"} <= set(answer.cookies)
    assert visitor.jar["theme"] == "dark"
    assert 'data-theme="dark"' in visitor.get("/").text


def test_the_basket_lives_in_the_session(visitor: Visitor) -> None:
    slug = quote("源氏物語")
    assert visitor.post(f"/basket/add/{slug}/", {}, page=f"/books/{slug}/").status == 302
    assert "源氏物語" in visitor.get("/basket/").text
    archive = visitor.get("/basket/samples.zip")
    assert archive.header("content-type") == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.body)) as files:
        assert files.testzip() is None
        assert len(files.namelist()) == 1


def test_an_uploaded_photo_is_shown_from_the_bucket(visitor: Visitor, emulator: Emulator) -> None:
    visitor.log_in()
    photo = io.BytesIO()
    Image.effect_noise((300, 200), 90).convert("RGB").save(photo, "PNG")
    token = visitor.token(BOOK)
    fields = {"rating": "4", "text": f"Schön {visitor.port}!", "csrfmiddlewaretoken": token}
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(
        'Content-Disposition: form-data; name="photo"; filename="für mich.png"\r\n'.encode()
        + b"Content-Type: image/png\r\n\r\n"
        + photo.getvalue()
    )
    body = b"".join(b"--line\r\n" + part + b"\r\n" for part in parts) + b"--line--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=line", "Origin": visitor.origin}
    target = "/reviews/" + quote("анна-каренина") + "/"
    answer = visitor.send("POST", target, headers, body)
    assert answer.status == 302, answer.text

    page = visitor.get(BOOK).text
    assert f"Schön {visitor.port}!" in page
    (address,) = re.findall(r'src="(/media/reviews/[^"]+)"', page)
    shown = send(emulator.port, target=address)
    assert (shown.status, shown.header("content-type"), shown.header("server")) == (200, "image/png", "AmazonS3")
    assert shown.body == photo.getvalue()


def test_a_download_keeps_its_bytes_and_its_name(visitor: Visitor) -> None:
    answer = visitor.get(BOOK + "sample.epub")
    assert answer.header("content-type") == "application/epub+zip"
    assert "filename*=utf-8''" in (answer.header("content-disposition") or "")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as book:
        assert book.testzip() is None


def test_the_json_api_lists_shows_and_creates(visitor: Visitor) -> None:
    listed = json.loads(visitor.get("/api/books/?" + urlencode({"q": "Анна", "page_size": 5})).body)
    assert listed
    shown = visitor.get("/api" + BOOK)
    assert json.loads(shown.body)["title"] == "Анна Каренина"
    assert visitor.get("/api" + BOOK, **{"If-None-Match": shown.header("etag") or ""}).status == 304
    assert visitor.get("/api/books/?page_size=many").status == 400

    visitor.log_in()
    visitor.token(BOOK)  # sets the cookie
    headers = {"Content-Type": "application/json", "X-CSRFToken": visitor.jar["csrftoken"], "Origin": visitor.origin}
    refused = visitor.send("POST", "/api/books/", headers, '{"title": "Ω"}'.encode())
    assert refused.status == 400
    assert json.loads(refused.body)["errors"]
    assert visitor.send("POST", "/api/books/", headers, b'{"title": ').status == 400


def test_search_keeps_repeated_keys(visitor: Visitor, emulator: Emulator) -> None:
    def count(query: str) -> int:
        return int(json.loads(visitor.get(f"/api/books/?{query}").body)["count"])

    both, first, second = count("genre=epic&genre=drama"), count("genre=epic"), count("genre=drama")
    if visitor.port == emulator.doors["alb"]:
        assert both == second, "a load balancer without multi-value headers passes the last one on"
    else:
        assert both > max(first, second)


def test_pages_follow_each_other(visitor: Visitor) -> None:
    assert visitor.get("/books/?page=3").status == 200
    assert visitor.get("/books/?page=99").status in {200, 404}


def test_addresses_may_be_in_any_script(visitor: Visitor) -> None:
    assert "Анна Каренина" in visitor.get(BOOK).text
    german = visitor.get("/de/" + quote("bücher") + "/")
    assert german.status == 200
    assert 'lang="de"' in german.text
    assert visitor.get("/fr/livres/rayon/" + quote("café-société") + "/").status == 200


def test_old_addresses_and_forgotten_slashes_are_redirected(visitor: Visitor) -> None:
    moved = visitor.get("/shop/?genre=epic")
    assert (moved.status, moved.header("location")) == (301, "/books/?genre=epic")
    slash = visitor.get("/books")
    assert (slash.status, slash.header("location")) == (301, "/books/")
    login = visitor.get("/account/")
    assert urlsplit(login.header("location") or "").query == "next=/account/"


def test_a_streamed_answer_arrives_whole(visitor: Visitor) -> None:
    rows = visitor.get("/export/books.csv").text.splitlines()
    assert len(rows) == 70
    reading = visitor.get(f"{BOOK}reading/?pace=0")
    assert reading.status == 200
    assert reading.text.rstrip().endswith("</html>")


def test_the_404_page_is_the_shops_own(visitor: Visitor) -> None:
    answer = visitor.get("/no/such/page/")
    assert answer.status == 404
    assert "First Line" in answer.text


def test_the_500_page_is_the_shops_own(visitor: Visitor) -> None:
    assert visitor.get("/debug/error/").status == 404
    visitor.log_in()
    answer = visitor.get("/debug/error/")
    assert answer.status == 500
    assert "First Line" in answer.text


def test_head_answers_like_get_without_the_body(visitor: Visitor) -> None:
    answer = visitor.get("/books/", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_a_stylesheet_and_all_it_refers_to_come_from_the_bucket(emulator: Emulator) -> None:
    page = send(emulator.port).text
    sheets = re.findall(r'<link[^>]+href="(/static/[^"]+\.css)"', page)
    assert sheets
    seen = set()
    queue = list(sheets)
    while queue:
        address = urlsplit(queue.pop()).path
        if address in seen:
            continue
        seen.add(address)
        answer = send(emulator.port, target=address)
        assert (answer.status, answer.header("server")) == (200, "AmazonS3"), address
        assert answer.header("x-cache") in {"Miss from cloudfront", "Hit from cloudfront"}
        assert answer.header("cache-control") == "public, max-age=31536000, immutable", address
        if address.endswith(".css"):
            assert answer.header("content-type") == "text/css; charset=utf-8"
            queue += [
                urljoin(address, reference)
                for reference in re.findall(r'url\("?([^")]+)"?\)', answer.text)
                if not reference.startswith("data:")
            ]
    kinds = {Path(address).suffix for address in seen}
    assert {".css", ".woff2"} <= kinds


def test_the_function_never_serves_static_files(emulator: Emulator) -> None:
    sheet = re.findall(r'href="(/static/[^"]+\.css)"', send(emulator.port).text)[0]
    assert {door: send(port, target=sheet).status for door, port in emulator.doors.items()} == dict.fromkeys(DOORS, 404)


def test_what_is_not_in_the_bucket_is_not_found(emulator: Emulator) -> None:
    assert send(emulator.port, target="/static/none.css").status in {403, 404}
