"""What this tool has not put into a bucket is none of its business."""

from __future__ import annotations

import os
from pathlib import Path

from tests.static_sync.conftest import write
from tests.static_sync.faults.command import Command
from tests.static_sync.faults.service import Service
from tests.static_sync.faults.site import make_site, pages

OUTSIDE = ("static", "static.css", "static-old/a.css", "Static/a.css", "other/static/a.css", "z", "static\u0020/a")
INSIDE = (
    "static/legacy.css",
    "static/css/page-001.0123456789ab.css",
    "static/css/page-001.css.bak",
    "static/css/",
    "static/.static-sync/notes.txt",
    "static/.static-sync/1.json",
    "static/.static-sync/000000001.json",
    "static/.static-sync/00000001.json.bak",
    "static/css/page-001.css.br",
)


def place(service: Service, *keys: str) -> dict[str, bytes]:
    strangers = {key: f"{key}, of another tool".encode() for key in keys}
    for key, content in strangers.items():
        service.objects[key] = content
        service.headers[key] = {"cache-control": "theirs"}
    return strangers


def untouched(service: Service, strangers: dict[str, bytes]) -> int:
    """How many of them are as they were."""
    return sum(
        service.objects.get(key) == content and service.headers[key] == {"cache-control": "theirs"}
        for key, content in strangers.items()
    )


def test_strangers_outlast_syncs_prunes_and_rollbacks(command: Command, service: Service, tmp_path: Path) -> None:
    strangers = place(service, *OUTSIDE, *INSIDE)
    sites = [make_site(tmp_path / version, pages(version, 20)) for version in ("a", "b", "c")]
    compress = ("--compress", "gzip")
    prune = ("prune", "--keep-releases", "1", "--grace-days", "0", "--max-delete", "1000")
    deleted = 0
    for number, site in enumerate(sites):
        # Now with compressed variants, now without: what is left of them goes as well.
        assert command.sync(site, *(compress if number != 1 else ())).code == 0
    assert command("rollback", "--to", "1").code == 0
    for words in (prune, ("rollback", "--to", "1"), prune):
        before = len(service.objects)
        ended = command(*words)
        assert (ended.code, ended.err) == (0, ""), words
        deleted += max(0, before - len(service.objects))
    assert command.sync(sites[2], *compress).code == 0
    touched = {key for _, key in service.carried if key and not key.startswith("static/")}
    print(f"{untouched(service, strangers)} of {len(strangers)} strangers untouched, {deleted} objects of ours deleted")
    assert deleted > 20
    assert untouched(service, strangers) == len(strangers)
    assert touched == set()


def test_a_variant_that_another_tool_has_put_stays(command: Command, service: Service, tmp_path: Path) -> None:
    """Ours would have been no smaller than the file, so we have put none."""
    strangers = place(service, "static/noise.js.gz", "static/gone.js.gz")
    sites = [make_site(tmp_path / version, {"app.css": version}) for version in ("first", "second", "third")]
    left = []
    for site, names in zip(sites, (["noise.js", "gone.js"], ["noise.js"], ["noise.js"]), strict=True):
        write(site.folder, {name: os.urandom(2000) for name in names})
        ended = command.sync(site, "--compress", "gzip", "--json")
        assert (ended.code, ended.err, ended.report["variants"]) == (0, "", 0)
        left.append(untouched(service, strangers))
    assert command("prune", "--keep-releases", "1", "--grace-days", "0").code == 0
    left.append(untouched(service, strangers))
    print(f"of {len(strangers)} strangers {left[:3]} untouched by three syncs, {left[3]} by the prune after them")
    assert left == [2, 2, 2, 2]


def test_a_name_that_another_tool_has_taken_over_stays(command: Command, service: Service, tmp_path: Path) -> None:
    """A file was ours in one release, and is put by another tool since it left the project."""
    first = make_site(tmp_path / "first", {"app.css": "a{}", "robots.txt": "ours"})
    second = make_site(tmp_path / "second", {"app.css": "b{}"})
    for site in (first, second):
        assert command.sync(site).code == 0
    for key in service.modified:
        service.modified[key] -= 3600
    strangers = place(service, "static/robots.txt")
    service.modified["static/robots.txt"] += 3600
    ended = command("prune", "--keep-releases", "1", "--grace-days", "0")
    print(f"{untouched(service, strangers)} of {len(strangers)} strangers untouched, exit {ended.code}")
    assert ended.code == 0
    assert untouched(service, strangers) == len(strangers)
