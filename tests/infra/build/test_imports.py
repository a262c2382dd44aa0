"""What a project needs and forgot to ask for is told before it is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.project import Choices, Database
from infra.build.distributions import Distribution
from infra.build.imports import missing

INSTALLED = "django/__init__.py", "django/contrib/admin.py", "fast.cpython-313-aarch64-linux-gnu.so", "single.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in INSTALLED:
        put(tmp_path, name, "import what.a.distribution.lacks\n")
    return tmp_path


def put(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def found(tree: Path, choices: Choices | None = None) -> list[str]:
    django = Distribution("django", "5.2", tree / "RECORD", set(INSTALLED))
    return missing(tree, [django], choices or Choices())


@pytest.mark.parametrize(
    "text",
    [
        "import storages",
        "import json, storages.backends.s3 as s3",
        "from storages.backends import s3",
        "class A:\n    def open(self):\n        from storages.backends.s3 import S3Storage",
        "try:\n    import storages\nexcept ValueError:\n    pass",
        "with open('f'):\n    import storages",
        "pattern = '\\d'\nimport storages",
    ],
)
def test_an_import_that_fails_on_the_function(tree: Path, text: str) -> None:
    put(tree, "shop/media.py", text)
    assert found(tree) == ["storages (shop/media.py)"]


@pytest.mark.parametrize(
    "text",
    [
        "import json, email.message, _thread",
        "import django.contrib.admin, single, fast",
        "import boto3.session, awslambdaric, __main__",  # the runtime's own
        "from . import storages\nfrom .storages import S3Storage\nfrom ..a import b",
        "import shop.models, shop",
        "from blog import models",  # apps/ is on the path that the settings extend
        "try:\n    import storages\nexcept ImportError:\n    storages = None",
        "try:\n    import storages\nexcept (KeyError, ModuleNotFoundError):\n    import nowhere",
        "try:\n    import storages\nexcept:\n    pass",
        "with contextlib.suppress(ImportError):\n    import storages",
        "if settings.DEBUG:\n    import debug_toolbar\nelse:\n    import nowhere",
        "if TYPE_CHECKING:\n    import storages",
        "import (",
        "\0",
    ],
)
def test_an_import_that_does_not(tree: Path, text: str) -> None:
    put(tree, "apps/blog/models.py", "")
    put(tree, "shop/media.py", text)
    assert found(tree) == []


@pytest.mark.parametrize(
    "name", ["shop/tests/base.py", "shop/tests.py", "shop/test_cart.py", "conftest.py", "setup.py"]
)
def test_no_function_runs_tests(tree: Path, name: str) -> None:
    put(tree, name, "import factory")
    assert found(tree) == []


def test_a_backend_is_asked_for_by_its_name_alone(tree: Path) -> None:
    put(tree, "shop/settings.py", "")
    choices = Choices(
        apps=("django.contrib.admin", "shop", "rest_framework"),
        middleware=("django.middleware.common.CommonMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"),
        storages={"default": "storages.backends.s3.S3Storage", "staticfiles": "shop.storage.Own"},
        databases={"default": Database("psqlextra.backend"), "other": Database("")},
        caches={"default": "django_redis.cache.RedisCache"},
        tasks={"default": "django_tasks.backends.database.DatabaseBackend"},
        mail="anymail.backends.amazon_ses.EmailBackend",
        sessions="qsessions.backends.db",
    )
    assert found(tree, choices) == [
        "anymail (EMAIL_BACKEND)",
        "django_redis (CACHES)",
        "django_tasks (TASKS)",
        "psqlextra (DATABASES)",
        "qsessions (SESSION_ENGINE)",
        "rest_framework (INSTALLED_APPS)",
        "storages (STORAGES)",
        "whitenoise (MIDDLEWARE)",
    ]


def test_each_is_named_once(tree: Path) -> None:
    put(tree, "b.py", "import storages, requests")
    put(tree, "a.py", "import requests")
    storage = Choices(storages={"default": "storages.backends.s3.S3Storage"})
    assert found(tree, storage) == ["requests (a.py)", "storages (STORAGES)"]
