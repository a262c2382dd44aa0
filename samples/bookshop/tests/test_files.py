import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import skipUnless

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import default_storage
from django.test import SimpleTestCase, TestCase

from catalogue.models import Book
from catalogue.seed import data


class StaticFiles(SimpleTestCase):
    def collected(self, name: str) -> str:
        return (settings.STATIC_ROOT / staticfiles_storage.stored_name(name)).read_text(encoding="utf-8")

    def test_modules_import_each_other_by_hashed_names(self) -> None:
        imports = re.findall(r'from "([^"]+)"', self.collected("js/main.js") + self.collected("js/search.js"))
        self.assertEqual(len(imports), 3)
        for name in imports:
            self.assertRegex(name, r"^\./\w+\.[0-9a-f]{12}\.js$")
            self.assertTrue((settings.STATIC_ROOT / "js" / name).exists())

    def test_style_sheets_name_hashed_fonts_and_images(self) -> None:
        styles = self.collected("css/site.css") + self.collected("css/fonts.css")
        names = re.findall(r'url\("([^"]+)"\)', styles)
        self.assertGreater(len(names), 15)
        for name in names:
            self.assertRegex(name, r"\.[0-9a-f]{12}\.(css|svg|woff2)$")
            self.assertTrue((settings.STATIC_ROOT / "css" / name).exists(), name)

    def test_nothing_is_fetched_from_elsewhere(self) -> None:
        for file in [*Path(settings.BASE_DIR / "static").rglob("*.[cj]s*"), *settings.BASE_DIR.rglob("*.html")]:
            self.assertNotRegex(file.read_text(encoding="utf-8"), r"""(src|href|url\(|from|import)\W{1,3}https?:""")


class Seed(TestCase):
    def test_every_book_has_a_cover_of_its_own_and_a_sample(self) -> None:
        covers = set()
        for book in Book.objects.all():
            with book.cover.open() as cover:
                covers.add(cover.read())
            self.assertTrue(default_storage.exists(book.sample.name))
            self.assertEqual((book.cover_width, book.cover_height), (480, 720))
        self.assertEqual(len(covers), 69)

    def test_a_second_seeding_changes_nothing(self) -> None:
        rows = data.load()
        before = list(Book.objects.values_list())
        self.assertEqual((data.seed_catalogue(rows), data.seed_files(rows), data.seed_admin()), (0, 0, False))
        self.assertEqual(list(Book.objects.values_list()), before)

    def test_lost_files_are_made_again_the_same(self) -> None:
        book = Book.objects.get(slug="源氏物語")
        with book.cover.open() as cover:
            before = cover.read()
        default_storage.delete(book.cover.name)
        self.assertEqual(data.seed_files(data.load()), 1)
        with Book.objects.get(slug="源氏物語").cover.open() as cover:
            self.assertEqual(cover.read(), before)

    def test_a_shop_with_a_book_is_left_alone(self) -> None:
        Book.objects.exclude(slug="faust").delete()
        self.assertEqual(data.seed_catalogue(data.load()), 0)
        self.assertEqual(Book.objects.count(), 1)


class Bucket(SimpleTestCase):
    def test_links_to_covers_need_neither_boto3_nor_a_connection(self) -> None:
        code = (
            "import django, sys; django.setup()\n"
            "from catalogue.models import Book\n"
            "print(Book(cover='covers/ἰλιάς.jpg', cover_width=480, cover_height=720).cover.url)\n"
            "assert not {'boto3', 'botocore', 'storages'} & set(sys.modules), 'imported'"
        )
        env = {**os.environ, "DJANGO_SETTINGS_MODULE": "bookshop.settings", "FAAS_MEDIA_BUCKET": "shop"}
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, check=False
        )
        self.assertEqual(run.stderr, "")
        self.assertEqual(run.stdout.strip(), "/media/covers/%E1%BC%B0%CE%BB%CE%B9%CE%AC%CF%82.jpg")


def catalogue(path: Path) -> dict[bytes, bytes]:
    """The messages of a .mo file: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html"""
    content = path.read_bytes()
    count, originals, translations = struct.unpack_from("<3I", content, 8)

    def texts(table: int) -> list[bytes]:
        pairs = (struct.unpack_from("<2I", content, table + 8 * number) for number in range(count))
        return [content[start : start + length] for length, start in pairs]

    return dict(zip(texts(originals), texts(translations), strict=True))


class Translations(SimpleTestCase):
    @skipUnless(shutil.which("msgfmt"), "msgfmt (gettext) is not installed")
    def test_compiled_translations_are_those_of_the_sources(self) -> None:
        for language in ("de", "fr"):
            source = settings.BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.po"
            with self.subTest(language), tempfile.TemporaryDirectory() as folder:
                fresh = Path(folder) / "django.mo"
                subprocess.run(["msgfmt", "-o", fresh, source], check=True)
                self.assertEqual(catalogue(source.with_suffix(".mo")), catalogue(fresh))

    def test_both_languages_translate_the_same_messages(self) -> None:
        german, french = (
            catalogue(settings.BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.mo")
            for language in ("de", "fr")
        )
        self.assertEqual(german.keys(), french.keys())
        self.assertGreater(len(german), 200)
