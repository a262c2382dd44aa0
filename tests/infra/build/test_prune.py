from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.build.distributions import find
from infra.build.prune import prune, untranslated
from tests.infra.build.wheels import wheel

FILES = {
    "thing/__init__.py": "from .core import thing\n",
    "thing/core.py": "thing = 1\n",
    "thing/tests/__init__.py": "",
    "thing/tests/test_core.py": "from thing.core import thing\n",
    "thing/static/thing/a.css": "a {}",
    "thing/locale/de/LC_MESSAGES/django.po": "po",
    "thing/locale/de/LC_MESSAGES/django.mo": "mo",
}


def unpacked(tree: Path, *wheels: Path) -> Path:
    for path in wheels:
        with ZipFile(path) as archive:
            archive.extractall(tree)
    return tree


def names(tree: Path) -> set[str]:
    files = (path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    return {name for name in files if ".dist-info" not in name}


def test_what_no_function_needs_is_removed_and_the_record_tells_of_the_rest(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", wheel(tmp_path, "thing", "1.0", {**FILES, "bin/thing": "#!/home/ada/python"}))
    info = tree / "thing-1.0.dist-info"
    for note in ("INSTALLER", "REQUESTED", "direct_url.json"):
        (info / note).write_text("file:///home/ada")
    (tree / ".lock").touch()
    cached = tmp_path / "cached"
    cached.hardlink_to(info / "RECORD")
    before = cached.read_text()
    (tree / "shop/static").mkdir(parents=True)
    (tree / "shop/static/b.css").touch()
    (left,) = prune(tree, find(tree), ["thing/static", "shop/static", "nowhere/static"], runtime_boto3=False)
    own = "shop/static/b.css"
    assert names(tree) == {"thing/__init__.py", "thing/core.py", "thing/locale/de/LC_MESSAGES/django.mo", own}
    assert {path.name for path in info.iterdir()} == {"METADATA", "RECORD", "WHEEL"}
    recorded = {str(path) for path in PathDistribution(info).files or ()}
    assert recorded == left.files
    assert {"thing/core.py", "thing-1.0.dist-info/RECORD"} < recorded
    assert all((tree / name).is_file() for name in recorded)
    assert cached.read_text() == before


@pytest.mark.parametrize("line", ["from thing.tests.data import x", "import thing.tests", "    from .tests import x"])
def test_tests_that_the_rest_imports_from_stay(tmp_path: Path, line: str) -> None:
    files = {**FILES, "thing/core.py": f"def load():\n    pass\n{line}\n"}
    tree = unpacked(tmp_path / "tree", wheel(tmp_path, "thing", "1.0", files))
    prune(tree, find(tree), (), runtime_boto3=False)
    assert (tree / "thing/tests/test_core.py").exists()


def test_the_runtimes_own_boto3_is_left_out_when_asked(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", *(wheel(tmp_path, name, "1.0") for name in ("boto3", "botocore", "urllib3")))
    assert [each.name for each in prune(tree, find(tree), (), runtime_boto3=False)] == ["boto3", "botocore", "urllib3"]
    assert [each.name for each in prune(tree, find(tree), (), runtime_boto3=True)] == ["urllib3"]
    assert {path.name for path in tree.iterdir()} == {"urllib3.py", "urllib3-1.0.dist-info"}


def test_a_record_that_points_out_of_the_tree_removes_nothing_there(tmp_path: Path) -> None:
    path = wheel(tmp_path, "thing", "1.0", {"thing.py": ""})
    tree = unpacked(tmp_path / "tree", path)
    (tmp_path / "precious").touch()
    record = tree / "thing-1.0.dist-info/RECORD"
    record.write_text(record.read_text() + "../precious,,\n")
    (left,) = prune(tree, find(tree), (), runtime_boto3=False)
    assert (tmp_path / "precious").exists()
    assert "../precious" not in left.files


def test_translations_that_were_never_compiled(tmp_path: Path) -> None:
    for name in ("de/django.po", "de/django.mo", "fr/django.po"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert untranslated(tmp_path) == ["fr/django.po"]
