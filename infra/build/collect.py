"""Step "collect": the project's static files into a folder of their own, and the manifest of their names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from static_sync.manifest import MANIFEST_NAME

from ..exceptions import BuildError, ConfigurationError
from .collector import MARK
from .distributions import Distribution, normalised

_SCRIPT = Path(__file__).with_name("collector.py")


@dataclass(frozen=True)
class Collected:
    """``files`` in ``folder``, which also has the manifest, if any, where `static_sync.sync` looks for it.

    ``kept`` is where the project's storage looks for the manifest, as a path below the project, and ``manifest`` its
    text; None where the function needs none. ``sources`` are the folders the files come from, as they may be called in
    the package. ``versions`` are those of what is installed here.
    """

    folder: Path
    files: int
    kept: Path | None
    manifest: str | None
    sources: tuple[str, ...]
    versions: Mapping[str, str]
    notes: tuple[str, ...]

    def place_manifest(self, tree: Path) -> None:
        """Put the manifest where the function looks for it in ``tree``."""
        if self.kept is not None and self.manifest is not None:
            path = tree / self.kept
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.manifest, encoding="utf-8")

    def differing(self, distributions: list[Distribution]) -> list[str]:
        """The distributions whose static files come from another version than the one in the package."""
        return [
            f"{distribution.name} {self.versions[distribution.name]} (in the package: {distribution.version})"
            for distribution in distributions
            if self.versions.get(distribution.name, distribution.version) != distribution.version
            and any(name.startswith(f"{source}/") for source in self.sources for name in distribution.files)
        ]


def collect(project: Path, settings: str | None, variables: Mapping[str, str], folder: Path) -> Collected | None:
    """Collect into ``folder``, in a process with ``variables``; None where the project has no static files.

    Raises `BuildError`, and `ConfigurationError` for settings that can't work on a function.
    """
    process = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT), str(folder), settings or ""],
        cwd=project,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    line = next((line for line in reversed(process.stdout.splitlines()) if line.startswith(MARK)), None)
    if line is None:
        raise BuildError(f"The static files could not be collected:\n{process.stderr.strip()}")
    about = json.loads(line.removeprefix(MARK))
    if "problem" in about:
        raise BuildError(f"The static files could not be collected: {about['problem']}")
    if about["stays"]:
        names = ", ".join(f'"{name}"' for name in about["stays"])
        raise ConfigurationError(
            f"INSTALLED_APPS has {names}, a part of django-faas that no function has. Take it out in the settings for "
            "the function; `django-faas emulate` needs no app."
        )
    if not about["static"]:
        return None
    kept = None
    if about["manifest"] is not None:
        kept = None if about["elsewhere"] else _kept(about["kept"], project)
        (folder / MANIFEST_NAME).write_text(about["manifest"], encoding="utf-8")
    return Collected(
        folder,
        sum(path.is_file() for path in folder.rglob("*")),
        kept,
        about["manifest"],
        tuple(about["sources"]),
        {normalised(name): version for name, version in about["versions"].items()},
        tuple(about["notes"]),
    )


def _kept(path: str | None, project: Path) -> Path:
    """Where in the package the manifest belongs."""
    remedy = (
        "Have it in the project's folder: "
        '"staticfiles": {"BACKEND": "static_sync.storage.ManifestStorage", '
        '"OPTIONS": {"manifest": BASE_DIR / "staticfiles.json"}}'
    )
    if path is None:
        raise ConfigurationError(
            f"Without STATIC_ROOT the function can't find the manifest of hashed static files. {remedy}"
        )
    if not Path(path).resolve().is_relative_to(project):
        raise ConfigurationError(f"{path}, the manifest of hashed static files, is no part of the package. {remedy}")
    return Path(path).resolve().relative_to(project)
