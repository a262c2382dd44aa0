"""The suite itself: only Django's sdist carries it, not the wheel that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import django

CACHE = Path(__file__).parents[2] / ".cache" / "django-suite"
VARIABLE = "DJANGO_SDIST"


class NoSuite(Exception):
    """The suite of this Django is not to be had; says where it was looked for."""


def tests_folder() -> Path:
    """The ``tests`` folder of the sdist of the installed version: downloaded once, or where ``DJANGO_SDIST`` points."""
    named = os.environ.get(VARIABLE)
    source = Path(named).resolve() if named else _unpacked()
    if not (source / "tests" / "runtests.py").is_file():
        raise NoSuite(f"{source} holds no tests/runtests.py. {VARIABLE} names an unpacked sdist of Django.")
    return source / "tests"


def _unpacked() -> Path:
    version = django.get_version()
    folder = CACHE / f"django-{version}"
    if not folder.exists():
        downloads = CACHE / "downloads"
        print(f"==> downloading the sdist of Django {version}", flush=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        got = subprocess.run([*pip, "--no-binary", "django", "--dest", str(downloads), f"django=={version}"])
        archives = sorted(downloads.glob(f"[dD]jango-{version}.tar.gz"))
        if got.returncode or not archives:
            raise NoSuite(f"pip found no sdist of Django {version}. Unpack one and name its folder in {VARIABLE}.")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(CACHE, filter="data")
        archives[0].unlink()
    return folder
