"""A part of Django's suite, small enough for every day; `.ci/run` runs all of it (`make django-suite`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import losses, modules, sdist, suite_run
from .suite_run import Outcome
from .verdict import judge

PART = ("conditional_processing", "csrf_tests", "handlers", "test_client")

PASSED, FAILED, SKIPPED = Outcome("passed", ""), Outcome("failed", "AssertionError: 1 != 2"), Outcome("skipped", "no")


@pytest.fixture(scope="session")
def tests_folder() -> Path:
    try:
        return sdist.tests_folder()
    except sdist.NoSuite as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("door", "interface"), [("http_api", "wsgi"), ("alb", "wsgi"), ("http_api", "asgi")])
def test_what_passes_without_events_passes_with_them(door: str, interface: str, tests_folder: Path) -> None:
    before = suite_run.baseline(tests_folder, interface, PART)
    after = suite_run.run(tests_folder, f"{interface}:{door}", PART)
    verdict = judge(before, after.outcomes, losses.expected(door, interface, PART))
    assert verdict.wrong == {}
    assert len(verdict.passed) > 280
    assert after.requests > 250


def test_the_list_of_modules_is_the_suites_own(tests_folder: Path) -> None:
    assert modules.drifted(tests_folder) == []


def test_a_module_that_comes_or_goes_is_named(tmp_path: Path) -> None:
    for name in {*modules.MODULES, *modules.LEFT_OUT, "new_tests"} - {"csrf_tests"}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "tests.py").write_text('self.client.get("/")')
    assert modules.drifted(tmp_path) == [
        "new_tests drives requests and is not in the list of modules",
        "csrf_tests is in the list of modules and drives no requests",
    ]


def test_a_folder_without_the_suite_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sdist.VARIABLE, str(tmp_path))
    with pytest.raises(sdist.NoSuite, match=r"holds no tests/runtests\.py\. DJANGO_SDIST names an unpacked sdist"):
        sdist.tests_folder()


def test_a_run_that_reaches_no_test_shows_what_it_wrote(tests_folder: Path) -> None:
    with pytest.raises(suite_run.RunFailed, match="KeyError: 'fastcgi'"):
        suite_run.run(tests_folder, "fastcgi", PART)


def test_a_new_failure_is_wrong_and_an_old_one_is_not() -> None:
    verdict = judge({"m.new": PASSED, "m.old": FAILED}, {"m.new": FAILED, "m.old": FAILED}, {})
    assert verdict.wrong == {"m.new": "failed behind this door only:\nAssertionError: 1 != 2"}
    assert verdict.without_too["failed"] == 1


def test_a_page_in_a_message_is_cut_to_its_ends() -> None:
    page = Outcome("failed", "Error: not in\n<html>" + "x" * 10_000 + "</html>")
    complaint = judge({"m.a": PASSED}, {"m.a": page}, {}).wrong["m.a"]
    assert "Error: not in\n<html>xx" in complaint
    assert complaint.endswith("xx</html>")
    assert len(complaint) < 500


def test_a_test_that_is_skipped_or_missing_behind_the_door_is_wrong() -> None:
    verdict = judge({"m.a": PASSED, "m.b": PASSED}, {"m.a": SKIPPED}, {})
    assert verdict.wrong == {"m.a": "skipped behind this door only:\nno", "m.b": "did not run"}


def test_a_listed_loss_is_expected_until_it_passes() -> None:
    listed = {"m.lost": "why", "m.back": "why not", "m.gone": "which"}
    verdict = judge({"m.lost": PASSED, "m.back": PASSED}, {"m.lost": FAILED, "m.back": PASSED}, listed)
    assert verdict.lost == {"m.lost"}
    assert verdict.wrong == {
        "m.back": "passes, though listed as lost (why not): take it off the list",
        "m.gone": "is listed as lost, and there is no such test",
    }


def test_a_failed_set_up_belongs_to_its_module() -> None:
    assert suite_run.module_of("setUpClass (csrf_tests.tests.CsrfTests)") == "csrf_tests"
    assert suite_run.module_of("csrf_tests.tests.CsrfTests.test_it") == "csrf_tests"
