"""Folders of static files as a project leaves them, and what must be in a bucket at any moment."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from static_sync.stage import Stage
from tests.static_sync.runs import PREFIX, release


@dataclass(frozen=True)
class Site:
    """A ``folder`` and, by key, what it holds; ``hashed`` are keys."""

    folder: Path
    contents: Mapping[str, bytes]
    hashed: frozenset[str]


def make_site(folder: Path, pages: Mapping[str, str]) -> Site:
    """Write a site with ``pages``, each of which has a hashed twin that the manifest names."""
    files = release(folder, pages)
    return Site(
        folder,
        {PREFIX + file.name: Path(file.path).read_bytes() for file in files},
        frozenset(PREFIX + file.name for file in files if file.stage is Stage.HASHED),
    )


def pages(version: str, count: int = 75) -> dict[str, str]:
    """Pages of many sizes: a third of them the same in every version, and a few there in one version alone."""
    chance = random.Random(0)
    lines = {f"css/page-{number:03}.css": chance.randrange(1, 300) for number in range(count)}
    made = {}
    for number, (name, length) in enumerate(lines.items()):
        told = "all" if number % 3 == 0 else version
        made[name] = f"a::after {{ content: '{name} {told}' }}\n" * length
    return made | {f"js/{version}-{number}.js": f"let {version} = {number}" for number in range(5)}


def assert_whole(contents: Mapping[str, bytes], *sites: Site) -> None:
    """Every object has the content that one of the sites has for it."""
    broken = [key for key, data in contents.items() if data not in [site.contents.get(key) for site in sites]]
    assert broken == []


def assert_serves(contents: Mapping[str, bytes], *sites: Site) -> None:
    """Every page of these sites finds the hashed files that it refers to."""
    for site in sites:
        assert [key for key in site.hashed if contents.get(key) != site.contents[key]] == []


def assert_in_order(contents: Mapping[str, bytes], old: Site, new: Site) -> None:
    """Nothing of the new site refers to a file that is not there."""
    assert_whole(contents, old, new)
    assert_serves(contents, old)
    referring = [key for key in new.contents.keys() - new.hashed if old.contents.get(key) != new.contents[key]]
    if any(contents.get(key) == new.contents[key] for key in referring):
        assert_serves(contents, new)
    manifest = f"{PREFIX}staticfiles.json"
    if contents.get(manifest) == new.contents[manifest]:
        assert {key: contents.get(key) for key in new.contents} == new.contents
