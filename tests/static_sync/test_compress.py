from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from static_sync import compress
from static_sync.compress import ENCODINGS, Compressor, compressible, parse_encodings
from static_sync.exceptions import UsageError
from static_sync.inventory import StaticFile
from static_sync.stage import Stage
from static_sync.stores.contract import Headers

TEXT = b"".join(b"a.button-%d { color: #%06x; margin: 0 auto }\n" % (n, n * 7919) for n in range(200))
NOISE = random.Random(5).randbytes(4_000)
ROOT = Path(__file__).parents[2]
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "zstd": lambda packed: zstandard.ZstdDecompressor().decompress(packed),
    "gzip": lambda packed: zlib.decompress(packed, wbits=31),
}
each_encoding = pytest.mark.parametrize("encoding", ENCODINGS)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.glob("*/*") if path.is_file())


def variant(cache: Path | None, data: bytes, encoding: str, digest: str | None = None) -> bytes | None:
    """What a run of its own makes of ``data``; with the ``digest`` of other data, what it remembers of that."""
    compressor = Compressor(cache, ENCODINGS)
    packed = compressor.variant(data, digest or md5(data), encoding)
    assert compressor.note is None
    return packed


# What a variant is


@given(data=st.one_of(st.binary(max_size=300), st.builds(bytes.__mul__, st.binary(max_size=40), st.integers(0, 200))))
@settings(max_examples=60, deadline=None)
def test_a_variant_is_the_same_content_and_smaller(data: bytes) -> None:
    compressor = Compressor(None, ENCODINGS)
    for encoding in ENCODINGS:
        packed = compressor.variant(data, md5(data), encoding)
        if packed is not None:
            assert DECOMPRESS[encoding](packed) == data
            assert len(packed) <= 0.95 * len(data)


@each_encoding
def test_a_variant_that_saves_too_little_is_none(encoding: str) -> None:
    assert variant(None, NOISE, encoding) is None
    assert variant(None, b"", encoding) is None
    packed = variant(None, TEXT, encoding)
    assert packed is not None
    assert len(packed) < len(TEXT) / 3
    # 6 % saved are worth it, 3 % are not.
    assert variant(None, NOISE + bytes(300), encoding) is not None
    assert variant(None, NOISE + bytes(130), encoding) is None


def test_variants_are_the_same_bytes_in_each_process() -> None:
    code = (
        "import hashlib, sys; from static_sync.compress import ENCODINGS, Compressor\n"
        "data = sys.stdin.buffer.read(); md5 = hashlib.md5(data).hexdigest(); made = Compressor(None, ENCODINGS)\n"
        "for name in ENCODINGS: sys.stdout.write(made.variant(data, md5, name).hex() + '\\n')"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=TEXT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    here = [(variant(None, TEXT, encoding) or b"").hex().encode() for encoding in ENCODINGS]
    assert said == [here, here]


def test_gzip_tells_neither_name_nor_time_nor_system() -> None:
    packed = variant(None, TEXT, "gzip")
    assert packed is not None
    assert packed[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"


def test_zstd_stays_within_the_window_that_browsers_have() -> None:
    data = (TEXT * 1_500)[:12_000_000]
    packed = variant(None, data, "zstd")
    assert packed is not None
    assert zstandard.get_frame_parameters(packed).window_size <= 8 << 20
    assert zstandard.ZstdDecompressor(max_window_size=8 << 20).decompress(packed) == data


# The cache


@each_encoding
def test_a_content_is_compressed_once(tmp_path: Path, encoding: str) -> None:
    packed = variant(tmp_path / "cache", TEXT, encoding)
    # Other data would be refused if it were looked at.
    assert variant(tmp_path / "cache", b"", encoding, md5(TEXT)) == packed
    for other in set(ENCODINGS) - {encoding}:
        with pytest.raises(ValueError, match="MD5"):
            variant(tmp_path / "cache", b"", other, md5(TEXT))


@each_encoding
def test_what_is_not_worth_it_is_tried_once(tmp_path: Path, encoding: str) -> None:
    assert variant(tmp_path, NOISE, encoding) is None
    assert variant(tmp_path, b"", encoding, md5(NOISE)) is None


@each_encoding
def test_a_file_that_changed_while_it_was_read_does_not_spoil_the_cache(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ValueError, match="do not have the MD5"):
        variant(tmp_path, TEXT + b"more", encoding, md5(TEXT))
    assert entries(tmp_path) == []


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255), encoding=st.sampled_from(ENCODINGS))
@settings(max_examples=60, deadline=None)
def test_a_damaged_entry_is_made_anew(
    tmp_path_factory: pytest.TempPathFactory, place: float, flip: int, encoding: str
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    packed = variant(cache, TEXT, encoding)
    [entry] = entries(cache)
    whole = entry.read_bytes()
    at = int(place * len(whole))
    # Cut short, or with one byte changed.
    damaged = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :] if flip else whole[:at]
    entry.write_bytes(damaged)
    assert variant(cache, TEXT, encoding) == packed
    assert entry.read_bytes() == whole


def test_an_entry_counts_for_its_own_content_only(tmp_path: Path) -> None:
    variant(tmp_path, TEXT, "gzip")
    [entry] = entries(tmp_path)
    other = TEXT.replace(b"button", b"knob")
    place = tmp_path / md5(other)[:2] / entry.name.replace(md5(TEXT), md5(other))
    place.parent.mkdir(exist_ok=True)
    entry.rename(place)
    packed = variant(tmp_path, other, "gzip")
    assert packed is not None
    assert DECOMPRESS["gzip"](packed) == other


def test_many_threads_compress_a_content_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    compress_really = compress._compress

    def counted(data: bytes, encoding: str) -> bytes:
        made.append(encoding)
        time.sleep(0.02)
        return compress_really(data, encoding)

    monkeypatch.setattr(compress, "_compress", counted)
    compressor = Compressor(tmp_path, ENCODINGS)
    contents = [TEXT + b"%d" % n for n in range(3)]
    results: list[tuple[int, bytes | None]] = []

    def work(number: int) -> None:
        results.append((number, compressor.variant(contents[number], md5(contents[number]), "gzip")))

    threads = [threading.Thread(target=work, args=(n % 3,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len(results) == 24
    for number, packed in results:
        assert packed is not None
        assert DECOMPRESS["gzip"](packed) == contents[number]
    assert compressor.note is None


def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path: Path) -> None:
    known = variant(tmp_path, TEXT, "br")
    compressor = Compressor(tmp_path, ENCODINGS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        made = {encoding: compressor.variant(TEXT, md5(TEXT), encoding) for encoding in ("gzip", "zstd")}
        remembered = compressor.variant(b"", md5(TEXT), "br")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for encoding, packed in made.items():
        assert packed is not None
        assert DECOMPRESS[encoding](packed) == TEXT
    assert remembered == known
    assert compressor.note is not None
    assert str(tmp_path) in compressor.note
    assert "File too large" in compressor.note
    assert [path.name for path in entries(tmp_path)] == [f"{md5(TEXT)}.br11"]


def test_a_cache_that_cannot_be_there_is_told_of_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    compressor = Compressor(tmp_path / "file" / "cache", ENCODINGS)
    for encoding in ENCODINGS:
        packed = compressor.variant(TEXT, md5(TEXT), encoding)
        assert packed is not None
        assert DECOMPRESS[encoding](packed) == TEXT
    assert compressor.note is not None
    assert "Not a directory" in compressor.note


def test_once_a_day_what_was_long_unused_goes(tmp_path: Path) -> None:
    contents = [TEXT + b"%d" % n for n in range(4)]
    for content in contents:
        variant(tmp_path, content, "gzip")
    old, used, abandoned, fresh = (tmp_path / md5(content)[:2] / f"{md5(content)}.gzip9" for content in contents)
    abandoned = abandoned.rename(abandoned.with_name(f"{abandoned.name}.1.tmp"))
    days_ago_91, days_ago_89 = time.time() - 91 * 86_400, time.time() - 89 * 86_400
    for path, when in ((old, days_ago_91), (used, days_ago_91), (abandoned, days_ago_91), (fresh, days_ago_89)):
        os.utime(path, (when, when))
    assert variant(tmp_path, b"", "gzip", md5(contents[1])) is not None

    variant(tmp_path, b"first" + TEXT, "gzip")
    assert old.exists(), "it was looked through a moment ago"
    tag = tmp_path / "CACHEDIR.TAG"
    os.utime(tag, (days_ago_89, days_ago_89))
    variant(tmp_path, b"second" + TEXT, "gzip")
    assert [path.exists() for path in (old, used, abandoned, fresh)] == [False, True, False, True]
    assert tag.read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert time.time() - tag.stat().st_mtime < 60


# Which files, and which encodings


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/css; charset=utf-8", True),
        ("text/plain", True),
        ("text/javascript; charset=utf-8", True),
        ("application/json", True),
        ("application/manifest+json", True),
        ("application/xml", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("font/ttf", True),
        ("font/otf", True),
        ("application/vnd.ms-fontobject", True),
        ("font/woff", False),
        ("font/woff2", False),
        ("image/png", False),
        ("image/jpeg", False),
        ("video/mp4", False),
        ("audio/mpeg", False),
        ("application/zip", False),
        ("application/pdf", False),
        ("application/octet-stream", False),
    ],
)
def test_what_is_compressed_already_is_left_alone(content_type: str, expected: bool) -> None:
    assert compressible(file(content_type)) is expected


def test_small_huge_and_encoded_files_are_left_alone() -> None:
    assert compressible(file(size=1_000))
    assert not compressible(file(size=999))
    assert compressible(file(size=50_000_000))
    assert not compressible(file(size=50_000_001))
    assert not compressible(file(encoding="gzip"))


def file(content_type: str = "text/css", size: int = 5_000, encoding: str | None = None) -> StaticFile:
    return StaticFile("a", "/a", size, "", Headers(content_type, "", encoding), Stage.HASHED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("br", ("br",)),
        ("gzip,br", ("br", "gzip")),
        (" GZIP , zstd,gzip,br", ("br", "zstd", "gzip")),
    ],
)
def test_encodings_are_read_in_their_order(text: str, expected: tuple[str, ...]) -> None:
    assert parse_encodings(text) == expected


@pytest.mark.parametrize("text", ["", "brotli", "br,", "br gzip", "br,deflate"])
def test_unknown_encodings_are_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError, match="br, zstd, gzip"):
        parse_encodings(text)


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_a_missing_library_is_named_with_its_extra(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = compress._MODULES[encoding]
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=rf"{encoding} .*{library}.* 'django-faas\[compression\]'"):
        parse_encodings(f"gzip,{encoding}")
    assert parse_encodings("gzip") == ("gzip",)


def test_no_library_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys; from static_sync.compress import *; parse_encodings('br,zstd,gzip')\n"
        "print({'brotli', 'zstandard', 'gzip', 'concurrent.futures', 'compression'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
