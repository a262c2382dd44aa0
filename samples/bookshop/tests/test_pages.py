from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.test import Client, TestCase

from catalogue.models import Book


class Pages(TestCase):
    def test_home_shows_a_sentence_and_links_hashed_files(self) -> None:
        response = self.client.get("/")
        self.assertContains(response, 'class="opening"')
        self.assertRegex(response.text, r'href="/static/css/site\.[0-9a-f]{12}\.css"')
        self.assertRegex(response.text, r'src="/static/js/main\.[0-9a-f]{12}\.js"')

    def test_an_empty_shop_opens_too(self) -> None:
        Book.objects.all().delete()
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_book_page_under_a_cyrillic_address(self) -> None:
        response = self.client.get("/books/анна-каренина/")
        self.assertContains(response, "Все счастливые семьи похожи друг на друга")
        self.assertContains(response, quote("/media/covers/анна-каренина.jpg"))

    def test_right_to_left_titles_say_so(self) -> None:
        self.assertContains(self.client.get("/books/شاهنامه/"), 'lang="fa" dir="rtl"')

    def test_book_page_remembers_the_visit_and_sets_two_cookies(self) -> None:
        response = self.client.get("/books/moby-dick/")
        self.assertEqual(set(response.cookies), {"csrftoken", "recently_viewed"})
        self.client.get("/books/candide/")
        self.assertEqual([book.slug for book in self.client.get("/").context["recent"]], ["candide", "moby-dick"])

    def test_a_broken_memory_of_visits_is_forgotten(self) -> None:
        self.client.cookies["recently_viewed"] = "x.²..999999999"
        self.assertEqual(list(self.client.get("/").context["recent"]), [])

    def test_authors(self) -> None:
        self.assertContains(self.client.get("/authors/"), "Лев Толстой")
        self.assertContains(self.client.get("/authors/лев-толстой/"), "Анна Каренина")

    def test_display_settings_set_theme_and_page_size(self) -> None:
        response = self.client.post("/display/", {"theme": "dark", "per_page": "12"})
        self.assertRedirects(response, "/display/", fetch_redirect_response=False)
        self.assertEqual(set(response.cookies), {"theme", "per_page", "messages"})
        response = self.client.get("/books/")
        self.assertContains(response, 'data-theme="dark"')
        self.assertEqual(len(response.context["page"]), 12)

    def test_display_settings_refuse_other_values(self) -> None:
        response = self.client.post("/display/", {"theme": "plaid", "per_page": "12"})
        self.assertContains(response, "errorlist")
        self.assertNotIn("theme", response.cookies)


class Lists(TestCase):
    def slugs(self, address: str) -> set[str]:
        return {book.slug for book in self.client.get(address).context["page"]}

    def test_pages_of_books(self) -> None:
        first = self.client.get("/books/")
        last = self.client.get("/books/?page=3")
        self.assertEqual((len(first.context["page"]), len(last.context["page"])), (24, 69 - 48))
        self.assertContains(first, 'rel="next"')
        self.assertNotContains(last, 'rel="next"')

    def test_repeated_keys_widen_and_different_keys_narrow(self) -> None:
        drama = self.slugs("/books/?genre=drama")
        memoir = self.slugs("/books/?genre=memoir")
        self.assertEqual(self.slugs("/books/?genre=drama&genre=memoir"), drama | memoir)
        self.assertEqual(self.slugs("/books/?genre=drama&genre=memoir&language=de"), {"faust"})
        self.assertEqual(self.slugs("/books/?genre=drama&genre=memoir&q=dream"), {"la-vida-es-sueño"})

    def test_page_links_keep_repeated_keys(self) -> None:
        response = self.client.get("/books/?genre=novel&genre=epic")
        self.assertContains(response, "?genre=novel&amp;genre=epic&amp;page=2")

    def test_search_forgives_accents_and_case_in_any_script(self) -> None:
        for words, slug in {
            "LONNROT": "kalevala",
            "АННА": "анна-каренина",
            "οδυσσεια": "ὀδύσσεια",
            "名前はまだ": "吾輩は猫である",
            "call ishmael": "moby-dick",
        }.items():
            with self.subTest(words):
                self.assertIn(slug, self.slugs(f"/books/?q={quote(words)}"))

    def test_nothing_found_says_so(self) -> None:
        self.assertContains(self.client.get("/books/?q=qqqq"), "No book begins like that")

    def test_order(self) -> None:
        years = [book.year for book in self.client.get("/books/?sort=oldest").context["page"]]
        self.assertEqual(years, sorted(years))
        self.assertEqual(years[0], -1200)


class Addresses(TestCase):
    def test_every_language_has_its_own_words(self) -> None:
        for address, words in {
            "/books/genre/café-société/": "Café society",
            "/de/bücher/genre/café-société/": "Salon und Gesellschaft",
            "/fr/livres/rayon/café-société/": "Les plus anciens",
            "/de/über-uns/": "Über diesen Laden",
            "/fr/à-propos/": "À propos de cette librairie",
        }.items():
            with self.subTest(address):
                self.assertContains(self.client.get(address), words)

    def test_a_page_links_to_itself_in_the_other_languages(self) -> None:
        response = self.client.get("/books/moby-dick/")
        self.assertContains(response, f'hreflang="de" href="{quote("/de/bücher/moby-dick/")}"')
        self.assertContains(response, 'hreflang="fr" href="/fr/livres/moby-dick/"')

    def test_prices_follow_the_language(self) -> None:
        self.assertContains(self.client.get("/books/moby-dick/"), "€18.90")
        self.assertContains(self.client.get("/fr/livres/moby-dick/"), "18,90\N{NO-BREAK SPACE}€")

    def test_a_forgotten_slash_is_added(self) -> None:
        response = self.client.get("/de/bücher?genre=epic&genre=drama")
        self.assertRedirects(
            response, quote("/de/bücher/") + "?genre=epic&genre=drama", 301, fetch_redirect_response=False
        )

    def test_old_addresses_lead_to_the_new(self) -> None:
        response = self.client.get("/shop/анна-каренина/")
        self.assertRedirects(response, quote("/books/анна-каренина/"), status_code=301)
        self.assertRedirects(self.client.get("/shop/?q=moby"), "/books/?q=moby", status_code=301)

    def test_not_found_has_a_page_in_the_visitors_language(self) -> None:
        for address, words in {"/nowhere/": "dark and stormy", "/de/nirgends/": "dunkle und stürmische"}.items():
            self.assertContains(self.client.get(address), words, status_code=404)


class Errors(TestCase):
    def test_staff_can_see_the_error_page(self) -> None:
        client = Client(raise_request_exception=False)
        client.force_login(get_user_model().objects.get(username="admin"))
        with self.assertLogs("django.request", "ERROR") as logs:
            response = client.get("/debug/error/")
        self.assertContains(response, "and then the server met an error", status_code=500)
        self.assertIn("A member of staff asked for this error", logs.output[0])

    def test_others_do_not_find_it(self) -> None:
        self.assertEqual(self.client.get("/debug/error/").status_code, 404)
        self.client.force_login(get_user_model().objects.get(username="ada"))
        self.assertEqual(self.client.get("/debug/error/").status_code, 404)
