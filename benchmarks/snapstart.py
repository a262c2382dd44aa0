"""Time to a new environment's first answer: booted, or restored from a snapshot, in one interleaved run.

    python benchmarks/snapstart.py [--rounds 5] [--python PATH]

The snapshot is played: the process waits where Lambda would take it, and goes on. What Lambda itself needs to restore a
snapshot is not in these figures; what the function does before and after it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from workers import RuntimeAPI, get, prepared_shop, start, until

PAGE = b"/books/"


def first_and_warm(python: str, shop: Path, runtime: str, restored: bool) -> tuple[float, float]:
    """Milliseconds to the first answer, and for one of those that follow."""
    initialization = "snap-start" if restored else "on-demand"
    with RuntimeAPI() as api:
        begun = time.perf_counter()
        process = start(python, shop, api, runtime, AWS_LAMBDA_INITIALIZATION_TYPE=initialization)
        try:
            if restored:
                until(lambda: "restore/next" in api.names, 60)
                begun = time.perf_counter()
                api.restored.set()
            get(api, PAGE)
            first = time.perf_counter() - begun
            begun = time.perf_counter()
            for _ in range(20):
                get(api, PAGE)
            return first * 1000, (time.perf_counter() - begun) / 20 * 1000
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    runtimes = ["adapter.runtime"]
    if importlib.util.find_spec("awslambdaric") is not None:
        runtimes.append("awslambdaric")
    cases = [(runtime, restored) for restored in (False, True) for runtime in runtimes]
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        shop = prepared_shop(options.python, Path(folder))
        for _ in range(options.rounds):
            for case in cases:
                found[case].append(first_and_warm(options.python, shop, *case))
    print(f"{'':32}{'first answer':>14}{'warm':>10}")
    for (runtime, restored), times in found.items():
        first, warm = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{runtime + (', restored' if restored else ', booted'):32}{first:11.0f} ms{warm:7.1f} ms")


if __name__ == "__main__":
    main()
