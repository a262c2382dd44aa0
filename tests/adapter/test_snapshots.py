"""SnapStart: what is let go of before the snapshot, and made anew in each process that is restored from it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer

import pytest

from tests.adapter.conftest import minimal_event
from tests.adapter.runtime_api import ROOT, Function, RuntimeAPI, until
from tests.postgresql import PostgreSQL

HAS_AWS_CLIENT = importlib.util.find_spec("awslambdaric") is not None

RUNTIMES = [
    "adapter.runtime",
    pytest.param("awslambdaric", marks=pytest.mark.skipif(not HAS_AWS_CLIENT, reason="it has wheels for Linux only")),
]


@pytest.fixture
def api() -> Iterator[RuntimeAPI]:
    with RuntimeAPI() as api:
        yield api


def start(api: RuntimeAPI, folder: Path, code: str, runtime: str = "adapter.runtime", **environment: str) -> Function:
    return Function(api, folder, code, runtime, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start", **environment)


def waits_for_snapshot(api: RuntimeAPI) -> bool:
    return api.names == ["restore/next"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_hooks_run_around_the_snapshot_and_ours_in_the_middle(api: RuntimeAPI, tmp_path: Path, runtime: str) -> None:
    pytest.importorskip("snapshot_restore_py")
    code = """
    import time
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    from adapter import snapshots

    told = []
    for name in ("prepare", "renew"):
        setattr(snapshots, name, lambda name=name: told.append((name, time.time())))
    for name in "ab":
        register_before_snapshot(lambda name: told.append((f"before {name}", time.time())), name)
        register_after_restore(lambda name: told.append((f"after {name}", time.time())), name=name)
    snapshots.register()
    snapshots.register()

    def handler(event, context):
        return told
    """
    with start(api, tmp_path, code, runtime):
        until(lambda: waits_for_snapshot(api))
        taken = time.time()
        time.sleep(0.3)
        restored = time.time()
        api.restored.set()
        told = api.invoke(None)
    assert [name for name, _ in told] == ["before b", "before a", "prepare", "renew", "after a", "after b"]
    assert all(at < taken for _, at in told[:3])
    assert all(at > restored for _, at in told[3:])
    assert api.names[:2] == ["restore/next", "invocation/next"]
    assert api.calls[0].port != api.calls[1].port


def test_without_the_module_of_aws_ours_run_all_the_same(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import sys
    sys.modules["snapshot_restore_py"] = None
    from adapter import snapshots

    told = []
    for name in ("prepare", "renew"):
        setattr(snapshots, name, lambda name=name: told.append(name))

    def handler(event, context):
        return told
    """
    api.restored.set()
    with start(api, tmp_path, code):
        assert api.invoke(None) == ["prepare", "renew"]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("moment", "names", "error_type", "status"),
    [
        ("before_snapshot", ["init/error"], "Runtime.BeforeSnapshotError", 64),
        ("after_restore", ["restore/next", "restore/error"], "Runtime.AfterRestoreError", 65),
    ],
)
def test_a_hook_that_fails_is_reported(
    api: RuntimeAPI, tmp_path: Path, runtime: str, moment: str, names: list[str], error_type: str, status: int
) -> None:
    pytest.importorskip("snapshot_restore_py")
    code = f"""
    from snapshot_restore_py import register_{moment}
    @register_{moment}
    def fail():
        raise LookupError("no page to prime with")
    def handler(event, context): ...
    """
    api.restored.set()
    with start(api, tmp_path, code, runtime) as function:
        assert function.process.wait(10) == status
        assert api.names == names
        assert api.calls[-1].headers["lambda-runtime-function-error-type"] == error_type
        assert api.calls[-1].json["errorMessage"] == "no page to prime with"
        assert "LookupError" in function.output
        assert 'raise LookupError("no page to prime with")' in function.output


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *arguments: object) -> None:
        pass


class _Redis(BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(10_000):
            # Each command begins with the number of its words.
            self.request.sendall(b"+OK\r\n" * data.count(b"*"))


@pytest.fixture
def servers() -> Iterator[dict[str, str]]:
    """The ports of a web server and of a Redis."""
    web, redis = ThreadingHTTPServer(("127.0.0.1", 0), _Page), ThreadingTCPServer(("127.0.0.1", 0), _Redis)
    started: tuple[TCPServer, ...] = web, redis
    web.daemon_threads = redis.daemon_threads = True
    for server in started:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    yield {"WEB": str(web.server_address[1]), "REDIS": str(redis.server_address[1])}
    for server in started:
        server.shutdown()
        server.server_close()


def sockets(pid: int) -> int:
    return sum(str(entry.readlink()).startswith("socket:") for entry in Path(f"/proc/{pid}/fd").iterdir())


SHOP = """
    import gc, os
    from django.conf import settings
    settings.configure(DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "shop", "HOST": os.environ["PGHOST"],
        "CONN_MAX_AGE": None, "OPTIONS": {"application_name": "snapshot"}}})
    import django
    django.setup()
    from django.db import connection
    from adapter import database
    database.install()

    def session():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the test looks at the process in /proc")
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_django_project_is_made_ready_by_itself(
    api: RuntimeAPI, tmp_path: Path, servers: dict[str, str], runtime: str, interface: str
) -> None:
    code = """
    import http.client, os
    kept = http.client.HTTPConnection("127.0.0.1", int(os.environ["WEB"]))
    kept.request("GET", "/")
    kept.getresponse().read()
    from adapter.entrypoint import handler
    """
    environment = {"DJANGO_SETTINGS_MODULE": "tests.project.settings", "FAAS_INTERFACE": interface, **servers}
    with start(api, tmp_path, code, runtime, **environment) as function:
        until(lambda: waits_for_snapshot(api))
        # To the Runtime API, and the pair that an event loop wakes itself with.
        assert sockets(function.process.pid) == (1 if interface == "wsgi" else 3)
        api.restored.set()
        for _ in range(2):
            assert api.invoke(minimal_event("http_api", "GET", "/greek/", {"host": "example.com"}))["statusCode"] == 200


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the test looks at the process in /proc")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_connection_is_open_in_the_snapshot_and_all_are_usable_after_it(
    api: RuntimeAPI, tmp_path: Path, postgresql: PostgreSQL, servers: dict[str, str], runtime: str
) -> None:
    if importlib.util.find_spec("urllib3") is None:
        pytest.skip("urllib3 is not installed")
    code = f"""
    {SHOP}
    import asyncio, http.client, urllib3
    from asgiref.sync import sync_to_async
    from adapter import snapshots
    try:
        import redis
    except ModuleNotFoundError:
        redis = None

    web = urllib3.PoolManager()
    pool = urllib3.HTTPConnectionPool("127.0.0.1", int(os.environ["WEB"]))
    plain = http.client.HTTPConnection("127.0.0.1", int(os.environ["WEB"]))
    cache = redis and redis.Redis(port=int(os.environ["REDIS"]), protocol=2)

    def use():
        plain.request("GET", "/")
        answers = [web.request("GET", f"http://127.0.0.1:{{os.environ['WEB']}}/").data, pool.request("GET", "/").data,
            plain.getresponse().read(), cache.ping() if redis else True]
        return [session(), *map(str, answers)]

    first = use()
    # In the thread that asgiref keeps.
    other = asyncio.run(sync_to_async(session)())
    opened = sum(os.readlink(entry.path).startswith("socket:") for entry in os.scandir("/proc/self/fd"))
    gc.freeze()
    snapshots.register()

    def handler(event, context):
        return [opened, [other, *first], use()]
    """
    environment = {"PGHOST": str(postgresql.folder), **servers}
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'snapshot'"
    with start(api, tmp_path, code, runtime, **environment) as function:
        until(lambda: waits_for_snapshot(api))
        assert sockets(function.process.pid) == 1  # to the Runtime API
        assert postgresql.execute(sessions) == [(0,)]
        api.restored.set()
        opened, (thread, session, *before), (again, *after) = api.invoke(None)
        assert opened >= 5
        assert before == after
        assert len({thread, session, again}) == 3
        assert function.output == ""


def test_a_connection_that_stays_open_is_named(api: RuntimeAPI, tmp_path: Path, servers: dict[str, str]) -> None:
    code = """
    import os, socket
    stray = socket.create_connection(("127.0.0.1", int(os.environ["WEB"])))
    listening = socket.create_server(("127.0.0.1", 0))
    local = socket.socketpair()
    metrics = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    metrics.connect(("127.0.0.1", 2000))
    def handler(event, context):
        return stray.send(b"still whole")
    """
    api.restored.set()
    with start(api, tmp_path, code, **servers) as function:
        assert api.invoke(None) == 11
        (line,) = function.output.splitlines()
        assert f"A connection to 127.0.0.1:{servers['WEB']} is still open" in line
        assert "register_before_snapshot" in line


def test_a_server_that_was_replaced_meanwhile_is_connected_to(
    api: RuntimeAPI, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    code = f"""
    {SHOP}
    session()
    def handler(event, context):
        return session()
    """
    with start(api, tmp_path, code, PGHOST=str(postgresql.folder)) as function:
        until(lambda: waits_for_snapshot(api))
        postgresql.stop()
        postgresql.start()
        api.restored.set()
        assert isinstance(api.invoke(None), int)
        assert function.output == ""


def test_lazy_objects_and_dead_proxies_are_left_alone() -> None:
    code = """
    import gc, http.client, weakref
    from django.utils.functional import SimpleLazyObject
    from adapter import snapshots

    made = []
    lazy = SimpleLazyObject(lambda: made.append("made"))
    class Thing: ...
    proxy = weakref.proxy(Thing())
    snapshots.prepare()
    assert made == []
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], cwd=ROOT, check=True, timeout=60)


COPIES = """
    import ctypes, json, os, random, signal, ssl, sys, tempfile
    try:
        import numpy.random
    except ModuleNotFoundError:
        numpy = None
    from adapter import snapshots

    libc = ctypes.CDLL(None, use_errno=True)
    CLONE_NEWPID = 0x20000000

    def enter():
        '''Have the next fork be process 1 of a namespace of its own; an ordinary one is another process to OpenSSL.'''
        if libc.unshare(CLONE_NEWPID):
            sys.exit(77)

    def copy(work):
        '''A process with this one's memory that none of Python's own handlers has seen the fork of.'''
        if not (pid := libc._Fork()):
            try:
                work()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    def report():
        if "renew" in sys.argv:
            snapshots.renew()
        with tempfile.NamedTemporaryFile() as file:
            numbers = {"random": random.random(), "tempfile": os.path.basename(file.name)}
        numbers |= {"ssl": ssl.RAND_bytes(8).hex(), "numpy": numpy.random.random() if numpy else random.random()}
        print(json.dumps({"pid": os.getpid(), **numbers}), flush=True)

    def prepare():
        random.random(), ssl.RAND_bytes(8), tempfile.NamedTemporaryFile().close(), numpy and numpy.random.random()
        snapshots.prepare()
        for _ in range(2):
            copy(lambda: (enter(), copy(report)))

    enter()
    copy(prepare)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has namespaces of processes")
def test_two_processes_restored_from_one_state_differ(tmp_path: Path) -> None:
    def copies(*arguments: str) -> list[dict[str, object]]:
        command = [sys.executable, "-c", textwrap.dedent(COPIES), *arguments]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        if result.returncode == 77:
            pytest.skip("not allowed to make a namespace of processes")
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    one, other = copies()
    assert one == other, "without renewal they must be the same, or this test proves nothing"
    one, other = copies("renew")
    assert one["pid"] == other["pid"] == 1
    assert {name for name in one if one[name] == other[name]} == {"pid"}
