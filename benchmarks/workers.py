"""Memory of workers that were forked after boot, against as many processes each booted by itself, in one run.

    python benchmarks/workers.py [--workers 8] [--requests 20] [--python PATH]

Each worker serves the bookshop's home, list and detail pages in turn. What counts is the proportional set size: a page
of memory that n processes share counts for an nth in each, so the sum over all processes, the parent among them, is
what the machine has to have. ``--python`` names another interpreter, with Django and the bookshop's requirements.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.adapter.builder import Sent, build  # noqa: E402
from tests.adapter.runtime_api import RuntimeAPI, until  # noqa: E402

PAGES = (b"/", b"/books/", b"/books/faust/")


def prepared_shop(python: str, folder: Path) -> Path:
    """A copy of the sample with its database, static files and covers."""
    shop = folder / "bookshop"
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(ROOT / "samples/bookshop", shop, ignore=left_out)
    for command in (["prepare"], ["collectstatic", "--noinput"]):
        subprocess.run([python, "manage.py", *command], cwd=shop, check=True, capture_output=True)
    return shop


def start(python: str, shop: Path, api: RuntimeAPI, runtime: str, **more: str) -> subprocess.Popen[bytes]:
    """The shop's function in a process that leads a group of its own."""
    handler = "adapter.entrypoint.handler"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FAAS_", "DJANGO_"))}
    environment = {
        **inherited,
        "PYTHONPATH": os.pathsep.join([str(shop), str(ROOT)]),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(shop),
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        **more,
    }
    return subprocess.Popen([python, "-m", runtime, handler], cwd=shop, env=environment, start_new_session=True)


def get(api: RuntimeAPI, path: bytes, port: int | None = None) -> None:
    """Have a page made, by the worker at a port or by whichever waits."""
    event = build("http_api", Sent("GET", path, (), (("host", "localhost"),), b""))
    answer = api.invoke(event, port)
    assert answer["statusCode"] == 200, answer


def serve(api: RuntimeAPI, workers: int, requests: int) -> float:
    """Have each worker answer so many requests; the seconds until all were ready for their first."""
    started = time.monotonic()
    until(lambda: len(api.waiting) == workers, 120)
    ready = time.monotonic() - started
    for port in list(api.waiting):
        for number in range(requests):
            until(lambda port=port: port in api.waiting)  # type: ignore[misc]
            get(api, PAGES[number % 3], port)
    return ready


def memory(pid: int) -> float:
    """The process's proportional set size in MB."""
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measure(
    python: str, shop: Path, runtime: str, workers: int, processes: int, requests: int
) -> tuple[float, float, float]:
    """MB of all processes, MB of one that serves, and seconds until all served."""
    with ExitStack() as stack:
        api = stack.enter_context(RuntimeAPI())
        concurrency = {"AWS_LAMBDA_MAX_CONCURRENCY": str(workers)} if workers > 1 else {}
        parents = []
        for _ in range(processes):
            parents.append(start(python, shop, api, runtime, **concurrency))
            stack.callback(parents[-1].wait)
            stack.callback(os.killpg, parents[-1].pid, signal.SIGKILL)
        ready = serve(api, workers * processes, requests)
        serving = [pid for parent in parents for pid in children(parent.pid)] or [parent.pid for parent in parents]
        everything = {*serving, *(parent.pid for parent in parents)}
        return sum(map(memory, everything)), sum(map(memory, serving)) / len(serving), ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    count, requests = options.workers, options.requests
    rows = {
        f"{count} processes, each booted": ("adapter.runtime", 1, count, requests),
        f"{count} workers, forked after boot": ("adapter.runtime", count, 1, requests),
        "    the same before any request": ("adapter.runtime", count, 1, 0),
    }
    if importlib.util.find_spec("awslambdaric") is not None:
        rows[f"{count} workers of awslambdaric"] = ("awslambdaric", count, 1, requests)
    with tempfile.TemporaryDirectory() as folder:
        shop = prepared_shop(options.python, Path(folder))
        version = subprocess.run([options.python, "--version"], check=True, capture_output=True, text=True).stdout
        print(f"{version.strip()}, {requests} requests a worker")
        print(f"{'':36}{'MB in all':>10}{'MB a worker':>13}{'ready after':>13}{'ratio':>8}")
        base = 0.0
        for name, row in rows.items():
            total, one, ready = measure(options.python, shop, *row)
            base = base or total
            print(f"{name:36}{total:10.0f}{one:13.1f}{ready:11.1f} s{total / base:8.1%}")


if __name__ == "__main__":
    main()
