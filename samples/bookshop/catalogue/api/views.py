"""The catalogue as JSON: anyone reads, staff write (with the session's cookie and an X-CSRFToken header).

Errors are JSON too: `{"error": "..."}`, and for fields that do not fit, `{"errors": {"field": ["...", ...]}}`.
"""

import json
from typing import Any

from django.core.paginator import EmptyPage, PageNotAnInteger, Paginator
from django.forms.models import model_to_dict
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import condition

from catalogue.api.forms import BookForm
from catalogue.models import Book

PAGE_SIZE = 20
PAGE_SIZE_MAX = 100


class BadRequest(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def answer(data: dict[str, Any], status: int = 200, **headers: str) -> JsonResponse:
    return JsonResponse(data, status=status, json_dumps_params={"ensure_ascii": False}, headers=headers)


def brief(book: Book) -> dict[str, Any]:
    return {
        "slug": book.slug,
        "title": book.title,
        "english_title": book.english_title,
        "author": str(book.author),
        "language": book.language,
        "year": book.year,
        "price": str(book.price),
        "cover": book.cover.url if book.cover else None,
        "url": book.get_absolute_url(),
        "api": reverse("api:book", args=[book.slug]),
    }


def full(book: Book) -> dict[str, Any]:
    return brief(book) | {
        "author": {"slug": book.author.slug, "name": book.author.name, "latin_name": book.author.latin_name},
        "genres": [genre.slug for genre in book.genres.order_by("slug")],
        "opening": book.opening,
        "gloss": book.gloss,
        "blurb": book.blurb,
        "pages": book.pages,
        "stock": book.stock,
        "updated_at": book.updated_at.isoformat(),
    }


def body(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise BadRequest(f"The body must be application/json, not {request.content_type or 'untyped'}.", 415)
    try:
        data = json.loads(request.body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise BadRequest("The body must be one JSON object.")
    if unknown := data.keys() - set(BookForm.Meta.fields):
        raise BadRequest(f"Unknown: {', '.join(sorted(unknown))}. A book has: {', '.join(BookForm.Meta.fields)}.")
    return data


def number(request: HttpRequest, name: str, default: int, most: int) -> int:
    asked = request.GET.get(name, str(default))
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= most):
        raise BadRequest(f"{name} must be a whole number from 1 to {most}, not {asked!r}.")
    return int(asked)


class API(View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                if not request.user.is_authenticated:
                    raise BadRequest("Log in first: this needs the session of a member of staff.", 401)
                if not request.user.is_staff:
                    raise BadRequest("Only staff may change the catalogue.", 403)
            return super().dispatch(request, *args, **kwargs)
        except BadRequest as error:
            return answer({"error": str(error)}, status=error.status)
        except Http404 as error:
            return answer({"error": str(error)}, status=404)

    def saved(self, form: BookForm, status: int) -> JsonResponse:
        if not form.is_valid():
            return answer({"errors": form.errors}, status=400)
        book = form.save()
        return answer(full(book), status=status, Location=reverse("api:book", args=[book.slug]), ETag=book.etag)


class Books(API):
    def get(self, request: HttpRequest) -> JsonResponse:
        books = Book.objects.matching(request.GET.get("q", "")).select_related("author").order_by("title", "pk")
        if genres := request.GET.getlist("genre"):
            books = books.filter(genres__slug__in=genres).distinct()
        if languages := request.GET.getlist("language"):
            books = books.filter(language__in=languages)
        paginator = Paginator(books, number(request, "page_size", PAGE_SIZE, PAGE_SIZE_MAX))
        try:
            page = paginator.page(request.GET.get("page", 1))
        except (PageNotAnInteger, EmptyPage) as error:
            raise BadRequest(f"page must be a whole number from 1 to {paginator.num_pages}.") from error

        def link(to: int) -> str:
            query = request.GET.copy()
            query["page"] = str(to)
            return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")

        return answer(
            {
                "count": paginator.count,
                "next": link(page.next_page_number()) if page.has_next() else None,
                "previous": link(page.previous_page_number()) if page.has_previous() else None,
                "results": [brief(book) for book in page],
            }
        )

    def post(self, request: HttpRequest) -> JsonResponse:
        return self.saved(BookForm(body(request)), status=201)


def find(slug: str) -> Book:
    book = Book.objects.select_related("author").filter(slug=slug).first()
    if book is None:
        raise Http404(f"There is no book “{slug}”.")
    return book


def etag(request: HttpRequest, slug: str) -> str | None:
    book = Book.objects.filter(slug=slug).only("updated_at").first()
    return book and book.etag


@method_decorator(condition(etag_func=etag), name="dispatch")
class OneBook(API):
    def get(self, request: HttpRequest, slug: str) -> JsonResponse:
        return answer(full(find(slug)))

    def patch(self, request: HttpRequest, slug: str) -> JsonResponse:
        book = find(slug)
        now = model_to_dict(book, fields=BookForm.Meta.fields) | {
            "author": book.author.slug,
            "genres": [genre.slug for genre in book.genres.all()],
        }
        return self.saved(BookForm(now | body(request), instance=book), status=200)

    def delete(self, request: HttpRequest, slug: str) -> HttpResponse:
        find(slug).delete()
        return HttpResponse(status=204)
