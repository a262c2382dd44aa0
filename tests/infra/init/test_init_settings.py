"""The functions' settings as they are written, loaded on top of others."""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from emulator.project import Choices, Database, Project
from infra.init import settings as writing
from infra.init.survey import Base, Place, Survey

SQLITE = Database("django.db.backends.sqlite3")
PLAIN = Choices(
    apps=("django.contrib.staticfiles",),
    databases={"default": SQLITE},
    storages={"staticfiles": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    sessions="django.contrib.sessions.backends.db",
    caches={"default": "django.core.cache.backends.locmem.LocMemCache"},
)
SETTINGS = """
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = ["one.Middleware", "whitenoise.middleware.WhiteNoiseMiddleware"]
ALLOWED_HOSTS = ["localhost"]
SECRET_KEY = "for this machine"
DEBUG = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""

LIMIT = {"connect_timeout": 5}

Loader = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    """Writes settings and those on top of them, and imports these under ``variables``."""
    folder = tmp_path / "project"
    package = folder / "tried"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in os.environ if name.startswith(("AWS_", "DJANGO_", "FAAS_", "DATABASE_"))]:
        monkeypatch.delenv(name)

    def loaded(survey: Survey, text: str = SETTINGS, **variables: str) -> Any:
        (package / "settings.py").write_text(text)
        (package / "settings_faas.py").write_text(writing.text(survey))
        for name in [name for name in sys.modules if name.partition(".")[0] == "tried"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            return importlib.import_module("tried.settings_faas")
        finally:
            os.environ.clear()
            os.environ.update(before)

    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    path = list(sys.path)
    yield loaded
    sys.path[:] = path
    sys.dont_write_bytecode = kept


def survey(tmp_path: Path, choices: Choices = PLAIN, **project: Any) -> Survey:
    folder = tmp_path / "project"
    about: dict[str, Any] = dict.fromkeys(Project.__dataclass_fields__)
    about |= {"folder": folder, "settings": "tried.settings", "variables": {}, "paths": (), "choices": choices}
    return Survey(
        folder,
        Project(**{**about, **project}),
        Base("tried.settings", "as manage.py says"),
        Place(folder / "tried" / "settings_faas.py", "tried.settings_faas", ".settings"),
        "wsgi",
        "3.13",
        "/",
    )


def test_what_is_the_same_for_every_project(tmp_path: Path, load: Loader) -> None:
    found = load(
        survey(tmp_path),
        DJANGO_ALLOWED_HOSTS="www.example.com,.example.org",
        DJANGO_SECRET_KEY="k",
        DATABASE_URL="mysql://h/n",
    )
    assert found.DEBUG is False
    assert (found.SECRET_KEY, found.ALLOWED_HOSTS) == ("k", ["www.example.com", ".example.org"])
    assert found.INSTALLED_APPS == ["django.contrib.staticfiles", "adapter"]
    assert (found.USE_X_FORWARDED_HOST, found.SECURE_PROXY_SSL_HEADER) == (True, None)
    assert found.SESSION_COOKIE_SECURE
    assert found.CSRF_COOKIE_SECURE
    assert found.STATIC_URL == "/static/"
    assert found.STORAGES["default"]["BACKEND"] == "django.core.files.storage.FileSystemStorage"
    assert found.STORAGES["staticfiles"] == {
        "BACKEND": "static_sync.storage.ManifestStorage",
        "OPTIONS": {"manifest": tmp_path / "project" / "staticfiles.json"},
    }
    assert not hasattr(found, "SESSION_ENGINE")
    assert not hasattr(found, "MEDIA_URL")


def test_elsewhere_the_projects_own_values_stay(tmp_path: Path, load: Loader) -> None:
    found = load(survey(tmp_path))
    assert (found.SECRET_KEY, found.ALLOWED_HOSTS) == ("for this machine", ["localhost"])
    assert found.DATABASES["default"]["NAME"] == "db.sqlite3"


def test_settings_that_leave_nearly_all_to_django(tmp_path: Path, load: Loader) -> None:
    choices = dataclasses.replace(PLAIN, apps=(*PLAIN.apps, "wagtail.admin"), databases={})
    found = load(survey(tmp_path, choices), "ROOT_URLCONF = 'site.urls'\n", DJANGO_SECRET_KEY="k")
    assert (found.ALLOWED_HOSTS, found.INSTALLED_APPS) == ([], ["adapter"])
    assert found.SILENCED_SYSTEM_CHECKS == ["security.W008"]
    assert set(found.STORAGES) == {"default", "staticfiles"}
    assert not hasattr(found, "DATABASES")


@pytest.mark.parametrize("missing", ["DJANGO_SECRET_KEY", "DATABASE_URL"])
def test_a_function_that_is_not_given_what_it_needs_does_not_start(tmp_path: Path, load: Loader, missing: str) -> None:
    """Rather than with the key that is in the repository, or a database that nobody can write to."""
    given = {"DJANGO_SECRET_KEY": "k", "DATABASE_URL": "postgres://h/n", "AWS_LAMBDA_FUNCTION_NAME": "web"}
    load(survey(tmp_path), **given)
    del given[missing]
    with pytest.raises(ImproperlyConfigured, match=f"{missing} is not set"):
        load(survey(tmp_path), **given)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://ada:p%40ss%2F%23@db.example.com:6543/shop?sslmode=require",
            (
                "postgresql",
                "shop",
                "ada",
                "p@ss/#",
                "db.example.com",
                "6543",
                {"sslmode": "require", "connect_timeout": 5},
            ),
        ),
        ("postgresql://u@h/n", ("postgresql", "n", "u", "", "h", "", LIMIT)),
        ("postgres://u@h/n?connect_timeout=9", ("postgresql", "n", "u", "", "h", "", {"connect_timeout": "9"})),
        ("mysql://u:p@[::1]:3306/n", ("mysql", "n", "u", "p", "::1", "3306", {})),
        ("sqlite:////tmp/db.sqlite3", ("sqlite3", "/tmp/db.sqlite3", "", "", "", "", {})),
    ],
)
def test_databases_by_url(tmp_path: Path, load: Loader, url: str, expected: tuple[Any, ...]) -> None:
    entry = load(survey(tmp_path), DATABASE_URL=url).DATABASES["default"]
    assert entry["ENGINE"] == f"django.db.backends.{expected[0]}"
    assert tuple(entry[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")) == expected[1:]
    assert (entry["CONN_MAX_AGE"], entry["CONN_HEALTH_CHECKS"]) == (None, True)


@pytest.mark.parametrize(
    "url", ["redis://u:hidden@h/0", "hidden", "postgres://u:hid#den@h/n", "postgres://u:1hid/den@h/n"]
)
def test_a_url_that_can_not_be_read_is_refused_without_being_told(tmp_path: Path, load: Loader, url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL has to be") as caught:
        load(survey(tmp_path), DATABASE_URL=url)
    error: BaseException | None = caught.value
    assert "hid" not in str(error)
    assert error is not None
    assert error.__suppress_context__


def test_connections_to_a_pooler(tmp_path: Path, load: Loader) -> None:
    choices = dataclasses.replace(
        PLAIN, databases={"default": Database("django.db.backends.postgresql", pool=True)}, asked=("DATABASE_URL",)
    )
    text = SETTINGS + (
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'HOST': 'ep-1-pooler.neon.tech',"
        " 'CONN_MAX_AGE': 60, 'OPTIONS': {'pool': True, 'sslmode': 'require'}}}\n"
    )
    assert load(survey(tmp_path, choices), text).DATABASES["default"] == {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "ep-1-pooler.neon.tech",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"sslmode": "require", "connect_timeout": 5},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def test_storages(tmp_path: Path, load: Loader) -> None:
    """What the project has besides stays; what is the project's own way of hashing stays, where it can be packed."""
    backends = {alias: {"BACKEND": backend} for alias, backend in (("default", "a.B"), ("more", "c.D"))}
    text = f"{SETTINGS}STORAGES = { ({**backends, 'staticfiles': {'BACKEND': 'e.F'}}) }\n"
    found = load(survey(tmp_path), text).STORAGES
    assert (found["default"], found["more"]) == ({"BACKEND": "a.B"}, {"BACKEND": "c.D"})
    assert found["staticfiles"]["BACKEND"] == "static_sync.storage.ManifestStorage"
    own = dataclasses.replace(PLAIN, own_manifest=True)
    root = tmp_path / "project" / "static"
    assert load(survey(tmp_path, own, static_root=root), text).STORAGES["staticfiles"] == {"BACKEND": "e.F"}
    found = load(survey(tmp_path, own, static_root=Path("/elsewhere")), text).STORAGES
    assert found["staticfiles"]["BACKEND"] == "static_sync.storage.ManifestStorage"
    none = dataclasses.replace(PLAIN, has_static_files=False)
    assert not hasattr(load(survey(tmp_path, none)), "STATIC_URL")
    uploads = load(survey(tmp_path, media_root=Path("/media")), text)
    assert (uploads.MEDIA_URL, uploads.STORAGES["default"]) == (
        "/media/",
        {"BACKEND": "tried.storage_faas.MediaBucket"},
    )


def test_what_only_some_projects_need(tmp_path: Path, load: Loader) -> None:
    choices = dataclasses.replace(
        PLAIN,
        apps=(*PLAIN.apps, "adapter", "wagtail.admin", "django_tasks"),
        middleware=("whitenoise.middleware.WhiteNoiseMiddleware",),
        sessions="django.contrib.sessions.backends.cached_db",
        log_files=("disk",),
        key_variables=("SITE_KEY",),
        asked=("DEBUG", "ALLOWED_HOSTS"),
    )
    text = SETTINGS + (
        "import os, sys\n"
        "SEEN = [os.environ.get(name) for name in ('SITE_KEY', 'DEBUG', 'ALLOWED_HOSTS')], sys.path[-1]\n"
        "HANDLER = {'class': 'logging.FileHandler', 'filename': 'x', 'level': 'INFO'}\n"
        "LOGGING = {'handlers': {'disk': HANDLER, 'other': {}}}\n"
        "INSTALLED_APPS += ['adapter']\n"
    )
    found = load(
        survey(tmp_path, choices, paths=(f"{tmp_path}/project/apps", "/usr/elsewhere")),
        text,
        DJANGO_SECRET_KEY="k",
        DJANGO_ALLOWED_HOSTS="www.example.com",
        ALLOWED_HOSTS="set already",
        FAAS_JOBS_QUEUE_URL="https://sqs",
    )
    assert (["k", "0", "set already"], f"{tmp_path}/project/apps") == found.SEEN
    assert found.INSTALLED_APPS.count("adapter") == 1
    assert found.MIDDLEWARE == ["one.Middleware"]
    assert found.SESSION_ENGINE == "django.contrib.sessions.backends.db"
    assert found.LOGGING["handlers"] == {"disk": {"class": "logging.StreamHandler", "level": "INFO"}, "other": {}}
    assert found.TASKS == {"default": {"BACKEND": "adapter.tasks.SQSBackend"}}
    assert found.WAGTAILADMIN_BASE_URL == "https://www.example.com"
    without_queue = getattr(load(survey(tmp_path, choices), text), "TASKS", {})
    assert "SQSBackend" not in str(without_queue)
    nameless = load(survey(tmp_path, choices), text, DJANGO_ALLOWED_HOSTS=".cloudfront.net")
    assert not hasattr(nameless, "WAGTAILADMIN_BASE_URL")


@pytest.mark.parametrize(
    ("sessions", "cache", "moved"),
    [
        ("db", "locmem.LocMemCache", False),
        ("signed_cookies", "locmem.LocMemCache", False),
        ("file", "redis.RedisCache", True),
        ("cache", "locmem.LocMemCache", True),
        ("cached_db", "dummy.DummyCache", True),
        ("cache", "redis.RedisCache", False),
    ],
)
def test_sessions_that_each_process_would_have_for_itself(
    tmp_path: Path, sessions: str, cache: str, moved: bool
) -> None:
    choices = dataclasses.replace(
        PLAIN,
        sessions=f"django.contrib.sessions.backends.{sessions}",
        caches={"default": f"django.core.cache.backends.{cache}"},
    )
    titles = [section.title for section in writing.sections(survey(tmp_path, choices))]
    assert ("sessions" in titles) is moved


def test_mail_that_nobody_would_get(tmp_path: Path, load: Loader) -> None:
    console = "django.core.mail.backends.console.EmailBackend"
    given = {"EMAIL_HOST": "smtp.example.com", "EMAIL_HOST_USER": "u", "EMAIL_HOST_PASSWORD": "p"}

    printed = survey(tmp_path, dataclasses.replace(PLAIN, mail=console))
    found = load(printed, f"{SETTINGS}EMAIL_BACKEND = {console!r}\n", **given)
    assert found.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
    assert (found.EMAIL_HOST, found.EMAIL_PORT, found.EMAIL_USE_TLS) == ("smtp.example.com", 587, True)
    assert (found.EMAIL_HOST_USER, found.EMAIL_HOST_PASSWORD) == ("u", "p")
    assert printed.missing == tuple(given)

    printed = survey(tmp_path, dataclasses.replace(PLAIN, mail=console, uses_mailers=True))
    text = f"{SETTINGS}MAILERS = {{'default': {{'BACKEND': {console!r}}}, 'other': {{'BACKEND': 'a.B'}}}}\n"
    found = load(printed, text, EMAIL_PORT="2525", **given)
    options = {"host": "smtp.example.com", "port": 2525, "use_tls": True, "username": "u", "password": "p"}
    assert {"default": {"OPTIONS": options}, "other": {"BACKEND": "a.B"}} == found.MAILERS
    assert not hasattr(found, "EMAIL_HOST")


@pytest.mark.parametrize(
    ("backend", "mailers", "moved"),
    [
        ("console", False, True),
        ("dummy", False, False),
        ("dummy", True, True),
        ("smtp", True, False),
        ("", False, False),
    ],
)
def test_which_mail_is_moved(tmp_path: Path, backend: str, mailers: bool, moved: bool) -> None:
    mail = f"django.core.mail.backends.{backend}.EmailBackend" if backend else ""
    assert survey(tmp_path, dataclasses.replace(PLAIN, mail=mail, uses_mailers=mailers)).needs_mail is moved


@pytest.mark.parametrize(
    ("django", "backend", "expected"),
    [
        (6, "django.tasks.backends.immediate.ImmediateBackend", "STORAGES, TASKS\n"),
        (6, "django_tasks_db.DatabaseBackend", None),
        (5, "", None),
    ],
)
def test_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django: int, backend: str, expected: str | None
) -> None:
    monkeypatch.setattr(writing, "_DJANGO", django)
    text = writing.text(survey(tmp_path, dataclasses.replace(PLAIN, tasks={"default": backend} if backend else {})))
    assert ("SQSBackend" in text) is bool(expected)
    assert (expected or "STORAGES\n") in text


def test_no_two_sections_have_one_title_and_every_line_fits(tmp_path: Path) -> None:
    choices = dataclasses.replace(
        PLAIN,
        apps=(*PLAIN.apps, "wagtail.admin", "django_tasks"),
        log_files=("disk",),
        sessions="x.file",
        mail="django.core.mail.backends.console.EmailBackend",
        asked=("DEBUG", "SECRET_KEY"),
    )
    whole = survey(tmp_path, choices, media_root=Path("/media"), paths=(f"{tmp_path}/project/apps",))
    titles = [section.title for section in writing.sections(whole)]
    assert len(titles) == len(set(titles)) == 15
    assert all(len(title) < 11 for title in titles)
    assert all(len(line) <= 120 for line in writing.text(whole).splitlines())
