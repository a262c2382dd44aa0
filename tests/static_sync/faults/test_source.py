"""Files that are not what they seem, or do not stay what they were."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.static_sync.conftest import Moto, write
from tests.static_sync.faults.command import UNPRIVILEGED, Command
from tests.static_sync.faults.service import Service
from tests.static_sync.faults.site import Site, assert_in_order, make_site, pages
from tests.static_sync.stub import Answer
from tests.static_sync.test_sync import ODD_NAMES


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that a test may change."""
    return make_site(tmp_path / "site", pages("mine", 30))


def at_first_put(service: Service, change: Callable[[], None]) -> None:
    def judge(operation: str, _key: str, _headers: dict[str, str]) -> Answer | None:
        if operation == "PutObject":
            service.heals()
            change()
        return None

    service.judge = judge


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "next"])
def test_files_that_change_before_they_are_read_again(
    command: Command, service: Service, site: Site, tmp_path: Path, is_first: bool
) -> None:
    before = make_site(tmp_path / "before", pages("before", 30))
    if not is_first:
        assert command.sync(before).code == 0
    service.forget()
    names = [f"css/page-{number:03}.css" for number in (1, 2, 4, 5, 7)]
    vanished, changed, grown, shrunk, replaced = [site.folder / name for name in names]
    other = (site.folder / "css/page-008.css").read_bytes()

    def change() -> None:
        vanished.unlink()
        changed.write_bytes(changed.read_bytes()[::-1])
        with grown.open("ab") as file:
            file.write(b"/* more */")
        os.truncate(shrunk, shrunk.stat().st_size // 2)
        (site.folder / "draft").write_bytes(other)
        (site.folder / "draft").rename(replaced)

    at_first_put(service, change)
    ended = command.sync(site, "--workers", "1", "--json")
    report, arrived = ended.report, service.contents()
    print(
        f"{len(report['failed'])} files failed, {report['uploaded']} sent, {len(report['not_tried'])} not tried, "
        f"exit {ended.code}: {ended.err.splitlines()[1].strip()}"
    )
    assert ended.code == 1
    keys = [f"static/{name}" for name in names]
    assert sorted(failure["key"] for failure in report["failed"]) == keys
    assert report["not_tried"] == ["static/staticfiles.json"]
    for key in keys:
        (told,) = [line for line in ended.err.splitlines() if line.startswith(f"  {key}: ")]
        assert "changed while it was being synced; run again." in told or "cannot be read any more" in told
        assert arrived.get(key) == (None if is_first else before.contents[key])
    left = {*keys, "static/staticfiles.json"}
    assert {key: arrived.get(key) for key in site.contents if key not in left} == {
        key: content for key, content in site.contents.items() if key not in left
    }
    if not is_first:
        assert_in_order(arrived, before, site)

    service.forget()
    assert command.sync(site).code == 0
    assert {key for operation, key in service.carried if operation == "PutObject" and "/.static" not in key} == {
        *keys[1:],
        "static/staticfiles.json",
    }
    for path in (changed, grown, shrunk, replaced):
        assert service.contents()[f"static/css/{path.name}"] == path.read_bytes()
    service.forget()
    assert command.sync(site).code == 0
    assert dict(service.made) == {"ListObjectsV2": 1}


STREAMED, IN_PARTS = 24 << 20, 65 << 20  # more than the network holds on its way; more than goes in one request


@pytest.mark.parametrize(
    ("size", "kind"),
    [(STREAMED, "changed"), (STREAMED, "shrunk"), (STREAMED, "vanished"), (IN_PARTS, "changed")],
)
def test_a_large_file_that_changes_while_it_is_sent(
    command: Command, service: Service, tmp_path: Path, size: int, kind: str
) -> None:
    site = make_site(tmp_path / "site", {"a.css": "a", "b.css": "b"})
    large = site.folder / "large.bin"

    def fill(first: bytes) -> None:
        with large.open("wb") as file:
            file.write(first)
            file.truncate(size)

    fill(b"old")
    assert command.sync(site).code == 0
    old = service.contents()["static/large.bin"]
    fill(b"new")

    def fault(_number: int, method: str, key: str) -> None:
        """Called when the head of a request is there, and its body on its way."""
        if (method, key) == ("PUT", "static/large.bin"):
            service.heals()
            if kind == "changed":
                with large.open("r+b") as file:
                    file.seek(size - 1)
                    file.write(b"x")
            elif kind == "shrunk":
                os.truncate(large, size - 1)
            else:
                large.unlink()

    service.forget()
    service.fault = fault
    ended = command.sync(site)
    now = service.contents()["static/large.bin"]
    sent = service.made["PutObject"], service.made["UploadPart"]
    print(f"{size >> 20} MB {kind}: {sent[0]} puts and {sent[1]} parts, exit {ended.code}")
    if kind == "vanished" and ended.code == 0:
        # It was open already, and what is open can be read to its end.
        assert (now[:3], len(now)) == (b"new", size)
    else:
        assert ended.code == 1
        assert "static/large.bin: " in ended.err
        assert "changed while it was being synced; run again." in ended.err or "cannot be read any more" in ended.err
        assert now is old
    if kind != "vanished":
        assert command.sync(site).code == 0
        assert service.contents()["static/large.bin"] == large.read_bytes()
    assert service.uploads == {}
    assert command.sync(site).code == 0
    service.forget()
    assert command.sync(site).code == 0
    assert "PutObject" not in service.made


def test_what_is_no_file_of_the_folder(command: Command, service: Service, site: Site, tmp_path: Path) -> None:
    folder = site.folder
    write(tmp_path, {"secret.txt": "secret", "outside/a.txt": "a"})
    (folder / "broken.css").symlink_to("nowhere.css")
    (folder / "css/loop").symlink_to("..")
    (folder / "self.css").symlink_to("self.css")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "out").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe")
    (folder / "within.css").symlink_to("css/page-001.css")
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket is short: its folder is the current one.
        listener.bind(os.path.relpath(folder / "socket"))
    ended = command.sync(site)
    problems = ("broken.css", "css/loop", "self.css", "out.txt", "out", "pipe", "socket")
    named = [name for name in problems if f"\n  {name}: " in ended.err]
    print(f"{len(named)} of {len(problems)} problems named, {len(service.requests)} requests, exit {ended.code}")
    assert (ended.code, named) == (1, list(problems))
    assert "Nothing was uploaded" in ended.err
    assert "within.css" not in ended.err
    assert service.requests == []

    ended = command.sync(site, "--follow-links")
    named = [name for name in problems if f"\n  {name}: " in ended.err]
    assert (ended.code, named) == (1, ["broken.css", "css/loop", "self.css", "pipe", "socket"])
    for name in named:
        (folder / name).unlink()
    ended = command.sync(site, "--follow-links")
    assert (ended.code, ended.err) == (0, "")
    followed = {
        "static/out.txt": b"secret",
        "static/out/a.txt": b"a",
        "static/within.css": (folder / "css/page-001.css").read_bytes(),
    }
    assert service.contents() == {**site.contents, **followed}


def test_what_cannot_be_read(command: Command, service: Service, site: Site) -> None:
    unreadable = [site.folder / "css/page-003.css", site.folder / "js/mine-1.js", site.folder / "staticfiles.json"]
    for path in unreadable:
        path.chmod(0)
    probe = subprocess.run([*UNPRIVILEGED, "-c", f"open({str(unreadable[0])!r})"], capture_output=True)
    if probe.returncode == 0:
        pytest.skip("this user may read everything")
    words = command.words(site, python=UNPRIVILEGED)
    ended = command.finish(words)
    assert (ended.code, service.requests) == (1, [])
    assert "staticfiles.json" in ended.err

    unreadable[2].chmod(0o644)
    ended = command.finish(words)
    named = [path.name for path in unreadable if path.name in ended.err]
    print(f"{len(named)} of 2 files named, {len(service.requests)} requests, exit {ended.code}: {ended.err.strip()}")
    assert (ended.code, service.requests) == (1, [])
    assert "Nothing was uploaded" in ended.err
    assert named == ["page-003.css", "mine-1.js"]

    folder = site.folder / "css"
    mode = stat.S_IMODE(folder.stat().st_mode)
    folder.chmod(0)
    try:
        ended = command.finish(words)
    finally:
        folder.chmod(mode)
    assert (ended.code, service.requests) == (1, [])
    assert "css/: cannot be listed (Permission denied)" in ended.err


def test_odd_names(command: Command, moto_server: Moto, bucket: str, tmp_path: Path) -> None:
    """The bytes of each tell its name, so that none can be taken for another."""
    names = [*ODD_NAMES, "trailing space /x.css", "no-break/\u00a0/x.css", "+.css", "%2B.css", "%.css"]
    folder = tmp_path / "odd"
    write(folder, {name: name for name in names})
    odd = Site(folder, {}, frozenset())
    command.url, command.destination = moto_server.url, f"s3://{bucket}/sta tic+%41"
    ended = command.sync(odd)
    assert (ended.code, ended.err) == (0, "")
    listed = moto_server.client.list_objects_v2(Bucket=bucket)["Contents"]
    keys = {item["Key"].removeprefix("sta tic+%41/") for item in listed if ".static-sync/" not in item["Key"]}
    bodies = {
        name: moto_server.client.get_object(Bucket=bucket, Key=f"sta tic+%41/{name}")["Body"].read().decode()
        for name in keys
    }
    moto_server.made()
    ended = command.sync(odd)
    made = moto_server.made()
    print(f"{len(keys)} of {len(names)} odd names arrived; again: {made}, exit {ended.code}")
    assert bodies == {name: name for name in names}
    assert ended.code == 0
    assert made == {"GET": 1}


def test_a_name_that_is_no_text_is_named(command: Command, service: Service, site: Site) -> None:
    Path(os.fsdecode(os.fsencode(site.folder) + b"/caf\xe9.css")).write_text("x")
    ended = command.sync(site)
    print(f"{len(service.requests)} requests, exit {ended.code}: {ended.err.splitlines()[-1].strip()}")
    assert (ended.code, service.requests) == (1, [])
    assert r"caf\xe9.css: its name is not UTF-8" in ended.err
