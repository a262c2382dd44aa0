"""``django-faas rollback``: back to what has served, and on from there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.artifacts import Release, chosen
from infra.exceptions import ConfigurationError

from .conftest import Site

RED, BLUE = "body { color: red }", "body { color: blue }"


def test_back_and_on_again(site: Site) -> None:
    assert site.deploy("first", RED).exit_code == 0
    assert site.deploy("second", BLUE).exit_code == 0
    back = site.run("rollback")
    assert back.exit_code == 0, back.output
    assert "traffic    goes to version 1, in place of 2" in back.output
    assert "stack      is told" in back.output
    assert "The database stays as it is" in back.output
    assert set(site.serves().values()) == {"1"}
    assert len([name for name in site.objects if name.endswith(".css")]) == 3

    # There is nothing before the first, and what was gone back from is not gone to by itself.
    again = site.run("rollback")
    assert again.exit_code == 1
    assert "There is no release to go back to from version 1. Known: 2. Name one: --to VERSION" in again.output

    third = site.deploy("third", BLUE)
    assert third.exit_code == 0, third.output
    assert "versions   serve as the stack knows" in third.output
    assert set(site.serves().values()) == {"3"}
    named = site.run("rollback", "--to", "2")
    assert named.exit_code == 0, named.output
    assert set(site.serves().values()) == {"2"}

    # The template by which the stack was told is whole.
    gone = site.run("destroy", "--yes")
    assert gone.exit_code == 0, gone.output
    assert site.objects


def test_a_release_whose_files_are_gone_is_not_gone_back_to(site: Site) -> None:
    assert site.deploy("first", RED).exit_code == 0
    assert site.deploy("second", BLUE).exit_code == 0
    site.aws.client("s3").delete_object(Bucket=site.aws.site.bucket, Key="static/site.925e8741be69.css")
    refused = site.run("rollback")
    assert refused.exit_code == 1
    assert "Static failed: Release" in refused.output
    assert "static/" not in refused.output
    assert "site.925e8741be69.css" in refused.output
    assert "Version 2 serves, as before." in refused.output
    assert set(site.serves().values()) == {"2"}


def test_a_version_that_is_gone_moves_no_function(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    assert site.deploy("second").exit_code == 0
    site.aws.client("lambda").delete_function(FunctionName="shop-production-worker", Qualifier="1")
    refused = site.run("rollback")
    assert refused.exit_code == 1
    assert "Traffic failed: Could not look for the versions to go to" in refused.output
    assert set(site.serves().values()) == {"2"}


def test_a_page_that_does_not_work_there_either_is_told(site: Site) -> None:
    assert site.deploy("first").exit_code == 0
    assert site.deploy("second").exit_code == 0
    site.aws.site.broken = {"1"}
    back = site.run("rollback")
    assert back.exit_code == 1
    assert "Smoke test failed" in back.output
    assert "Version 1 serves." in back.output


def test_without_a_deploy_there_is_nothing_to_go_back_to(site: Site) -> None:
    nothing = site.run("rollback")
    assert nothing.exit_code == 1
    assert "There is no stack shop-production" in nothing.output


def releases(*versions: str, withdrawn: dict[int, str] | None = None) -> list[Release]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Release(start + timedelta(days=day), version, {"web": version}, withdrawn=(withdrawn or {}).get(day))
        for day, version in enumerate(versions)
    ]


@pytest.mark.parametrize(
    ("served", "now", "to", "goes_to"),
    [
        (releases("1", "2"), "2", None, "1"),
        # 2 was gone back from, so that the release before 3 is 1.
        (releases("1", "2", "1", "3", withdrawn={2: "2"}), "3", None, "1"),
        # A second rollback goes further back, not forth.
        (releases("1", "2", "3", "2", withdrawn={3: "3"}), "2", None, "1"),
        (releases("1", "2", "1", withdrawn={2: "2"}), "1", "2", "2"),
        # What was gone back from, and then named all the same, has served since.
        (releases("1", "2", "1", "2", "3", withdrawn={2: "2", 3: "1"}), "3", None, "2"),
        # A deploy that no release was set down for, as its smoke test failed on the way back, too.
        (releases("1", "2"), "3", None, "2"),
    ],
)
def test_where_a_rollback_goes(served: list[Release], now: str, to: str | None, goes_to: str) -> None:
    assert chosen(served, now, to).version == goes_to


@pytest.mark.parametrize(
    ("served", "to", "said"),
    [
        ([], None, "no other version has served"),
        (releases("1"), None, "no other version has served"),
        (releases("7", "1"), "3", "No release with version 3 has served here. Known: 7."),
    ],
)
def test_where_it_does_not_go(served: list[Release], to: str | None, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        chosen(served, "1", to)
