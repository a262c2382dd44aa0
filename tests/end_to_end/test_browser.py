"""The bookshop in headless Chromium: what a visitor sees, and where each part of it came from."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from .browser import Visit, came_from_the_bucket, path_of, visiting, width_of
from .conftest import FUNCTIONS, WSGI, Emulator, emulating

pytestmark = [pytest.mark.browser, pytest.mark.emulated]

BOOK = "/books/анна-каренина/"
HASHED = r"\.[0-9a-f]{12}\."
# What a page is made of shows under one kind of function as under another; the main journeys are made under each.
on_each_function = pytest.mark.parametrize("shop", FUNCTIONS, indirect=True)
on_one_function = pytest.mark.parametrize("shop", [WSGI], indirect=True)


@pytest.fixture(scope="module")
def shop(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Emulator]:
    interface, runtime = request.param
    folder = tmp_path_factory.mktemp("shop") / "bookshop"
    shutil.copytree(prepared, folder)
    options = ("--interface", interface, "--runtime", runtime, "--no-reload")
    with emulating(folder, *options, doors=["http_api"]) as emulator:
        yield emulator


@on_each_function
def test_the_back_office_wears_a_stylesheet_that_came_from_the_bucket(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        log_in_as_admin(page)
        header = page.locator("#header")
        assert background_of(header) == colour_in_djangos_stylesheet("--secondary")
        page.evaluate("for (const sheet of document.styleSheets) sheet.disabled = true")
        assert background_of(header) == "rgba(0, 0, 0, 0)"
        sheet = visit.answer(rf"/static/admin/css/base{HASHED}css")
        assert sheet.headers["content-type"] == "text/css; charset=utf-8"
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_the_back_office_adds_an_author_and_changes_a_price(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        log_in_as_admin(page)
        page.locator("#content .model-author .addlink").click()
        page.get_by_label("Slug").fill("σαπφώ")
        page.get_by_label("Name:", exact=True).fill("Σαπφώ")
        page.get_by_label("Name in Latin letters").fill("Sappho")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".messagelist .success")).to_contain_text("Sappho")

        page.goto("/admin/catalogue/book/?q=moby")
        page.locator("[name=form-0-price]").fill("12.34")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".messagelist .success")).to_contain_text("1 book was changed")

        page.get_by_role("link", name="View site").click()
        page.get_by_role("link", name="Authors", exact=True).click()
        page.get_by_role("link", name="Sappho").click()
        assert unquote(page.url) == f"{visit.origin}/authors/σαπφώ/"
        page.goto("/books/moby-dick/")
        expect(page.locator(".buy .price")).to_have_text("€12.34")
        assert_each_part_came_from_its_place(visit)


@on_each_function
def test_a_reader_signs_up_and_sees_the_photo_of_her_review(chromium: Browser, shop: Emulator) -> None:
    photo = io.BytesIO()
    Image.effect_noise((320, 240), 90).convert("RGB").save(photo, "PNG")
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto("/")
        page.get_by_role("link", name="Sign up").click()
        page.get_by_label("Username").fill("Βασιλική")
        page.get_by_label("Password:", exact=True).fill("a sentence to begin with")
        page.get_by_label("Password confirmation").fill("a sentence to begin with")
        page.locator("main").get_by_role("button", name="Sign up").click()
        expect(page.locator(".messages")).to_have_text("Welcome, Βασιλική.")

        page.goto(BOOK)
        page.locator("[name=rating][value='5']").check()
        page.get_by_label("Review:").fill("Jeder Satz ein Glück: ✓")
        page.get_by_label("Photo").set_input_files(
            FilePayload(name="für mich.png", mimeType="image/png", buffer=photo.getvalue())
        )
        page.get_by_role("button", name="Send review").click()
        expect(page.locator(".messages")).to_contain_text("Thank you for your review")

        review = page.locator(".review", has_text="Βασιλική")
        expect(review).to_contain_text("Jeder Satz ein Glück: ✓")
        assert width_of(review.locator("img")) == 320
        shown = visit.answer(r"/media/reviews/für_mich\w*\.png")
        assert came_from_the_bucket(shown)
        assert shown.headers["content-type"] == "image/png"
        assert shown.body() == photo.getvalue()
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_the_basket_is_kept_while_the_language_changes(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto(BOOK)
        page.get_by_role("button", name="Add to basket").click()
        expect(page.locator(".basket .count")).to_have_text("1")
        page.goto(BOOK)
        page.get_by_role("link", name="DE", exact=True).click()
        page.wait_for_url("**/de/**")
        assert unquote(page.url) == f"{visit.origin}/de/bücher/анна-каренина/"
        expect(page.locator("html")).to_have_attribute("lang", "de")
        page.get_by_role("link", name="Warenkorb 1").click()
        expect(page.locator(".lines tbody tr")).to_contain_text(["Анна Каренина"])
        assert urlsplit(page.url).path == "/de/warenkorb/"
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_books_are_found_while_their_names_are_typed(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto("/de/")
        page.get_by_role("searchbox").press_sequentially("каренина")
        found = page.locator(".suggestions a")
        expect(found).to_have_count(1)
        assert visit.answer("/api/books/").headers["content-type"] == "application/json"
        # The module that asks is one that main.js imports by its hashed name.
        assert came_from_the_bucket(visit.answer(rf"/static/js/api{HASHED}js"))
        assert width_of(found.locator("img")) > 0
        found.click()
        page.wait_for_url("**/%D0%B0%D0%BD%D0%BD%D0%B0-*/")
        assert unquote(page.url) == f"{visit.origin}/de/bücher/анна-каренина/"
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_colours_that_were_chosen_stay(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto("/about/")
        light = background_of(page.locator("body"))
        page.get_by_role("button", name="Switch to dark colours").click()
        dark = background_of(page.locator("body"))
        assert dark != light
        page.goto("/about/")
        assert 'data-theme="dark"' in visit.answer("/about/").text()
        assert background_of(page.locator("body")) == dark
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_fonts_and_images_of_the_stylesheet_arrive(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto(BOOK)
        loaded = page.evaluate(
            "document.fonts.ready.then(all => [...all].filter(one => one.status == 'loaded').map(one => one.family))"
        )
        assert {family.strip('"') for family in loaded} >= {"Literata", "Commissioner"}
        for name in ("literata-latin", "literata-cyrillic", "commissioner-latin"):
            font = visit.answer(rf"/static/fonts/{name}{HASHED}woff2")
            assert font.headers["content-type"] == "font/woff2"
        assert visit.answer(rf"/static/img/awning{HASHED}svg").headers["content-type"] == "image/svg+xml"
        assert_each_part_came_from_its_place(visit)


@on_each_function
def test_a_streamed_page_shows_its_whole_text(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        page = visit.page
        page.goto(BOOK)
        sentence = page.locator(".opening").inner_text()
        assert len(sentence.split()) > 5
        page.goto(f"{BOOK}reading/?pace=1")
        expect(page.locator(".reading .opening")).to_have_text(sentence)
        expect(page.locator("footer")).to_be_visible()
        assert_each_part_came_from_its_place(visit)


@on_one_function
def test_pages_fit_a_telephone(chromium: Browser, shop: Emulator) -> None:
    with visiting(chromium, shop) as visit:
        visit.page.set_viewport_size({"width": 390, "height": 844})
        for address in ("/", "/books/", BOOK, "/de/", "/about/"):
            visit.page.goto(address)
            assert visit.page.evaluate("document.documentElement.scrollWidth") == 390, address


def log_in_as_admin(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("bookshop")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-tools")).to_contain_text("admin")


def background_of(element: Locator) -> str:
    return str(element.evaluate("element => getComputedStyle(element).backgroundColor"))


def colour_in_djangos_stylesheet(variable: str) -> str:
    """The first value of a variable in the admin's own stylesheet, as a browser computes it."""
    sheet = Path(django.__path__[0], "contrib/admin/static/admin/css/base.css").read_text()
    found = re.search(rf"{variable}: #(\w\w)(\w\w)(\w\w);", sheet)
    assert found
    return "rgb({}, {}, {})".format(*(int(part, 16) for part in found.groups()))


def assert_each_part_came_from_its_place(visit: Visit) -> None:
    """Files from the bucket, those with a hash in their name to be kept for ever; all else from the front door."""
    for answer in visit.answers:
        path = path_of(answer)
        if path.startswith(("/static/", "/media/")):
            assert came_from_the_bucket(answer), path
        else:
            assert "apigw-requestid" in answer.headers, path
        if path.startswith("/static/"):
            assert re.search(HASHED, path), path
            assert "immutable" in answer.headers["cache-control"], path
