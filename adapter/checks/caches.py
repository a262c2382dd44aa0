"""Sessions and caches of which each environment would have its own, and caches where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.cache import SessionStore as CacheSessions
from django.contrib.sessions.backends.cached_db import SessionStore as CachedDatabaseSessions
from django.contrib.sessions.backends.file import SessionStore as FileSessions
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

from .lookup import TMP, fate, imported, is_here, is_one_of, nothing_listens

_SHARED = '{"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}'


def check_sessions() -> Iterator[checks.CheckMessage]:
    """Sessions that the next environment does not find."""
    if any(is_one_of(imported(path), SessionMiddleware) for path in settings.MIDDLEWARE):
        problem = _problem_with(imported(f"{settings.SESSION_ENGINE}.SessionStore"))
        if problem:
            yield checks.Warning(
                f"{problem}.",
                hint='SESSION_ENGINE = "django.contrib.sessions.backends.db"; for small sessions without secrets also '
                '"django.contrib.sessions.backends.signed_cookies". Or a cache that all environments share: '
                f'CACHES["{settings.SESSION_CACHE_ALIAS}"] = {_SHARED}.',
                obj="SESSION_ENGINE",
                id="faas.W010",
            )


def _problem_with(store: Any) -> str | None:
    own = "each environment has its own: a visitor whose next request meets another environment is logged out"
    if is_one_of(store, FileSessions):
        path = settings.SESSION_FILE_PATH or TMP
        return {
            "lost": f"Sessions are files in {path}, of which {own}",
            "refused": f"Sessions are files in {path}, and a function can write to /tmp alone: nobody can log in",
            None: None,
        }[fate(path)]
    alias = settings.SESSION_CACHE_ALIAS
    private = _private(alias)
    if is_one_of(store, CacheSessions):
        if private:
            return f'Sessions are in CACHES["{alias}"], a {private}, of which {own}'
        if is_one_of(_backend(alias), DummyCache):
            return f'Sessions are in CACHES["{alias}"], a DummyCache, which keeps nothing: nobody stays logged in'
    elif is_one_of(store, CachedDatabaseSessions) and private:
        return (
            f'Sessions are read from CACHES["{alias}"] before the database, and that is a {private}, of which each '
            "environment has its own: a session that one environment has changed or ended lives on in the others"
        )
    return None


def check_sharing() -> Iterator[checks.CheckMessage]:
    """Caches of which each environment has its own, where something needs one for all."""
    for user, alias, consequence in _users():
        private = _private(alias)
        if private:
            yield checks.Warning(
                f"{user} needs a cache that all environments share. This is a {private}, of which each has its own: "
                f"{consequence}.",
                hint=f'CACHES["{alias}"] = {_SHARED}.',
                obj=f'CACHES["{alias}"]',
                id="faas.W011",
            )


def _users() -> Iterator[tuple[str, str, str]]:
    """Name, the cache's alias, and what becomes of it with a cache in each environment."""
    limits = "what it allows once can be done once in each"
    if getattr(settings, "REST_FRAMEWORK", {}).get("DEFAULT_THROTTLE_CLASSES"):
        yield "The throttling of Django REST framework", "default", limits
    # On unless switched off: https://docs.allauth.org/en/latest/account/rate_limits.html
    if apps.is_installed("allauth.account") and getattr(settings, "ACCOUNT_RATE_LIMITS", {}) is not False:
        yield "The rate limit of django-allauth", "default", limits
    if getattr(settings, "AXES_HANDLER", "") == "axes.handlers.cache.AxesCacheHandler":
        yield "The log-in limit of django-axes", getattr(settings, "AXES_CACHE", "default"), limits
    # https://django-select2.readthedocs.io/en/latest/
    if apps.is_installed("django_select2"):
        alias = getattr(settings, "SELECT2_CACHE_BACKEND", "default")
        yield "django-select2", alias, "a field that one has drawn finds no choices in another"


def check_locations() -> Iterator[checks.CheckMessage]:
    """Caches in files that can't be written, and servers where there are none."""
    for alias, cache in settings.CACHES.items():
        setting, backend, location = f'CACHES["{alias}"]', _backend(alias), cache.get("LOCATION") or ""
        if is_one_of(backend, FileBasedCache):
            if fate(location) == "refused":
                yield checks.Warning(
                    f"The cache is files in {location}, and a function can write to /tmp alone: storing anything in it "
                    "fails with an OSError.",
                    hint=f'"LOCATION": "/tmp/cache", for a cache in each environment; or one for all: {_SHARED}.',
                    obj=setting,
                    id="faas.W012",
                )
        elif not is_one_of(backend, LocMemCache):  # its location is only a name
            for server in [location] if isinstance(location, str) else location:
                if is_here(_host(server)):
                    yield nothing_listens(setting, "LOCATION", server, "REDIS_URL")


def _host(server: str) -> str:
    if server.startswith("unix:"):
        return "/"
    try:
        return urlsplit(server if "://" in server else f"//{server}").hostname or ""
    except ValueError:
        return ""


def _private(alias: str) -> str | None:
    """The name of the cache's class, where each environment has a cache of its own by it."""
    backend = _backend(alias)
    if is_one_of(backend, LocMemCache):
        return "LocMemCache"
    if is_one_of(backend, FileBasedCache) and fate(settings.CACHES[alias].get("LOCATION", "")) == "lost":
        return "FileBasedCache"
    return None


def _backend(alias: str) -> Any:
    return imported(settings.CACHES.get(alias, {}).get("BACKEND"))
