from __future__ import annotations

from static_sync.collecting.leftovers import find_leftovers
from static_sync.manifest import Manifest

MANIFEST = Manifest("staticfiles.json", frozenset({"a.111111111111.css", "README.222222222222"}))
ORIGINALS = {"a.css", "README"}
FOUND = {"a.css", "README", "lib.0123456789ab.js"}


def sort_out(*names: str) -> tuple[set[str], set[str]]:
    leftovers = find_leftovers(names, FOUND, MANIFEST, ORIGINALS)
    return set(leftovers.superseded), set(leftovers.strangers)


def test_what_the_project_gives_is_no_leftover() -> None:
    current = [
        *FOUND,
        *MANIFEST.hashed,
        "staticfiles.json",
        "a.111111111111.css.gz",
        "a.css.br",
        "lib.0123456789ab.js.gz",
    ]
    assert sort_out(*current) == (set(), set())


def test_replaced_hashed_copies_and_their_compressed_twins_are_superseded() -> None:
    old = {"a.999999999999.css", "a.999999999999.css.gz", "README.999999999999"}
    assert sort_out(*old) == (old, set())


def test_what_was_never_finished_stays_behind() -> None:
    assert sort_out("css/.static-sync.123") == ({"css/.static-sync.123"}, set())


def test_anything_else_is_a_stranger() -> None:
    strange = {"CACHE/css/x.css", "b.999999999999.css", "a.99999999999.css", "a.99999999999g.css", "other.gz"}
    assert sort_out(*strange) == (set(), strange)
