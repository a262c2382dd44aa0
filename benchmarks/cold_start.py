"""What a cold start costs: INIT, and the first request after it, with priming and without, and with the usual adapters.

    python benchmarks/cold_start.py [--rounds N]

Every figure comes from a process of its own that boots a whole project and answers one page: the sample bookshop, and
what `django-admin startproject` lays down, both as in production. In each round all contestants take their turn, so
that what slows the machine down slows down each of them. Figures are medians of the rounds, in milliseconds of
processor time: nothing here waits for a network, and other work on the machine bends the wall clock more.

* init: to import the module that the Lambda function's handler is named in
* first: the first request, first/warm: as a multiple of the median of the twenty requests after it
* total: init and first, what the first visitor waits for; and as a multiple of the same without priming
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

PROCESS = """
import json, logging, sys, time

steps = {}
class Steps(logging.Handler):
    def emit(self, record):
        name, milliseconds = record.args
        steps[name] = milliseconds

if STEPS:
    logging.getLogger("adapter.priming").setLevel(logging.DEBUG)
    logging.getLogger("adapter.priming").addHandler(Steps())
    logging.getLogger("adapter.priming").propagate = False

class Context:
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    def get_remaining_time_in_millis(self):
        return 28_000

def timed(event):
    started = time.process_time()
    answer = handler(event, Context())
    taken = (time.process_time() - started) * 1000
    assert answer["statusCode"] == 200, answer
    return taken

event = json.load(sys.stdin)
started = time.process_time()
IMPORT
init = (time.process_time() - started) * 1000
first = timed(event)
warm = sorted(timed(event) for _ in range(20))
print(json.dumps({"init": init, "first": first, "warm": (warm[9] + warm[10]) / 2, "steps": steps}))
"""
OURS = "from adapter.entrypoint import handler"
APIG_WSGI = """
from apig_wsgi import make_lambda_handler
from PACKAGE.wsgi import application
handler = make_lambda_handler(application, binary_support=True)
"""
# Mangum asks for the current event loop, which Python no longer makes by itself.
MANGUM = """
import asyncio
asyncio.set_event_loop(asyncio.new_event_loop())
from mangum import Mangum
from PACKAGE.asgi import application
handler = Mangum(application, lifespan="off")
"""


@dataclass(frozen=True)
class Contestant:
    name: str
    code: str = OURS
    environment: dict[str, str] = field(default_factory=dict)


UNPRIMED = Contestant("WSGI, FAAS_PRIME=off", environment={"FAAS_PRIME": "off"})
PRIMED = Contestant("WSGI")
CONTESTANTS = [
    UNPRIMED,
    PRIMED,
    Contestant("WSGI, FAAS_PRIME_PATH=...", environment={"FAAS_PRIME_PATH": "the page"}),
    Contestant("apig-wsgi", APIG_WSGI),
    Contestant("ASGI, FAAS_PRIME=off", environment={"FAAS_PRIME": "off", "FAAS_INTERFACE": "asgi"}),
    Contestant("ASGI", environment={"FAAS_INTERFACE": "asgi"}),
    Contestant("Mangum", MANGUM),
]


@dataclass(frozen=True)
class Project:
    folder: Path
    package: str
    pages: tuple[str, ...]


def bookshop(folder: Path) -> Project:
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(ROOT / "samples/bookshop", folder, ignore=left_out)
    python(folder, "manage.py", "prepare")
    python(folder, "manage.py", "collectstatic", "--noinput")
    return Project(folder, "bookshop", ("/", "/books/", "/books/faust/"))


def startproject(folder: Path) -> Project:
    folder.mkdir()
    python(folder, "-m", "django", "startproject", "mysite", ".")
    with (folder / "mysite/settings.py").open("a") as settings:
        settings.write("\nDEBUG = False\nALLOWED_HOSTS = ['*']\n")
    python(folder, "manage.py", "migrate")
    return Project(folder, "mysite", ("/admin/login/",))


def python(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environment(folder), check=True, capture_output=True)


def environment(folder: Path) -> dict[str, str]:
    """Nothing of this machine's settings, and byte code written as a package has it."""
    dropped = ("AWS_", "DATABASE_", "DJANGO_", "FAAS_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**inherited, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def cold_start(project: Project, contestant: Contestant, page: str) -> dict[str, Any]:
    code = PROCESS.replace("IMPORT", contestant.code.replace("PACKAGE", project.package))
    settings = {"DJANGO_SETTINGS_MODULE": f"{project.package}.settings", **contestant.environment}
    if "FAAS_PRIME_PATH" in settings:
        settings["FAAS_PRIME_PATH"] = page
    process = subprocess.run(
        [sys.executable, "-c", code.replace("STEPS", str(contestant is PRIMED))],
        cwd=project.folder,
        env={**environment(project.folder), **settings},
        input=json.dumps(event(page)),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(f"{contestant.name}, {page}: {process.stderr}")
    seen: dict[str, Any] = json.loads(process.stdout)
    return seen


def event(page: str) -> dict[str, Any]:
    """A browser's GET by an HTTP API, which all three adapters can read."""
    captured: dict[str, Any] = json.loads((ROOT / "tests/events/http_api.json").read_text())
    context = {
        **captured["requestContext"],
        "http": {**captured["requestContext"]["http"], "method": "GET", "path": page},
    }
    headers = {
        "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "accept-encoding": "gzip, deflate, br, zstd",
        "accept-language": "en-GB,en;q=0.9",
        "host": "localhost",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": page,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }


def compare(project: Project, rounds: int) -> None:
    for page in project.pages:
        results: dict[str, list[dict[str, Any]]] = {contestant.name: [] for contestant in CONTESTANTS}
        for number in range(rounds + 1):
            turn = number % len(CONTESTANTS)
            for contestant in CONTESTANTS[turn:] + CONTESTANTS[:turn]:
                seen = cold_start(project, contestant, page)
                if number:  # the round before the first writes the byte code
                    results[contestant.name].append(seen)
        show(project, page, results)


def show(project: Project, page: str, results: dict[str, list[dict[str, Any]]]) -> None:
    print(f"\n{project.package} {page}")
    print(f"{'':28}{'init':>9}{'first':>9}{'warm':>9}{'first/warm':>12}{'total':>9}{'':>8}")
    base = [seen["init"] + seen["first"] for seen in results[UNPRIMED.name]]
    for name, rounds in results.items():
        init, first, warm = (statistics.median(seen[key] for seen in rounds) for key in ("init", "first", "warm"))
        ratio = statistics.median(seen["first"] / seen["warm"] for seen in rounds)
        totals = [seen["init"] + seen["first"] for seen in rounds]
        share = statistics.median(total / unprimed for total, unprimed in zip(totals, base, strict=True))
        total = statistics.median(totals)
        print(f"{name:28}{init:9.1f}{first:9.2f}{warm:9.2f}{ratio:12.2f}{total:9.1f}{share:8.2f}")
    steps = results[PRIMED.name][0]["steps"]
    medians = {name: statistics.median(seen["steps"][name] for seen in results[PRIMED.name]) for name in steps}
    print("the steps of priming: " + ", ".join(f"{name} {taken:.1f}" for name, taken in medians.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"Python {sys.version.split()[0]}, {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        for prepare in (bookshop, startproject):
            compare(prepare(Path(folder, prepare.__name__)), rounds)


if __name__ == "__main__":
    main()
