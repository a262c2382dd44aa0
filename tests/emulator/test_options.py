from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator import cli
from emulator.blueprint import Blueprint, Door, Function, Queue
from emulator.exceptions import EmulatorError
from emulator.front_doors import FRONT_DOORS
from emulator.options import FUNCTION, Options

TEMPLATE = Path("template.yaml")


def shop(*doors: Door, **more: object) -> Blueprint:
    functions = {
        "web": Function("web", timeout=20, memory=512),
        "worker": Function("worker", timeout=60, memory=256),
    }
    return Blueprint(functions, doors, **more)  # type: ignore[arg-type]


def test_the_command_knows_every_front_door() -> None:
    assert set(cli.FRONT_DOORS) == set(FRONT_DOORS)
    assert len(cli.FRONT_DOORS) == len(FRONT_DOORS)


def test_without_a_template_there_is_one_function_behind_each_door() -> None:
    blueprint = Options().applied_to(None)
    assert blueprint == Blueprint({FUNCTION: Function(FUNCTION)}, (Door("http_api", FUNCTION),))
    blueprint = Options(front_doors=("alb", "rest_api"), stage="prod", timeout=3, memory=128).applied_to(None)
    assert blueprint.doors == (Door("alb", FUNCTION, "prod"), Door("rest_api", FUNCTION, "prod"))
    assert blueprint.functions == {FUNCTION: Function(FUNCTION, timeout=3, memory=128)}


def test_a_template_stays_as_it_is_where_nothing_else_is_chosen() -> None:
    found = shop(Door("rest_api", "web", "live", streaming=True), Door("function_url", "web"), queues=(Queue("jobs"),))
    assert Options(template=TEMPLATE).applied_to(found) == found


def test_limits_are_for_functions_that_have_a_front_door() -> None:
    blueprint = Options(template=TEMPLATE, timeout=1, memory=2048).applied_to(shop(Door("http_api", "web")))
    assert (blueprint.functions["web"].timeout, blueprint.functions["web"].memory) == (1, 2048)
    assert (blueprint.functions["worker"].timeout, blueprint.functions["worker"].memory) == (60, 256)


def test_front_doors_of_a_template_can_be_chosen_and_ordered() -> None:
    doors = Door("http_api", "web", name="A"), Door("rest_api", "web", name="B"), Door("http_api", "worker", name="C")
    chosen = Options(template=TEMPLATE, front_doors=("rest_api", "http_api")).applied_to(shop(*doors)).doors
    assert [door.name for door in chosen] == ["B", "A", "C"]
    with pytest.raises(EmulatorError, match=r"template\.yaml has no alb; the front doors in it: http_api, rest_api\."):
        Options(template=TEMPLATE, front_doors=("http_api", "alb")).applied_to(shop(*doors))


def test_a_template_without_a_front_door_is_refused() -> None:
    with pytest.raises(EmulatorError, match=r"No function in template\.yaml has a front door: .* HttpApi or Api"):
        Options(template=TEMPLATE).applied_to(shop())
    with pytest.raises(EmulatorError, match="the front doors in it: none"):
        Options(template=TEMPLATE, front_doors=("alb",)).applied_to(shop())


@pytest.mark.parametrize(
    ("chosen", "before", "expected"),
    [
        ("response_stream", (False, False, False), (True, True, False)),
        ("buffered", (True, True, False), (False, False, False)),
        (None, (True, False, False), (True, False, False)),
    ],
)
def test_the_invoke_mode_is_for_doors_that_can_stream(
    chosen: str | None, before: tuple[bool, ...], expected: tuple[bool, ...]
) -> None:
    kinds = ("function_url", "rest_api", "alb")
    found = shop(*(Door(kind, "web", streaming=streams) for kind, streams in zip(kinds, before, strict=True)))
    doors = Options(template=TEMPLATE, invoke_mode=chosen).applied_to(found).doors
    assert tuple(door.streaming for door in doors) == expected


def test_streaming_needs_a_door_that_can() -> None:
    with pytest.raises(EmulatorError, match="http_api and alb can't stream answers; choose --front-door function_url"):
        Options(front_doors=("http_api", "alb"), invoke_mode="response_stream").applied_to(None)


def test_somebody_looks_into_a_process() -> None:
    assert [Options().debugging, Options(debug=True).debugging, Options(debugpy=5678).debugging] == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--front-door", "nginx"], "'nginx' is none of: http_api, http_api_1"),
        (["--parameter", "Stage"], "'Stage' is no assignment; write Name=Value."),
        (["--parameter", "=x"], "'=x' is no assignment"),
        (["--concurrency", "0"], "0 is not in the range 1<=x<=1000"),
        (["--memory", "64"], "64 is not in the range 128<=x<=10240"),
        (["--port", "65535"], "65535 is not in the range"),
        (["--timeout", "901"], "901.0 is not in the range"),
        (["--idle", "0"], "0.0 is not in the range"),
    ],
)
def test_options_that_are_refused_at_once(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(cli.emulate, arguments)
    assert result.exit_code == 2
    assert words in re.sub(r"\s+", " ", result.output)


def parsed(monkeypatch: pytest.MonkeyPatch, arguments: str) -> Options:
    heard = []

    async def serve(folder: Path, options: Options) -> None:
        heard.append(options)

    monkeypatch.setattr(cli, "_serve", serve)
    result = CliRunner().invoke(cli.emulate, arguments.split())
    assert result.exit_code == 0, result.output
    return heard[0]


def test_the_commands_defaults_are_those_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed(monkeypatch, "") == Options()


def test_options_arrive_as_they_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = "--front-door rest-api --front-door ALB"
    found = parsed(monkeypatch, f"{doors} --parameter A=b=c --parameter D= --debugpy 5678 --no-freeze --json")
    assert found == Options(
        front_doors=("rest_api", "alb"), parameters=(("A", "b=c"), ("D", "")), debugpy=5678, freeze=False, json=True
    )
