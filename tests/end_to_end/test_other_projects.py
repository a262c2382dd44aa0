"""Projects that know nothing of this one: as `django-admin startproject` and `wagtail start` make them."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import django
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, expect

from .browser import came_from_the_bucket, visiting, width_of
from .conftest import Answer, Emulator, emulating, send

pytestmark = pytest.mark.emulated

USER, PASSWORD = "ada", "correct horse battery"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def run(*command: str, folder: Path, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def prepare(folder: Path) -> None:
    """What a newcomer does next: the tables, and an account."""
    run("manage.py", "migrate", folder=folder)
    run(
        *("manage.py", "createsuperuser", "--noinput", "--username", USER, "--email", ""),
        folder=folder,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    run("-m", "django", "startproject", "mysite", ".", folder=folder)
    prepare(folder)
    return folder


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def site(project: Path, request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with emulating(project, "--interface", request.param, "--no-reload", doors=["http_api"]) as emulator:
        yield emulator


def test_a_new_project_welcomes_its_maker(site: Emulator) -> None:
    answer = send(site.port)
    assert answer.status == 200
    assert "The install worked successfully!" in answer.text


def test_a_new_project_shows_its_debug_page(site: Emulator) -> None:
    answer = send(site.port, target="/nowhere/")
    assert answer.status == 404
    assert "DEBUG = True" in answer.text


def test_the_admin_of_a_new_project_lets_its_maker_in(site: Emulator) -> None:
    answer = log_in(site, origin=f"http://localhost:{site.port}")
    assert (answer.status, answer.header("location")) == (302, "/admin/")
    index = send(site.port, target="/admin/", headers=[("Cookie", f"sessionid={answer.cookies['sessionid']}")])
    assert index.status == 200
    assert "Site administration" in index.text
    assert USER in index.text


def test_the_admin_of_a_new_project_refuses_a_form_from_elsewhere(site: Emulator) -> None:
    answer = log_in(site, origin="http://elsewhere.example")
    assert answer.status == 403
    assert "Origin checking failed" in answer.text


def log_in(site: Emulator, origin: str) -> Answer:
    """The admin's log-in as browsers send it, with an Origin."""
    target = "/admin/login/?next=/admin/"
    page = send(site.port, target=target)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    headers = [FORM, ("Origin", origin), ("Cookie", f"csrftoken={page.cookies['csrftoken']}")]
    return send(site.port, "POST", target, headers, urlencode(form).encode())


def test_the_admin_of_a_new_project_is_styled_from_the_bucket(site: Emulator) -> None:
    page = send(site.port, target="/admin/login/")
    (sheet,) = re.findall(r'href="(/static/admin/css/base\.css)"', page.text)
    answer = send(site.port, target=sheet)
    assert (answer.status, answer.header("server")) == (200, "AmazonS3")
    assert answer.header("content-type") == "text/css; charset=utf-8"
    assert answer.body == Path(django.__path__[0], "contrib/admin/static", sheet.removeprefix("/static/")).read_bytes()
    # The name stays when the file changes, so nobody may keep it for long.
    assert "immutable" not in (answer.header("cache-control") or "")


def test_a_project_is_left_as_it_was(project: Path, site: Emulator) -> None:
    """All that the emulator writes is in a folder that version control does not see."""
    assert {path.name for path in project.iterdir()} == {".faas", "db.sqlite3", "manage.py", "mysite"}
    assert (project / ".faas/.gitignore").read_text() == "*\n"


@contextmanager
def told(site: Emulator, text: str) -> Iterator[None]:
    """Until ``text`` is printed after what is done inside."""
    site.lines.clear()
    yield
    site.wait_for(text, seconds=20)


def test_a_change_of_code_shows_on_the_next_page(tmp_path: Path) -> None:
    run("-m", "django", "startproject", "mysite", ".", folder=tmp_path)
    urls = tmp_path / "mysite/urls.py"
    view = (
        "from django.http import HttpResponse\n"
        "from django.urls import path\n"
        "urlpatterns = [path('', lambda request: HttpResponse('{}'))]\n"
    )
    with emulating(tmp_path, doors=["http_api"]) as site:
        assert "The install worked successfully!" in send(site.port).text
        for words in ("first words", "second words"):
            with told(site, "mysite/urls.py changed"):
                urls.write_text(view.format(words))
            assert send(site.port).text == words


def test_a_syntax_error_is_told_and_put_right_without_a_restart(tmp_path: Path) -> None:
    run("-m", "django", "startproject", "mysite", ".", folder=tmp_path)
    urls = tmp_path / "mysite/urls.py"
    whole = urls.read_text()
    with emulating(tmp_path, doors=["http_api"]) as site:
        assert send(site.port).status == 200
        with told(site, "SyntaxError: "):
            urls.write_text(f"{whole}\nif broken\n")
            site.wait_for("mysite/urls.py changed")
            answer = send(site.port)
        assert answer.status == 500
        # In the page, too: Django's own can't be made, as it looks for the view.
        assert b"SyntaxError: " in answer.body
        assert f'{urls}", line {len(whole.splitlines()) + 2}' in site.output

        with told(site, "mysite/urls.py changed"):
            urls.write_text(whole)
        assert "The install worked successfully!" in send(site.port).text


@pytest.fixture
def wagtail(tmp_path: Path) -> Path:
    if importlib.util.find_spec("wagtail") is None:
        pytest.skip("Wagtail is not installed: pip install wagtail")
    run("-m", "wagtail.bin.wagtail", "start", "mysite", ".", folder=tmp_path)
    prepare(tmp_path)
    return tmp_path


@pytest.mark.browser
def test_an_editor_publishes_a_page_and_an_image_with_wagtail(wagtail: Path, chromium: Browser) -> None:
    image = io.BytesIO()
    Image.effect_noise((320, 240), 90).convert("RGB").save(image, "PNG")
    with emulating(wagtail, doors=["http_api"]) as site, visiting(chromium, site) as visit:
        page = visit.page
        # Wagtail's dashboard asks its makers for news of later versions; this keeps the test to itself.
        visit.stand_in_for("https://releases.wagtail.org/latest.txt", {})
        page.goto("/admin/")
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title(re.compile("Dashboard"))
        assert came_from_the_bucket(visit.answer(r"/static/wagtailadmin/css/core\.css"))
        assert came_from_the_bucket(visit.answer(r"/static/wagtailadmin/js/sidebar\.js"))

        page.get_by_role("link", name="Images", exact=True).click()
        page.get_by_role("link", name="Add an image").first.click()
        file = FilePayload(name="Grüße vom See.png", mimeType="image/png", buffer=image.getvalue())
        page.locator("input[type=file]").set_input_files(file)
        expect(page.locator("#upload-list .status-msg.success")).to_be_visible()
        page.get_by_role("link", name="Images", exact=True).click()
        listed = page.get_by_role("link", name="Grüße vom See")
        # Wagtail itself makes the smaller picture, and Django serves it: the project keeps its uploads in a folder.
        assert width_of(listed.locator("img")) > 100
        listed.click()
        assert page.get_by_label("Title").input_value() == "Grüße vom See"

        page.get_by_role("button", name="Pages").click()
        page.get_by_role("link", name="Home", exact=True).click()
        page.get_by_role("link", name="Add child page").first.click()
        page.wait_for_url("**/admin/pages/add/**")
        page.get_by_role("textbox", name="Title").first.press_sequentially("Grüße vom See")
        expect(page.locator("[name=slug]")).not_to_have_value("")  # Wagtail's script makes it from the title
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("button", name="Publish").click()
        expect(page.locator(".messages")).to_contain_text("created and published")

        address = page.locator(".messages").get_by_role("link", name="View live").get_attribute("href")
        assert address
        page.goto(address)
        expect(page).to_have_title("Grüße vom See")
        assert page.url.startswith(visit.origin)
