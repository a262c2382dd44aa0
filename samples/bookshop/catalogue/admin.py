from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from catalogue.models import Author, Book, Genre
from reviews.models import Review

admin.site.site_header = admin.site.site_title = "First Line"
admin.site.index_title = _("Back office")


@admin.register(Genre)
class GenreAdmin(admin.ModelAdmin):
    list_display = ("name", "name_de", "name_fr", "slug")
    search_fields = ("name", "name_de", "name_fr")


class BookInline(admin.TabularInline):
    model = Book
    fields = ("title", "english_title", "language", "year", "price", "stock")
    extra = 0
    show_change_link = True


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    list_display = ("__str__", "name", "born", "died")
    search_fields = ("name", "latin_name")
    inlines = (BookInline,)


class ReviewInline(admin.TabularInline):
    model = Review
    fields = ("user", "rating", "text", "photo")
    raw_id_fields = ("user",)
    extra = 0


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("thumbnail", "title", "author", "price", "stock")
    list_display_links = ("title",)
    list_editable = ("price", "stock")
    list_filter = ("genres", "language", "created_at")
    list_select_related = ("author",)
    list_per_page = 25
    search_fields = ("search_text",)
    autocomplete_fields = ("author", "genres")
    readonly_fields = ("created_at", "updated_at")
    inlines = (ReviewInline,)
    fieldsets = (
        (None, {"fields": (("title", "english_title"), "slug", "author", "genres", ("language", "year"))}),
        (_("First sentence"), {"fields": ("opening", "gloss")}),
        (_("In the shop"), {"fields": ("blurb", ("price", "pages", "stock"), "cover", "sample")}),
        (_("Dates"), {"fields": (("created_at", "updated_at"),)}),
    )

    @admin.display(description=_("cover"))
    def thumbnail(self, book: Book) -> str:
        return format_html('<img src="{}" alt="" width="36" height="54">', book.cover.url) if book.cover else "–"
