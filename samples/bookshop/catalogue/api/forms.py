from typing import Any, ClassVar

from django import forms

from catalogue.models import Author, Book, Genre


class BookForm(forms.ModelForm):
    """A book as the API takes it: author and genres by their slugs."""

    author = forms.ModelChoiceField(Author.objects.all(), to_field_name="slug")
    genres = forms.ModelMultipleChoiceField(Genre.objects.all(), to_field_name="slug")

    class Meta:
        model = Book
        fields = (
            "slug",
            "title",
            "english_title",
            "author",
            "genres",
            "language",
            "year",
            "opening",
            "gloss",
            "blurb",
            "price",
            "pages",
            "stock",
        )

    DEFAULTS: ClassVar[dict[str, Any]] = {"stock": 10}

    def __init__(self, data: dict[str, Any], instance: Book | None = None) -> None:
        super().__init__(self.DEFAULTS | data, instance=instance)
        self.fields["slug"].required = False
