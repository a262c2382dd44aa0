"""The whole of it: starts what stands in for the cloud, in parallel, and ends all of it again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import sys
import time
import uuid
from collections.abc import Coroutine, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from . import package, static, variables, watch
from .access import guard
from .blueprint import Blueprint, Door
from .bucket import BucketClient, BucketServer, state_folder
from .cdn import PATIENCE, Cdn, InvalidationApi, default_distribution
from .console import About, Console
from .exceptions import BucketError, EmulatorError
from .front_doors import build
from .function.service import FunctionService
from .function.spec import FunctionSpec, command_for, specify
from .gateway import Gateway, SharedGateway
from .health import HealthChecks
from .log import Log, Place, Ready
from .options import Options
from .ports import listen, port_of
from .project import Project, inspect
from .records import Record, Recorder
from .replay import Replay
from .reserved import Reserved
from .server import Handler, Server

if TYPE_CHECKING:
    from .triggers import Triggers

__all__ = ["Emulation", "Options"]


class Emulation:
    """A running emulator: an asynchronous context manager, ready inside, all of it gone after.

    ``url`` is where the site answers, through the CDN; ``door_urls`` where each front door answers by itself;
    ``bucket_url`` the S3 endpoint. What is kept from one run to the next lies in the folder ``state``, by default the
    project's ``.faas``. Entering raises `EmulatorError` (`PortInUse`, `ProjectError`, `BucketError`, ...).
    """

    def __init__(self, folder: Path, options: Options, log: Log, state: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._state = state or self._folder / ".faas"
        self._options = options
        self._log = log
        self.url = ""
        self.door_urls: dict[str, str] = {}
        self.bucket_url = options.endpoint_url or ""
        self._recorder = Recorder()
        self._sockets: list[socket.socket] = []
        self._servers: list[Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._bucket_server: BucketServer | None = None
        self._bucket_client: BucketClient | None = None
        self._service: FunctionService | None = None
        self._triggers: Triggers | None = None
        self._cdn: Cdn | None = None

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
        packed = self._package()
        options = self._options
        blueprint = self._blueprint()
        command_for(options.runtime)  # whether it is there is better known before anything is started
        apis = _apis(blueprint.doors)
        for offset, purpose in enumerate(["the CDN", *(f"the front door {name}" for name in apis)]):
            port = options.port + offset if options.port else 0
            self._sockets.append(listen(options.host, port, purpose))
        shown = _shown(options.host)
        urls = [f"http://{shown}:{port_of(sock)}" for sock in self._sockets]
        self.url, self.door_urls = urls[0], dict(zip(apis, urls[1:], strict=True))

        starting = []
        if options.endpoint_url is None:
            origins = [f"http://{host}:{port_of(sock)}" for sock in self._sockets for host in {shown, "localhost"}]
            self._bucket_server = BucketServer(options.bucket, self._state / "bucket", origins)
            self.bucket_url = self._bucket_server.url
            starting.append(self._background(self._bucket_server.start()))
        common = variables.of_all(self._folder, options, self.bucket_url, self.url)
        origin = blueprint.functions[blueprint.doors[0].function]
        own = variables.of_function(origin, blueprint, options)
        if packed is not None:
            common["DJANGO_SETTINGS_MODULE"] = packed.settings
        project = await inspect(self._folder, {**common, **own})
        state_folder(self._folder)
        specs = self._specs(blueprint, variables.with_project(common, project) if packed is None else common, packed)
        common = variables.with_project(common, project)
        site = {**common, **own}  # what the project's settings may ask for

        service = self._service = FunctionService(
            specs,
            options.concurrency,
            self._log,
            idle_limit=options.idle,
            changed=self._recorder.changed,
        )
        service.start(origin.name)
        place = options.endpoint_url or "emulated"
        files = static.StaticFiles(
            project,
            options.bucket,
            self.bucket_url,
            site,
            place=place,
            state=self._state,
            source=None if packed is None else packed.static,
        )
        starting.append(self._background(self._sync(files)))
        await asyncio.gather(*starting)
        await service.settled()

        gateways = {name: self._gateways(doors, service) for name, doors in apis.items()}
        handlers = {
            name: made[0] if len(made) == 1 else SharedGateway(apis[name], made) for name, made in gateways.items()
        }
        self._bucket_client = BucketClient(
            self.bucket_url, options.bucket, common["AWS_REGION"] if options.endpoint_url else None
        )
        prefixes = _prefixes(project, blueprint.doors[0].stage)
        self._cdn = Cdn(
            blueprint.distribution or default_distribution(prefixes, variables.origin_secret(site)),
            next(iter(handlers.values())),
            self._bucket_client,
            self._log,
            fresh=options.reload,
            patience=None if options.debugging else PATIENCE,
        )
        invoke = partial(_answer, service)
        await self._start_triggers(blueprint, invoke, common["AWS_REGION"])
        replay = Replay(self._recorder, [each for made in gateways.values() for each in made], invoke)
        reserved = Reserved(
            self._cdn, self._console(project, replay, prefixes), InvalidationApi(self._cdn.invalidate, self._log)
        )
        await self._serve([reserved, *handlers.values()])
        for name, doors in apis.items():
            if doors[0].health_check is not None:
                checks = HealthChecks(name, doors[0].health_check, gateways[name][0], self._log)
                self._background(checks.run())
        if options.reload:
            self._background(self._reload(project, files))
        self._tell(blueprint, project, site["FAAS_INTERFACE"], time.perf_counter() - started)

    def _package(self) -> package.Package | None:
        """The package that is to be run, if any; what it can't be run with is refused."""
        options = self._options
        if options.package is None:
            return None
        if options.runtime != "own" or options.debugpy is not None:
            wrong = "--runtime awslambdaric" if options.runtime != "own" else "--debugpy"
            raise EmulatorError(f"{wrong} needs what no package has: leave it out, or leave --package out.")
        found = package.read(options.package)
        by_package = options.interface is None and options.template is None
        interface = found.interface if by_package else options.interface
        self._options = dataclasses.replace(options, interface=interface, reload=False)
        return found

    def _blueprint(self) -> Blueprint:
        options = self._options
        found = None
        if options.template is not None:
            from .template import read_template

            region = variables.region_of(options)
            found = read_template(options.template, dict(options.parameters), region=region, bucket=options.bucket)
        elif options.parameters:
            raise EmulatorError("--parameter is for a template: name it with --template FILE.")
        blueprint = options.applied_to(found)
        for note in blueprint.notes:
            self._log.caution(note)
        secrets = any(variables.SECRETS_PATH in function.variables for function in blueprint.functions.values())
        if secrets and options.endpoint_url is None:
            self._log.note("Parameter Store is not read here: what functions have from there, set in this shell.")
        return blueprint

    def _specs(
        self, blueprint: Blueprint, common: Mapping[str, str], packed: package.Package | None = None
    ) -> dict[str, FunctionSpec]:
        options = self._options
        folder, started = self._folder, variables.of_lambda(self._folder, common)
        if packed is not None:
            folder = packed.unpack(self._state)
            started = variables.of_package(started, packed, folder)
        fronted = {door.function for door in blueprint.doors}
        specs = {}
        for name, function in blueprint.functions.items():
            own = variables.of_function(function, blueprint, options)
            debugging = options.debugging and name == blueprint.doors[0].function
            specs[name] = specify(
                variables.told(function, own),
                folder,
                started,
                python=(sys.executable,) if packed is None else packed.command,
                runtime=options.runtime,
                freeze=options.freeze,
                enforce_memory=options.memory_limit and name in fronted,
                debug=debugging,
                debug_port=options.debugpy if debugging else None,
            )
        return specs

    def _gateways(self, doors: list[Door], service: FunctionService) -> list[Gateway]:
        async def ask(function: str, event: bytes) -> bytes:
            record = Record(str(uuid.uuid4()), "authorizer", doors[0].kind, function, "authorize", function, event)
            self._recorder.add(record)
            try:
                record.answer = await _answer(service, function, event, record)
            finally:
                self._recorder.end(record)
            return record.answer

        return [
            Gateway(
                build(door),
                partial(service.invoke, door.function),
                door.function,
                guard(door, ask),
                self._recorder,
                self._log,
            )
            for door in doors
        ]

    async def _start_triggers(self, blueprint: Blueprint, invoke: Any, region: str) -> None:
        if not (blueprint.queues or blueprint.mappings or blueprint.schedules or blueprint.notifications):
            return
        from .triggers import Triggers, emulated_identity

        if blueprint.queues or blueprint.mappings:
            endpoint, identity = variables.queue_service(self._options, self.bucket_url, region)
        else:
            endpoint, identity = self.bucket_url, emulated_identity(region)  # which is never asked
        self._triggers = Triggers(
            blueprint,
            invoke,
            self._log,
            self._recorder,
            endpoint=endpoint,
            identity=identity,
            bucket=self._options.bucket,
        )
        if self._bucket_server is not None:
            self._bucket_server.on_change = self._triggers.changed
        elif blueprint.notifications:
            self._log.caution("The bucket is not the emulator's own: nobody is told of objects that come and go.")
        await self._triggers.start()

    def _console(self, project: Project, replay: Replay, prefixes: list[tuple[str, int]]) -> Console:
        names = {name.lower() for name in project.allowed_hosts if "*" not in name and not name.startswith(".")}
        about = About(
            project.settings,
            facts=(
                ("site", f"{self.url}/"),
                *((name, f"{url}/") for name, url in self.door_urls.items()),
                ("bucket", f"{self.bucket_url}/{self._options.bucket}"),
            ),
            hosts=frozenset({self._options.host.lower(), *names}),
            files=tuple(prefix for prefix, _ in prefixes),
        )
        return Console(self._recorder, replay, about)

    async def _serve(self, handlers: list[Handler]) -> None:
        for handler, sock in zip(handlers, tuple(self._sockets), strict=True):
            server = Server(handler, sock)
            self._servers.append(server)
            self._sockets.remove(sock)
            await server.start()

    async def _stop(self) -> None:
        for sock in self._sockets:
            sock.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._triggers is not None:
            await self._triggers.stop()
        await asyncio.gather(*(server.stop() for server in self._servers))
        endings: list[Coroutine[Any, Any, None]] = []
        if self._service is not None:
            endings.append(self._service.stop())
        if self._bucket_client is not None:
            endings.append(self._bucket_client.close())
        if self._bucket_server is not None:
            endings.append(self._bucket_server.stop())
        await asyncio.gather(*endings)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def _sync(self, files: static.StaticFiles) -> None:
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
            self._replace()

    def _replace(self) -> None:
        if self._service is not None:
            self._service.replace()
        if self._cdn is not None:
            # What the old code has answered must not hide what the new one does.
            self._cdn.invalidate(("/*",))

    async def _reload(self, project: Project, files: static.StaticFiles) -> None:
        template = None if self._options.template is None else self._options.template.resolve()
        try:
            async for changed in watch.changes(project):
                code = [path for path in changed.code if path != template]
                if len(code) < len(changed.code):
                    self._log.caution(f"{self._options.template} changed: what it says counts from the next start on")
                if code:
                    self._log.note(f"{_short(code[0], project)} changed: new processes take over")
                    self._replace()
                if changed.static:
                    self._log.note(f"{_short(changed.static[0], project)} changed: syncing static files")
                    await self._sync(files)
        except (OSError, RuntimeError) as error:
            self._log.caution(f"Changes to the project's files go unnoticed from here on: {error}")

    def _tell(self, blueprint: Blueprint, project: Project, interface: str, seconds: float) -> None:
        options, log = self._options, self._log
        first = blueprint.doors[0]
        streams = any(door.streaming for door in blueprint.doors)
        inside = f"/{first.stage}/" if first.stage and first.kind == "rest_api" else "/"
        routes = ", ".join(f"{prefix}* from the bucket" for prefix, _ in _prefixes(project, None))
        rest = f"the rest by {first.kind}"
        if blueprint.distribution is not None:
            routes, rest = "", f"as {options.template} has it"
        places = [Place("site", f"{self.url}{inside}", f"{routes}, {rest}" if routes else rest)]
        places += [Place(name, f"{url}/", "the front door by itself") for name, url in self.door_urls.items()]
        kept = f"kept in {_short(self._state, project)}/bucket" if options.endpoint_url is None else "as given"
        places.append(Place("bucket", f"{self.bucket_url}/{options.bucket}", kept))
        if self._triggers is not None:
            places += [Place(f"queue {name}", url, "") for name, url in self._triggers.queue_urls.items()]
        places.append(Place("console", f"{self.url}/.faas/", "each invocation, live"))
        mode = ", response_stream" if streams else ""
        code = "" if options.package is None else f", {options.package}"
        title = f"{project.settings}, {interface}, {options.runtime} runtime{mode}{code}"
        if project.static_note is not None:
            log.caution(f"No static files are served: {project.static_note}.")
        if streams and options.runtime != "own":
            log.caution(
                f"{options.runtime} can't stream: front doors that do show its answers with the JSON around them, or "
                "refuse them. Use --runtime own."
            )
        host = _shown(options.host)
        if not _allowed(host, project):
            log.caution(f"DEBUG is off and ALLOWED_HOSTS has no {host}: Django will answer 400 until it is added.")
        log.ready(Ready(title, places, seconds))


async def _answer(service: FunctionService, function: str, event: bytes, record: Record) -> bytes:
    """What a function answers an event that came by no front door."""
    invocation = await service.invoke(function, event, record.id, None, record=record)
    return invocation.outcome.result()


def _apis(doors: tuple[Door, ...]) -> dict[str, list[Door]]:
    """The doors by what they are shown as; those that share an address together."""
    apis: dict[str, list[Door]] = {}
    for number, door in enumerate(doors, 1):
        apis.setdefault(door.name or str(number), []).append(door)
    kinds = [api[0].kind for api in apis.values()]
    return {api[0].kind if kinds.count(api[0].kind) < 2 else f"{api[0].kind} {name}": api for name, api in apis.items()}


def _prefixes(project: Project, stage: str | None) -> list[tuple[str, int]]:
    """What the bucket serves, as `default_distribution` wants it.

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
