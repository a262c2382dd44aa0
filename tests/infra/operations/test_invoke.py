"""Calling a function with an event, or for a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.infra.aws import Aws
from tests.infra.functions import Lambda
from tests.infra.operations.conftest import Run

COMMAND = {"manage": ["check"]}


@pytest.fixture
def guarded(aws: Aws) -> None:
    """The function takes nothing but what comes from the CDN, as the template sets it; two secrets hold for now."""
    aws.client("lambda").update_function_configuration(
        FunctionName="shop-production-web", Environment={"Variables": {"FAAS_ORIGIN_SECRET": "planted-origin,older"}}
    )
    version = aws.client("lambda").publish_version(FunctionName="shop-production-web")["Version"]
    aws.client("lambda").update_alias(FunctionName="shop-production-web", Name="live", FunctionVersion=version)


def test_a_page_comes_from_the_function_as_the_cdn_asks_for_it(run: Run, functions: Lambda, guarded: None) -> None:
    done = run("invoke", "--path", "/admin/login/?next=/admin/&a=%20b")
    assert done.exit_code == 0
    assert 'value="/admin/"' in done.stdout
    assert "Django" in done.stdout
    assert done.stderr.startswith("200\n")
    assert "content-type: text/html; charset=utf-8\n" in done.stderr.lower()
    assert "planted" not in done.output
    function, alias, event = functions.calls[0]
    assert (function, alias) == ("shop-production-web", "live")
    assert event["rawPath"] == "/admin/login/"
    assert event["rawQueryString"] == "next=/admin/&a=%20b"


def test_a_page_is_that_of_the_sites_own_host(run: Run, functions: Lambda, guarded: None, aws: Aws) -> None:
    done = run("invoke", "--path", "/admin/")
    assert done.exit_code == 0
    assert done.stderr.startswith("302\n")
    assert functions.calls[0][2]["headers"]["host"] == aws.site.url.removeprefix("http://")


def test_without_anything_said_it_is_the_first_page(run: Run, functions: Lambda, guarded: None) -> None:
    done = run("invoke")
    assert functions.calls[0][2]["rawPath"] == "/"
    assert "Not Found" in done.stdout
    assert done.exit_code == 1


def test_a_path_may_be_written_as_it_is_read(run: Run, functions: Lambda, guarded: None) -> None:
    run("invoke", "--path", "/bücher/%C3%A4/?a=ö b&c=%20")
    event = functions.calls[0][2]
    assert (event["rawPath"], event["rawQueryString"]) == ("/bücher/ä/", "a=%C3%B6%20b&c=%20")


def test_an_event_comes_from_a_file_or_from_stdin(run: Run, functions: Lambda, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(COMMAND))
    done = run("invoke", "--function", "worker", "--event", str(file))
    assert json.loads(done.stdout)["exit"] == 0
    assert functions.calls[0] == ("shop-production-worker", "live", COMMAND)
    again = run("invoke", "--function", "console", "--event", "-", input=json.dumps(COMMAND))
    assert again.stdout == done.stdout
    assert functions.calls[1] == ("shop-production-console", "live", COMMAND)


def test_an_event_that_the_function_does_not_know_fails_with_what_it_says(run: Run, functions: Lambda) -> None:
    done = run("invoke", "--event", "-", input='{"Records": "none"}')
    assert done.exit_code == 1
    assert "UnknownEventError" in done.stderr
    assert "an event like this one" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--event", "-"], "it is no JSON"),
        (["--event", "-", "--path", "/"], "choose one"),
        (["--event", "/no/such/file"], "No such file"),
        (["--function", "wep"], "'wep' is not one of 'web'"),
    ],
)
def test_what_can_not_be_sent_is_not(run: Run, functions: Lambda, arguments: list[str], said: str) -> None:
    done = run("invoke", *arguments, input="{")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not functions.calls


def test_a_path_begins_with_a_slash(run: Run, functions: Lambda) -> None:
    done = run("invoke", "--path", "admin/")
    assert done.exit_code == 1
    assert "has to begin with /" in done.stderr
    assert not functions.calls
