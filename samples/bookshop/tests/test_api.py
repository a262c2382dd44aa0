import json
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client, TestCase

from catalogue.models import Book

NEW = {
    "title": "Пиковая дама",
    "author": "александр-пушкин",
    "genres": ["tales"],
    "language": "ru",
    "year": 1834,
    "price": "8.90",
    "pages": 64,
}


class Reading(TestCase):
    def test_pages_of_books(self) -> None:
        first = self.client.get("/api/books/?genre=novel&genre=epic&page_size=10").json()
        self.assertEqual((len(first["results"]), first["previous"]), (10, None))
        self.assertEqual(first["next"], "http://testserver/api/books/?genre=novel&genre=epic&page_size=10&page=2")
        second = self.client.get(first["next"]).json()
        self.assertFalse({book["slug"] for book in first["results"]} & {book["slug"] for book in second["results"]})

    def test_letters_travel_as_they_are(self) -> None:
        response = self.client.get("/api/books/源氏物語/")
        self.assertIn("紫式部".encode(), response.content)
        self.assertEqual(response.json()["author"]["latin_name"], "Murasaki Shikibu")

    def test_what_has_not_changed_is_not_sent_again(self) -> None:
        first = self.client.get("/api/books/faust/")
        again = self.client.get("/api/books/faust/", headers={"If-None-Match": first["ETag"]})
        self.assertEqual((again.status_code, again.content), (304, b""))
        Book.objects.get(slug="faust").save()
        self.assertEqual(
            self.client.get("/api/books/faust/", headers={"If-None-Match": first["ETag"]}).status_code, 200
        )

    def test_mistakes_are_named(self) -> None:
        for address, words in {
            "?page_size=1000": "page_size must be a whole number from 1 to 100, not '1000'.",
            "?page=0": "page must be a whole number from 1 to 4.",
            "?page=x": "page must be a whole number from 1 to 4.",
        }.items():
            response = self.client.get(f"/api/books/{address}")
            self.assertEqual((response.status_code, response.json()), (400, {"error": words}))
        response = self.client.get("/api/books/nothing/")
        self.assertEqual((response.status_code, response.json()), (404, {"error": "There is no book “nothing”."}))


class Writing(TestCase):
    def setUp(self) -> None:
        self.client.force_login(get_user_model().objects.get(username="admin"))

    def send(self, method: str, address: str, data: Any, **headers: str) -> Any:
        return self.client.generic(method, address, json.dumps(data), "application/json", headers=headers)

    def test_a_book_is_added(self) -> None:
        response = self.send("POST", "/api/books/", NEW)
        self.assertEqual(response.status_code, 201)
        self.assertEqual(response.json()["slug"], "пиковая-дама")
        self.assertEqual(self.client.get(response["Location"]).json()["title"], "Пиковая дама")
        self.assertContains(self.client.get("/books/пиковая-дама/"), "Пиковая дама")

    def test_fields_that_do_not_fit_are_listed(self) -> None:
        response = self.send("POST", "/api/books/", NEW | {"price": "-1", "author": "nobody", "genres": ["tales", "x"]})
        self.assertEqual(response.status_code, 400)
        self.assertEqual(set(response.json()["errors"]), {"price", "author", "genres"})

    def test_a_slug_that_is_taken_is_refused(self) -> None:
        response = self.send("POST", "/api/books/", NEW | {"title": "Faust", "slug": "faust"})
        self.assertEqual((response.status_code, list(response.json()["errors"])), (400, ["slug"]))

    def test_bodies_that_are_no_books_are_refused(self) -> None:
        for body, content_type, status, words in (
            ("{", "application/json", 400, "The body is not JSON"),
            ("\xff", "application/json", 400, "The body is not JSON"),
            ("[]", "application/json", 400, "one JSON object"),
            ('{"colour": "red"}', "application/json", 400, "Unknown: colour."),
            ("title=x", "application/x-www-form-urlencoded", 415, "application/json"),
        ):
            with self.subTest(body):
                response = self.client.generic("POST", "/api/books/", body.encode("latin-1"), content_type)
                self.assertContains(response, words, status_code=status)

    def test_a_patch_changes_only_what_it_names(self) -> None:
        before = self.client.get("/api/books/faust/").json()
        response = self.send("PATCH", "/api/books/faust/", {"price": "7.50"})
        after = response.json()
        self.assertEqual(response.status_code, 200)
        self.assertEqual({key for key in after if after[key] != before[key]}, {"price", "updated_at"})

    def test_a_patch_of_an_older_state_is_refused(self) -> None:
        old = self.client.get("/api/books/faust/")["ETag"]
        self.send("PATCH", "/api/books/faust/", {"price": "7.50"}, **{"If-Match": old})
        response = self.send("PATCH", "/api/books/faust/", {"price": "6.50"}, **{"If-Match": old})
        self.assertEqual(response.status_code, 412)
        self.assertEqual(str(Book.objects.get(slug="faust").price), "7.50")

    def test_a_book_is_deleted(self) -> None:
        response = self.client.delete("/api/books/faust/")
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assertEqual(self.client.delete("/api/books/faust/").status_code, 404)

    def test_only_staff_write(self) -> None:
        client = Client()
        self.assertEqual(client.post("/api/books/", NEW, "application/json").status_code, 401)
        client.force_login(get_user_model().objects.get(username="ada"))
        self.assertEqual(client.delete("/api/books/faust/").status_code, 403)
        self.assertTrue(Book.objects.filter(slug="faust").exists())

    def test_a_session_alone_is_not_enough(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(get_user_model().objects.get(username="admin"))
        self.assertEqual(client.delete("/api/books/faust/").status_code, 403)
