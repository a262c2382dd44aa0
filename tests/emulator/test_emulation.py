"""How the parts are put together, as far as nothing has to be started for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from emulator.blueprint import Blueprint, Door, Function
from emulator.emulation import Emulation, _allowed, _apis, _prefixes, _shown
from emulator.function.spec import FunctionSpec
from emulator.options import Options
from emulator.project import Project
from tests.emulator.helpers import Heard

PROJECT = Project(
    folder=Path("/site"),
    settings="mysite.settings",
    static_path="/static/",
    static_note=None,
    static_relative=True,
    media_path="/mé dia/",
    media_root=None,
    static_root=None,
    static_manifest=None,
    static_dirs=(),
    hashes_static=False,
    debug=False,
    allowed_hosts=(),
)


@pytest.mark.parametrize(
    ("doors", "expected"),
    [
        ([("http_api", "")], {"http_api": 1}),
        ([("http_api", ""), ("alb", "")], {"http_api": 1, "alb": 1}),
        ([("http_api", ""), ("http_api", "")], {"http_api 1": 1, "http_api 2": 1}),
        ([("http_api", "A"), ("http_api", "A"), ("rest_api", "B")], {"http_api": 2, "rest_api": 1}),
        ([("http_api", "A"), ("rest_api", "R"), ("http_api", "B")], {"http_api A": 1, "rest_api": 1, "http_api B": 1}),
        # A function of an HTTP API may ask for the older format; the address is the same.
        ([("http_api", "A"), ("http_api_1", "A")], {"http_api": 2}),
    ],
)
def test_doors_of_one_api_share_an_address(doors: list[tuple[str, str]], expected: dict[str, int]) -> None:
    apis = _apis(tuple(Door(kind, "web", name=name) for kind, name in doors))
    assert {name: len(made) for name, made in apis.items()} == expected
    assert list(apis) == list(expected)


def specs(options: Options) -> dict[str, FunctionSpec]:
    functions = {
        "web": Function("web", variables={"A": "1", "AWS_REGION": "eu-west-1"}, timeout=20, memory=512),
        "api": Function("api", timeout=5),
        "worker": Function("worker", "worker.handler", timeout=60, concurrency=2),
    }
    blueprint = Blueprint(functions, (Door("function_url", "web", streaming=True), Door("http_api", "api")))
    return Emulation(Path("/site"), options, Heard())._specs(blueprint, {"AWS_REGION": "us-east-1", "B": "2"})


def test_each_function_starts_with_what_is_its_own() -> None:
    found = specs(Options())
    assert [(spec.name, spec.timeout, spec.memory, spec.concurrency) for spec in found.values()] == [
        ("web", 20, 512, None),
        ("api", 5, 1024, None),
        ("worker", 60, 1024, 2),
    ]
    modes = [spec.variables["FAAS_INVOKE_MODE"] for spec in found.values()]
    assert modes == ["response_stream", "buffered", "buffered"]
    handlers = [spec.variables["_HANDLER"] for spec in found.values()]
    assert handlers == ["adapter.entrypoint.handler", "adapter.entrypoint.handler", "worker.handler"]
    web = found["web"].variables
    assert (web["A"], web["B"], web["AWS_REGION"]) == ("1", "2", "us-east-1")
    assert "A" not in found["worker"].variables
    assert not any(spec.debug or spec.enforce_memory for spec in found.values())
    assert all(spec.freeze for spec in found.values())


def test_one_function_is_looked_into() -> None:
    found = specs(Options(debug=True))
    assert {name for name, spec in found.items() if spec.debug} == {"web"}
    assert found["web"].timeout > 3600
    assert found["worker"].timeout == 60


def test_memory_is_measured_of_functions_with_a_front_door() -> None:
    found = specs(Options(memory_limit=True, freeze=False))
    assert {name for name, spec in found.items() if spec.enforce_memory} == {"web", "api"}
    assert not any(spec.freeze for spec in found.values())


def test_what_the_bucket_serves() -> None:
    assert _prefixes(PROJECT, None) == [("/static/", 0), ("/m%C3%A9%20dia/", 0)]
    assert _prefixes(PROJECT, "prod")[:2] == [("/static/", 0), ("/prod/static/", 5)]
    assert _prefixes(dataclasses.replace(PROJECT, static_path=None, media_path=None), "prod") == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("box", "box")],
)
def test_the_host_a_browser_uses(host: str, expected: str) -> None:
    assert _shown(host) == expected


@pytest.mark.parametrize(
    ("debug", "hosts", "host", "expected"),
    [
        (True, (), "127.0.0.1", True),
        (False, (), "127.0.0.1", False),
        (True, ("shop.example",), "127.0.0.1", False),
        (False, ("*",), "127.0.0.1", True),
        (False, ("127.0.0.1",), "127.0.0.1", True),
        (False, (".example",), "shop.example", True),
        (False, (".example",), "notexample", False),
    ],
)
def test_whether_django_will_answer(debug: bool, hosts: tuple[str, ...], host: str, expected: bool) -> None:
    assert _allowed(host, dataclasses.replace(PROJECT, debug=debug, allowed_hosts=hosts)) is expected
