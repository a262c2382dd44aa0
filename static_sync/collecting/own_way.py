"""Tells whether a class goes Django's own way, so that a quicker way to the same result may stand in for it.

A project may replace any method of its storage or of collectstatic. What is replaced is run as it is; only what is
known line by line is done in a quicker way.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.staticfiles.storage import HashedFilesMixin

# The versions whose code was compared with ours. Another one is left to itself until that has been done for it.
KNOWN_VERSIONS = ((5, 2), (6, 0), (6, 1))

_NOWHERE = {"__name__": ""}  # the globals of what is no function
_COPYING = ("collect", "copy_file", "delete_file", "clear_dir", "log")
_READING = ("open", "_open", "path")
_WRITING = (
    *_READING,
    "save",
    "_save",
    "delete",
    "exists",
    "get_available_name",
    "get_alternative_name",
    "is_name_available",
    "_ensure_location_group_id",
)
_HASHING = (
    "_post_process",
    "url_converter",
    "_url",
    "_stored_name",
    "file_hash",
    "hash_key",
    "clean_name",
    "get_ignored_blocks",  # since Django 6.1, as the next
    "is_in_ignored_block",
)


def copies(command: type) -> bool:
    """Whether ``command``, a collectstatic, finds and copies files as Django's does."""
    return _is_djangos(command, _COPYING)


def reads(storage: object) -> bool:
    """Whether ``storage`` reads plain files of the local disk."""
    return _is_local(storage, _READING)


def writes(storage: object) -> bool:
    """Whether ``storage`` writes plain files on the local disk."""
    return _is_local(storage, _WRITING)


def hashes(storage: object) -> bool:
    """Whether ``storage`` names and rewrites files as Django's `HashedFilesMixin` does.

    ``post_process`` itself may be extended: what calls Django's, and works on its results, gets the same results.
    """
    import django
    from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestFilesMixin

    return (
        django.VERSION[:2] in KNOWN_VERSIONS
        and isinstance(storage, HashedFilesMixin)
        and writes(storage)
        and _is_djangos(storage, _HASHING)
        and _is_djangos(HashedFilesMixin, ("post_process",))
        and _is_djangos(ManifestFilesMixin, ("post_process", "save_manifest"))
        and (_is_djangos(storage, ("hashed_name",)) or _is_whitenoises(storage))
        # `HashedFilesMixin._url` goes on to the `url` that comes after it.
        and _is_djangos(super(HashedFilesMixin, storage), ("url",))
    )


def _is_whitenoises(storage: HashedFilesMixin) -> bool:
    """Whether `hashed_name` is WhiteNoise's, which calls Django's and notes down the name it gives.

    In the end it removes those names that no file has kept. In one pass it is not told of them, and they are removed
    all the same.
    """
    whitenoise = sys.modules.get("whitenoise.storage")
    cls = getattr(whitenoise, "CompressedManifestStaticFilesStorage", None)
    return cls is not None and type(storage).hashed_name is cls.hashed_name


def _is_local(storage: object, methods: Iterable[str]) -> bool:
    from django.core.files.storage import FileSystemStorage

    return isinstance(storage, FileSystemStorage) and _is_djangos(storage, methods)


def _is_djangos(owner: object, methods: Iterable[str]) -> bool:
    """Whether each of ``methods`` is written in Django's own modules, or not there at all."""
    for name in methods:
        method = getattr(owner, name, None)
        if method is not None and not getattr(method, "__globals__", _NOWHERE)["__name__"].startswith("django."):
            return False
    return True
