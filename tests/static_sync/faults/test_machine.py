"""A machine that is in the way: full disks, folders that nobody may write to, readers that go, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.static_sync.collecting.test_project import MANAGE, MANIFEST, settings_text
from tests.static_sync.conftest import write
from tests.static_sync.faults.command import PLAIN, SMALL_FILES, UNPRIVILEGED, Command
from tests.static_sync.faults.service import Service
from tests.static_sync.faults.site import Site, assert_in_order, make_site, pages
from tests.static_sync.stub import Answer

MOUNTED = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=64k,mode=777 none "$0" && exec "$@"'


def works(*words: str) -> bool:
    """Whether a program ends well; False, too, when it is not installed."""
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture(params=["disk", "limit"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Sequence[str], str]:
    """A folder where little can be written, how Python is started to find it so, and what the system says then."""
    folder = tmp_path / "small"
    folder.mkdir()
    if request.param == "limit":
        return folder, SMALL_FILES, "File too large"
    if not works(*MOUNTED, MOUNT, str(folder), "true"):
        pytest.skip("no disk of our own can be mounted here")
    return folder, (*MOUNTED, MOUNT, str(folder), *PLAIN), "No space left on device"


def test_a_disk_that_is_full_while_collecting(
    command: Command, service: Service, full: tuple[Path, Sequence[str], str], tmp_path: Path
) -> None:
    folder, python, reason = full
    root = tmp_path / "project"
    write(
        root,
        {
            "manage.py": MANAGE,
            "site_of_ours/__init__.py": "",
            "site_of_ours/settings.py": settings_text(MANIFEST, f"{str(folder)!r}"),
            "shop/__init__.py": "",
            **{f"assets/{number}.css": f"/* {number} */" * 4000 for number in range(4)},
        },
    )
    words = [*python, "-m", "static_sync", "s3://bucket/static", "--endpoint-url", service.url]
    ended = command.finish(words, cwd=root)
    print(f"{len(service.requests)} requests, exit {ended.code}: {ended.err.strip()}")
    assert (ended.code, ended.out) == (1, "")
    assert reason in ended.err
    assert str(folder) in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "PUT" not in {method for method, _ in service.requests}
    assert service.objects == {}


def test_a_disk_that_is_full_when_compressed_variants_are_kept(
    command: Command, service: Service, full: tuple[Path, Sequence[str], str], tmp_path: Path
) -> None:
    folder, python, reason = full
    command.environment["XDG_CACHE_HOME"] = str(folder)
    # Random numbers leave of 60 kB some 25 kB.
    site = make_site(tmp_path / "site", {f"{name}.js": os.urandom(30000).hex() for name in "abcd"})
    ended = command.finish(command.words(site, "--compress", "gzip", python=python))
    variants = [key for key in service.contents() if key.endswith(".gz")]
    print(f"{len(variants)} variants, exit {ended.code}: {ended.out.splitlines()[0]}")
    assert (ended.code, ended.err) == (0, "")
    assert reason in ended.out
    assert "Compressed variants cannot be kept" in ended.out
    assert len(variants) == 8
    assert {key: content for key, content in service.contents().items() if key not in variants} == site.contents


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder that this user may only read."""
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    script = f"open({str(folder / 'probe')!r}, 'w')"
    if works(*UNPRIVILEGED, "-c", script):
        pytest.skip("this user may write everywhere")
    return folder


def test_a_home_and_a_current_folder_that_cannot_be_written_to(
    command: Command, service: Service, sealed: Path, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", pages("a", 5))
    command.environment["HOME"] = str(sealed)
    words = command.words(site, "--compress", "gzip", python=UNPRIVILEGED)
    ended = [command.finish(words, cwd=sealed) for _ in range(2)]
    variants = [key for key in service.contents() if key.endswith(".gz")]
    print(f"{len(variants)} variants, exit {[one.code for one in ended]}: {ended[0].out.splitlines()[0]}")
    for one in ended:
        assert (one.code, one.err) == (0, "")
    assert f"Compressed variants cannot be kept in {sealed}" in ended[0].out
    assert "Note" not in ended[1].out
    assert variants
    assert list(sealed.iterdir()) == []


@pytest.mark.parametrize("compressing", [False, True])
def test_no_home_at_all(command: Command, service: Service, tmp_path: Path, compressing: bool) -> None:
    """As in a container that runs with a user id of nobody's."""
    unknown = ("unshare", "--user", "--map-user=4242")
    if not works(*unknown, "true"):
        pytest.skip("no other user id can be had here")
    del command.environment["HOME"]
    site = make_site(tmp_path / "site", pages("a", 5))
    words = command.words(site, *(("--compress", "gzip") if compressing else ()), python=(*unknown, *PLAIN))
    ended = command.finish(words)
    print(f"{len(service.contents())} objects, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert service.contents().items() >= site.contents.items()
    assert list(command.home.iterdir()) == []


def test_a_reader_that_has_seen_enough(command: Command, service: Service, old: Site) -> None:
    words = command.words(old, "--dry-run")
    ended = command.finish(["sh", "-c", '"$@" | head -1', "sh", *words])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Found      161 files")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        ended = command.finish(command.words(old, "--json"), stdout=gone)
    print(f"{len(service.contents())} objects, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert service.contents() == old.contents
    command.assert_settled(old)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_streams_to_write_to(command: Command, service: Service, old: Site, closed: str) -> None:
    ended = command.finish(["sh", "-c", f'exec "$@" {closed}', "sh", *command.words(old)])
    print(f"{closed}: {len(service.contents())} objects, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert service.contents() == old.contents


@pytest.mark.parametrize("after", [1, 20, 90])
def test_an_interruption(
    command: Command, service: Service, settled: Service, old: Site, new: Site, after: int
) -> None:
    """Ctrl-C when the n-th request of a run has arrived."""
    service.hold(settled)
    service.forget()
    arrived = threading.Event()

    def slow(_operation: str, _key: str, _headers: dict[str, str]) -> Answer | None:
        if sum(service.made.values()) >= after:
            arrived.set()
        time.sleep(0.005)
        return None

    service.judge = slow
    with command.start(command.words(new)) as process:
        assert arrived.wait(20)
        process.send_signal(signal.SIGINT)
        ended = command.end_of(process)
    contents = service.contents()
    done = sum(old.contents.get(key) != content for key, content in contents.items())
    print(f"interrupted at request {after}: {done} files arrived, exit {ended.code}: {ended.err.strip()}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "Interrupted. Every object in the bucket is whole; run again for the rest.\n"
    assert_in_order(contents, old, new)
    service.heals()
    assert command.sync(new).code == 0
    command.assert_settled(new)


def test_an_interruption_while_the_service_is_down(command: Command, service: Service, new: Site) -> None:
    """Whoever presses Ctrl-C does not wait for the last of many attempts."""
    service.fault = lambda number, _method, _key: "SlowDown" if number > 20 else None
    with command.start(command.words(new)) as process:
        while len(service.requests) < 30:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
        took = time.monotonic() - began
        process.communicate()
    print(f"exit {process.returncode} after {took:.1f} s")
    assert process.returncode == 1
    assert took < 5
