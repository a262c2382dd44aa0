"""The system checks: each on settings that go wrong on a function, and on sound ones, of which it must say nothing."""

from __future__ import annotations

import _thread
import copy
import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.staticfiles.storage import HashedFilesMixin, StaticFilesStorage
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.core.wsgi import get_wsgi_application
from django.db import connections, models
from django.test import override_settings
from django.test.utils import isolate_apps

from adapter import LambdaHandler
from adapter.checks import files, process, run
from adapter.checks.lookup import fate

from .conftest import CAPTURED

ROOT = Path(__file__).parents[2]
BOOKSHOP = ROOT / "samples" / "bookshop"

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
DATABASE_CACHE = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://cache.example.com:6379"}
SHARED_FILES = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/mnt/cache"}
OWN_FILES = {**SHARED_FILES, "LOCATION": "/tmp/cache"}
SHIPPED_FILES = {**SHARED_FILES, "LOCATION": "/srv/site/cache"}

POSTGRESQL: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "site",
    "HOST": "db.example.com",
    "CONN_MAX_AGE": None,
    "CONN_HEALTH_CHECKS": True,
}
SOUND: dict[str, Any] = {
    "ALLOWED_HOSTS": ["www.example.com"],
    "CACHES": {"default": REDIS},
    "DATA_UPLOAD_MAX_MEMORY_SIZE": 2_621_440,
}

Look = Callable[..., list[CheckMessage]]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """What the checks say of a sound project, with these settings in place of its own."""
    monkeypatch.delenv("FAAS_ORIGIN_SECRET", raising=False)
    monkeypatch.setattr(threading, "enumerate", list)  # other tests' threads are none of this project's

    def look(database: dict[str, Any] = POSTGRESQL, installed: str = "", **settings: Any) -> list[CheckMessage]:
        is_installed = apps.is_installed
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"The EMAIL_\w+ setting is deprecated")  # from Django 6.1 on
            patch.setattr(connections, "settings", connections.configure_settings({"default": database}))
            patch.setattr(apps, "is_installed", lambda name: name == installed or is_installed(name))
            # From Django 6.1 on an override would set up the handlers, and so make the files.
            patch.setattr(django_settings, "LOGGING", settings.pop("LOGGING", {}))
            with override_settings(**SOUND | settings):
                return run()

    return look


def ids(messages: list[CheckMessage]) -> list[str]:
    return sorted(message.id or "" for message in messages)


def only(messages: list[CheckMessage]) -> str:
    """The one message there is, as `manage.py check` prints it."""
    assert len(messages) == 1, messages
    return str(messages[0])


def test_of_a_sound_project_they_say_nothing(look: Look) -> None:
    assert look() == []


# --- databases


def sqlite(name: object) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name}


@pytest.mark.parametrize(
    ("name", "consequence"),
    [
        (Path("/srv/site/db.sqlite3"), "every write to this file fails"),
        ("db.sqlite3", "every write to this file fails"),
        ("file:db.sqlite3?mode=rw", "every write to this file fails"),
        ("/tmp/db.sqlite3", "Each environment has a database of its own"),
        (":memory:", "SQLite in memory. Each environment has a database of its own"),
        ("file:shared?mode=memory&cache=shared", "SQLite in memory. Each environment has a database of its own"),
        ("/mnt/efs/db.sqlite3", "can damage the file"),
    ],
)
def test_sqlite(look: Look, name: object, consequence: str) -> None:
    said = only(look(sqlite(name)))
    assert said.startswith('DATABASES["default"]: (faas.W001) This is SQLite in ')
    assert consequence in said


@pytest.mark.parametrize("query", ["mode=ro", "immutable=1"])
def test_sqlite_that_is_only_read_can_be_shipped(look: Look, query: str) -> None:
    assert look(sqlite(f"file:/var/task/data.sqlite3?{query}")) == []


def test_the_read_only_sqlite_of_the_remedy_works(tmp_path: Path) -> None:
    database = tmp_path / "data.sqlite3"
    connect(database, "CREATE TABLE words (word)")
    name = f"file:{database}?immutable=1"
    assert connect(name, "SELECT count(*) FROM words") == [(0,)]
    with pytest.raises(Exception, match="readonly database"):
        connect(name, "INSERT INTO words VALUES ('one')")


def connect(name: object, query: str) -> list[Any]:
    """What Django's own backend gets by this NAME."""
    database = connections.configure_settings({"default": sqlite(name)})["default"]
    connection = connections.create_connection("default")
    connection.settings_dict = database | {"TIME_ZONE": None}
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows: list[Any] = cursor.fetchall()
            return rows
    finally:
        connection.close()


@pytest.mark.parametrize("pool", [True, {"min_size": 2}])
def test_a_pool_is_refused(look: Look, pool: object) -> None:
    message = look({**POSTGRESQL, "CONN_MAX_AGE": 0, "OPTIONS": {"pool": pool}})
    assert "stand still while the environment is frozen" in only(message)
    assert message[0].id == "faas.E002"
    assert message[0].is_serious()


def test_no_pool_is_fine(look: Look) -> None:
    assert look({**POSTGRESQL, "OPTIONS": {"pool": False, "sslmode": "require"}}) == []


@pytest.mark.parametrize("age", [None, 60])
def test_kept_connections_without_health_checks(look: Look, age: int | None) -> None:
    said = only(look({**POSTGRESQL, "CONN_MAX_AGE": age, "CONN_HEALTH_CHECKS": False}))
    assert f"(faas.W003) CONN_MAX_AGE is {age}," in said
    assert 'HINT: Set "CONN_HEALTH_CHECKS": True.' in said
    assert look({**POSTGRESQL, "CONN_MAX_AGE": age}) == []


def test_a_connection_for_each_request_is_explained_and_fails_nothing(look: Look) -> None:
    messages = look({**POSTGRESQL, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False})
    assert "max_connections" in only(messages)
    assert messages[0].id == "faas.I004"
    assert not messages[0].is_serious(30)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "/var/run/postgresql"])
def test_a_database_server_on_this_machine(look: Look, host: str) -> None:
    said = only(look({**POSTGRESQL, "HOST": host}))
    assert f'DATABASES["default"]: (faas.W005) "HOST" is {host!r}' in said
    assert '"HOST": os.environ["DATABASE_HOST"]' in said


@pytest.mark.parametrize("database", [{"ENGINE": "no.such.engine", "OPTIONS": {"pool": True}}, {}])
def test_a_database_that_cannot_be_looked_at_is_django_s_to_tell(look: Look, database: dict[str, Any]) -> None:
    assert look(database) == []


# --- places


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        ("/srv/site", "/srv/site/media", "refused"),
        ("/srv/site", "media", "refused"),
        ("/srv/site", "/tmp/media", "lost"),
        ("/srv/site", "/private/tmp/ada/media", "lost"),
        ("/srv/site", "/mnt/efs/media", None),
        ("/srv/site", b"/dev/null", None),
        ("/tmp/build/site", "/tmp/build/site/media", "refused"),
        (Path("/mnt/c/site"), "/mnt/c/site/media", "refused"),
        ("/tmp", "/tmp/media", "lost"),
        ("/", "/mnt/efs/media", None),
    ],
)
def test_what_becomes_of_a_file(monkeypatch: pytest.MonkeyPatch, base: object, path: object, expected: object) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/private/tmp/ada")  # as on a Mac
    with override_settings(BASE_DIR=base):
        assert fate(path) == expected


def test_without_base_dir_the_project_is_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert fate(tmp_path / "media") == "refused"
    assert fate(tmp_path.parent / "media") == "lost"


# --- sessions and caches


def session(engine: str) -> str:
    return f"django.contrib.sessions.backends.{engine}"


@pytest.mark.parametrize(
    ("engine", "settings", "consequence"),
    [
        ("file", {}, "files in /tmp, of which each environment has its own"),
        ("file", {"SESSION_FILE_PATH": "/srv/site/sessions"}, "nobody can log in"),
        ("cache", {"CACHES": {"default": LOCMEM}}, "a LocMemCache, of which each environment has its own"),
        ("cache", {"CACHES": {"default": OWN_FILES}}, "a FileBasedCache, of which each environment has its own"),
        ("cache", {"CACHES": {"default": DUMMY}}, "nobody stays logged in"),
        ("cache", {"CACHES": {"default": REDIS, "own": LOCMEM}, "SESSION_CACHE_ALIAS": "own"}, 'CACHES["own"]'),
        ("cached_db", {"CACHES": {"default": LOCMEM}}, "changed or ended lives on in the others"),
    ],
)
def test_sessions_that_only_one_environment_has(
    look: Look, engine: str, settings: dict[str, Any], consequence: str
) -> None:
    said = only(look(SESSION_ENGINE=session(engine), **settings))
    assert said.startswith("SESSION_ENGINE: (faas.W010) Sessions are ")
    assert consequence in said


@pytest.mark.parametrize(
    ("engine", "settings"),
    [
        ("db", {}),
        ("db", {"CACHES": {"default": LOCMEM}}),
        ("signed_cookies", {}),
        ("cache", {}),
        ("cache", {"CACHES": {"default": DATABASE_CACHE}}),
        ("cache", {"CACHES": {"default": SHARED_FILES}}),
        ("cache", {"CACHES": {"default": LOCMEM, "all": REDIS}, "SESSION_CACHE_ALIAS": "all"}),
        ("cached_db", {}),
        ("cached_db", {"CACHES": {"default": DUMMY}}),
        ("file", {"SESSION_FILE_PATH": "/mnt/efs/sessions"}),
        ("file", {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]}),
        ("no_such_engine", {}),
    ],
)
def test_sessions_that_all_environments_have(look: Look, engine: str, settings: dict[str, Any]) -> None:
    assert look(SESSION_ENGINE=session(engine), **settings) == []


@pytest.mark.parametrize(
    ("installed", "settings", "user"),
    [
        ("", {"REST_FRAMEWORK": {"DEFAULT_THROTTLE_CLASSES": ["x.y"]}}, "Django REST framework"),
        ("allauth.account", {}, "django-allauth"),
        ("", {"AXES_HANDLER": "axes.handlers.cache.AxesCacheHandler"}, "django-axes"),
        ("django_select2", {}, "django-select2"),
    ],
)
def test_what_needs_one_cache_for_all(look: Look, installed: str, settings: dict[str, Any], user: str) -> None:
    said = only(look(installed=installed, CACHES={"default": LOCMEM}, **settings))
    assert 'CACHES["default"]: (faas.W011)' in said
    assert user in said
    assert look(installed=installed, **settings) == []


@pytest.mark.parametrize(
    ("installed", "settings"),
    [
        ("", {}),
        ("", {"REST_FRAMEWORK": {"PAGE_SIZE": 20}}),
        ("allauth.account", {"ACCOUNT_RATE_LIMITS": False}),
        ("", {"AXES_HANDLER": "axes.handlers.database.AxesDatabaseHandler"}),
        ("django_select2", {"SELECT2_CACHE_BACKEND": "all", "CACHES": {"default": LOCMEM, "all": REDIS}}),
    ],
)
def test_a_cache_in_each_environment_is_fine_by_itself(look: Look, installed: str, settings: dict[str, Any]) -> None:
    assert look(installed=installed, **{"CACHES": {"default": LOCMEM}, **settings}) == []


def test_a_cache_in_files_that_cannot_be_written(look: Look) -> None:
    said = only(look(CACHES={"default": SHIPPED_FILES}))
    assert "(faas.W012) The cache is files in /srv/site/cache" in said
    assert look(CACHES={"default": OWN_FILES}) == []
    assert look(CACHES={"default": SHARED_FILES}) == []


@pytest.mark.parametrize(
    "location",
    ["redis://localhost:6379/1", "redis://:secret@127.0.0.1", ["redis://cache.example.com", "redis://127.0.0.1"]],
)
def test_a_cache_server_on_this_machine(look: Look, location: object) -> None:
    said = only(look(CACHES={"default": {**REDIS, "LOCATION": location}}))
    assert 'CACHES["default"]: (faas.W005) "LOCATION" is ' in said


def test_memcached_on_this_machine(look: Look) -> None:
    backend = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache"}
    for location in ("127.0.0.1:11211", "unix:/run/memcached.sock"):
        assert ids(look(CACHES={"default": {**backend, "LOCATION": location}})) == ["faas.W005"]
    assert look(CACHES={"default": {**backend, "LOCATION": "cache.example.com:11211"}}) == []
    assert look(CACHES={"default": {**LOCMEM, "LOCATION": "localhost"}}) == []


@pytest.mark.parametrize("location", ["", "redis://", "redis://[", None])
def test_a_cache_server_without_a_name_is_django_s_to_tell(look: Look, location: object) -> None:
    assert look(CACHES={"default": {**REDIS, "LOCATION": location}}) == []


# --- files


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Storage | None], None]]:
    """Gives the project a model whose files are kept in a storage."""
    with isolate_apps("django.contrib.contenttypes") as registry:

        def keep(storage: Storage | None) -> None:
            class Book(models.Model):
                cover = models.ImageField() if storage is None else models.FileField(storage=storage)

                class Meta:
                    app_label = "contenttypes"

                def __str__(self) -> str:
                    return str(self.cover)

            monkeypatch.setattr(registry, "is_installed", apps.is_installed)
            monkeypatch.setattr(files, "apps", registry)

        yield keep


BUCKET = {"default": {"BACKEND": "tests.adapter.test_checks.Bucket"}}


class Bucket(Storage):
    """Any storage that is not on the disk."""


@pytest.mark.parametrize(
    ("media_root", "consequence"),
    [
        ("/srv/site/media", "kept in /srv/site/media, and a function can write to /tmp alone"),
        (Path("/tmp/media"), "which each environment has for itself"),
        ("", "kept in the current folder, and"),
    ],
)
def test_uploads_to_the_disk(
    look: Look, keep: Callable[[Storage | None], None], media_root: object, consequence: str
) -> None:
    keep(None)
    said = only(look(MEDIA_ROOT=media_root))
    assert 'STORAGES["default"]: (faas.W020) Uploads (contenttypes.Book.cover) are kept in ' in said
    assert consequence in said


def test_uploads_to_a_bucket_or_a_mounted_file_system(look: Look, keep: Callable[[Storage | None], None]) -> None:
    keep(None)
    assert look(MEDIA_ROOT="/srv/site/media", STORAGES=BUCKET) == []
    assert look(MEDIA_ROOT="/mnt/efs/media") == []


def test_uploads_of_views_go_by_the_default_storage(look: Look) -> None:
    assert "(faas.W020) Uploads are kept in /srv/site/media" in only(look(MEDIA_ROOT="/srv/site/media"))
    assert look(MEDIA_ROOT="/srv/site/media", STORAGES=BUCKET) == []


def test_a_project_without_uploads_needs_no_bucket(look: Look) -> None:
    assert look(MEDIA_ROOT="") == []


@pytest.mark.parametrize("storage", [FileSystemStorage("/srv/site/private"), InMemoryStorage()])
def test_a_field_with_a_storage_of_its_own(
    look: Look, keep: Callable[[Storage | None], None], storage: Storage
) -> None:
    keep(storage)
    assert "contenttypes.Book.cover: (faas.W020)" in only(look(STORAGES=BUCKET))


def test_a_field_with_a_bucket_of_its_own(look: Look, keep: Callable[[Storage | None], None]) -> None:
    keep(Bucket())
    assert look() == []


def test_a_storage_that_cannot_be_set_up_is_django_s_to_tell(look: Look) -> None:
    assert look(MEDIA_ROOT="/srv/site/media", STORAGES={"default": {"BACKEND": "no.such.Storage"}}) == []


def test_the_folder_for_large_uploads(look: Look) -> None:
    assert "FILE_UPLOAD_TEMP_DIR: (faas.W021) It is /srv/uploads" in only(look(FILE_UPLOAD_TEMP_DIR="/srv/uploads"))
    assert look(FILE_UPLOAD_TEMP_DIR=Path("/tmp/uploads")) == []
    assert look(FILE_UPLOAD_TEMP_DIR="/mnt/efs/uploads") == []


def test_a_body_larger_than_an_event(look: Look) -> None:
    messages = look(DATA_UPLOAD_MAX_MEMORY_SIZE=20 * 1024 * 1024)
    assert "(faas.I023) It is 20,971,520 bytes" in only(messages)
    assert not messages[0].is_serious(30)
    for size in (None, 5 * 1024 * 1024):
        assert look(DATA_UPLOAD_MAX_MEMORY_SIZE=size) == []


class OwnFileHandler(logging.FileHandler):
    """A project's own."""


@pytest.mark.parametrize(
    ("handler", "consequence"),
    [
        ({"class": "logging.FileHandler", "filename": "/srv/site/debug.log"}, "Django does not start"),
        ({"class": "logging.FileHandler", "filename": Path("debug.log")}, "Django does not start"),
        ({"class": "logging.handlers.RotatingFileHandler", "filename": "/tmp/debug.log"}, "goes with its environment"),
        ({"()": "ext://tests.adapter.test_checks.OwnFileHandler", "filename": "debug.log"}, "Django does not start"),
        ({"()": OwnFileHandler, "filename": "debug.log"}, "Django does not start"),
    ],
)
def test_logging_to_files(look: Look, handler: dict[str, Any], consequence: str) -> None:
    said = only(look(LOGGING={"version": 1, "handlers": {"file": handler}}))
    assert 'LOGGING["handlers"]["file"]: (faas.W022)' in said
    assert consequence in said


@pytest.mark.parametrize(
    "handler",
    [
        {"class": "logging.StreamHandler"},
        {"class": "logging.FileHandler", "filename": "/dev/stderr"},
        {"class": "logging.FileHandler", "filename": "/mnt/efs/site.log"},
        {"class": "no.such.Handler", "filename": "debug.log"},
        {"class": "tests.adapter.test_checks.OwnFileHandler"},
    ],
)
def test_logging_elsewhere(look: Look, handler: dict[str, Any]) -> None:
    assert look(LOGGING={"version": 1, "handlers": {"file": handler}}) == []


def test_logging_set_up_without_the_setting(look: Look, tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "own.log")
    logger = logging.getLogger("tests.adapter.own")
    logger.addHandler(handler)
    try:
        assert f"logging.FileHandler: (faas.W022) This handler logs to {tmp_path}/own.log" in only(look(LOGGING=None))
        handler.name = "file"
        named = {"class": "logging.FileHandler", "filename": tmp_path / "own.log"}
        assert 'LOGGING["handlers"]["file"]' in only(look(LOGGING={"handlers": {"file": named}}))
    finally:
        logger.removeHandler(handler)
        handler.close()


# --- scheme and host


def redirects(event: dict[str, Any]) -> bool:
    """Whether a page that was asked for by https is a redirect to itself."""
    handler = LambdaHandler(get_wsgi_application())
    answer = handler(event)
    headers = {name.lower(): value for name, value in (answer.get("multiValueHeaders") or answer["headers"]).items()}
    return answer["statusCode"] == 301 and "location" in headers


SECURITY = ["django.middleware.security.SecurityMiddleware"]


@pytest.mark.parametrize("door", ["http_api", "function_url", "rest_api", "alb_multi_value"])
@pytest.mark.parametrize(
    ("header", "loops", "expected"),
    [
        (None, False, []),
        (("HTTP_X_FORWARDED_PROTO", "https"), False, []),
        (("HTTP_CLOUDFRONT_FORWARDED_PROTO", "https"), False, []),
        (("HTTP_X_FORWARDED_PROTO", "on"), True, ["faas.W030"]),
        (("HTTP_X_FORWARDED_SSL", "on"), False, ["faas.W031"]),
    ],
)
def test_a_redirect_loop_is_told_where_there_is_one_and_nowhere_else(
    look: Look, door: str, header: object, loops: bool, expected: list[str]
) -> None:
    settings = {"SECURE_SSL_REDIRECT": True, "MIDDLEWARE": SECURITY, "SECURE_PROXY_SSL_HEADER": header}
    event = copy.deepcopy(CAPTURED[door])
    if door == "alb_multi_value":  # captured at a listener without TLS
        event["multiValueHeaders"]["x-forwarded-proto"] = ["https"]
    with override_settings(ALLOWED_HOSTS=["*"], **settings):
        assert redirects(event) == loops
    messages = look(**settings)
    assert ids(messages) == expected
    assert loops == any("redirects every page to itself" in message.msg for message in messages)


@pytest.mark.parametrize(
    "settings", [{"SECURE_SSL_REDIRECT": True}, {"MIDDLEWARE": SECURITY}], ids=["no middleware", "no redirect"]
)
def test_a_wrong_scheme_header_without_the_redirect(look: Look, settings: dict[str, Any]) -> None:
    said = only(look(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "1"), **settings))
    assert "(faas.W030) X-Forwarded-Proto says https or http, never '1'" in said
    assert "build_absolute_uri() begins with http://" in said


def test_a_scheme_header_that_no_request_can_have_does_nothing(look: Look) -> None:
    assert look(SECURE_PROXY_SSL_HEADER=("X-Forwarded-Ssl", "on")) == []


def test_whoever_sends_an_unknown_scheme_header_decides() -> None:
    """The reason for faas.W031: the header passes every front door as the client wrote it."""
    event = copy.deepcopy(CAPTURED["http_api"])
    event["headers"]["x-forwarded-ssl"] = "off"
    header = ("HTTP_X_FORWARDED_SSL", "on")
    with override_settings(SECURE_PROXY_SSL_HEADER=header):
        answer = LambdaHandler(get_wsgi_application())(event)
    assert json.loads(answer["body"])["secure"] is False


def test_the_visitors_host_behind_cloudfront(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = ["www.example.com", "d111111abcdef8.cloudfront.net"]
    assert '(faas.W032) It is off, though ALLOWED_HOSTS has "d111111abcdef8.cloudfront.net"' in only(
        look(ALLOWED_HOSTS=distribution)
    )
    assert look(ALLOWED_HOSTS=distribution, USE_X_FORWARDED_HOST=True) == []
    monkeypatch.setenv("FAAS_ORIGIN_SECRET", "s3cret")
    said = only(look())
    assert "USE_X_FORWARDED_HOST: (faas.W032) It is off, though FAAS_ORIGIN_SECRET is set" in said
    assert "s3cret" not in said
    assert look(USE_X_FORWARDED_HOST=True) == []


def test_any_host_from_any_client(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    believing = {"USE_X_FORWARDED_HOST": True, "ALLOWED_HOSTS": ["*"]}
    assert "ALLOWED_HOSTS: (faas.W033)" in only(look(**believing))
    assert look(ALLOWED_HOSTS=["*"]) == []
    monkeypatch.setenv("FAAS_ORIGIN_SECRET", "s3cret")
    assert look(**believing) == []


# --- static files


def static(backend: str, folder: Path | None, **settings: Any) -> dict[str, Any]:
    return {
        "STORAGES": {"staticfiles": {"BACKEND": f"django.contrib.staticfiles.storage.{backend}"}},
        "STATIC_ROOT": folder,
        "STATIC_URL": "/static/",
        "MEDIA_ROOT": "",
        **settings,
    }


def test_static_files_without_hashed_names(look: Look, tmp_path: Path) -> None:
    plain = static("StaticFilesStorage", tmp_path)
    assert 'STORAGES["staticfiles"]: (faas.W040) With StaticFilesStorage' in only(
        look(installed="django.contrib.staticfiles", **plain)
    )
    assert look(**plain) == [], "the project has no static files"


class HashedStorage(HashedFilesMixin, StaticFilesStorage):  # type: ignore[misc]  # the stubs of url() differ
    """Hashes names without keeping a manifest."""


@pytest.mark.parametrize("backend", ["tests.adapter.test_checks.HashedStorage", "no.such.Storage"])
def test_other_storages_of_static_files(look: Look, backend: str) -> None:
    assert look(installed="django.contrib.staticfiles", STORAGES={"staticfiles": {"BACKEND": backend}}) == []


def test_static_files_that_a_bundler_hashes(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_installed = apps.is_installed
    bundled = {"django.contrib.staticfiles", "django_vite"}
    monkeypatch.setattr(apps, "is_installed", lambda name: name in bundled or is_installed(name))
    assert look(**static("StaticFilesStorage", tmp_path)) == []


def test_the_manifest_of_static_files(look: Look, tmp_path: Path) -> None:
    hashed = static("ManifestStaticFilesStorage", tmp_path, installed="django.contrib.staticfiles")
    said = only(look(**hashed))
    assert f'STORAGES["staticfiles"]: (faas.W041) There is no staticfiles.json in {tmp_path}.' in said
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {"a.css": "a.1.css"}, "hash": ""}')
    assert look(**hashed) == []
    (tmp_path / "staticfiles.json").write_text("[")
    assert "(faas.W041) Couldn't load manifest 'staticfiles.json'" in only(look(**hashed))
    hashed["STATIC_ROOT"] = None
    assert "STATIC_ROOT" in only(look(**hashed))


# --- mail


@pytest.mark.parametrize(
    ("backend", "consequence"),
    [
        ("locmem", "kept in the environment"),
        ("filebased", "kept in the environment"),
        ("console", "printed to the function's log"),
    ],
)
def test_mail_that_is_never_sent(look: Look, backend: str, consequence: str) -> None:
    said = only(look(EMAIL_BACKEND=f"django.core.mail.backends.{backend}.EmailBackend"))
    assert "EMAIL_BACKEND: (faas.W052)" in said
    assert consequence in said


SMTP = {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"}


@pytest.mark.parametrize(
    ("settings", "consequence"),
    [
        ({"EMAIL_HOST": "localhost"}, "nothing listens there"),
        ({"ADMINS": ["ada@example.com"]}, "nothing listens there"),
        ({"MANAGERS": ["ada@example.com"]}, "nothing listens there"),
        ({"EMAIL_HOST": "smtp.example.com"}, "port 25 of smtp.example.com, which AWS blocks"),
    ],
)
def test_a_mail_server_out_of_reach(look: Look, settings: dict[str, Any], consequence: str) -> None:
    said = only(look(**SMTP, **settings))
    assert "(faas.W053) Mails are " in said
    assert consequence in said


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"EMAIL_HOST": "smtp.example.com", "EMAIL_PORT": 587},
        {"EMAIL_HOST": "10.0.0.25"},
        {"EMAIL_BACKEND": "anymail.backends.amazon_ses.EmailBackend", "ADMINS": ["ada@example.com"]},
        {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"},
    ],
)
def test_mail_that_arrives(look: Look, settings: dict[str, Any]) -> None:
    assert look(**SMTP | settings) == []


@pytest.mark.parametrize(
    ("mailer", "expected"),
    [
        ({"OPTIONS": {"host": "localhost"}}, ["faas.W053"]),
        ({"OPTIONS": {"host": "smtp.example.com"}}, ["faas.W053"]),
        ({"OPTIONS": {"host": "smtp.example.com", "use_tls": True}}, []),
        ({"OPTIONS": {"host": "smtp.example.com", "use_ssl": True}}, []),
        ({"OPTIONS": {"host": "smtp.example.com", "port": 587}}, []),
        ({}, []),
        ({"BACKEND": "anymail.backends.amazon_ses.EmailBackend", "OPTIONS": {"host": "localhost"}}, []),
    ],
)
def test_the_mailers_of_django_6_1(look: Look, mailer: dict[str, Any], expected: list[str]) -> None:
    assert ids(look(MAILERS={"default": mailer})) == expected


# --- in a project of its own


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `django-admin startproject mysite` lays down, with the app installed."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", "."], cwd=folder, check=True, timeout=60)
    (folder / "mysite/plain.py").write_text("from .settings import *\n")
    (folder / "mysite/installed.py").write_text('from .settings import *\nINSTALLED_APPS += ["adapter"]\n')
    return folder


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "FAAS_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def checked(folder: Path, settings: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = ("manage.py", "check", "--deploy", "--tag", "faas", "--settings", settings, *arguments)
    return python(folder, *arguments, **environment)


def told(folder: Path, settings: str, **environment: str) -> list[str]:
    """The ids that `manage.py check --deploy --tag faas` prints."""
    result = checked(folder, settings, **environment)
    printed = result.stdout + result.stderr
    assert "System check identified" in printed, printed
    return sorted({word.strip("()") for word in printed.split() if word.startswith("(faas.")})


def test_a_fresh_project_is_told_of_its_database_and_its_static_files(fresh: Path) -> None:
    assert told(fresh, "mysite.installed") == ["faas.W001", "faas.W040"]
    assert "no issues" in python(fresh, "manage.py", "check", "--settings", "mysite.installed").stdout


def test_django_silences_them(fresh: Path) -> None:
    (fresh / "mysite/silent.py").write_text('from .installed import *\nSILENCED_SYSTEM_CHECKS = ["faas.W001"]\n')
    assert told(fresh, "mysite.silent") == ["faas.W040"]


def test_an_error_fails_the_command_and_a_warning_where_that_is_asked(fresh: Path) -> None:
    (fresh / "mysite/pooled.py").write_text(
        "from .installed import *\n"
        'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": True}}}\n'
    )
    assert checked(fresh, "mysite.pooled").returncode == 1
    warned = checked(fresh, "mysite.installed")
    assert warned.returncode == 0
    # As in CI, where the project lies below /tmp: its database is packaged with it all the same.
    assert f"SQLite in {fresh}/db.sqlite3. A function can write to /tmp alone" in warned.stderr
    assert checked(fresh, "mysite.installed", "--fail-level", "WARNING").returncode == 1


def modules(folder: Path, settings: str, statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    result = python(folder, "-c", code, DJANGO_SETTINGS_MODULE=settings)
    assert not result.returncode, result.stderr
    return set(result.stdout.split()) - {"mysite.plain", "mysite.installed"}


def test_the_app_costs_the_cold_start_one_module(fresh: Path) -> None:
    without = modules(fresh, "mysite.plain", "import adapter.entrypoint")
    assert modules(fresh, "mysite.installed", "import adapter.entrypoint") - without == {"adapter.apps"}


def test_the_app_adds_nothing_to_django_setup_but_the_adapter_itself(fresh: Path) -> None:
    setup = "import django; django.setup()"
    added = modules(fresh, "mysite.installed", setup) - modules(fresh, "mysite.plain", setup)
    assert "adapter.apps" in added
    assert {name for name in added if not name.startswith("adapter")} <= {"__future__"}
    assert not {name for name in added if name.startswith("adapter.checks")}


# --- the process


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Imports a module of this name and source."""
    names = []

    def imported(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        importlib.import_module(name)
        names.append(name)

    monkeypatch.syspath_prepend(tmp_path)
    yield imported
    for name in names:
        module = sys.modules.pop(name)
        if hasattr(module, "stop"):
            module.stop()


THREAD = """
import threading

running, stopped = threading.Event(), threading.Event()

def refresh():
    running.set()
    stopped.wait()

def stop():
    stopped.set()
    thread.join()

thread = threading.Thread(target=refresh, name="flags")
thread.start()
running.wait()
"""
POOL = """
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(thread_name_prefix="flags")
pool.submit(int).result()
stop = pool.shutdown
"""


def of_thread(name: str) -> list[str]:
    """What is said of this thread; other tests may have others running."""
    return [str(message) for message in process.check_threads() if name in str(message.obj)]


def test_a_thread_that_an_import_starts(imported: Callable[[str, str], None]) -> None:
    imported("a_flag_library", THREAD)
    (said,) = of_thread("flags")
    assert "(faas.W050) This thread was started to run a_flag_library.refresh when the project was imported" in said


def test_a_pool_that_an_import_starts(imported: Callable[[str, str], None]) -> None:
    imported("a_pool", POOL)
    (said,) = of_thread("flags_0")
    assert "(faas.W050) This thread was started when the project was imported" in said


def test_a_thread_that_the_urlconf_starts(fresh: Path) -> None:
    """With `--tag faas` Django imports no URLconf; a function does."""
    (fresh / "mysite/threaded_urls.py").write_text(
        "import threading\nurlpatterns = []\n"
        "threading.Thread(target=threading.Event().wait, name='flags', daemon=True).start()\n"
    )
    (fresh / "mysite/threaded.py").write_text('from .installed import *\nROOT_URLCONF = "mysite.threaded_urls"\n')
    assert told(fresh, "mysite.threaded") == ["faas.W001", "faas.W040", "faas.W050"]


@pytest.mark.parametrize(
    ("module", "counted"),
    [
        ("_pydevd_bundle.pydevd_comm", False),
        ("_pytest.threadexception", False),
        ("adapter.request_thread", False),
        ("debugpy.server", False),
        ("django.utils.autoreload", False),
        ("execnet.gateway_base", False),
        ("pydevd", False),
        ("pytest_timeout", False),
        ("djangoflags", True),
        ("__main__", True),
    ],
)
def test_threads_of_tools_are_not_the_projects(module: str, counted: bool) -> None:
    names: dict[str, Any] = {"__name__": module}
    exec("def serve(running, stopped):\n    running.set()\n    stopped.wait()", names)
    running, stopped = threading.Event(), threading.Event()
    thread = threading.Thread(target=names["serve"], args=(running, stopped), name="flags")
    thread.start()
    running.wait()
    try:
        assert bool(of_thread("flags")) == counted
    finally:
        stopped.set()
        thread.join()


def test_a_thread_that_python_did_not_start_is_not_the_projects() -> None:
    """A debugger's, or an extension module's: Python knows it once it asks who it is."""
    running, stopped = threading.Event(), threading.Event()
    known: list[threading.Thread] = []

    def serve() -> None:
        known.append(threading.current_thread())
        running.set()
        stopped.wait()

    _thread.start_new_thread(serve, ())
    running.wait()
    try:
        assert known[0] in threading.enumerate()
        assert of_thread(known[0].name) == []
    finally:
        stopped.set()


def test_the_threads_that_run_the_checks_are_not_the_projects() -> None:
    """As in the development server, where Django and the project run beside the main thread."""
    said: list[CheckMessage] = []
    thread = threading.Thread(target=lambda: said.extend(process.check_threads()), name="flags")
    thread.start()
    thread.join()
    assert not {"Thread 'flags'", "Thread 'MainThread'"} & {str(message.obj) for message in said}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SECRET_KEY = get_random_secret_key()", ["faas.W051"]),
        ("SECRET_KEY = os.environ.get('UNSET', get_random_secret_key())", ["faas.W051"]),
        ("SECRET_KEY = os.environ.get('KEY', get_random_secret_key())", []),
        ("SECRET_KEY = str(len(loaded))", []),  # nothing in it looks random: it is not loaded twice
        ("SECRET_KEY = get_random_secret_key(); assert len(loaded) == 1", []),
    ],
)
def test_a_secret_key_that_each_environment_makes_up(
    imported: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str]
) -> None:
    monkeypatch.setenv("KEY", "one key for all")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "own_settings")
    imported("loads", "loaded = []")
    random = "from django.core.management.utils import get_random_secret_key\n" if "random" in line else ""
    imported("own_settings", f"import os\nfrom loads import loaded\nloaded.append(1)\n{random}{line}\n")
    assert ids(list(process.check_secret_key())) == expected


# --- the bookshop


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """The environment of the sample shop with the app installed."""
    (tmp_path / "shop.py").write_text('from bookshop.settings import *\nINSTALLED_APPS += ["adapter"]\n')
    return {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "BOOKSHOP_DATA_DIR": "/srv/shop"}


def test_the_bookshop_on_a_laptop(shop: dict[str, str]) -> None:
    assert told(BOOKSHOP, "shop", **shop) == ["faas.W001", "faas.W020", "faas.W041"]


def test_the_bookshop_as_it_is_deployed(shop: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "staticfiles").mkdir()
    (tmp_path / "staticfiles/staticfiles.json").write_text('{"version": "1.1", "paths": {}, "hash": ""}')
    shop |= {
        "BOOKSHOP_DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgres://shop@db.example.com/shop",
        "FAAS_MEDIA_BUCKET": "shop",
    }
    assert told(BOOKSHOP, "shop", **shop) == []
