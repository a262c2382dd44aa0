"""Which names are content-hashed: the storage's own manifest says so, never a guess by the look of a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from static_sync.exceptions import SourceError

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_NAME = "staticfiles.json"  # `ManifestFilesMixin.manifest_name`


class Manifest(NamedTuple):
    """``name`` is the manifest's own file in the source, if any; ``hashed`` the names that never change content."""

    name: str | None = None
    hashed: frozenset[str] = frozenset()


def read_manifest(folder: Path) -> Manifest:
    """The manifest that Django's `ManifestStaticFilesStorage` left in ``folder``; an empty one where there is none.

    Raises `SourceError` for a ``staticfiles.json`` that is not such a manifest: a site whose templates read it would
    answer every page with an error.
    """
    try:
        return read_manifest_file(folder / MANIFEST_NAME)
    except FileNotFoundError:
        return Manifest()


def read_manifest_file(path: Path) -> Manifest:
    """The manifest ``path``; raises `FileNotFoundError`, and `SourceError` as `read_manifest` does."""
    try:
        content = json.loads(path.read_bytes())
        return Manifest(path.name, frozenset(_text(hashed) for hashed in content["paths"].values()))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} is not a manifest of Django's static files ({type(error).__name__}: {error}). It may have been "
            "cut short: run collectstatic again, or rename the file if it is something else."
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a hashed name is text, not {value!r}")
    return value
