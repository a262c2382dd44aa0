from datetime import UTC
from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from catalogue.languages import LANGUAGES, RIGHT_TO_LEFT
from catalogue.text import searchable


def written(year: int) -> str:
    """A year as a reader writes it: 1851, 750 BCE."""
    return gettext("%(year)d BCE") % {"year": -year} if year < 0 else str(year)


class Genre(models.Model):
    slug = models.SlugField(_("slug"), max_length=60, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=60)
    name_de = models.CharField(_("name in German"), max_length=60, blank=True)
    name_fr = models.CharField(_("name in French"), max_length=60, blank=True)

    class Meta:
        ordering = ("name",)
        verbose_name = _("genre")
        verbose_name_plural = _("genres")

    def __str__(self) -> str:
        return {"de": self.name_de, "fr": self.name_fr}.get(get_language() or "en") or self.name

    def get_absolute_url(self) -> str:
        return reverse("catalogue:genre", args=[self.slug])


class Author(models.Model):
    slug = models.SlugField(_("slug"), max_length=80, unique=True, allow_unicode=True)
    name = models.CharField(_("name"), max_length=120, help_text=_("As the author wrote it."))
    latin_name = models.CharField(
        _("name in Latin letters"), max_length=120, blank=True, help_text=_("Where it differs.")
    )
    born = models.SmallIntegerField(_("born"), null=True, blank=True)
    died = models.SmallIntegerField(_("died"), null=True, blank=True)
    about = models.TextField(_("about"), blank=True)

    class Meta:
        ordering = ("latin_name", "name")
        verbose_name = _("author")
        verbose_name_plural = _("authors")

    def __str__(self) -> str:
        return self.latin_name or self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        for book in self.books.all():
            book.save(update_fields=["search_text"])

    def get_absolute_url(self) -> str:
        return reverse("authors:detail", args=[self.slug])

    @property
    def own_name(self) -> str:
        return self.name if self.latin_name else ""

    @property
    def years(self) -> str:
        return f"{written(self.born)} – {written(self.died)}" if self.born and self.died else ""


class BookQuerySet(models.QuerySet["Book"]):
    def matching(self, text: str) -> "BookQuerySet":
        """Books in whose title, author or first sentence every word of `text` occurs."""
        query = Q()
        for word in searchable(text).split():
            query &= Q(search_text__contains=word)
        return self.filter(query)


class Book(models.Model):
    slug = models.SlugField(_("slug"), max_length=100, unique=True, allow_unicode=True)
    title = models.CharField(_("title"), max_length=160, help_text=_("In the language of the book."))
    english_title = models.CharField(
        _("title in English"), max_length=160, blank=True, help_text=_("Where it differs.")
    )
    author = models.ForeignKey(Author, models.PROTECT, related_name="books", verbose_name=_("author"))
    genres = models.ManyToManyField(Genre, related_name="books", verbose_name=_("genres"))
    language = models.CharField(_("language"), max_length=10, choices=list(LANGUAGES.items()), db_index=True)
    year = models.SmallIntegerField(_("year"), help_text=_("Negative before our era."))
    opening = models.TextField(_("first sentence"), blank=True)
    gloss = models.TextField(_("first sentence in English"), blank=True)
    blurb = models.TextField(_("blurb"), blank=True)
    price = models.DecimalField(
        _("price"), max_digits=6, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    pages = models.PositiveSmallIntegerField(_("pages"), validators=[MinValueValidator(1)])
    stock = models.PositiveSmallIntegerField(_("in stock"), default=10)
    cover = models.ImageField(
        _("cover"), upload_to="covers", blank=True, width_field="cover_width", height_field="cover_height"
    )
    cover_width = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    cover_height = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    sample = models.FileField(_("sample chapter"), upload_to="samples", blank=True)
    search_text = models.TextField(editable=False, blank=True)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = BookQuerySet.as_manager()

    class Meta:
        ordering = ("title",)
        verbose_name = _("book")
        verbose_name_plural = _("books")

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = slugify(self.title, allow_unicode=True)
        self.index()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("catalogue:detail", args=[self.slug])

    def index(self) -> None:
        self.search_text = searchable(
            self.title, self.english_title, self.author.name, self.author.latin_name, self.opening, self.gloss
        )

    @property
    def direction(self) -> str:
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    @property
    def written(self) -> str:
        return written(self.year)

    @property
    def etag(self) -> str:
        return f'"{self.pk}-{self.updated_at.astimezone(UTC).timestamp():.6f}"'
