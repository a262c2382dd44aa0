from __future__ import annotations

from pathlib import Path

import pytest

from infra.build.copy import copy_project
from infra.exceptions import BuildError, ConfigurationError


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def copied(site: Path, *without: Path) -> set[str]:
    tree = site.parent / "tree"
    copy_project(site, tree, without)
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}


def test_what_is_left_out_by_default(site: Path) -> None:
    write(site, "manage.py", "shop/views.py", "shop/templates/a.html", "shop/tests.py", "locale/de/django.mo")
    write(site, ".env", "shop/.env.local", ".git/config", "node_modules/a/b.js", "shop/__pycache__/views.pyc")
    write(site, "db.sqlite3", "db.sqlite3-journal", "shop/tests/test_a.py", "media/a.png", "dist/a", ".github/x.yml")
    write(site, "env/pyvenv.cfg", "env/lib/python3.13/site-packages/django/__init__.py", "static/a.css", "uv.lock")
    assert copied(site, site / "media") == {
        "manage.py",
        "shop/views.py",
        "shop/templates/a.html",
        "shop/tests.py",
        "locale/de/django.mo",
        "static/a.css",
    }


def test_faasignore_takes_the_place_of_the_defaults_but_secrets_stay_out(site: Path) -> None:
    write(site, "manage.py", "db.sqlite3", ".env", "data/big.csv", "data/small.csv", "docs/a.md", "shop/docs/b.md")
    (site / ".faasignore").write_text("# large\n\n/data/big.*\ndocs/  \n")
    assert copied(site) == {"manage.py", "db.sqlite3", "data/small.csv"}


def test_a_pattern_that_means_nothing_is_told_with_its_line(site: Path) -> None:
    (site / ".faasignore").write_text("*.log\n!keep.log\n")
    with pytest.raises(ConfigurationError, match=r"\.faasignore, line 2: .*'!keep\.log'"):
        copied(site)


def test_links_are_followed_wherever_they_lead(site: Path) -> None:
    write(site.parent, "shared/lib/a.py")
    write(site, "manage.py")
    (site / "lib").symlink_to(site.parent / "shared/lib")
    (site / "same.py").symlink_to("manage.py")
    assert copied(site) == {"manage.py", "lib/a.py", "same.py"}
    assert not (site.parent / "tree/lib").is_symlink()


def test_links_that_cannot_be_followed_are_told_unless_they_are_left_out(site: Path) -> None:
    write(site, "shop/a.py")
    (site / "shop/loop").symlink_to(site / "shop")
    with pytest.raises(BuildError, match="shop/loop is a link to a folder that it lies in"):
        copied(site)
    (site / "shop/loop").unlink()
    (site / "gone").symlink_to(site / "nothing")
    with pytest.raises(BuildError, match="gone can't be read"):
        copied(site)
    (site / ".faasignore").write_text("gone\n")
    (site.parent / "tree/shop/a.py").unlink(missing_ok=True)
    assert copied(site) == {"shop/a.py"}


def test_a_file_of_the_project_never_goes_over_one_that_was_installed(site: Path) -> None:
    write(site.parent / "tree", "requests/__init__.py")
    write(site, "requests/__init__.py")
    with pytest.raises(BuildError, match=r"requests/__init__\.py is in the project, and one of its requirements"):
        copied(site)
