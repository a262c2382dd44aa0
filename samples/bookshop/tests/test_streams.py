import csv
import io

from django.test import AsyncClient, TestCase

WORDS = "<span>Call </span><span>me </span><span>Ishmael.</span>"


class Streams(TestCase):
    def test_the_catalogue_goes_out_row_by_row(self) -> None:
        response = self.client.get("/export/books.csv")
        self.assertTrue(response.streaming)
        parts = list(response)
        self.assertEqual(len(parts), 1 + 69)
        rows = list(csv.reader(io.StringIO(b"".join(parts).decode("utf-8-sig"))))
        self.assertEqual(rows[0][:3], ["title", "english_title", "author"])
        self.assertIn(["源氏物語", "The Tale of Genji", "Murasaki Shikibu", "ja", "1008", "1216", "34.00"], rows)

    def test_a_reading_comes_word_by_word(self) -> None:
        response = self.client.get("/books/moby-dick/reading/?pace=0")
        parts = [part.decode() for part in response]
        self.assertEqual(len(parts), 1 + 3 + 1)
        self.assertIn(WORDS, "".join(parts))
        self.assertTrue("".join(parts).rstrip().endswith("</html>"))

    def test_scripts_without_spaces_are_read_by_letters(self) -> None:
        response = self.client.get("/books/枕草子/reading/?pace=0")
        self.assertIn("<span>春</span><span>は</span>", response.getvalue().decode())

    async def test_under_asgi_both_are_asynchronous(self) -> None:
        for address, words in {"/books/moby-dick/reading/?pace=0": WORDS, "/export/books.csv": "Moby-Dick"}.items():
            response = await AsyncClient().get(address)
            self.assertTrue(response.is_async)
            self.assertIn(words, b"".join([part async for part in response]).decode())
