"""The real command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.static_sync.faults.service import Service
from tests.static_sync.faults.site import Site

REPOSITORY = Path(__file__).parents[3]
_LONGEST = 60  # seconds
_NO_OVERRIDE = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read and write everything
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP, which takes effect with the next line
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
_SMALL_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
PLAIN = (sys.executable,)
UNPRIVILEGED = (sys.executable, "-I", "-S", "-c", _NO_OVERRIDE) if os.geteuid() == 0 else PLAIN
SMALL_FILES = (sys.executable, "-I", "-S", "-c", _SMALL_FILES)


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out)
        return report


class Command:
    """Starts ``static-sync`` for one service; ``home`` is its home, and the folder it is started in.

    With ``development`` Python tells of everything left open.
    """

    def __init__(self, service: Service, home: Path, *, development: bool = True) -> None:
        self.service = service
        self.url = service.url
        self.destination = "s3://bucket/static"
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(REPOSITORY),
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"PYTHONDEVMODE": "1"} if development else {}),
        }

    def words(self, site: Site | None, *arguments: str, python: Sequence[str] = PLAIN) -> list[str]:
        """The command line: with a ``site`` that of a sync of its folder, else the first of ``arguments`` says what."""
        what = ["--source", str(site.folder), *arguments] if site else [*arguments]
        # The name of a command comes first, the rest in any order.
        return [*python, "-m", "static_sync", *what, "--endpoint-url", self.url, self.destination]

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        defaults: dict[str, Any] = {
            "cwd": self.home,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        return subprocess.Popen(words, **{**defaults, **options})

    def finish(self, words: Sequence[str], **options: Any) -> Ended:
        """Start a process and wait for its end, which is never that of an unforeseen exception."""
        with self.start(words, **options) as process:
            return self.end_of(process)

    def end_of(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for the end of a process."""
        try:
            out, err = process.communicate(timeout=_LONGEST)
        finally:
            process.kill()
        assert "Traceback" not in err, err
        assert "Warning" not in err, err
        return Ended(process.returncode, out or "", err or "")

    def sync(self, site: Site, *arguments: str) -> Ended:
        return self.finish(self.words(site, *arguments))

    def __call__(self, *arguments: str) -> Ended:
        """Any other command, by its name."""
        return self.finish(self.words(None, *arguments))

    def assert_settled(self, site: Site) -> None:
        """The bucket holds ``site``, and one more run makes its listing and nothing else."""
        contents = self.service.contents()
        assert {key: contents.get(key) for key in site.contents} == site.contents
        self.service.forget()
        ended = self.sync(site)
        assert (ended.code, ended.err) == (0, "")
        assert dict(self.service.made) == {"ListObjectsV2": 1}
