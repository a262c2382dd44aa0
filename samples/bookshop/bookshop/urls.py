from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path, register_converter
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView, TemplateView

from bookshop import views
from bookshop.converters import UnicodeSlug

register_converter(UnicodeSlug, "uslug")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("catalogue.api.urls")),
    path("export/books.csv", views.export, name="export"),
    path("debug/error/", views.error, name="error"),
    # The shop's addresses before it was translated.
    path("shop/", RedirectView.as_view(pattern_name="catalogue:list", permanent=True, query_string=True)),
    path("shop/<uslug:slug>/", RedirectView.as_view(pattern_name="catalogue:detail", permanent=True)),
    *i18n_patterns(
        path("", views.home, name="home"),
        path(_("about/"), TemplateView.as_view(template_name="about.html"), name="about"),
        path(_("display/"), views.display, name="display"),
        path(_("books/"), include("catalogue.urls")),
        path(_("authors/"), include("catalogue.author_urls")),
        path(_("basket/"), include("orders.urls")),
        path(_("account/"), include("accounts.urls")),
        path(_("reviews/"), include("reviews.urls")),
        prefix_default_language=False,
    ),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
