"""What a build leaves in its output folder, as ``manifest.json`` describes it.

The manifest holds no secret and nothing of the machine it was written on. Its paths are relative to its folder::

    {"format": 1, "name": "shop", "python": "3.13", "architecture": "arm64",
     "handler": "adapter.entrypoint.handler", "settings": "shop.settings_faas", "interface": "wsgi",
     "zip": {"path": "function.zip", "sha256": "...", "bytes": 18000000, "unpacked_bytes": 61000000},
     "static": {"path": "static", "manifest": "static/staticfiles.json", "files": 257},
     "packages": [{"name": "django", "version": "5.2.8", "bytes": 30000000}]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import BuildError

MANIFEST = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class Zip:
    """The function's code; ``sha256`` is of the zip in hexadecimal digits, sizes are in bytes."""

    path: Path
    sha256: str
    size: int
    unpacked: int


@dataclass(frozen=True)
class StaticFiles:
    """What belongs in the bucket: ``files`` in ``folder``, as `static_sync.sync` takes it for its ``source``.

    ``manifest`` says there which names are hashed; None where the project's storage hashes none.
    """

    folder: Path
    manifest: Path | None
    files: int


@dataclass(frozen=True)
class Installed:
    """A distribution in the package; ``size`` in bytes, with its bytecode."""

    name: str
    version: str
    size: int


@dataclass(frozen=True)
class Package:
    """A build, ready to be deployed: code, static files, and what they were built for.

    ``static`` is None where the project has no static files of its own to serve.
    """

    folder: Path
    name: str
    zip: Zip
    python: str
    architecture: str
    handler: str
    settings: str
    interface: str
    static: StaticFiles | None
    packages: tuple[Installed, ...]

    @classmethod
    def read(cls, folder: Path) -> Package:
        """What `write` has left in ``folder``; raises `BuildError` where that is not there, or is not whole."""
        folder = folder.resolve()
        path = folder / MANIFEST
        try:
            said = json.loads(path.read_bytes())
            if said["format"] != _FORMAT:
                raise BuildError(
                    f"{path} has the format {said['format']}, and this version of django-faas reads {_FORMAT}. Build "
                    "again: django-faas build"
                )
            package = cls._of(folder, said)
        except FileNotFoundError:
            raise BuildError(f"There is no package in {folder}. Build it first: django-faas build") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildError(
                f"{path} can't be read ({type(error).__name__}: {error}). Build again: django-faas build"
            ) from None
        package._check()
        return package

    @classmethod
    def _of(cls, folder: Path, said: dict[str, Any]) -> Package:
        static = said["static"]
        return cls(
            folder,
            said["name"],
            Zip(
                folder / said["zip"]["path"],
                said["zip"]["sha256"],
                said["zip"]["bytes"],
                said["zip"]["unpacked_bytes"],
            ),
            said["python"],
            said["architecture"],
            said["handler"],
            said["settings"],
            said["interface"],
            static
            and StaticFiles(
                folder / static["path"], folder / static["manifest"] if static["manifest"] else None, static["files"]
            ),
            tuple(Installed(entry["name"], entry["version"], entry["bytes"]) for entry in said["packages"]),
        )

    def _check(self) -> None:
        """What lies in the folder is what the manifest tells of; its digest is compared where it is uploaded."""
        needed = [self.zip.path, *([self.static.folder] if self.static else [])]
        missing = [path for path in needed if not path.exists()]
        if missing or self.zip.path.stat().st_size != self.zip.size:
            what = f"{missing[0].name} is missing" if missing else f"{self.zip.path.name} has another size"
            raise BuildError(
                f"{self.folder} is not as it was built: {what}, other than {MANIFEST} says. Build again: "
                "django-faas build"
            )

    def write(self) -> None:
        """Write the manifest that `read` reads."""

        def below(path: Path) -> str:
            return path.relative_to(self.folder).as_posix()

        static = self.static and {
            "path": below(self.static.folder),
            "manifest": below(self.static.manifest) if self.static.manifest else None,
            "files": self.static.files,
        }
        said = {
            "format": _FORMAT,
            "name": self.name,
            "python": self.python,
            "architecture": self.architecture,
            "handler": self.handler,
            "settings": self.settings,
            "interface": self.interface,
            "zip": {
                "path": below(self.zip.path),
                "sha256": self.zip.sha256,
                "bytes": self.zip.size,
                "unpacked_bytes": self.zip.unpacked,
            },
            "static": static,
            "packages": [
                {"name": entry.name, "version": entry.version, "bytes": entry.size} for entry in self.packages
            ],
        }
        (self.folder / MANIFEST).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
