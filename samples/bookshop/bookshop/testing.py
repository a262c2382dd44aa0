import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test.runner import DiscoverRunner
from django.test.utils import override_settings


class Runner(DiscoverRunner):
    """Tests run in the seeded shop as it is in production, static files hashed, in a folder that goes afterwards."""

    def setup_test_environment(self, **kwargs: Any) -> None:
        super().setup_test_environment(**kwargs)
        # Every page that is refused on purpose would be a line between the dots.
        logging.disable(logging.WARNING)
        self.folder = Path(tempfile.mkdtemp(prefix="bookshop-"))
        self.settings = override_settings(
            STATIC_ROOT=self.folder / "staticfiles",
            MEDIA_ROOT=self.folder / "media",
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        )
        self.settings.enable()
        call_command("collectstatic", interactive=False, verbosity=0)

    def setup_databases(self, **kwargs: Any) -> Any:
        databases = super().setup_databases(**kwargs)
        from catalogue.seed import data

        rows = data.load()
        data.seed_catalogue(rows)
        data.seed_files(rows)
        data.seed_admin()
        return databases

    def teardown_test_environment(self, **kwargs: Any) -> None:
        self.settings.disable()
        shutil.rmtree(self.folder)
        logging.disable(logging.NOTSET)
        super().teardown_test_environment(**kwargs)
