"""The order of upload: what is referred to goes before what refers to it."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """A stage begins when the one before it is complete."""

    HASHED = 0
    UNHASHED = 1
    MANIFEST = 2
