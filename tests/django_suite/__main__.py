"""The command line: `python -m tests.django_suite --help`."""

from __future__ import annotations

import argparse
import sys
import time

import django

from emulator.front_doors import FRONT_DOORS

from . import losses, modules, sdist, suite_run, verdict


def main() -> int:
    options = _options()
    try:
        tests = sdist.tests_folder()
        for complaint in (drift := modules.drifted(tests)):
            print(f"tests/django_suite/modules.py: {complaint}")
        if drift:
            return 1
        before = suite_run.baseline(tests, options.interface, options.module, options.processes)
        way = f"{options.interface}:{options.front_door}"
        print(f"==> Django {django.get_version()}'s tests by {way}: {len(options.module)} modules", flush=True)
        started = time.monotonic()
        after = suite_run.run(tests, way, options.module, options.processes)
    except (sdist.NoSuite, suite_run.RunFailed) as error:
        print(error, file=sys.stderr)
        return 2
    expected = losses.expected(options.front_door, options.interface, options.module)
    found = verdict.judge(before, after.outcomes, expected)
    for test, complaint in sorted(found.wrong.items()):
        print(f"\n--- {test}\n{complaint}")
    print(f"{after.requests} requests travelled as events in {time.monotonic() - started:.0f} s")
    print(
        f"{len(found.lost)} lost as listed in losses.toml; without events, too, {found.without_too['failed']} fail and "
        f"{found.without_too['skipped']} are skipped"
    )
    print(f"{len(found.passed)} passed, {len(found.wrong)} failed")
    return 1 if found.wrong or not after.requests else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.django_suite", description=__doc__)
    parser.add_argument("--front-door", default="http_api", type=_underscored, choices=FRONT_DOORS)
    parser.add_argument("--interface", default="wsgi", choices=("wsgi", "asgi"))
    parser.add_argument("--processes", default=0, type=int, help="how many at once; as many as there are cores")
    parser.add_argument(
        "module",
        nargs="*",
        default=modules.MODULES,
        help="a module of the suite, such as csrf_tests; all that drive requests",
    )
    options = parser.parse_args()
    if unknown := set(options.module) - set(modules.MODULES):
        parser.error(f"not in tests/django_suite/modules.py: {', '.join(sorted(unknown))}")
    return options


def _underscored(name: str) -> str:
    return name.replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
