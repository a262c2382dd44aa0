"""The staticfiles storage for the site itself: hashed names from a manifest that lies where the code does.

What Django needs of static files while it answers requests is one small file, the manifest; the files themselves are in
the bucket. Nothing here makes a request, and nothing of the package but its errors is imported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

from static_sync.exceptions import ManifestError


class ManifestStorage(ManifestStaticFilesStorage):
    """Django's `ManifestStaticFilesStorage`, with a manifest that may lie elsewhere and errors that say what to do.

    ``manifest`` is the absolute path of that file, to keep it out of what is served and to have it where the function's
    package is made; by default it is ``staticfiles.json`` in STATIC_ROOT. With ``manifest`` STATIC_ROOT need not exist,
    or be set, where nothing is collected. Collects exactly as Django's storage does.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        base_url: str | None = None,
        *,
        manifest: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        """Raises `ImproperlyConfigured` where no place for the manifest is named."""
        served = location or settings.STATIC_ROOT
        if manifest is not None:
            path = Path(manifest)
            if not path.is_absolute():
                raise ImproperlyConfigured(
                    f"The staticfiles storage's option 'manifest' is {str(manifest)!r}, which is another file in each "
                    "folder that a command is run in. Give a whole path: BASE_DIR / 'staticfiles.json'."
                )
            if served and path.is_relative_to(Path(served).absolute()):
                self.manifest_name = path.relative_to(Path(served).absolute()).as_posix()
            else:
                self.manifest_name = path.name
                options["manifest_storage"] = FileSystemStorage(path.parent)
        elif not served and "manifest_storage" not in options:
            raise ImproperlyConfigured(
                "Nothing says where the manifest of the static files is: set STATIC_ROOT, or the staticfiles storage's "
                "option 'manifest', as in 'OPTIONS': {'manifest': BASE_DIR / 'staticfiles.json'}."
            )
        super().__init__(location, base_url, **options)

    def load_manifest(self) -> Any:
        """Raises `ManifestError` for a file that is no manifest."""
        try:
            return super().load_manifest()
        except (ValueError, AttributeError) as error:
            raise ManifestError(
                f"{self._manifest_path()} is not a manifest of static files; it may have been cut short. Delete it and "
                "run `manage.py collectstatic` (or static-sync) again."
            ) from error

    def stored_name(self, name: str) -> str:
        """Raises `ManifestError` for a name that the manifest does not have."""
        try:
            return super().stored_name(name)
        except ValueError as error:
            raise ManifestError(self._explain(name)) from error

    def _explain(self, name: str) -> str:
        if not self.hashed_files:
            return (
                f"{name!r} has no hashed name: there was no manifest of static files in {self._manifest_path()} when "
                "this process began. Run `manage.py collectstatic` (or static-sync) before the function is packaged, "
                "and see that its package has this file."
            )
        from difflib import get_close_matches

        close = get_close_matches(name, self.hashed_files, 1)
        hint = f" Is it {close[0]!r} that is meant?" if close else ""
        return (
            f"{name!r} has no hashed name: it is not among the {len(self.hashed_files)} files in "
            f"{self._manifest_path()}.{hint} `manage.py findstatic` says whether Django finds it; if so, run "
            "`manage.py collectstatic` (or static-sync) and package the new manifest."
        )

    def _manifest_path(self) -> str:
        try:
            return self.manifest_storage.path(self.manifest_name)  # type: ignore[union-attr]  # never None by now
        except NotImplementedError:  # a storage of the project's own, elsewhere
            return self.manifest_name
