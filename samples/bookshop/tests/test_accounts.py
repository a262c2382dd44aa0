from django.contrib.auth import get_user_model
from django.test import TestCase


class Accounts(TestCase):
    def test_signing_up_logs_in(self) -> None:
        response = self.client.post(
            "/account/sign-up/",
            {"username": "Zoë", "password1": "ein-langes-Wort", "password2": "ein-langes-Wort"},
            follow=True,
        )
        self.assertEqual(response.redirect_chain, [("/account/", 302)])
        self.assertContains(response, "Welcome, Zoë.")

    def test_logging_in_sets_three_cookies_and_keeps_the_basket(self) -> None:
        get_user_model().objects.create_user("zoë", password="ein-langes-Wort")
        self.client.post("/basket/add/moby-dick/")
        response = self.client.post(
            "/de/konto/anmelden/", {"username": "zoë", "password": "ein-langes-Wort", "next": "/books/"}
        )
        self.assertRedirects(response, "/books/", fetch_redirect_response=False)
        self.assertEqual(set(response.cookies), {"csrftoken", "sessionid", "messages"})
        response = self.client.get("/books/")
        self.assertContains(response, "Willkommen zurück, zoë.")
        self.assertContains(response, '<span class="count">1</span>')

    def test_a_wrong_password_is_told(self) -> None:
        response = self.client.post("/account/login/", {"username": "admin", "password": "wrong"})
        self.assertContains(response, "Please enter a correct username and password")

    def test_logging_out_is_a_form(self) -> None:
        self.client.force_login(get_user_model().objects.get(username="ada"))
        self.assertEqual(self.client.get("/account/logout/").status_code, 405)
        self.assertRedirects(self.client.post("/account/logout/"), "/")
        self.assertRedirects(self.client.get("/account/"), "/account/login/?next=/account/")

    def test_the_profile_lists_reviews(self) -> None:
        self.client.force_login(get_user_model().objects.get(username="haruki"))
        self.assertContains(self.client.get("/account/"), "枕草子")


class BackOffice(TestCase):
    def setUp(self) -> None:
        self.client.post("/admin/login/", {"username": "admin", "password": "bookshop"})

    def test_every_list_and_form_opens(self) -> None:
        for address in (
            "catalogue/book/?q=karenina",
            "catalogue/book/?genres__id__exact=1",
            "catalogue/author/?q=tolstoy",
            "catalogue/genre/",
            "reviews/review/?rating=5",
            "orders/order/",
            "catalogue/book/add/",
            "catalogue/book/1/change/",
            "catalogue/author/1/change/",
            "orders/order/add/",
            "reviews/review/1/change/",
        ):
            with self.subTest(address):
                self.assertEqual(self.client.get(f"/admin/{address}").status_code, 200)

    def test_search_finds_across_scripts(self) -> None:
        self.assertContains(self.client.get("/admin/catalogue/book/?q=anna+karenina"), "Анна Каренина")

    def test_orders_are_marked_as_sent(self) -> None:
        user = get_user_model().objects.get(username="ada")
        order = user.orders.create(name="Ada", address="…")
        self.client.post("/admin/orders/order/", {"action": "mark_sent", "_selected_action": [order.pk]})
        order.refresh_from_db()
        self.assertEqual(order.status, "sent")
