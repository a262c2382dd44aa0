import io
import zipfile
from decimal import Decimal
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.test import TestCase

from catalogue.models import Book
from orders.models import Order


class Orders(TestCase):
    def add(self, slug: str) -> None:
        self.client.post(f"/basket/add/{slug}/")

    def test_the_basket_needs_no_account_and_outlives_the_request(self) -> None:
        self.add("moby-dick")
        self.add("moby-dick")
        self.assertContains(self.client.get("/"), '<span class="count">2</span>')
        self.assertContains(self.client.get("/basket/"), "€37.80")

    def test_quantities_change_and_zero_removes(self) -> None:
        self.add("candide")
        self.client.post("/basket/change/candide/", {"quantity": "3"})
        self.assertContains(self.client.get("/basket/"), "€23.70")
        response = self.client.post("/basket/change/candide/", {"quantity": "many"}, follow=True)
        self.assertContains(response, "Enter a whole number.")
        self.client.post("/basket/change/candide/", {"quantity": "0"})
        self.assertContains(self.client.get("/basket/"), "Your basket is empty.")

    def test_adding_is_not_for_links(self) -> None:
        self.assertEqual(self.client.get("/basket/add/candide/").status_code, 405)

    def test_what_is_sold_out_stays_out(self) -> None:
        Book.objects.filter(slug="candide").update(stock=0)
        response = self.client.post("/basket/add/candide/", follow=True)
        self.assertContains(response, "is sold out.")
        self.assertContains(response, "Your basket is empty.")

    def test_an_order_takes_the_stock_and_empties_the_basket(self) -> None:
        Book.objects.filter(slug="moby-dick").update(stock=5)
        self.add("moby-dick")
        self.add("moby-dick")
        self.client.force_login(get_user_model().objects.get(username="ada"))
        response = self.client.post("/basket/checkout/", {"name": "Ada", "address": "1 Rue de l’Été"}, follow=True)
        order = Order.objects.get()
        self.assertEqual(response.redirect_chain, [(f"/basket/order/{order.pk}/", 302)])
        self.assertEqual(order.total, Decimal("37.80"))
        self.assertEqual(Book.objects.get(slug="moby-dick").stock, 3)
        self.assertContains(self.client.get("/basket/"), "Your basket is empty.")
        self.client.force_login(get_user_model().objects.get(username="haruki"))
        self.assertEqual(self.client.get(f"/basket/order/{order.pk}/").status_code, 404)

    def test_an_order_for_too_many_takes_nothing_at_all(self) -> None:
        Book.objects.filter(slug="candide").update(stock=5)
        Book.objects.filter(slug="dracula").update(stock=1)
        for slug in ("candide", "dracula", "dracula"):
            self.add(slug)
        self.client.force_login(get_user_model().objects.get(username="ada"))
        response = self.client.post("/basket/checkout/", {"name": "Ada", "address": "…"})
        self.assertContains(response, "We have only 1 of “Dracula”.")
        self.assertEqual(Book.objects.get(slug="candide").stock, 5)
        self.assertFalse(Order.objects.exists())

    def test_checking_out_needs_an_account(self) -> None:
        self.add("candide")
        self.assertRedirects(self.client.get("/basket/checkout/"), "/account/login/?next=/basket/checkout/")

    def test_the_samples_of_the_basket_come_as_one_zip(self) -> None:
        Book.objects.filter(slug="анна-каренина").update(stock=1)
        self.add("анна-каренина")
        response = self.client.get("/fr/panier/samples.zip")
        self.assertEqual(response["Content-Type"], "application/zip")
        name = quote("First Line – extraits.zip")
        self.assertEqual(response["Content-Disposition"], f"attachment; filename*=utf-8''{name}")
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            self.assertEqual(archive.namelist(), ["Анна Каренина.epub"])
            self.assertIsNone(archive.testzip())

    def test_an_empty_basket_has_no_samples(self) -> None:
        self.assertEqual(self.client.get("/basket/samples.zip").status_code, 404)

    def test_a_sample_keeps_its_name_and_its_bytes(self) -> None:
        response = self.client.get("/books/源氏物語/sample.epub")
        name = quote("源氏物語 – Murasaki Shikibu.epub")
        self.assertEqual(response["Content-Disposition"], f"attachment; filename*=utf-8''{name}")
        self.assertEqual(response["Content-Type"], "application/epub+zip")
        body = response.getvalue()
        self.assertEqual(len(body), int(response["Content-Length"]))
        self.assertEqual(body[38:58], b"application/epub+zip")
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            self.assertIn("いづれの御時にか", archive.read("page.xhtml").decode())
