import re
import time
from collections.abc import Iterator

from django.core.paginator import Paginator
from django.db.models import Count, F, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from bookshop.streaming import stream
from catalogue.languages import LANGUAGES
from catalogue.models import Author, Book, BookQuerySet, Genre
from reviews.forms import ReviewForm

PER_PAGE_CHOICES = (12, 24, 48)
PER_PAGE = 24
RECENT = "recently_viewed"
RECENT_COUNT = 6
MONTH = 30 * 24 * 3600

SORTS = {
    "title": (_("Title"), (F("title"),)),
    "oldest": (_("Oldest first"), (F("year"), F("pk"))),
    "newest": (_("Newest first"), (F("year").desc(), F("pk"))),
    "price": (_("Price"), (F("price"), F("pk"))),
}


def per_page(request: HttpRequest) -> int:
    value = request.COOKIES.get("per_page", "")
    return int(value) if value in map(str, PER_PAGE_CHOICES) else PER_PAGE


def recently_viewed(request: HttpRequest) -> list[Book]:
    keys = [int(key) for key in request.COOKIES.get(RECENT, "").split(".") if key.isascii() and key.isdigit()]
    found = Book.objects.select_related("author").in_bulk(keys[:RECENT_COUNT])
    return [found[key] for key in keys if key in found]


def shelf(request: HttpRequest, books: BookQuerySet, **context: object) -> HttpResponse:
    """A page of `books`, sorted as asked."""
    sort = request.GET.get("sort", "title")
    if sort not in SORTS:
        sort = "title"
    page = Paginator(books.select_related("author").order_by(*SORTS[sort][1]), per_page(request)).get_page(
        request.GET.get("page")
    )
    return render(
        request,
        "catalogue/list.html",
        {
            "page": page,
            "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
            "sort": sort,
            "sorts": [(key, label) for key, (label, _order) in SORTS.items()],
            **context,
        },
    )


@require_safe
def book_list(request: HttpRequest) -> HttpResponse:
    """All books, or those that match `q` and are in one of the `genre`s and one of the `language`s."""
    q = request.GET.get("q", "").strip()
    genres = set(request.GET.getlist("genre"))
    languages = set(request.GET.getlist("language"))
    books = Book.objects.matching(q)
    if genres:
        books = books.filter(pk__in=Genre.objects.filter(slug__in=genres).values("books"))
    if languages:
        books = books.filter(language__in=languages)
    counts = dict(Book.objects.order_by("language").values_list("language").annotate(Count("pk")))
    return shelf(
        request,
        books,
        q=q,
        genres=[(genre, genre.count, genre.slug in genres) for genre in Genre.objects.annotate(count=Count("books"))],
        languages_of_books=sorted(
            ((code, LANGUAGES.get(code, code), count, code in languages) for code, count in counts.items()),
            key=lambda language: -language[2],
        ),
        filtered=bool(q or genres or languages),
    )


@require_safe
def genre(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Genre, slug=slug)
    return shelf(request, Book.objects.filter(genres=found), genre=found)


@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    book = get_object_or_404(Book.objects.select_related("author").prefetch_related("genres"), slug=slug)
    reviews = list(book.reviews.select_related("user"))
    mine = next((review for review in reviews if review.user_id == request.user.pk), None)
    response = render(
        request,
        "catalogue/detail.html",
        {
            "book": book,
            "reviews": reviews,
            "rating": sum(review.rating for review in reviews) / len(reviews) if reviews else None,
            "mine": mine,
            "form": ReviewForm(instance=mine),
            "more": book.author.books.exclude(pk=book.pk).select_related("author")[:6]
            if book.author.slug != "anonymous"
            else (),
        },
    )
    recent = [book.pk, *(other.pk for other in recently_viewed(request) if other != book)][:RECENT_COUNT]
    response.set_cookie(RECENT, ".".join(map(str, recent)), max_age=MONTH, samesite="Lax", httponly=True)
    return response


@require_safe
def reading(request: HttpRequest, slug: str) -> HttpResponse:
    """The first sentence, sent word by word, at the pace (milliseconds a word) of someone reading aloud."""
    book = get_object_or_404(Book.objects.select_related("author").exclude(opening=""), slug=slug)
    asked = request.GET.get("pace", "")
    pace = min(int(asked), 250) if asked.isascii() and asked.isdigit() else 120
    mark = "<!-- words -->"
    before, _mark, after = render_to_string(
        "catalogue/reading.html", {"book": book, "mark": mark}, request=request
    ).partition(mark)
    # Scripts written without spaces are read letter by letter.
    words = re.findall(r"\S+\s*", book.opening) if " " in book.opening else list(book.opening)

    def parts() -> Iterator[str]:
        yield before
        for word in words:
            time.sleep(pace / 1000)
            yield f"<span>{escape(word)}</span>"
        yield after

    return stream(request, parts(), content_type="text/html; charset=utf-8")


@require_safe
def sample(request: HttpRequest, slug: str) -> FileResponse:
    book = get_object_or_404(Book.objects.select_related("author"), slug=slug)
    if not book.sample:
        raise Http404
    return FileResponse(
        book.sample.open("rb"),
        as_attachment=True,
        filename=f"{book.title} – {book.author}.epub",
        content_type="application/epub+zip",
    )


@require_safe
def author_list(request: HttpRequest) -> HttpResponse:
    authors = Author.objects.annotate(count=Count("books"), known_as=Coalesce(NullIf("latin_name", Value("")), "name"))
    return render(request, "catalogue/author_list.html", {"authors": authors.order_by("known_as")})


@require_safe
def author(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Author, slug=slug)
    books = found.books.select_related("author").order_by("year")
    return render(request, "catalogue/author.html", {"author": found, "books": books})
