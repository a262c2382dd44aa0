import csv
from collections.abc import Iterator
from datetime import UTC, datetime

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from bookshop.context import THEMES
from bookshop.streaming import stream
from catalogue.models import Book
from catalogue.views import PER_PAGE, PER_PAGE_CHOICES, recently_viewed
from reviews.models import Review

YEAR = 365 * 24 * 3600


def home(request: HttpRequest) -> HttpResponse:
    books = Book.objects.select_related("author")
    count = books.count()
    today = datetime.now(tz=UTC).toordinal()
    # Counted by catalogue order, so the sentence of the day changes at midnight and is the same on every machine.
    featured = books.order_by("pk")[today * 7 % count] if count else None
    return render(
        request,
        "home.html",
        {
            "count": count,
            "featured": featured,
            "newest": books.order_by("-pk")[:12],
            "openings": books.exclude(opening="").order_by("year", "pk")[::8],
            "reviews": Review.objects.select_related("book__author", "user").order_by("-created_at", "-pk")[:3],
            "recent": recently_viewed(request),
        },
    )


class Echo:
    """A file that hands back what it is given, so that csv.writer formats one row at a time."""

    def write(self, value: str) -> str:
        return value


def export(request: HttpRequest) -> HttpResponse:
    """The catalogue as CSV, row by row as the database hands it out."""

    def rows() -> Iterator[str]:
        writer = csv.writer(Echo())
        # Spreadsheets take a CSV file for UTF-8 only when it begins with this mark.
        yield "\ufeff" + writer.writerow(["title", "english_title", "author", "language", "year", "pages", "price"])
        for book in Book.objects.select_related("author").order_by("year", "pk").iterator(chunk_size=50):
            yield writer.writerow(
                [book.title, book.english_title, book.author, book.language, book.year, book.pages, book.price]
            )

    response = stream(request, rows(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="books.csv"'
    return response


class DisplayForm(forms.Form):
    theme = forms.ChoiceField(
        label=_("Colours"),
        choices=[("auto", _("As the device has it")), ("light", _("Light")), ("dark", _("Dark"))],
        widget=forms.RadioSelect,
    )
    per_page = forms.TypedChoiceField(
        label=_("Books on a page"),
        coerce=int,
        choices=[(number, str(number)) for number in PER_PAGE_CHOICES],
        widget=forms.RadioSelect,
    )


def display(request: HttpRequest) -> HttpResponse:
    """How the shop should look, remembered in two cookies; needs no account."""
    if request.method == "POST":
        form = DisplayForm(request.POST)
        if form.is_valid():
            messages.success(request, _("Your display settings are saved on this device."))
            response = redirect("display")
            for name in ("theme", "per_page"):
                response.set_cookie(name, str(form.cleaned_data[name]), max_age=YEAR, samesite="Lax")
            return response
    else:
        theme = request.COOKIES.get("theme")
        form = DisplayForm(
            initial={
                "theme": theme if theme in THEMES else "auto",
                "per_page": request.COOKIES.get("per_page", PER_PAGE),
            }
        )
    return render(request, "display.html", {"form": form})


def error(request: HttpRequest) -> HttpResponse:
    """Fails for staff, so that they can see the page that visitors see when something has; not there for others."""
    if not request.user.is_staff:
        raise Http404
    raise RuntimeError("A member of staff asked for this error, to see the 500 page.")
