"""Run by ``manage.py shell``: says a page of the site that answers to everybody, the front page where there is one."""

from django.conf import settings
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

page: str | None = "/"
try:
    # With languages in its URLs, a site redirects from here.
    if "django.middleware.locale.LocaleMiddleware" not in settings.MIDDLEWARE:
        resolve("/")
except Resolver404:
    try:
        page = reverse("admin:login")
    except NoReverseMatch:
        page = None
print(f"django-faas-page:{page or ''}")  # noqa: T201 - what it is run for
