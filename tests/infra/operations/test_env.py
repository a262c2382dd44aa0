"""The variables that only the functions see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.infra.aws import Aws
from tests.infra.operations.conftest import Run
from tests.infra.operations.terminals import on_terminal


@pytest.fixture(autouse=True)
def _nothing_kept(aws: Aws) -> None:
    parameters = aws.client("ssm").describe_parameters()["Parameters"]
    if parameters:
        aws.client("ssm").delete_parameters(Names=[parameter["Name"] for parameter in parameters])


def kept(aws: Aws, name: str) -> tuple[str, str]:
    """Type and value."""
    parameter = aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return parameter["Type"], parameter["Value"]


def test_keeps_gives_lists_and_forgets(run: Run, aws: Aws) -> None:
    done = run("env", "set", "DATABASE_URL=postgres://a:planted=1@b/c", "B_2=two words")
    assert done.exit_code == 0, done.output
    assert "planted" not in done.output
    assert "next deploy" in done.stderr
    assert kept(aws, "/shop-production/DATABASE_URL") == ("SecureString", "postgres://a:planted=1@b/c")
    assert run("env", "set", "B_2=other words").exit_code == 0
    assert run("env", "get", "B_2").stdout == "other words\n"
    assert run("env", "list").stdout == "B_2\nDATABASE_URL\n"
    assert run("env", "list", "--values").stdout == "B_2='other words'\nDATABASE_URL=postgres://a:planted=1@b/c\n"
    assert run("env", "unset", "B_2", "DATABASE_URL").exit_code == 0
    assert run("env", "list").stdout == ""


def test_each_stage_has_its_own(run: Run, aws: Aws) -> None:
    """Also before its first deploy: the first migration needs a database."""
    assert run("env", "set", "--stage", "staging", "NAME=staged").exit_code == 0
    assert kept(aws, "/shop-staging/NAME")[1] == "staged"
    assert run("env", "list").stdout == ""
    assert run("env", "get", "NAME", env={"FAAS_STAGE": "staging"}).stdout == "staged\n"


@pytest.mark.parametrize(("typed", "value"), [("a b\n", "a b"), ("key:\n  lines\r\n", "key:\n  lines"), ("x", "x")])
def test_a_value_comes_from_stdin(run: Run, aws: Aws, typed: str, value: str) -> None:
    done = run("env", "set", "KEY", input=typed)
    assert done.exit_code == 0
    assert kept(aws, "/shop-production/KEY")[1] == value


def test_a_value_is_typed_unseen(run: Run, aws: Aws, tmp_path: Path) -> None:
    code, screen = on_terminal(
        ["env", "set", "KEY"], tmp_path / "shop", os.environ, asked="KEY: ", typed="planted-typed\n"
    )
    assert code == 0, screen
    assert "KEY: " in screen
    assert "planted" not in screen
    assert kept(aws, "/shop-production/KEY")[1] == "planted-typed"


def test_more_than_a_page(run: Run, aws: Aws) -> None:
    names = [f"NAME_{number}" for number in range(23)]
    for name in names:
        aws.client("ssm").put_parameter(Name=f"/shop-production/{name}", Value="x", Type="SecureString")
    aws.client("ssm").put_parameter(Name="/shop-production/deeper/NAME", Value="x", Type="SecureString")
    assert run("env", "list").stdout.split() == sorted(names)
    assert run("env", "unset", *names).exit_code == 0
    assert run("env", "list").stdout == ""


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("1A=x", "a letter comes first"),
        ("A-B=x", "a letter comes first"),
        ("_HANDLER=x", "a letter comes first"),
        ("AWS_REGION=x", "Lambda itself"),
        ("AWS_LAMBDA_FUNCTION_NAME=x", "Lambda itself"),
        ("LAMBDA_TASK_ROOT=x", "Lambda itself"),
        ("PYTHONPATH=x", "too late"),
        ("LD_LIBRARY_PATH=x", "too late"),
        ("A=", "env unset A"),
        (f"A={'ä' * 2049}", "4,098 bytes"),
    ],
)
def test_what_could_be_no_variable_is_refused(run: Run, aws: Aws, assignment: str, said: str) -> None:
    done = run("env", "set", "--stage", "staging", assignment)
    assert done.exit_code == 1
    assert said in done.stderr
    assert aws.client("ssm").describe_parameters()["Parameters"] == []


@pytest.mark.parametrize("wrong", ["AWS_REGION=x", "EMPTY="])
def test_nothing_is_kept_where_one_is_wrong(run: Run, aws: Aws, wrong: str) -> None:
    assert run("env", "set", "GOOD=1", wrong).exit_code == 1
    assert aws.client("ssm").describe_parameters()["Parameters"] == []


def test_what_the_template_sets_already_would_have_no_effect(run: Run, aws: Aws) -> None:
    aws.client("lambda").update_function_configuration(
        FunctionName="shop-production-web", Environment={"Variables": {"DJANGO_SECRET_KEY": "planted-key"}}
    )
    done = run("env", "set", "DJANGO_SECRET_KEY=x")
    assert done.exit_code == 1
    assert "DJANGO_SECRET_KEY would have no effect" in done.stderr
    assert "planted" not in done.output
    assert aws.client("ssm").describe_parameters()["Parameters"] == []


def test_stdin_has_one_value(run: Run, aws: Aws) -> None:
    done = run("env", "set", "A", "B", input="x")
    assert done.exit_code == 2
    assert "one by one" in done.stderr


def test_what_is_not_there_is_named(run: Run, aws: Aws) -> None:
    got = run("env", "get", "MISSING")
    assert (got.exit_code, got.stdout) == (1, "")
    assert "no MISSING below /shop-production/" in got.stderr
    run("env", "set", "THERE=1")
    gone = run("env", "unset", "THERE", "MISSING")
    assert gone.exit_code == 1
    assert "no MISSING below" in gone.stderr
    assert run("env", "list").stdout == ""
