from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reviews.models import Review

PHOTO_BYTES_MAX = 4_000_000


class ReviewForm(forms.ModelForm):
    rating = forms.TypedChoiceField(
        label=gettext_lazy("Rating"),
        coerce=int,
        choices=[(stars, "★" * stars) for stars in range(5, 0, -1)],
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Review
        fields = ("rating", "text", "photo")
        widgets = {  # noqa: RUF012 - Django's own name and type
            "text": forms.Textarea(attrs={"rows": 4}),
            "photo": forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        }

    def clean_photo(self) -> Any:
        photo = self.cleaned_data["photo"]
        if isinstance(photo, UploadedFile) and photo.size and photo.size > PHOTO_BYTES_MAX:
            raise forms.ValidationError(
                _("This photo has %(size)s; the most we can take is %(most)s.")
                % {"size": filesizeformat(photo.size), "most": filesizeformat(PHOTO_BYTES_MAX)}
            )
        return photo
