"""Uploads and logs on a disk that is read-only or passing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.files.storage import FileSystemStorage, InMemoryStorage, default_storage
from django.db.models import FileField

from .lookup import fate, imported, is_one_of

_EVENT_LIMIT = 6_291_556
_SHOWN = 4


def check_uploads() -> Iterator[checks.CheckMessage]:
    """Storages that keep files in the environment, where a model or, by MEDIA_ROOT, a view means to use them."""
    users: dict[str, tuple[Any, list[str]]] = {}
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, FileField) and (place := _place(field.storage)) is not None:
                users.setdefault(place, (field.storage, []))[1].append(f"{model._meta.label}.{field.name}")
    if settings.MEDIA_ROOT and (place := _place(default_storage)) is not None:
        users.setdefault(place, (default_storage, []))
    for place, (storage, fields) in users.items():
        end = "lost" if isinstance(storage, InMemoryStorage) else fate(place)
        if end is None:
            continue
        consequence = {
            "lost": "which each environment has for itself: no other finds the file, and it goes with its environment",
            "refused": "and a function can write to /tmp alone: each upload fails with an OSError",
        }[end]
        yield checks.Warning(
            f"Uploads{_listed(fields)} are kept in {place or 'the current folder'}, {consequence}.",
            hint='Keep them in a bucket (pip install "django-storages[s3]"): {"BACKEND": '
            '"storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": os.environ["FAAS_MEDIA_BUCKET"], '
            '"location": "media"}}.',
            obj='STORAGES["default"]' if storage is default_storage else fields[0],
            id="faas.W020",
        )


def _place(storage: Any) -> str | None:
    """Where in the environment the storage keeps files; None for a storage elsewhere, or one that can't be set up."""
    try:
        # isinstance() sees through Django's lazy default storage, which this sets up.
        if isinstance(storage, FileSystemStorage):
            return os.fsdecode(storage.base_location)
        return "memory" if isinstance(storage, InMemoryStorage) else None
    except Exception:
        return None


def _listed(fields: list[str]) -> str:
    if not fields:
        return ""
    more = f" and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
    return f" ({', '.join(fields[:_SHOWN])}{more})"


def check_upload_settings() -> Iterator[checks.CheckMessage]:
    folder, size = settings.FILE_UPLOAD_TEMP_DIR, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if folder and fate(folder) == "refused":
        yield checks.Warning(
            f"It is {os.fsdecode(folder)}, and a function can write to /tmp alone: uploads of more than "
            f"{settings.FILE_UPLOAD_MAX_MEMORY_SIZE:,} bytes (FILE_UPLOAD_MAX_MEMORY_SIZE) fail.",
            hint="Delete the line; Django then uses /tmp.",
            obj="FILE_UPLOAD_TEMP_DIR",
            id="faas.W021",
        )
    if size is not None and size > _EVENT_LIMIT:
        yield checks.Info(
            f"It is {size:,} bytes, and an event holds 6 MB: some 4.5 MB of a form, which travels as base64; 1 MB "
            "behind a load balancer. The front door answers more with a 413, and Django never sees it.",
            hint="Let browsers put large files into the bucket themselves (boto3's generate_presigned_post), and stay "
            "with the default of 2.5 MB here.",
            obj="DATA_UPLOAD_MAX_MEMORY_SIZE",
            id="faas.I023",
        )


def check_logging() -> Iterator[checks.CheckMessage]:
    for setting, path in _log_files():
        end = fate(path)
        if end is not None:
            consequence = {
                "lost": "which goes with its environment before anybody can read it",
                "refused": "and a function can write to /tmp alone: opening it fails, and Django does not start (or, "
                "with delay, whatever logs fails)",
            }[end]
            yield checks.Warning(
                f"This handler logs to {path}, {consequence}.",
                hint='{"class": "logging.StreamHandler"}: it writes to stderr, and CloudWatch keeps that.',
                obj=setting,
                id="faas.W022",
            )


def _log_files() -> Iterator[tuple[str, str]]:
    """Handlers as LOGGING has them, then those that the project has set up in some other way."""
    handlers = (settings.LOGGING or {}).get("handlers", {})
    for name, handler in handlers.items():
        named = handler.get("class") or handler.get("()")
        backend = imported(named.removeprefix("ext://") if isinstance(named, str) else named)
        if is_one_of(backend, logging.FileHandler) and "filename" in handler:
            yield f'LOGGING["handlers"]["{name}"]', os.fsdecode(handler["filename"])
    loggers = [logging.root, *logging.Logger.manager.loggerDict.values()]
    live = {handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers}
    for one in live:
        if isinstance(one, logging.FileHandler) and one.name not in handlers:
            yield f"logging.{type(one).__name__}", one.baseFilename
