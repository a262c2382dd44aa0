"""What bytecode saves of a cold start, and what pruning saves of a package.

    python benchmarks/package.py [--rounds N]

Two projects are built for this machine by `django-faas build`: the sample bookshop, and what `django-admin
startproject` lays down. Each package is unpacked twice, once without its bytecode, as `sam build`, `uv pip install
--target` and zips of sources have it. Every figure comes from a process of its own that can write nothing to that
folder, as on Lambda. In each round both take their turn; figures are medians of the rounds, in milliseconds of
processor time from the start of the process, Python's own start included:

* boot: until the handler is ready, the INIT phase with all its priming
* page: until the first page is answered after that
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cold_start import Project, bookshop, event, startproject  # noqa: E402
from infra.build import build, uv  # noqa: E402
from infra.build.sizes import shown  # noqa: E402
from infra.configuration import Architecture, Configuration  # noqa: E402
from infra.steps import Steps  # noqa: E402

TARGET = 0.35
PYTHON = "{}.{}".format(*sys.version_info)
PROCESS = """
import json, resource, sys
from adapter.entrypoint import handler

class Context:
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    def get_remaining_time_in_millis(self):
        return 28_000

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000

boot = used()
answer = handler(json.load(sys.stdin), Context())
assert answer["statusCode"] == 200, answer
print(boot, used())
"""


def boot(code: Path, project: Project) -> tuple[float, float]:
    """The two figures of one process."""
    dropped = ("AWS_", "DATABASE_", "DJANGO_", "FAAS_", "PYTHON")
    process = subprocess.run(
        [sys.executable, "-S", "-s", "-c", PROCESS],
        cwd=code,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(dropped)},
            "BOOKSHOP_DATA_DIR": str(project.folder),
            "DJANGO_SETTINGS_MODULE": f"{project.package}.settings",
            "PYTHONPATH": str(code),
            # As root this process could write what a function can't.
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        input=json.dumps(event(project.pages[0])),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(f"{code}: {process.stderr}")
    ready, answered = process.stdout.split()
    return float(ready), float(answered)


def packaged(project: Project) -> Path:
    """The package of the project, for this machine."""
    requirements = project.folder / "requirements.txt"
    requirements.touch()
    architecture: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    configuration = Configuration(project.folder, project.package, python=PYTHON, architecture=architecture)
    return build(configuration, Steps(io.StringIO()), output=project.folder / "dist").zip.path


def unpacked(package: Path, folder: Path, *, bytecode: bool) -> Path:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    if not bytecode:
        for cache in list(folder.rglob("__pycache__")):
            shutil.rmtree(cache)
    return folder


def plain(project: Project, folder: Path) -> Path:
    """What installing and copying alone would come to."""
    command = ["pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable, "Django>=5.2"]
    uv.run([*command, "-r", str(project.folder / "requirements.txt")], project.folder)
    shutil.copytree(project.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dist", ".faas"))
    return folder


def size(folder: Path, suffix: str = "") -> int:
    return sum(path.stat().st_size for path in folder.rglob(f"*{suffix}") if path.is_file())


def compare(project: Project, place: Path, rounds: int) -> float:
    package = packaged(project)
    compiled = unpacked(package, place / "compiled", bytecode=True)
    sources = unpacked(package, place / "sources", bytecode=False)
    ordinary = size(plain(project, place / "plain"))
    print(f"\n{project.package}: zip {shown(package.stat().st_size)}, unpacked {shown(size(compiled))}")
    share = (size(compiled) - size(compiled, ".pyc")) / ordinary
    print(f"of it bytecode {shown(size(compiled, '.pyc'))}; without it {share:.2f} of {shown(ordinary)} unpruned")
    pairs = []
    for number in range(rounds + 1):
        turns = (compiled, sources) if number % 2 else (sources, compiled)
        taken = {code: boot(code, project) for code in turns}
        if number:  # the first round warms the machine's file cache
            pairs.append((taken[compiled], taken[sources]))
    ratios = []
    for number, name in enumerate(("boot", "page")):
        one, other = (statistics.median(pair[side][number] for pair in pairs) for side in (0, 1))
        ratios.append(statistics.median(with_it[number] / without[number] for with_it, without in pairs))
        print(f"{name}: with bytecode {one:4.0f} ms, without {other:4.0f} ms, {ratios[-1]:.2f}x")
    return ratios[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"Python {PYTHON}, {rounds} rounds")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for prepare in (bookshop, startproject):
            place = Path(folder, prepare.__name__)
            place.mkdir()
            worst = max(worst, compare(prepare(place / "project"), place, rounds))
    print(f"\nboot: at most {worst:.2f}x; the target is {TARGET}x")


if __name__ == "__main__":
    main()
