"""What a new shop starts with: books.json in the database, and a cover and a sample for each book in the storage."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from catalogue.models import Author, Book, Genre
from catalogue.seed.covers import HEIGHT, WIDTH, draw_cover
from catalogue.seed.samples import make_epub
from reviews.models import Review

ADMIN = ("admin", "bookshop")
FIRST_REVIEW = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)


def load() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "books.json").read_text(encoding="utf-8"))


@transaction.atomic
def seed_catalogue(data: dict[str, Any]) -> int:
    """Fills an empty catalogue. One that has a book is somebody's work and is left alone."""
    if Book.objects.exists():
        return 0
    genres = {genre.slug: genre for genre in Genre.objects.bulk_create(Genre(**row) for row in data["genres"])}
    authors = {author.slug: author for author in Author.objects.bulk_create(Author(**row) for row in data["authors"])}
    books = []
    for number, row in enumerate(data["books"]):
        fields = {name: value for name, value in row.items() if name not in ("author", "genres", "cover_title")}
        book = Book(author=authors[row["author"]], stock=(number * 7 + 4) % 13, **fields)
        book.index()
        books.append(book)
    by_slug = {book.slug: book for book in Book.objects.bulk_create(books)}
    Book.genres.through.objects.bulk_create(
        Book.genres.through(book=by_slug[row["slug"]], genre=genres[slug])
        for row in data["books"]
        for slug in row["genres"]
    )
    users = get_user_model()
    readers = {
        name: users.objects.get_or_create(username=name, defaults={"password": make_password(None)})[0]
        for name in data["readers"]
    }
    reviews = Review.objects.bulk_create(
        Review(book=by_slug[row["book"]], user=readers[row["user"]], rating=row["rating"], text=row["text"])
        for row in data["reviews"]
    )
    # The field writes the present on its own; readers have had longer than that.
    for number, review in enumerate(reviews):
        review.created_at = FIRST_REVIEW + timedelta(days=5 * number, hours=number)
    Review.objects.bulk_update(reviews, ["created_at"])
    return len(books)


def seed_files(data: dict[str, Any]) -> int:
    """Makes the covers and samples that a seeded book has not, or that the storage has lost."""
    stored = {f"{folder}/{name}" for folder in ("covers", "samples") for name in listing(folder)}
    books = Book.objects.select_related("author").in_bulk([row["slug"] for row in data["books"]], field_name="slug")
    changed, made = [], 0
    for number, row in enumerate(data["books"]):
        book = books.get(row["slug"])
        if book is None:
            continue
        before = made
        if book.cover.name not in stored:
            cover = draw_cover(row.get("cover_title", book.title), str(book.author), book.language, book.slug, number)
            book.cover.name = default_storage.save(f"covers/{book.slug}.jpg", ContentFile(cover))
            book.cover_width, book.cover_height = WIDTH, HEIGHT
            made += 1
        if book.sample.name not in stored:
            epub = make_epub(
                slug=book.slug,
                title=book.title,
                author=book.author.name,
                language=book.language,
                direction=book.direction,
                opening=book.opening,
            )
            book.sample.name = default_storage.save(f"samples/{book.slug}.epub", ContentFile(epub))
            made += 1
        if made > before:
            changed.append(book)
    Book.objects.bulk_update(changed, ["cover", "cover_width", "cover_height", "sample"])
    return made


def listing(folder: str) -> list[str]:
    try:
        return default_storage.listdir(folder)[1]
    except FileNotFoundError:
        return []


def seed_admin() -> bool:
    users = get_user_model()
    name, password = ADMIN
    if users.objects.filter(username=name).exists():
        return False
    users.objects.create_superuser(name, password=password)
    return True
