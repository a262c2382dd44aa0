"""One pass gives what Django's passes give: the same files, the same manifest, the same errors."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.contrib.staticfiles.finders import FileSystemFinder
from django.contrib.staticfiles.storage import (
    HashedFilesMixin,
    ManifestFilesMixin,
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from static_sync.collecting.folder import Folder
from static_sync.exceptions import CollectError
from static_sync.storage import ManifestStorage
from tests.static_sync.collecting.comparison import Comparison, tree

Files = dict[str, str | bytes]


class Modules(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Lenient(ManifestStaticFilesStorage):
    manifest_strict = False


class TwoMoreRounds(ManifestStaticFilesStorage):
    max_post_process_passes = 2


class NoMoreRounds(ManifestStaticFilesStorage):
    max_post_process_passes = 0


class OwnPatterns(ManifestStaticFilesStorage):
    patterns = (
        *ManifestStaticFilesStorage.patterns,
        ("*.txt", ((r"(?P<matched>see (?P<url>\S+))", "SEE %(url)s"),)),
        ("sub/*.css", ((r"(?P<matched>never (?P<url>\S+))", "never %(url)s"),)),
    )


class PatternOfHashes(ManifestStaticFilesStorage):
    """Of names that hold a hash, which a pattern before has made, the second pattern takes some for references."""

    end = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pattern = rf'(?P<matched>@import url\("b\.(?P<url>[0-9a-f]{{11}}{self.end}\.css)"\))'
        self.patterns = (*self.patterns, ("*.css", ((pattern, "%(url)s"),)))
        super().__init__(*arguments, **options)


FONT = b"a font"
IMAGE = b"\x89PNG"


TREES: dict[str, Files] = {
    "nothing": {},
    "no references": {"a.css": "a{}", "b.js": "1", "c.png": IMAGE, "d": "no suffix", "e.tar.gz": b"\x1f", "f.": "dot"},
    "quotes": {
        "a.css": "a{background:url(i.png)} b{background:url('i.png')} c{background:url(\"i.png\")} d{b: URL( i.png )}",
        "i.png": IMAGE,
    },
    "imports": {
        "a.css": '@import "b.css"; @import url(sub/c.css); @IMPORT url("sub/c.css") screen;',
        "b.css": "@import 'sub/d.css';",
        "sub/c.css": "@import url(../sub/d.css);",
        "sub/d.css": "d { background: url(../i.png) }",
        "i.png": IMAGE,
    },
    "fragments and queries": {
        "a.css": """
            @font-face { src: url(f/f.eot); src: url("f/f.eot?#iefix") format("x"), url('f/f.svg#name') format("y"),
                              url(f/f.woff?v=4.7.0), url(f/f.woff?v=1#x), url(b.css?v=1), url(#local), url(?q) }
            """,
        "b.css": "b { background: url(f/f.eot) }",
        "f/f.eot": FONT,
        "f/f.svg": "<svg/>",
        "f/f.woff": FONT,
    },
    "what is no file of ours": {
        "a.css": """
            a { b: url(data:image/png;base64,AAAA); c: url("data:image/svg+xml;utf8,<svg fill='url(x)'/>");
                d: url(//x/y); e: url(http://x/y.png); f: url(https://x/y.png); g: url(/elsewhere/x.png);
                h: url(about:blank) }
            """,
    },
    "paths": {
        "sub/a.css": """
            a { b: url(../i.png); c: url(./j.png); d: url(../sub/./j.png); e: url(/static/i.png);
                f: url(/static/sub/../i.png); g: url(../sub/../sub/b.css); h: url(sub.sub/k.png) }
            """,
        "sub/b.css": "b { c: url(/static/sub/j.png) }",
        "sub/j.png": IMAGE,
        "sub/sub.sub/k.png": IMAGE + b"k",
        "i.png": IMAGE,
    },
    "source maps": {
        "a.css": "a{}\n/*# sourceMappingURL=a.css.map */",
        "b.css": "/*# sourceMappingURL=a.css.map*/ \n a{}\n/*# SOURCEMAPPINGURL=gone.map */",
        "a.js": "1\n//# sourceMappingURL=a.js.map\n//# sourceMappingURL=a.js.map?x\n",
        "b.js": "//# sourceMappingurl=gone.map\n//@ sourceMappingURL=gone.map\n //# sourceMappingURL=gone.map",
        "a.css.map": "{}",
        "a.js.map": "{}",
    },
    "comments and strings": {
        "a.css": """
            /* url(i.png) */ a { content: "url(i.png)"; b: url(i.png) /* url("i.png") */ }
            /* @import "b.css"; */ @import "b.css";
            """,
        "b.css": "/* unclosed url(i.png)",
        "i.png": IMAGE,
    },
    "odd but plain names": {
        "größe/ä b.css": """
            a { b: url('ü c.png'); c: url(%C3%BC%20c.png); d: url('u\u0308.png'); e: url('a+b&c~d@2x.png') }
            """,
        "größe/ü c.png": IMAGE,
        "größe/u\u0308.png": IMAGE,
        "größe/a+b&c~d@2x.png": IMAGE,
        "größe/(x);[y],{z}='.js": "1",
        "größe/ .png": IMAGE,
    },
    "large files": {"a.css": "a { b: url(i.png) }" + " " * 70_000, "i.png": IMAGE * 100_000, "j.png": b"0" * 131_072},
    "duplicates of content": {"a.css": "x{}", "b.css": "x{}", "sub/a.css": "x{}", "sub/c.css": "@import '../a.css';"},
    "letters that differ in case": {
        "A.css": "a{b:url(I.png)}",
        "a.css": "a{b:url(i.png)}",
        "I.png": b"1",
        "i.png": b"2",
    },
    "files beside folders of like names": {"a/b.css": "@import '../a.css';", "a.css": "a{}", "a.b/c.css": "c{}"},
    "a stylesheet with a mark of its encoding": {"a.css": "\ufeffa { b: url(i.png) }\r\n", "i.png": IMAGE},
    "a folder referred to": {"a.css": "a { b: url(sub/); c: url(sub); d: url(.); e: url(/static/) }", "sub/x.txt": "x"},
    "nothing changes when it is rewritten": {"a.css": '@charset "utf-8"; a { color: red }', "b.css": "b { c: url() }"},
}
# Left to Django, for its outcome or its error.
UNUSUAL: dict[str, Files] = {
    "a circle": {"a.css": "@import 'b.css';", "b.css": "@import 'a.css';"},
    "a file that refers to itself": {"a.css": "@import 'a.css';", "b.css": "b{}"},
    "a reference to nothing": {"x.js": "1", "sub/b.css": "b{}", "a.css": "a { b: url(gone.png) }"},
    "a reference out of the folder": {"a.css": "a { b: url(../../gone.png) }"},
    "a reference to nothing in our folder, after much else": {"a.css": "@import '/static/z.css?x';", "b.js": "1"},
    "not UTF-8": {"a.css": b"a { content: '\xe4' }", "b.css": "b{}"},
    "names that are quoted": {"100%.css": "a{}", "a%20b.png": IMAGE, "c.css": "a { b: url(a%2520b.png) }"},
    "names with a query": {"a?b.css": "a{}", "c#d.js": "1"},
    "names with a scheme": {"a:b.css": "a{}", "c:d": "x"},
    "names with spaces around": {" a.css": "a{}", "b.css ": "b{}"},
}


@pytest.mark.parametrize("files", TREES.values(), ids=TREES)
def test_a_tree_is_the_same_as_djangos(tmp_path: Path, files: Files) -> None:
    comparison = Comparison(tmp_path)
    comparison.write(files)
    collected = comparison.same()
    assert collected.error is None
    assert len(collected.tree) == 2 * len(files) + 1
    assert sorted(collected.processed) == sorted(files)
    assert comparison.same().tree == collected.tree


@pytest.mark.parametrize("files", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_tree_is_left_to_django(tmp_path: Path, files: Files) -> None:
    comparison = Comparison(tmp_path)
    comparison.write(files)
    comparison.same(quick=False)
    comparison.same(quick=False)


def test_a_reference_to_nothing_in_a_comment_is_as_the_version_of_django_has_it(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "/* url(gone.png) */"})
    comparison.same(quick=django.VERSION >= (6, 1))


MODULES: Files = {
    "app.js": """
        import first from "./lib/first.js"; import { a, b } from './lib/second.js';
        import * as all from "./lib/first.js" ; import "./lib/side.js"; import("./lib/later.js");
        import react from "react"; import("/static/lib/later.js");
        export { c } from "./lib/second.js"; export * from "./lib/first.js";
        import {
            d,
            e
        } from "./lib/second.js";
        """,
    "lib/first.js": "import x from '../shared.js';\nlet s = `import y from './gone'`",
    "lib/second.js": "// import './gone.js'\n",
    "lib/side.js": "import '/static/shared.js';",
    "lib/later.js": "export default 1\n//# sourceMappingURL=later.js.map",
    "lib/later.js.map": "{}",
    "shared.js": "export default 1",
    "style.css": "a { b: url(shared.js) }",
}


def test_modules_are_rewritten_where_the_storage_asks_for_it(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, Modules)
    comparison.write(MODULES)
    comparison.same(quick=None)
    # What 5.2 takes for imports in comments and strings refers to nothing.
    comparison.write({"lib/first.js": "import x from '../shared.js';", "lib/second.js": "export let a, b, c"})
    comparison.same(quick=None)


def chain(length: int) -> Files:
    """Files that refer each to the next, in an order in which Django needs one more round for each."""
    files: Files = {
        f"{'x/' * (length - n)}a.css": f"@import '{'../' * (length - n)}{'x/' * (length - n - 1)}a.css';"
        for n in range(length)
    }
    return {**files, "a.css": "a { b: url(i.png) }", "i.png": IMAGE}


@pytest.mark.parametrize(("storage", "longest"), [(ManifestStaticFilesStorage, 4), (TwoMoreRounds, 1)])
def test_a_chain_is_followed_as_far_as_django_does(
    tmp_path: Path, storage: type[ManifestStaticFilesStorage], longest: int
) -> None:
    for length in range(1, 8):
        comparison = Comparison(tmp_path / str(length), storage)
        comparison.write(chain(length))
        collected = comparison.same(quick=length <= longest)
        assert ("Max post-process passes exceeded" in str(collected.error)) is (length > longest)


def test_a_storage_that_wants_one_round_only_is_left_to_django(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, NoMoreRounds)
    comparison.write(chain(3))
    assert comparison.same(quick=False).error is None


def test_patterns_of_the_storages_own_are_used(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, OwnPatterns)
    comparison.write({"a.txt": "see b.txt", "b.txt": "see c.css", "c.css": "c { d: url(a.png) }", "a.png": IMAGE})
    comparison.write({"sub/a.css": "never b.css", "sub/b.css": "b{}"})
    collected = comparison.same()
    assert any(b"SEE c." in content for content, _ in collected.tree.values())


def test_patterns_that_tell_one_hash_from_another(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, PatternOfHashes)
    comparison.write({"a.css": "@import 'b.css';", "b.css": "b{}"})
    outcomes = []
    for end in "0123456789abcdef":
        PatternOfHashes.end = end
        theirs, ours = comparison.collect()
        assert ours == theirs
        outcomes.append((ours.error is None, len(comparison.left_to_django)))
        comparison.left_to_django.clear()
    # The hash itself ends so, the token that stands for it ends so, or neither does.
    assert set(outcomes) == {(False, 1), (True, 0), (True, 1)}


def test_the_first_finder_wins(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "a { b: url(i.png) }", "i.png": IMAGE})
    comparison.write({"a.css": "other", "b.css": "@import 'a.css';", ".hidden": "x", "sub/CVS/x": "x", "x~": "x"}, 1)
    collected = comparison.same()
    assert sorted(collected.copied) == ["a.css", "b.css", "i.png"]
    assert collected.tree["a.css"][0] == b"a { b: url(i.png) }"


class ShoutingStorage(FileSystemStorage):
    def _open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(Path(self.path(name)).read_bytes().replace(b"quiet", b"LOUD"))


class ShoutingFinder(FileSystemFinder):
    """Its files are not what lies on the disk."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for root, storage in self.storages.items():
            self.storages[root] = ShoutingStorage(location=root)
            self.storages[root].prefix = storage.prefix


def test_a_storage_that_gives_other_bytes_than_the_disk(tmp_path: Path) -> None:
    finders = [f"{__name__}.ShoutingFinder"]
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "quiet { b: url(i.png) }", "i.png": "quiet"})
    assert comparison.same(STATICFILES_FINDERS=finders).tree["i.png"][0] == b"LOUD"
    before = (tmp_path / "ours/i.png").stat().st_mtime_ns
    comparison.same(STATICFILES_FINDERS=finders)
    assert (tmp_path / "ours/i.png").stat().st_mtime_ns == before


def test_folders_with_a_prefix(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, OwnPatterns)
    comparison.write({"a.css": "a { b: url(i.png); c: url(/static/pre/fix/i.png) }", "i.png": IMAGE})
    comparison.write({"b.css": "never c.css", "c.css": "c{}"}, 1)
    prefixed = [("pre/fix", str(comparison.sources[0])), ("sub", str(comparison.sources[1]))]
    collected = comparison.same(STATICFILES_DIRS=prefixed)
    assert "pre/fix/a.css" in collected.tree


@pytest.mark.parametrize(
    "changes", [{"STATIC_URL": "https://cdn.example.com/s/"}, {"STATIC_URL": "s/"}, {"DEBUG": True}]
)
def test_settings_that_count(tmp_path: Path, changes: dict[str, Any]) -> None:
    comparison = Comparison(tmp_path)
    comparison.write(
        {**TREES["paths"], **TREES["imports"], "https.css": "a { b: url(https://cdn.example.com/s/i.png) }"}
    )
    comparison.same(**changes)


def test_older_hashed_files_stay_but_for_those_of_names_in_between(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write(chain(3))
    first = comparison.same()
    comparison.write({"i.png": IMAGE + b"2"})
    second = comparison.same()
    assert second.tree.keys() > first.tree.keys()
    assert comparison.plan is not None
    in_between = comparison.plan.superseded
    assert len(in_between) == 1 + 2 + 3 + 4
    comparison.leave({**dict.fromkeys(in_between, "x"), "a.0123456789ab.css": "x", "stranger.css": "x"})
    assert comparison.same().tree.keys() - second.tree.keys() == {"a.0123456789ab.css", "stranger.css"}


def test_a_folder_that_is_to_be_cleared_holds_what_is_collected_and_nothing_else(tmp_path: Path) -> None:
    for storage in (ManifestStaticFilesStorage, Extended, StaticFilesStorage):
        comparison = Comparison(tmp_path / storage.__name__, storage)
        comparison.clear = True
        comparison.leave({"old.css": "x{}", "old/a.0123456789ab.css": "x{}", "staticfiles.json": '{"version": "1.1"}'})
        comparison.write(SOME)
        first = comparison.same()
        before = {path: path.stat().st_mtime_ns for path in (comparison.root / "ours").rglob("*.js")}
        comparison.write({"A.css": "A{}"})
        assert comparison.same().tree != first.tree
        assert {path: path.stat().st_mtime_ns for path in (comparison.root / "ours").rglob("*.js")} == before
        # What was there earlier is no longer there to be referred to.
        comparison.leave({"old.css": "x{}"})
        comparison.write({"b.css": "@import 'old.css';"})
        comparison.same(quick=None if storage is StaticFilesStorage else False)


def test_names_that_django_changes_are_left_to_it(tmp_path: Path) -> None:
    for clear in (False, True):
        comparison = Comparison(tmp_path / str(clear))
        comparison.clear = clear
        comparison.write({"a\\b.txt": "x", "c.css": "c{}"})
        comparison.same(quick=False)


def test_references_to_what_no_finder_gives(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.leave({"from-elsewhere.png": IMAGE, "sub/x.css": "x{}"})
    comparison.write({"a.css": "a { b: url(from-elsewhere.png); c: url('from-elsewhere.png?v=1') }"})
    comparison.write({"b.css": "@import 'sub/x.css';"})
    collected = comparison.same()
    # One that Django itself writes meanwhile is there or not, depending on the order.
    (hashed,) = (name for name in collected.tree if name.startswith("a.") and name != "a.css")
    comparison.write({"b.css": f"@import '{hashed}';", "sub/c.css": f"@import '../{hashed}';"})
    comparison.same(quick=False)


def test_a_file_that_has_the_hashed_name_of_another(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "a { b: url(i.png) }", "i.png": IMAGE})
    collected = comparison.same()
    hashed = {name: content for name, (content, _) in collected.tree.items() if name.count(".") == 2}
    comparison.write({**hashed})
    comparison.same(quick=False)


def test_the_folder_is_written_with_djangos_modes(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a/b/c.css": "a { b: url(i.png) }", "a/b/i.png": IMAGE})
    comparison.same(FILE_UPLOAD_PERMISSIONS=0o604, FILE_UPLOAD_DIRECTORY_PERMISSIONS=0o705)
    modes = {folder: (tmp_path / folder / "a/b").stat().st_mode for folder in ("theirs", "ours")}
    assert modes["ours"] == modes["theirs"]
    assert modes["ours"] & 0o777 == 0o705
    comparison = Comparison(tmp_path / "2")
    comparison.write({"a.css": "a{}"})
    comparison.same(FILE_UPLOAD_PERMISSIONS=None)


def test_what_is_in_place_is_not_written_again(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({**chain(2), "b.js": "1"})
    comparison.same()

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "ours").rglob("*") if path.is_file()}

    before = times()
    comparison.same()
    assert times() == before
    comparison.write({"b.js": "2"})
    comparison.same()
    after = times()
    changed = {path.name for path, time in after.items() if before.get(path) != time}
    assert changed - {"b.js", "staticfiles.json"} == {name for name in changed if name.startswith("b.")} - {"b.js"}
    assert len(changed) == 3


@pytest.mark.parametrize("broken", ["", "half"])
def test_a_hashed_file_that_was_cut_short_is_made_whole(tmp_path: Path, broken: str) -> None:
    """Django takes any file of the name for the right one."""
    comparison = Comparison(tmp_path)
    comparison.write({"i.png": IMAGE, "a.css": "a { b: url(i.png) }"})
    whole = comparison.same()
    for name in whole.tree.keys() - {"staticfiles.json"}:
        (tmp_path / "ours" / name).write_text(broken)
        (tmp_path / "ours" / name).chmod(0o600)
    _, ours = comparison.collect()
    assert ours.tree == whole.tree
    assert sorted(ours.processed) == ["a.css", "i.png"]


class Killed(BaseException):
    """Ends a collection in the middle."""


def test_a_run_that_is_killed_leaves_whole_files_and_the_next_completes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({**chain(2), "sub/b.js": "1"})
    whole = comparison.same()
    written = len(whole.tree)
    write = Folder.write
    for last in range(written):
        root = tmp_path / str(last)
        interrupted = Comparison(root)
        interrupted.write({**chain(2), "sub/b.js": "1"})
        left = last

        def count(folder: Folder, *arguments: Any) -> str:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return write(folder, *arguments)

        monkeypatch.setattr(Folder, "write", count)
        with pytest.raises(Killed):
            interrupted.collect()
        monkeypatch.undo()
        for path in (root / "ours").rglob("*"):
            if path.is_file():
                assert path.read_bytes() == whole.tree[str(path.relative_to(root / "ours"))][0]
        assert interrupted.collect()[1].tree == whole.tree
    assert written == 2 * 5 + 1


def test_a_file_that_changes_meanwhile_is_not_taken(tmp_path: Path) -> None:
    folder = Folder(FileSystemStorage(str(tmp_path)))
    with pytest.raises(CollectError, match=r"a\.css changed"):
        folder.write("a.css", [b"other"], hashlib.md5(b"one").hexdigest())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to a group it is not in")
def test_files_are_of_the_folders_group(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"sub/a.css": "a{}"})
    for folder in ("theirs", "ours"):
        os.chown(tmp_path / folder, -1, 12345)
    comparison.same()
    for folder in ("theirs", "ours"):
        assert {path.stat().st_gid for path in (tmp_path / folder).rglob("*.*")} == {12345}


def test_a_file_that_holds_the_token_of_a_reference_is_left_to_django(tmp_path: Path) -> None:
    token = hashlib.md5(b"a reference to b.css").hexdigest()[:12]
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": f"@import 'b.css'; /* {token} */", "b.css": "b{}"})
    comparison.same(quick=False)


def test_a_draft_that_was_left_behind_is_removed_when_it_is_old(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "a{}"})
    drafts = [tmp_path / "ours" / f".static-sync.{number}" for number in (1, 2)]
    for draft in drafts:
        draft.write_text("half")
    os.utime(drafts[0], (0, 0))
    comparison.collect()
    assert [draft.exists() for draft in drafts] == [False, True]


def test_what_lies_in_the_way(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "a{}", "b.css": "b{}", "c/d.css": "d{}"})
    for folder in ("ours", "theirs"):
        (tmp_path / folder / "b.css").symlink_to(tmp_path / "assets/a.css")
        (tmp_path / folder / "a.css").symlink_to("nowhere")
    collected = comparison.same()
    assert not (tmp_path / "ours/a.css").is_symlink()
    assert not (tmp_path / "ours/b.css").is_symlink()
    assert (tmp_path / "assets/a.css").read_text() == "a{}"
    assert collected.error is None
    comparison = Comparison(tmp_path / "2")
    comparison.write({"c/d.css": "d{}"})
    comparison.leave({"c": "a file"})
    assert "c exists and is not a directory" in str(comparison.same(quick=None).error)


# Storages that go ways of their own


class OtherHash(ManifestStaticFilesStorage):
    def file_hash(self, name: Any, content: Any = None) -> Any:
        digest = super().file_hash(name, content)
        return digest and digest[:8]


class CaselessKeys(ManifestStaticFilesStorage):
    def hash_key(self, name: str) -> str:
        return name.lower()


class Converter(ManifestStaticFilesStorage):
    def url_converter(self, *arguments: Any) -> Any:
        convert = super().url_converter(*arguments)
        return lambda match: convert(match).replace("url(", "URL(")


class VersionedURLs(StaticFilesStorage):
    def url(self, name: str | None) -> str:
        return f"{super().url(name)}?v=1"


class BeneathIsOther(ManifestFilesMixin, VersionedURLs):  # type: ignore[misc]
    pass


class Kept(ManifestStaticFilesStorage):
    keep_intermediate_files = True


class WithoutManifest(HashedFilesMixin, StaticFilesStorage):  # type: ignore[misc]
    pass


class WithoutManifestOrRounds(HashedFilesMixin, StaticFilesStorage):  # type: ignore[misc]
    keep_intermediate_files = False


class Extended(ManifestStaticFilesStorage):
    """Django's, with more to do for each result."""

    def post_process(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for name, hashed, processed in super().post_process(*arguments, **options):
            path = Path(self.path(str(hashed)))
            path.with_name(f"{path.name}.size").write_text(str(path.stat().st_size))
            yield name, hashed, processed


class Forgiving(ManifestStaticFilesStorage):
    """A common one: what Django takes for an error is passed over."""

    def post_process(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for name, hashed, processed in super().post_process(*arguments, **options):
            if not isinstance(processed, Exception):
                yield name, hashed, processed


SOME: Files = {
    "sub/a.css": "@import '../A.css'; a { b: url(../i.png) }",
    "A.css": "a { b: url(i.png) }",
    "a.js": "1\n//# sourceMappingURL=a.js.map",
    "a.js.map": "{}",
    "i.png": IMAGE,
}


def test_a_folder_lies_in_the_way(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path)
    comparison.write({"a.css": "a{}"})
    (tmp_path / "ours/a.css").mkdir()
    _, ours = comparison.collect()
    assert ours.tree["a.css"][0] == b"a{}"
    comparison.leave({"b.css/file": "x"})
    comparison.write({"b.css": "b{}"})
    _, ours = comparison.collect()
    assert "b.css" in str(ours.error)
    assert "b.css/file" in ours.tree


@pytest.mark.parametrize("version", [(5, 1, 9), (6, 2, 0)])
def test_a_version_of_django_that_is_not_known_is_left_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(django, "VERSION", version)
    comparison = Comparison(tmp_path)
    comparison.write(SOME)
    comparison.same()
    assert comparison.plan is None


def test_a_method_that_was_replaced_at_run_time_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManifestStaticFilesStorage, "file_hash", lambda self, name, content=None: "0" * 12)
    comparison = Comparison(tmp_path)
    comparison.write(SOME)
    assert "A.000000000000.css" in comparison.same().tree
    assert comparison.plan is None


@pytest.mark.parametrize(
    ("storage", "quick"),
    [
        (OtherHash, False),
        (CaselessKeys, False),
        (Converter, False),
        (BeneathIsOther, False),
        (Kept, False),
        (WithoutManifest, False),
        (WithoutManifestOrRounds, True),
        (Extended, True),
        (Forgiving, True),
        (Lenient, True),
        (ManifestStorage, True),
        (StaticFilesStorage, False),
    ],
)
def test_a_storage_of_the_projects_own_does_what_it_does(
    tmp_path: Path, storage: type[StaticFilesStorage], quick: bool
) -> None:
    comparison = Comparison(tmp_path, storage)
    comparison.write(SOME)
    assert comparison.same(quick=None).error is None
    assert (comparison.plan is not None) is quick
    comparison.write({"sub/a.css": "@import '../A.css';"})
    assert comparison.same(quick=None).error is None
    comparison.write({"b.css": "b { c: url(gone.png) }"})
    comparison.same(quick=None)


def test_a_manifest_elsewhere(tmp_path: Path) -> None:
    for folder in ("theirs", "ours"):
        (tmp_path / f"{folder} manifest").mkdir()

    class Elsewhere(ManifestStaticFilesStorage):
        def __init__(self, location: str) -> None:
            super().__init__(location, manifest_storage=StaticFilesStorage(f"{location} manifest"))

    comparison = Comparison(tmp_path, Elsewhere)
    comparison.write(SOME)
    assert "staticfiles.json" not in comparison.same().tree
    assert tree(tmp_path / "ours manifest") == tree(tmp_path / "theirs manifest") != {}


def test_whitenoises_storage_is_done_in_one_pass(tmp_path: Path) -> None:
    storage = pytest.importorskip("whitenoise.storage").CompressedManifestStaticFilesStorage
    for only_hashed in (False, True):
        comparison = Comparison(tmp_path / str(only_hashed), storage)
        comparison.ordered = False  # it compresses in threads
        comparison.write({**SOME, "large.css": "a{b:c}" * 1000})
        for _ in range(2):
            collected = comparison.same(WHITENOISE_KEEP_ONLY_HASHED_FILES=only_hashed)
            assert ("i.png" in collected.tree) is not only_hashed
        comparison.write({"large.css": "@import 'A.css';" * 1000})
        comparison.same(WHITENOISE_KEEP_ONLY_HASHED_FILES=only_hashed)
        comparison.write({"b.css": "b { c: url(gone.png) }"})
        comparison.same(quick=False, WHITENOISE_KEEP_ONLY_HASHED_FILES=only_hashed)


# Trees of all kinds

FOLDERS = ["", "a/", "a/b/", "c d/", "é/"]
NAMES = [f"{folder}{base}" for folder in FOLDERS for base in ("x.css", "y.css", "z.js", "w.js", "i.png", "m.map", "n")]
REFERENCES = [
    "a {{ b: url({}) }}",
    "a {{ b: url('{}') }}",
    'a {{ b: url( "{}" ) }}',
    "@import '{}';",
    '@import url("{}") screen;',
    "/* url({}) */",
    "a {{ content: 'url({})' }}",
    "a {{ b: url({}#x) }}",
    "a {{ b: url({}?#iefix) }}",
    "a {{ b: url({}?v=1) }}",
    "a {{ b: URL({}) }}",
    "\n/*# sourceMappingURL={} */\n",
    "\n//# sourceMappingURL={}\n",
    "import {{ a }} from './{}';",
    'import "./{}"',
    "import('./{}')",
    "export * from './{}';\n",
    "// import './{}';\n",
]


@st.composite
def trees(draw: st.DrawFn) -> Files:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    files: Files = {}
    for position, name in enumerate(names):
        # Mostly such as come later, so that circles are not the rule.
        targets = st.sampled_from(names[position + 1 :] or names)
        if draw(st.integers(0, 19)) == 0:
            targets = st.sampled_from([*names, "gone.png"])
        content = draw(st.sampled_from(["", "x", "\u20ac"]))
        if name.endswith((".css", ".js")) and position + 1 < len(names):
            for target in draw(st.lists(targets, max_size=3)):
                relative = posixpath.relpath(target, posixpath.dirname(name) or ".")
                way = draw(st.sampled_from([relative, relative, f"/static/{target}"]))
                content += draw(st.sampled_from(REFERENCES)).format(way)
        files[name] = content
    return dict(draw(st.permutations(list(files.items()))))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([ManifestStaticFilesStorage, Modules]),
    st.lists(trees(), min_size=1, max_size=2),
    st.booleans(),
    st.booleans(),
)
def test_any_tree_is_the_same_as_djangos(
    tmp_path_factory: pytest.TempPathFactory,
    storage: type[ManifestStaticFilesStorage],
    rounds: list[Files],
    junk: bool,
    clear: bool,
) -> None:
    comparison = Comparison(tmp_path_factory.mktemp("tree"), storage)
    comparison.clear = clear
    for files in rounds:
        comparison.write(files)
        collected = comparison.same(quick=None)
        event("failed" if collected.error else "collected")
        event("in one pass" if comparison.plan else "by Django")
        if comparison.plan and junk:
            comparison.leave(dict.fromkeys(comparison.plan.superseded, "junk"))
    if not comparison.same(quick=None).error and comparison.plan:
        event("with names in between" if comparison.plan.superseded else "without")


@pytest.mark.parametrize(
    ("storage", "packages"),
    [
        (ManifestStaticFilesStorage, ("django/contrib/admin", "rest_framework", "wagtail")),
        (Modules, ("django/contrib/admin",)),
    ],
)
def test_the_static_files_of_real_packages(
    tmp_path: Path, storage: type[ManifestStaticFilesStorage], packages: tuple[str, ...]
) -> None:
    installed = Path(django.__file__).parent.parent
    comparison = Comparison(tmp_path, storage)
    comparison.sources = [
        folder
        for package in packages
        for folder in sorted((installed / package).rglob("static"))
        if folder.is_dir() and "project_template" not in folder.parts
    ]
    assert len(comparison.same().tree) > 2 * 120
