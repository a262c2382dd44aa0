from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from static_sync.cache_policy import IMMUTABLE, PRIVATE, SHORT, CachePolicy
from static_sync.exceptions import UsageError
from static_sync.inventory import StaticFile
from static_sync.patterns import matcher
from static_sync.stage import Stage
from static_sync.stores.contract import Headers


def names(alphabet: str) -> st.SearchStrategy[str]:
    return st.lists(st.text(alphabet, min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


NAMES = names("ab.-é\n")


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.html", ["a.html", "a/b.html", "a/b/.html"], ["a.htm", "a.html.br", "A.HTML"]),
        ("robots.txt", ["robots.txt", "x/robots.txt", "robots.txt/inside"], ["robots_txt"]),
        ("/sw.js", ["sw.js"], ["x/sw.js"]),
        ("assets/*", ["assets/a", "assets/a/b"], ["assets", "x/assets/a"]),
        ("assets/*.js", ["assets/a.js"], ["assets/a/b.js"]),
        ("vendor", ["vendor/a", "x/vendor/a/b", "vendor"], ["vendors/a"]),
        ("vendor/", ["vendor/a", "x/vendor/a/b"], ["vendor"]),
        ("css/**", ["css/a", "css/a/b"], ["css", "x/css/a"]),
        ("**/css/*.map", ["css/a.map", "x/y/css/a.map"], ["css/x/a.map"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("*-[0-9a-f]?.js", ["x-0q.js", "-aa.js"], ["x-g0.js", "x-/0.js"]),
        ("[!a]/b", ["x/b"], ["a/b", "/b"]),
        ("[]-]", ["]", "-"], ["a"]),
        (r"\!a\*[\]]", ["!a*]"], ["!ab]"]),
        ("*", ["a", ".a", "a/b", "a\nb"], []),
        ("**", ["a", "a/b"], []),
        ("a b.(1)+$^|.css", ["a b.(1)+$^|.css"], ["a b.(1)+$^|xcss"]),
    ],
)
def test_patterns_are_those_of_gitignore(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = matcher([pattern])
    assert [name for name in matching if not matches(name)] == []
    assert [name for name in others if matches(name)] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is what is compared with")
@given(st.text("ab*?/.[]!-\\", min_size=1, max_size=8), st.lists(names("ab.-[!]"), min_size=1, max_size=8))
@example("[!a-b]", ["c", "a"])
@example("**/a/**", ["a", "a/b", "b/a/b"])
@example("a**b", ["ab", "a/b", "aab"])
@settings(max_examples=120, deadline=None)
def test_git_agrees(tmp_path_factory: pytest.TempPathFactory, pattern: str, paths: list[str]) -> None:
    assume(not any(part in (".", "..") for path in paths for part in path.split("/")))
    try:
        matches = matcher([pattern])
    except UsageError:
        return
    assert {path for path in paths if matches(path)} == _ignored_by_git(tmp_path_factory, pattern, paths)


def _ignored_by_git(tmp_path_factory: pytest.TempPathFactory, pattern: str, paths: list[str]) -> set[str]:
    folder = tmp_path_factory.getbasetemp() / "git"
    if not folder.exists():
        subprocess.run(["git", "init", "--quiet", folder], check=True)
    patterns = folder / ".git" / "patterns"
    patterns.write_text(f"{pattern}\n")
    told = subprocess.run(
        ["git", "-c", f"core.excludesFile={patterns}", "check-ignore", "--no-index", "--stdin", "-z"],
        input="".join(f"{path}\0" for path in paths),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert told.returncode in (0, 1), told.stderr
    return set(filter(None, told.stdout.split("\0")))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "matches nothing"),
        ("/", "matches nothing"),
        ("!*.js", "begins with a !"),
        ("[a", "without its ]"),
        ("[a/b]", "without its ]"),
        ("[z-a]", "backwards"),
        ("[[:digit:]]", r"\[0-9\]"),
        ("a\\", "nothing after it"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        matcher([pattern])


@given(st.lists(st.text("ab*?/.-", min_size=1, max_size=5), max_size=4), NAMES)
def test_several_patterns_match_what_any_of_them_does(patterns: list[str], name: str) -> None:
    patterns = [pattern for pattern in patterns if pattern.strip("/")]
    assert matcher(patterns)(name) == any(matcher([pattern])(name) for pattern in patterns)


def test_defaults_go_by_the_stage() -> None:
    policy = CachePolicy()
    assert [policy.cache_control("a.css", stage) for stage in Stage] == [IMMUTABLE, SHORT, PRIVATE]
    assert policy.notes([_file("a.css", Stage.HASHED)]) == []


RULES = st.lists(
    st.tuples(st.sampled_from(["*.a", "b", "/b", "a/*", "**", "-*"]), st.sampled_from(["no-cache", "max-age=1", "x"])),
    max_size=5,
)


@given(RULES, NAMES, st.sampled_from(Stage))
def test_the_first_rule_that_matches_holds(rules: list[tuple[str, str]], name: str, stage: Stage) -> None:
    expected = CachePolicy().cache_control(name, stage)
    if stage is not Stage.MANIFEST:
        for pattern, value in reversed(rules):
            if matcher([pattern])(name):
                expected = value
    assert CachePolicy(rules).cache_control(name, stage) == expected


@given(RULES, NAMES)
def test_a_rule_for_everything_at_the_end_leaves_no_defaults(rules: list[tuple[str, str]], name: str) -> None:
    policy = CachePolicy([*rules, ("*", "max-age=5")])
    assert policy.cache_control(name, Stage.HASHED) == policy.cache_control(name, Stage.UNHASHED) != IMMUTABLE
    assert policy.cache_control(name, Stage.MANIFEST) == PRIVATE


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\r\nSet-Cookie: x", "a\x00", "max-age=6\u00b2", "\x7f"])
def test_a_value_that_no_header_can_carry_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"\*\.html"):
        CachePolicy([("*.html", value)])


@given(st.text())
def test_what_is_accepted_is_a_header(value: str) -> None:
    try:
        result = CachePolicy([("*", value)]).cache_control("a", Stage.UNHASHED)
    except UsageError:
        return
    assert result
    assert result == result.strip()
    assert all(" " <= character <= "~" for character in result)


def test_rules_that_look_like_a_slip_are_told() -> None:
    policy = CachePolicy([("*.css", "max-age=60"), ("*.js", "Immutable,max-age=5"), ("*.html", "no-cache")])
    files = [
        *(_file(name, Stage.HASHED) for name in ("a.1.css", "b.1.css", "a.1.js", "a.1.svg")),
        *(_file(name, Stage.UNHASHED) for name in ("a.css", "a.js", "a.html")),
        _file("css.json", Stage.MANIFEST),
    ]
    mortal, frozen = policy.notes(files)
    assert mortal.startswith("The cache rule for *.css takes `immutable` from 2 names (a.1.css, for example)")
    assert frozen.startswith("The cache rule for *.js gives `immutable` to 1 name (a.js) not known to be hashed")
    assert "--hashed" in frozen


def _file(name: str, stage: Stage) -> StaticFile:
    return StaticFile(name, str(Path("/src") / name), 0, "", Headers("text/css", ""), stage)
