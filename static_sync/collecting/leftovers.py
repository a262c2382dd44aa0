"""What lies in STATIC_ROOT although the project no longer gives it.

collectstatic never removes anything, so on a machine where it runs again and again STATIC_ROOT gathers the hashed
copies of every earlier version. A hashed copy that its manifest has replaced is certainly obsolete and stays behind, as
does the file that a collection was writing when it was killed. What comes from no finder for any other reason may be
another tool's work (django-compressor writes there), so it is uploaded and reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from static_sync.collecting.folder import DRAFT
from static_sync.content_types import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from static_sync.manifest import Manifest

# `HashedFilesMixin.hashed_name`: the first twelve digits of the MD5, before the last suffix.
_HASHED_NAME = re.compile(r"(?P<stem>.+)\.[0-9a-f]{12}(?P<suffix>\.[^./]*)?")


class Leftovers(NamedTuple):
    """Names of files: such as were replaced, or never finished, and such of unknown origin."""

    superseded: frozenset[str]
    strangers: frozenset[str]


def find_leftovers(
    names: Iterable[str], found: Collection[str], manifest: Manifest, originals: Collection[str]
) -> Leftovers:
    """Sort out ``names``; ``found`` are the finders' names, ``originals`` those that the manifest knows."""
    superseded, strangers = set(), set()
    for name in names:
        if name in found or name in manifest.hashed:
            continue
        if name.rpartition("/")[2].startswith(DRAFT):
            superseded.add(name)
            continue
        plain = next((name.removesuffix(suffix) for suffix in ENCODINGS if name.endswith(suffix)), name)
        if plain in found or plain in manifest.hashed or plain == manifest.name:
            continue
        match = _HASHED_NAME.fullmatch(plain)
        if match and match["stem"] + (match["suffix"] or "") in originals:
            superseded.add(name)
        else:
            strangers.add(name)
    return Leftovers(frozenset(superseded), frozenset(strangers))
