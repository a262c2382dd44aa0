"""The whole of it: starts what stands in for the cloud, in parallel, and ends all of it again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import site
import socket
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from . import static, watch
from .bucket import BucketClient, BucketServer, state_folder
from .cdn import Cdn
from .exceptions import BucketError, EmulatorError
from .front_doors import create
from .function.environment import FunctionSpec, command_for, lambda_variables
from .function.pool import Pool
from .gateway import Gateway
from .log import Log
from .ports import listen, port_of
from .project import Project, inspect
from .server import Handler, Server

_REGION = "us-east-1"


@dataclass(frozen=True)
class Options:
    """What can be chosen; ``timeout`` in seconds, ``port`` 0 for free ports throughout."""

    front_doors: tuple[str, ...] = ("http_api",)
    host: str = "127.0.0.1"
    port: int = 8000
    stage: str | None = None
    interface: str = "wsgi"
    runtime: str = "own"
    concurrency: int = 4
    timeout: float = 28.0
    invoke_mode: str = "buffered"
    freeze: bool = True
    endpoint_url: str | None = None
    bucket: str = "django-faas"
    reload: bool = True


class Emulation:
    """A running emulator: an asynchronous context manager, ready inside, all of it gone after.

    ``url`` is where the site answers, through the CDN; ``door_urls`` where each front door answers by itself;
    ``bucket_url`` the S3 endpoint. Entering raises `EmulatorError` (`PortInUse`, `ProjectError`, `BucketError`).
    """

    def __init__(self, folder: Path, options: Options, log: Log) -> None:
        self._folder = folder.resolve()
        self._options = options
        self._log = log
        self.url = ""
        self.door_urls: dict[str, str] = {}
        self.bucket_url = options.endpoint_url or ""
        self._sockets: list[socket.socket] = []
        self._servers: list[Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._bucket_server: BucketServer | None = None
        self._bucket_client: BucketClient | None = None
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        started = time.perf_counter()
        options = self._options
        command = command_for(options.runtime)
        streaming = options.invoke_mode == "response_stream"
        doors = [create(name, stage=options.stage, streaming=streaming) for name in options.front_doors]
        if streaming and not any(door.streaming for door in doors):
            raise EmulatorError(
                f"--invoke-mode response_stream: {' and '.join(options.front_doors)} can't stream answers; choose "
                "--front-door function_url or --front-door rest_api."
            )
        for offset, purpose in enumerate(["the CDN", *(f"the front door {door.name}" for door in doors)]):
            port = options.port + offset if options.port else 0
            self._sockets.append(listen(options.host, port, purpose))

        starting = []
        if options.endpoint_url is None:
            self._bucket_server = BucketServer(options.bucket, self._folder / ".faas" / "bucket")
            self.bucket_url = self._bucket_server.url
            starting.append(self._background(self._bucket_server.start()))
        variables = self._variables()
        project = await inspect(self._folder, variables)
        state_folder(self._folder)
        variables = _with_project(variables, project)

        spec = FunctionSpec(self._folder, command, variables, options.timeout, options.freeze)
        self._pool = Pool(spec, options.concurrency, self._log)
        await self._pool.start()
        place = options.endpoint_url or "emulated"
        files = static.StaticFiles(project, options.bucket, self.bucket_url, variables, place=place)
        starting.append(self._background(self._sync(files, self._pool)))
        await asyncio.gather(*starting)
        await self._pool.settled()

        gateways = [Gateway(door, self._pool, self._log) for door in doors]
        self._bucket_client = BucketClient(
            self.bucket_url, options.bucket, variables["AWS_REGION"] if options.endpoint_url else None
        )
        cdn = Cdn(gateways[0], self._bucket_client, _prefixes(project, options.stage), self._log, options.reload)
        urls = [f"http://{_shown(options.host)}:{port_of(sock)}" for sock in self._sockets]
        self.url, self.door_urls = urls[0], dict(zip((door.name for door in doors), urls[1:], strict=True))
        handlers: list[Handler] = [cdn, *gateways]
        for handler, sock in zip(handlers, tuple(self._sockets), strict=True):
            server = Server(handler, sock)
            self._servers.append(server)
            self._sockets.remove(sock)
            await server.start()
        if options.reload:
            self._background(self._reload(project, files, self._pool))
        self._banner(project, time.perf_counter() - started)

    async def _stop(self) -> None:
        for sock in self._sockets:
            sock.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(server.stop() for server in self._servers))
        endings: list[Coroutine[Any, Any, None]] = []
        if self._pool is not None:
            endings.append(self._pool.stop())
        if self._bucket_client is not None:
            endings.append(self._bucket_client.close())
        if self._bucket_server is not None:
            endings.append(self._bucket_server.stop())
        await asyncio.gather(*endings)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    def _variables(self) -> dict[str, str]:
        """The environment of everything that runs the project's code: the function, the probe, the static sync."""
        options = self._options
        if options.endpoint_url is None:
            # What the user has for the real AWS must not reach it from here, nor mislead boto3 about the emulated one.
            own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            keys = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
            region = _REGION
        else:
            own, keys = dict(os.environ), {}
            region = own.get("AWS_REGION") or own.get("AWS_DEFAULT_REGION") or _REGION
        return {
            **own,
            **keys,
            **lambda_variables(self._folder, region),
            "AWS_ENDPOINT_URL_S3": self.bucket_url,
            "FAAS_MEDIA_BUCKET": options.bucket,
            "FAAS_INTERFACE": options.interface,
            "FAAS_INVOKE_MODE": options.invoke_mode,
            "PYTHONPATH": _import_path(self._folder),
        }

    async def _sync(self, files: static.StaticFiles, pool: Pool) -> None:
        """A failure is told and survived: the pages work without their style, and saving a file tries again."""
        before = files.manifest()
        try:
            said = await files.sync()
        except BucketError as error:
            self._log.error(f"Static files did not reach the bucket; pages will look bare.\n{error}")
            return
        if said:
            self._log.note(said)
        if files.manifest() != before:
            pool.replace()

    async def _reload(self, project: Project, files: static.StaticFiles, pool: Pool) -> None:
        try:
            async for changed in watch.changes(project):
                if changed.code is not None:
                    self._log.note(f"{_short(changed.code, project)} changed: new processes take over")
                    pool.replace()
                if changed.static is not None:
                    self._log.note(f"{_short(changed.static, project)} changed: syncing static files")
                    await self._sync(files, pool)
        except (OSError, RuntimeError) as error:
            self._log.caution(f"Changes to the project's files go unnoticed from here on: {error}")

    def _banner(self, project: Project, seconds: float) -> None:
        options, log = self._options, self._log
        inside = f"/{options.stage}/" if options.stage and "rest_api" in options.front_doors[:1] else "/"
        routes = ", ".join(f"{prefix}* from the bucket" for prefix, cut in _prefixes(project, None))
        rest = f"the rest by {options.front_doors[0]}"
        rows = [("site", f"{self.url}{inside}", f"{routes}, {rest}" if routes else rest)]
        rows += [(name, f"{url}/", "the front door by itself") for name, url in self.door_urls.items()]
        kept = "kept in .faas/bucket" if options.endpoint_url is None else "as given"
        rows.append(("bucket", f"{self.bucket_url}/{options.bucket}", kept))
        wide, long = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
        title = log.paint("django-faas", "bold")
        mode = "" if options.invoke_mode == "buffered" else f", {options.invoke_mode}"
        log.line(f"{title}  {project.settings}, {options.interface}, {options.runtime} runtime{mode}")
        for name, url, note in rows:
            log.line(f"  {name:<{wide}}  {log.paint(f'{url:<{long}}', 'bold')}  {log.paint(note, 'dim')}")
        if project.static_note is not None:
            log.caution(f"No static files are served: {project.static_note}.")
        if mode and options.runtime != "own":
            log.caution(
                f"{options.runtime} can't stream: front doors that do show its answers with the JSON around them, or "
                "refuse them. Use --runtime own."
            )
        host = _shown(options.host)
        if not _allowed(host, project):
            log.caution(f"DEBUG is off and ALLOWED_HOSTS has no {host}: Django will answer 400 until it is added.")
        log.line(f"ready in {seconds:.2f} s; Ctrl-C stops", "green")


def _with_project(variables: dict[str, str], project: Project) -> dict[str, str]:
    path = os.pathsep.join([variables["PYTHONPATH"], *project.paths])
    return {**variables, **project.variables, "DJANGO_SETTINGS_MODULE": project.settings, "PYTHONPATH": path}


def _import_path(folder: Path) -> str:
    """The project, what the user's PYTHONPATH holds, and this distribution where it runs from a checkout."""
    parts = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    root = Path(__file__).parents[1]
    if str(root) not in {*site.getsitepackages(), site.getusersitepackages()}:
        parts.append(str(root))
    return os.pathsep.join(parts)


def _prefixes(project: Project, stage: str | None) -> list[tuple[str, int]]:
    """What the bucket serves, as `Cdn` wants it.

    Django puts the stage before a relative STATIC_URL, as it does with any mount point.
    """
    found = []
    for path in (project.static_path, project.media_path):
        if path is not None:
            found.append((quote(path), 0))
            if stage:
                found.append((f"/{stage}{quote(path)}", len(stage) + 1))
    return found


def _short(path: Path, project: Project) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(project.folder))
    return str(path)


def _shown(host: str) -> str:
    """The host a browser on this machine would use for what listens on ``host``."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _allowed(host: str, project: Project) -> bool:
    """https://docs.djangoproject.com/en/stable/ref/settings/#allowed-hosts"""
    return (project.debug and not project.allowed_hosts) or any(
        pattern in {"*", host} or (pattern.startswith(".") and f".{host}".endswith(pattern))
        for pattern in project.allowed_hosts
    )
