"""Names that change with a file's content, and the manifest that knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestFilesMixin, staticfiles_storage
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from .lookup import imported, is_one_of

# Their bundlers hash the names, and collectstatic has nothing to add.
_HASHING = ("django_vite", "webpack_loader")


def check() -> Iterator[checks.CheckMessage]:
    backend = imported(settings.STORAGES.get("staticfiles", {}).get("BACKEND"))
    if backend is None or not apps.is_installed("django.contrib.staticfiles"):
        return
    if is_one_of(backend, ManifestFilesMixin):
        problem = _problem_with(staticfiles_storage)
        if problem:
            yield checks.Warning(
                f"{problem}. In a function without the manifest each page with a {{% static %}} in it is a 500.",
                hint="Run `python manage.py collectstatic --noinput` before the function is packaged (static-sync does "
                "it, too), and package the manifest. Of STATIC_ROOT the function needs nothing else, as the files "
                "themselves are in the bucket.",
                obj='STORAGES["staticfiles"]',
                id="faas.W041",
            )
    elif not is_one_of(backend, HashedFilesMixin) and not any(map(apps.is_installed, _HASHING)):
        yield checks.Warning(
            f"With {backend.__name__} a changed file keeps its name: browsers and the CDN go on with the old one while "
            "they have it, which is why static-sync allows them a minute only.",
            hint='STORAGES["staticfiles"] = {"BACKEND": '
            '"django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}.',
            obj='STORAGES["staticfiles"]',
            id="faas.W040",
        )


def _problem_with(storage: Any) -> str | None:
    try:
        if storage.read_manifest() is None:
            place = getattr(storage.manifest_storage, "location", "the storage")
            return f"There is no {storage.manifest_name} in {place}"
    except (ImproperlyConfigured, ValueError) as error:
        return str(error).rstrip(".")
    except Exception:
        # A bucket that can't be read from here may well be readable by the function.
        return None
    return None
