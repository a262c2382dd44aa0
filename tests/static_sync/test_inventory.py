from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from static_sync.cache_policy import IMMUTABLE, PRIVATE, SHORT, CachePolicy
from static_sync.exceptions import SourceError
from static_sync.inventory import StaticFile, take_inventory
from static_sync.manifest import Manifest, read_manifest
from static_sync.source import Entry, scan
from static_sync.stage import Stage
from tests.static_sync.conftest import write


def inventory(folder: Path) -> dict[str, StaticFile]:
    files = take_inventory(scan(folder).entries, read_manifest(folder))
    return {file.name: file for file in files}


def test_cache_policy_and_stage_follow_the_manifest(source: Path) -> None:
    write(source, {"js/looks.abcdef012345.js": "hashed by its look alone"})
    files = inventory(source)
    policies = {name: (file.headers.cache_control, file.stage) for name, file in files.items()}
    assert policies == {
        "css/site.0123456789ab.css": (IMMUTABLE, Stage.HASHED),
        "css/site.css": (SHORT, Stage.UNHASHED),
        "img/logo.svg": (SHORT, Stage.UNHASHED),
        "js/app.mjs": (SHORT, Stage.UNHASHED),
        "js/looks.abcdef012345.js": (SHORT, Stage.UNHASHED),
        "staticfiles.json": (PRIVATE, Stage.MANIFEST),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("a.png", "image/png"),
        ("favicon.ico", "image/x-icon"),
        ("a.tar.gz", "application/gzip"),
        ("LICENSE", "application/octet-stream"),
        ("dots.in/LICENSE", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_content_types_come_from_our_table(tmp_path: Path, name: str, expected: str) -> None:
    write(tmp_path, {name: "x"})
    assert inventory(tmp_path)[name].headers.content_type == expected


def test_text_that_is_not_utf8_names_no_charset(tmp_path: Path) -> None:
    write(tmp_path, {"old.css": "é".encode("latin-1"), "cut.css": "é".encode()[:1], "new.css": "é"})
    types = {name: file.headers.content_type for name, file in inventory(tmp_path).items()}
    assert types == {"old.css": "text/css", "cut.css": "text/css", "new.css": "text/css; charset=utf-8"}


def test_a_character_may_lie_across_two_reads(tmp_path: Path) -> None:
    write(tmp_path, {"large.css": b"x" * ((1 << 20) - 1) + "é".encode()})
    file = inventory(tmp_path)["large.css"]
    assert file.headers.content_type == "text/css; charset=utf-8"
    assert file.size == (1 << 20) + 1


def test_compressed_twins_are_told_from_archives(tmp_path: Path) -> None:
    manifest = '{"paths": {"a.css": "a.0123456789ab.css"}}'
    write(
        tmp_path,
        {
            "a.0123456789ab.css": "a",
            "a.0123456789ab.css.gz": gzip.compress(b"a"),
            "a.0123456789ab.css.br": b"br",
            "backup.gz": gzip.compress(b"b"),
            "staticfiles.json": manifest,
        },
    )
    files = inventory(tmp_path)
    for suffix, encoding in ((".gz", "gzip"), (".br", "br")):
        twin = files[f"a.0123456789ab.css{suffix}"]
        assert (twin.headers.content_type, twin.headers.content_encoding) == ("text/css; charset=utf-8", encoding)
        assert (twin.headers.cache_control, twin.stage) == (IMMUTABLE, Stage.HASHED)
    assert (files["backup.gz"].headers.content_type, files["backup.gz"].headers.content_encoding) == (
        "application/gzip",
        None,
    )


def test_digest_and_size_are_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    write(tmp_path, {"a.bin": content, "empty.css": ""})
    files = inventory(tmp_path)
    assert (files["a.bin"].size, files["a.bin"].md5) == (len(content), hashlib.md5(content).hexdigest())
    assert (files["empty.css"].size, files["empty.css"].md5) == (0, "d41d8cd98f00b204e9800998ecf8427e")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"paths": []}', '{"paths": {"a": 1}}', '{"paths": {"a": null}}']
)
def test_a_broken_manifest_stops_the_run(tmp_path: Path, content: str) -> None:
    write(tmp_path, {"staticfiles.json": content})
    with pytest.raises(SourceError, match="is not a manifest of Django's static files"):
        read_manifest(tmp_path)


def test_a_folder_without_a_manifest_has_no_hashed_names(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == Manifest(None, frozenset())


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    entry = Entry("gone.css", str(tmp_path / "gone.css"), 1, 0, 0)
    with pytest.raises(SourceError, match=r"gone\.css cannot be read: No such file"):
        take_inventory([entry], Manifest())


def test_options_reach_the_headers(source: Path) -> None:
    files = {
        file.name: file
        for file in take_inventory(
            scan(source).entries,
            read_manifest(source),
            policy=CachePolicy([("*.svg", "no-cache")]),
            is_hashed=lambda name: name == "js/app.mjs",
            encodings=("br", "gzip"),
            cache_tag="static",
        )
    }
    assert files["img/logo.svg"].headers.cache_control == "no-cache"
    assert files["js/app.mjs"].stage is Stage.HASHED
    assert [name for name, file in files.items() if file.headers.cache_tag] == [
        "css/site.css",
        "img/logo.svg",
        "staticfiles.json",
    ]


def test_variants_are_wanted_of_what_is_worth_it_and_not_there(tmp_path: Path) -> None:
    text = "body { color: red }\n" * 200
    write(tmp_path, {"a.css": text, "b.css": text, "b.css.br": b"made by another tool", "c.png": text, "d.css": ""})
    files = take_inventory(scan(tmp_path).entries, Manifest(), encodings=("br", "gzip"))
    assert {file.name: file.encodings for file in files if file.encodings} == {
        "a.css": ("br", "gzip"),
        "b.css": ("gzip",),
    }


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def another_user() -> Iterator[None]:
    """Nobody may be kept from a file as long as they are root."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_what_cannot_be_read_is_named(open_folder: Path) -> None:
    write(open_folder, {"a.css": "a", "b.css": "b", "deep/c.css": "c"})
    (open_folder / "b.css").chmod(0)
    with another_user(), pytest.raises(SourceError, match=r"b\.css cannot be read: Permission denied"):
        take_inventory(scan(open_folder).entries, Manifest())
    (open_folder / "deep").chmod(0)
    with another_user(), pytest.raises(SourceError, match="deep/: cannot be listed"):
        scan(open_folder)
    (open_folder / "deep").chmod(0o755)
