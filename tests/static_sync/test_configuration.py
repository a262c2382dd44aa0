from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.configuration import configure, resolve
from static_sync.exceptions import UsageError
from static_sync.options import CHECK, COMMANDS, DESTINATION, PRUNE, RELEASES, ROLLBACK, SYNC, Command, Option
from tests.static_sync.conftest import write

URL = {"destination": "s3://bucket/static"}
OPTIONS = {option.key: option for command in COMMANDS.values() for option in command.options}


def options(given: dict[str, Any] | None = None, environ: dict[str, str] | None = None, setting: Any = None) -> Any:
    return resolve(SYNC, {**URL, **(given or {})}, environ or {}, setting).options


def test_nothing_said_leaves_everything_to_the_function() -> None:
    assert options() == {}
    assert resolve(SYNC, {"destination": None, "workers": None}, {"STATIC_SYNC_DESTINATION": "s3://abc"}, {}) == (
        resolve(SYNC, {"destination": "s3://abc"}, {}, None)
    )


def test_the_nearest_to_the_command_line_holds() -> None:
    environ = {"STATIC_SYNC_WORKERS": "2", "STATIC_SYNC_REGION": "eu-west-1", "PATH": "/bin"}
    setting = {"workers": 3, "region": "us-east-2", "cache_tag": "site"}
    assert options({"workers": "1"}, environ, setting) == {"workers": 1, "region": "eu-west-1", "cache_tag": "site"}
    assert options({}, environ, setting)["workers"] == 2
    assert options({}, {}, setting)["workers"] == 3
    parameters = resolve(SYNC, {}, {"STATIC_SYNC_DESTINATION": "s3://from-env/x"}, {"destination": "s3://from-setting"})
    assert parameters.destination == "s3://from-env/x"


@pytest.mark.parametrize(
    ("environ", "given", "setting", "expected"),
    [
        ({"STATIC_SYNC_COMPRESS": "br, gzip"}, {"compress": ["br,gzip"]}, {"compress": ["br", "gzip"]}, ("br", "gzip")),
        ({"STATIC_SYNC_HASHED": "a/*"}, {"hashed": ["a/*"]}, {"hashed": "a/*"}, ("a/*",)),
        (
            {"STATIC_SYNC_CACHE_CONTROL": " *.html = no-cache\n/a=public, max-age=5;\n"},
            {"cache_control": ["*.html=no-cache", "/a=public, max-age=5"]},
            {"cache_control": {"*.html": "no-cache", "/a": "public, max-age=5"}},
            (("*.html", "no-cache"), ("/a", "public, max-age=5")),
        ),
        ({"STATIC_SYNC_WAIT": "Yes"}, {"wait": True}, {"wait": True}, True),
        ({"STATIC_SYNC_WAIT": "0"}, None, {"wait": False}, False),
        ({"STATIC_SYNC_WORKERS": " 256 "}, {"workers": "256"}, {"workers": 256}, 256),
        ({"STATIC_SYNC_SOURCE": "dist"}, {"source": "dist"}, None, Path("dist")),
        ({"STATIC_SYNC_ENCRYPTION": "aws:kms"}, {"encryption": "aws:kms"}, {"encryption": "aws:kms"}, "aws:kms"),
    ],
)
def test_each_place_has_its_own_way_to_say_the_same(
    environ: dict[str, str], given: dict[str, Any] | None, setting: dict[str, Any] | None, expected: object
) -> None:
    results = [options({}, environ)]
    results += [options(given)] if given else []
    results += [options({}, {}, setting)] if setting else []
    for result in results:
        assert list(result.values()) == [expected]


def test_rules_may_be_pairs_too() -> None:
    expected = (("*.html", "no-cache"), ("*", "max-age=5"))
    for rules in ([("*.html", "no-cache"), ["*", " max-age=5 "]], ["*.html=no-cache", "*=max-age=5"]):
        assert options({}, {}, {"cache_control": rules}) == {"cache_control": expected}


def test_none_leaves_out_what_is_configured_farther_away() -> None:
    setting = {"distribution": "E123", "compress": ["br"], "cache_control": {"*": "no-cache"}, "region": None}
    given = {"distribution": "none", "compress": ["none"]}
    environ = {"STATIC_SYNC_CACHE_CONTROL": "none", "STATIC_SYNC_REGION": ""}
    assert options(given, environ, setting) == {"distribution": None, "compress": (), "cache_control": ()}


@pytest.mark.parametrize(
    ("given", "environ", "setting", "says"),
    [
        ({"workers": "0"}, {}, None, "--workers is '0': give a whole number from 1 to 256."),
        ({"workers": "many"}, {}, None, "--workers is 'many': give a whole number from 1 to 256."),
        ({}, {"STATIC_SYNC_WORKERS": "1.5"}, None, "STATIC_SYNC_WORKERS in the environment is '1.5': give a whole"),
        ({}, {}, {"workers": True}, "STATIC_SYNC['workers'] in the settings is True: give a whole number"),
        ({}, {}, {"max_delete": -1}, "STATIC_SYNC['max_delete'] in the settings is -1: give a whole number from 0 on."),
        ({}, {}, {"workres": 3}, "STATIC_SYNC['workres'] in the settings is no option; did you mean workers?"),
        ({}, {}, {"colour": 3}, "STATIC_SYNC['colour'] in the settings is no option. There are: cache_control, "),
        ({}, {}, {1: 3}, "STATIC_SYNC[1] in the settings is no option. There are"),
        ({}, {}, {"dry_run": True}, "STATIC_SYNC['dry_run'] in the settings has no effect: it is of one run."),
        ({}, {}, {"source": "dist"}, "Give --source to the command."),
        ({}, {}, ["destination"], "The setting STATIC_SYNC is ['destination']; it is a dictionary"),
        ({}, {"STATIC_SYNC_DISTRIBUTON": "E"}, None, "no option; did you mean DISTRIBUTION?"),
        ({}, {"STATIC_SYNC_DRY_RUN": "1"}, None, "--dry-run is for the command line only"),
        ({}, {"STATIC_SYNC_WAIT": "maybe"}, None, "is 'maybe': give one of 1, true, yes, on, 0, false, no, off."),
        ({"compress": ["br,gz"]}, {}, None, "--compress is 'gz': there are br, gzip, zstd."),
        ({"compress": ["gzipp"]}, {}, None, "--compress is 'gzipp'; did you mean gzip?"),
        ({"compress": ["br,,gzip"]}, {}, None, "which has an empty item"),
        ({}, {}, {"compress": {"br"}}, "give a list of texts"),
        ({}, {}, {"compress": [5]}, "STATIC_SYNC['compress'] in the settings is 5: give a text."),
        ({"encryption": "aws:kmss"}, {}, None, "did you mean aws:kms?"),
        ({"cache_control": ["*.html"]}, {}, None, "--cache-control is '*.html': write GLOB=VALUE"),
        ({"cache_control": ["=no-cache"]}, {}, None, "write GLOB=VALUE"),
        ({"cache_control": ["*.html="]}, {}, None, "--cache-control: The cache rule for *.html has no value"),
        ({}, {}, {"cache_control": {"[a": "x"}}, "STATIC_SYNC['cache_control'] in the settings: The pattern '[a'"),
        ({}, {}, {"cache_control": {"*": "a\nb"}}, "that no header can carry"),
        ({}, {}, {"cache_control": {"*": 60}}, "a rule is a pattern and a value, both texts"),
        ({}, {}, {"cache_control": 60}, "give a dictionary of patterns and values"),
        ({"distribution": ""}, {}, None, "--distribution is empty: is the variable set that it was made of?"),
        ({"source": " "}, {}, None, "--source is empty"),
        ({"region": "a\nb"}, {}, None, "a line break"),
        ({}, {}, {"distribution": 5}, "give a text"),
        ({"destination": "bucket/static"}, {}, None, "write s3://BUCKET/PREFIX"),
        ({"destination": "realeses"}, {}, None, "neither a destination nor a command; did you mean releases?"),
        ({"destination": None}, {"STATIC_SYNC_DESTINATION": "x"}, None, "STATIC_SYNC_DESTINATION in the environment: "),
        ({"destination": None}, {}, {"destination": "x"}, "STATIC_SYNC['destination'] in the settings: 'x' is not a"),
        (
            {"destination": None},
            {},
            {"workers": 1},
            "STATIC_SYNC_DESTINATION in the environment or with STATIC_SYNC = ",
        ),
        ({"destination": "none"}, {}, {"destination": "s3://abc"}, "write s3://BUCKET/PREFIX"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    given: dict[str, Any], environ: dict[str, str], setting: Any, says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        options(given, environ, setting)
    assert says in str(refused.value)


def test_variables_of_others_are_left_alone() -> None:
    assert options({}, {"STATIC_SYNC_BUCKET": "x", "STATIC_SYNC": "y", "MY_STATIC_SYNC_WORKERS": "0"}) == {}


def test_a_command_takes_only_its_own_options_and_all_are_checked() -> None:
    setting = {"keep_releases": 9, "compress": ["br"], "endpoint_url": "http://x"}
    parameters = resolve(PRUNE, {**URL, "settings": "a.b", "dry_run": True}, {"STATIC_SYNC_GRACE_DAYS": "30"}, setting)
    assert parameters.options == {
        "keep_releases": 9,
        "grace_days": 30,
        "endpoint_url": "http://x",
        "dry_run": True,
    }
    with pytest.raises(UsageError, match="'lz4'"):
        resolve(PRUNE, URL, {"STATIC_SYNC_COMPRESS": "lz4"}, None)


@given(st.lists(st.tuples(st.text("ab*/.", min_size=1).filter(lambda text: text.strip("/")), st.sampled_from("xyz"))))
def test_rules_mean_the_same_wherever_they_are(rules: list[tuple[str, str]]) -> None:
    texts = [f"{pattern}={value}" for pattern, value in rules]
    expected = {"cache_control": tuple(rules)} if rules else {}
    assert options({"cache_control": texts} if texts else {}) == expected
    assert options({}, {"STATIC_SYNC_CACHE_CONTROL": ";".join(texts)}) == expected


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_the_table_tells_what_the_function_takes(command: Command) -> None:
    function = getattr(importlib.import_module(command.module), command.name)
    parameters = inspect.signature(function).parameters
    of_output = {"as_json", "quiet", "exit_code"}
    taken = {option.name for option in command.options} - of_output - (set() if command.of_project else {"settings"})
    assert taken <= parameters.keys()
    assert parameters.keys() - taken <= {"destination", "project", "progress"}
    assert ("project" in parameters) == command.of_project
    for option in command.options:
        if option.default is not None:
            assert option.default == parameters[option.name].default, option.flag


@pytest.mark.parametrize("option", [DESTINATION, *OPTIONS.values()], ids=lambda option: option.key)
def test_an_option_has_one_meaning_in_all_commands(option: Option) -> None:
    assert all(other is option for command in COMMANDS.values() for other in command.options if other.key == option.key)
    assert option.help.endswith((".", "]"))


PROJECT: dict[str, str | bytes] = {
    "manage.py": """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """
print("settings that print")
SECRET_KEY = "not secret"
STATIC_SYNC = {"destination": "s3://of-project/static", "workers": 7, "keep_releases": 9}
""",
}
SCRIPT = """
import sys, os
from pathlib import Path
from static_sync.configuration import configure
from static_sync.exceptions import StaticSyncError
from static_sync.options import COMMANDS
for name, given, variables in eval(sys.argv[1]):
    try:
        parameters = configure(COMMANDS[name], given, {**os.environ, **variables}, Path())
        shown = parameters.destination, sorted(parameters.options.items()), "django" in sys.modules
    except StaticSyncError as error:
        shown = type(error).__name__, str(error)
    sys.__stdout__.write(f"{shown}\\n")
"""


def _configure(folder: Path, *calls: tuple[Command, dict[str, Any], dict[str, str]]) -> tuple[list[Any], str]:
    """What `configure` makes of each call, one after the other in one process, and what that says on stderr."""
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, repr([(command.name, given, variables) for command, given, variables in calls])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return [eval(line, {"PosixPath": Path}) for line in process.stdout.splitlines()], process.stderr


def test_the_setting_of_the_project_at_hand(tmp_path: Path) -> None:
    write(tmp_path, PROJECT)
    (sync, prune, check), err = _configure(tmp_path, (SYNC, {}, {}), (PRUNE, URL, {}), (CHECK, {"manifest": "x"}, {}))
    assert sync == ("s3://of-project/static", [("workers", 7)], True)
    # Other commands read it where there is a project: nobody shall prune with fewer releases than the project says.
    assert prune == ("s3://bucket/static", [("keep_releases", 9)], True)
    assert check == ("s3://of-project/static", [("manifest", Path("x"))], True)
    assert err == "settings that print\n"


def test_with_a_source_the_setting_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, PROJECT)
    source = {"STATIC_SYNC_SOURCE": "dist"}
    (given, of_environment, nowhere, prune), _ = _configure(
        tmp_path, (SYNC, {**URL, "source": "dist"}, {}), (SYNC, URL, source), (SYNC, {}, source), (PRUNE, {}, source)
    )
    assert given == of_environment == ("s3://bucket/static", [("source", Path("dist"))], False)
    assert nowhere[0] == "UsageError"
    # Another command knows no source, whatever the environment says to this one.
    assert prune[0] == "s3://of-project/static"


def test_a_slip_is_told_before_the_project_is_loaded(tmp_path: Path) -> None:
    write(tmp_path, {"manage.py": "raise SystemExit(3)"})
    with pytest.raises(UsageError, match="whole number"):
        configure(SYNC, {"workers": "x"}, {}, tmp_path)


def test_where_there_is_no_project_other_commands_need_none(tmp_path: Path) -> None:
    commands = (PRUNE, RELEASES, ROLLBACK)
    results, _ = _configure(tmp_path, *((command, given, {}) for command in commands for given in (URL, {})))
    for command, told, untold in zip(commands, results[::2], results[1::2], strict=True):
        assert told == ("s3://bucket/static", [], False)
        assert untold[1].startswith(f"There is no destination: write static-sync {command.name} s3://")


def test_a_project_that_does_not_load_is_an_error_for_all(tmp_path: Path) -> None:
    write(tmp_path, {"manage.py": "raise SystemExit(3)"})
    results, _ = _configure(tmp_path, (SYNC, URL, {}), (PRUNE, URL, {}))
    for kind, message in results:
        assert kind == "ProjectError"
        assert "exit code 3" in message
