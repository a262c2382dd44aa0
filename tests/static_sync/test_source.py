from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from static_sync.exceptions import SourceError
from static_sync.source import scan
from tests.static_sync.conftest import write


def names(folder: Path) -> list[str]:
    return [entry.name for entry in scan(folder).entries]


def test_every_file_is_found_once_and_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"b.css": "b", "a/z.js": "z", "a/b/c.txt": "", "a.css": "a"})
    assert names(tmp_path) == ["a.css", "a/b/c.txt", "a/z.js", "b.css"]


def test_what_collectstatic_leaves_out_stays_home_and_is_counted(tmp_path: Path) -> None:
    write(tmp_path, {"a.css": "", ".env": "SECRET", ".git/config": "", "CVS/Root": "", "a.css~": "", "b/.htaccess": ""})
    found = scan(tmp_path)
    assert [entry.name for entry in found.entries] == ["a.css"]
    assert found.ignored == (".env", ".git", "CVS", "a.css~", "b/.htaccess")


def test_links_within_the_source_are_followed(tmp_path: Path) -> None:
    write(tmp_path, {"real/a.css": "a"})
    (tmp_path / "same.css").symlink_to("real/a.css")
    (tmp_path / "folder").symlink_to("real")
    assert names(tmp_path) == ["folder/a.css", "real/a.css", "same.css"]
    assert {entry.path for entry in scan(tmp_path).entries} == {os.path.realpath(tmp_path / "real/a.css")}


def test_the_source_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real", {"a.css": "a"})
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "link") == ["a.css"]


def test_what_cannot_be_uploaded_is_all_named_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    write(tmp_path, {"secret.txt": "s", "static-old/a.css": "", "static/a/b.css": ""})
    (folder / "gone.css").symlink_to("nowhere.css")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "beside").symlink_to(tmp_path / "static-old")
    (folder / "a/loop").symlink_to("..")
    (folder / "self").symlink_to("self")
    os.mkfifo(folder / "pipe")
    with pytest.raises(SourceError) as caught:
        scan(folder)
    text = str(caught.value)
    assert text.startswith("Nothing was uploaded")
    for line in (
        "gone.css: a link to nowhere.css, which leads nowhere",
        f"out.txt: a link out of the source, to {os.path.realpath(tmp_path / 'secret.txt')}",
        "beside: a link out of the source",
        "a/loop: a link to a folder that holds it",
        "self: a link to self, which leads nowhere",
        "pipe: not a regular file",
    ):
        assert f"  {line}" in text


def test_two_links_that_lead_to_each_other_end_the_walk(tmp_path: Path) -> None:
    write(tmp_path, {"a/x": "", "b/y": ""})
    (tmp_path / "a/to_b").symlink_to("../b")
    (tmp_path / "b/to_a").symlink_to("../a")
    with pytest.raises(SourceError, match="a/to_b/to_a: a link to a folder that holds it"):
        scan(tmp_path)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    for number in range(13):
        (tmp_path / f"{number}").symlink_to("nowhere")
    with pytest.raises(SourceError, match="and 3 more"):
        scan(tmp_path)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.css")).write_text("")
    with pytest.raises(SourceError, match=r"caf\\xe9.css: its name is not UTF-8") as caught:
        scan(tmp_path)
    str(caught.value).encode()


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(SourceError, match="s: not a regular file"):
            scan(tmp_path)


def test_a_source_that_is_no_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not there"):
        scan(tmp_path / "nowhere")
    write(tmp_path, {"file": ""})
    with pytest.raises(SourceError, match="a file, not a folder"):
        scan(tmp_path / "file")
