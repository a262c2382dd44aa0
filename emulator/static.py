"""Files on their way into the bucket: `static_sync`, run in the project as a developer would run it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from .exceptions import BucketError
from .project import Project

_MODULE = "static_sync"
# What a project's STATIC_SYNC may say of the real bucket and CDN is not for this one.
_NOT_HERE = tuple(
    word for option in ("--distribution", "--cache-tag", "--encryption", "--kms-key") for word in (option, "none")
)


class StaticFiles:
    """Collects and uploads a project's static files; and its media, where these live in the bucket.

    Media are uploaded when the folder MEDIA_ROOT has changed since the last time, and at no other: what the site itself
    has put into the bucket since then is newer than the folder.
    """

    def __init__(
        self,
        project: Project,
        bucket: str,
        endpoint: str,
        variables: Mapping[str, str],
        *,
        place: str,
        state: Path,
        source: Path | None = None,
    ) -> None:
        """``place`` names the service behind ``endpoint`` from one run to the next; its port may change.

        What was uploaded is set down in the folder ``state``. ``source`` has the static files where they have been
        collected already.
        """
        self._project = project
        self._bucket = bucket
        self._place = f"{place}/{bucket}"
        self._endpoint = endpoint
        self._variables = variables
        self._state = state
        self._collected = () if source is None else ("--source", str(source))
        self._one_at_a_time = asyncio.Lock()

    async def sync(self) -> str | None:
        """Syncs what is to be synced; returns what the tool had to say, None when there is nothing to do.

        Raises `BucketError` with the tool's own words when it fails.
        """
        async with self._one_at_a_time:
            said = None
            if self._project.static_path is not None:
                said = await self._run(self._project.static_path, *self._collected)
            await self._sync_media()
            return said

    def manifest(self) -> str | None:
        """A digest of the manifest the function has read at its start, None where there is none."""
        root, apart = self._project.static_root, self._project.static_manifest
        if not self._project.hashes_static or (root is None and apart is None):
            return None
        digest = hashlib.sha256()
        for path in [apart] if apart is not None else sorted(root.glob("*.json") if root else ()):
            with contextlib.suppress(OSError):
                digest.update(path.read_bytes())
        return digest.hexdigest()

    async def _sync_media(self) -> None:
        root, url_path = self._project.media_root, self._project.media_path
        if root is None or url_path is None or not root.is_dir():
            return
        record = self._state / "media.json"
        synced: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            synced = json.loads(record.read_text())
        found = _fingerprint(root)
        place = f"{self._place}/{url_path.strip('/')}"
        if found is not None and synced.get(place) != found:
            await self._run(url_path, "--source", str(root))
            record.write_text(json.dumps({**synced, place: found}))

    async def _run(self, url_path: str, *options: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            f"s3://{self._bucket}/{url_path.strip('/')}",
            "--endpoint-url",
            self._endpoint,
            *_NOT_HERE,
            *options,
            cwd=self._project.folder,
            env=dict(self._variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        said = output.decode(errors="replace").strip()
        if process.returncode:
            raise BucketError(said or f"{_MODULE} ended with exit code {process.returncode}")
        return said.splitlines()[-1] if said else ""


def _fingerprint(root: Path) -> str | None:
    """Names, sizes and times of all files below ``root``; None where there are none."""
    digest, count = hashlib.sha256(), 0
    for path in sorted(root.rglob("*")):
        with contextlib.suppress(OSError):
            status = path.stat()
            if path.is_file():
                count += 1
                digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return digest.hexdigest() if count else None


def is_static(path: Path, project: Project) -> bool:
    """Whether ``path`` is a source of static files: in STATICFILES_DIRS, or in a ``static`` folder of the project."""
    if any(path.is_relative_to(folder) for folder in project.static_dirs):
        return True
    return "static" in path.relative_to(project.folder).parts[:-1] if path.is_relative_to(project.folder) else False
