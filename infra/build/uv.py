"""uv, which resolves and installs for another system than this one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from ..exceptions import BuildError


class UvFailed(Exception):
    """uv ended with an error; its text is what uv said. Whoever ran it says what it means."""


def run(arguments: Iterable[str], folder: Path, progress: Callable[[str], None] | None = None) -> str:
    """Run uv in ``folder``, whose configuration it reads; returns what it printed, without line breaks at the end.

    ``progress`` hears each line of what it is doing. Raises `UvFailed`, and `BuildError` where there is no uv.
    """
    said = []
    with subprocess.Popen(
        [_find(), *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            said.append(line)
            if progress is not None:
                progress(line.strip())
    text = "".join(said).strip()
    if process.returncode:
        raise UvFailed(text or f"exit code {process.returncode}")
    return text


def _find() -> str:
    """The uv installed beside this package, else one on the path."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise BuildError(
            "Building needs uv, which comes with the extra: pip install 'django-faas[infra]' "
            "(or https://docs.astral.sh/uv/getting-started/installation/)"
        )
    return found
