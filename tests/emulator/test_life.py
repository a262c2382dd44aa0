"""Functions that end badly, under our runtime and under AWS's: each request has one answer, and the next a good one."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from emulator.function.spec import command_for
from tests.emulator.helpers import ROOT
from tests.emulator.serving import Site, body, hang_up, serving

APP = """
import ctypes, os, signal, sys, time

def handler(event, context):
    path = event.get("rawPath") or event["path"]
    with open("handled", "a") as file:
        print(path, file=file)
    match path:
        case "/exit":
            sys.exit(3)
        case "/exit-0":
            sys.exit()
        case "/os-exit":
            os._exit(4)
        case "/segfault":
            ctypes.string_at(0)
        case "/killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "/memory":
            raise MemoryError("no more of it")
        case "/raise":
            raise ValueError("not today")
        case "/unserialisable":
            return {"statusCode": 200, "body": object()}
        case "/loop":
            while True:
                pass
        case "/sleep":
            time.sleep(60)
        case "/big":
            return {"statusCode": 200, "body": "x" * 7_000_000}
        case "/bytes":
            return b"<no JSON>"
    return {"statusCode": 200, "body": "fine"}
"""
ENDS = [
    ("/exit", "Runtime.ExitError: Runtime exited with error: exit status 3"),
    ("/exit-0", "Runtime.ExitError: Runtime exited without providing a reason"),
    ("/os-exit", "Runtime.ExitError: Runtime exited with error: exit status 4"),
    ("/segfault", "Runtime.ExitError: Runtime exited with error: signal: segmentation fault"),
    ("/killed", "Runtime.ExitError: Runtime exited with error: signal: killed"),
    ("/memory", "MemoryError: no more of it"),
    ("/raise", "ValueError: not today"),
    ("/unserialisable", ""),
]


def command(folder: Path, runtime: str) -> tuple[str, ...]:
    if runtime == "awslambdaric":
        pytest.importorskip("awslambdaric", reason="awslambdaric is not installed")
    (folder / "app.py").write_text(APP)
    return command_for(runtime, "app.handler")


def variables(folder: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(folder), str(ROOT)])
    return {"PYTHONPATH": path, "_HANDLER": "app.handler", "PYTHONDONTWRITEBYTECODE": "1", **more}


async def fine(site: Site, door: str) -> None:
    status, data, whole = body(await site.get("/fine", door))
    assert (status, whole) == (200, True)
    assert b"fine" in data


def once_each(site: Site, folder: Path) -> None:
    """Every request was handed to the function once, and answered once."""
    asked = re.findall(r"  GET    (/\S+)  \d+ ", site.log.text)
    assert (folder / "handled").read_text().split() == asked


@pytest.mark.parametrize(("runtime", "streaming"), [("own", False), ("own", True), ("awslambdaric", False)])
def test_ends_of_all_kinds(tmp_path: Path, runtime: str, streaming: bool) -> None:
    doors = ("function_url", "rest_api") if streaming else ("function_url", "http_api")

    async def main() -> Site:
        options = variables(tmp_path)
        async with serving(
            tmp_path, command(tmp_path, runtime), *doors, streaming=streaming, variables=options
        ) as site:
            for path, told in ENDS:
                assert body(await site.get(path, "function_url")) == (502, b"Internal Server Error", True)
                await site.said(re.escape(f"GET {path}: {told}"))
                await fine(site, "function_url")
            status = 502 if streaming else 500
            assert body(await site.get("/exit", doors[1]))[0] == status
        return site

    once_each(asyncio.run(main()), tmp_path)


@pytest.mark.parametrize("runtime", ["own", "awslambdaric"])
@pytest.mark.parametrize("path", ["/loop", "/sleep"])
def test_the_time_limit(tmp_path: Path, runtime: str, path: str) -> None:
    async def main() -> Site:
        options = variables(tmp_path)
        async with serving(tmp_path, command(tmp_path, runtime), timeout=0.7, variables=options) as site:
            await fine(site, "function_url")
            assert body(await site.get(path)) == (502, b"Internal Server Error", True)
            await fine(site, "function_url")
        return site

    site = asyncio.run(main())
    assert f"GET {path}: Sandbox.Timedout: Task timed out after 0.70 seconds" in site.log.text
    once_each(site, tmp_path)


@pytest.mark.parametrize("runtime", ["own", "awslambdaric"])
def test_answers_no_front_door_can_use(tmp_path: Path, runtime: str) -> None:
    doors = ("function_url", "http_api", "rest_api", "alb")

    async def main() -> Site:
        options = variables(tmp_path)
        async with serving(tmp_path, command(tmp_path, runtime), *doors, variables=options) as site:
            for door, status in zip(doors, (502, 500, 502, 502), strict=True):
                assert body(await site.get("/big", door))[0] == status
                await fine(site, door)
            for door, status in zip(doors, (200, 200, 502, 502), strict=True):
                answer = body(await site.get("/bytes", door))
                assert answer[0] == status
                assert (answer[1] == b"<no JSON>") is (status == 200)
                await fine(site, door)
        return site

    site = asyncio.run(main())
    assert site.log.text.count("GET /big: Function.ResponseSizeTooLarge: ") == 4
    once_each(site, tmp_path)


def test_beyond_the_limit_each_door_says_so_at_once(tmp_path: Path) -> None:
    async def main() -> Site:
        options = variables(tmp_path)
        async with serving(
            tmp_path, command(tmp_path, "own"), "function_url", "http_api", timeout=30, variables=options
        ) as site:
            await fine(site, "function_url")
            _, writer = await site.send("/sleep")
            while "/sleep" not in (tmp_path / "handled").read_text():
                await asyncio.sleep(0.01)
            status, data, _ = body(await asyncio.wait_for(site.get("/fine"), 1))
            assert (status, b"Rate Exceeded" in data) == (429, True)
            assert body(await asyncio.wait_for(site.get("/fine", "http_api"), 1))[0] == 503
            await hang_up(writer)
        return site

    assert "GET /fine: TooManyRequestsException: no more than 1 at once" in asyncio.run(main()).log.text


def test_aws_own_client_is_restored_from_its_snapshot(tmp_path: Path) -> None:
    found = command(tmp_path, "awslambdaric")
    (tmp_path / "app.py").write_text(
        "from snapshot_restore_py import register_after_restore, register_before_snapshot\n"
        "steps = []\n"
        "register_before_snapshot(lambda: steps.append('before'))\n"
        "register_after_restore(lambda: steps.append('after'))\n"
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'body': ' '.join(steps)}\n"
    )

    async def main() -> None:
        options = variables(tmp_path, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
        async with serving(tmp_path, found, variables=options) as site:
            assert body(await site.get("/")) == (200, b"before after", True)

    asyncio.run(main())


def test_a_restore_that_fails_is_told(tmp_path: Path) -> None:
    found = command(tmp_path, "awslambdaric")
    (tmp_path / "app.py").write_text(
        "from snapshot_restore_py import register_after_restore\n"
        "def broken():\n"
        "    raise LookupError('no entropy')\n"
        "register_after_restore(broken)\n"
        "def handler(event, context):\n"
        "    return 'never'\n"
    )

    async def main() -> None:
        options = variables(tmp_path, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
        async with serving(tmp_path, found, variables=options) as site:
            assert body(await site.get("/"))[0] == 502
            assert "The function can't start: LookupError: no entropy" in site.log.text

    asyncio.run(main())
