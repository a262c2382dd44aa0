"""Several processes an environment: they share what was loaded, and nothing that each must have for itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from tests.adapter.conftest import minimal_event
from tests.adapter.runtime_api import ROOT, Function, RuntimeAPI, until
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="the tests look at the workers in /proc")

TOGETHER = """
    import os, time
    from pathlib import Path

    def meet(count):
        '''Wait for as many calls of this function, in as many processes.'''
        Path(f"met-{os.getpid()}").touch()
        deadline = time.monotonic() + 10
        while len(list(Path().glob("met-*"))) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
"""


@pytest.fixture
def api() -> Iterator[RuntimeAPI]:
    with RuntimeAPI() as api:
        yield api


def start(api: RuntimeAPI, folder: Path, code: str, count: int, **environment: str) -> Function:
    return Function(api, folder, code, AWS_LAMBDA_MAX_CONCURRENCY=str(count), **environment)


def of_each(api: RuntimeAPI, count: int, event: Any = None) -> list[Any]:
    """What each of ``count`` workers answers to the event."""
    until(lambda: len(api.waiting) == count)
    return [api.invoke(event, port) for port in list(api.waiting)]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_as_many_invocations_at_once_as_there_are_workers_and_one_import(api: RuntimeAPI, tmp_path: Path) -> None:
    code = f"""
    {TOGETHER}
    with open("imports", "a") as file:
        print(os.getpid(), file=file)

    def handler(event, context):
        meet(4)
        return os.getpid()
    """
    with start(api, tmp_path, code, 4) as function:
        answers = [api.send(None) for _ in range(4)]
        pids = {answer().json for answer in answers}
        assert pids == set(function.children)
        assert len(pids) == 4
        assert (tmp_path / "imports").read_text() == f"{function.process.pid}\n"


@pytest.mark.parametrize(
    ("end", "ending"),
    [
        ("os._exit(3)", "exit status 3"),
        ("sys.exit(0)", "exit status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"),
        ("ctypes.string_at(0)", "signal: segmentation fault"),
    ],
)
def test_a_worker_that_ends_is_replaced_and_its_client_not_left_waiting(
    api: RuntimeAPI, tmp_path: Path, end: str, ending: str
) -> None:
    code = f"""
    import ctypes, os, signal, sys, tempfile
    from pathlib import Path

    def handler(event, context):
        if event == "end":
            Path(tempfile.gettempdir(), "left").touch()
            {end}
        folder = Path(tempfile.gettempdir())
        return [os.getpid(), str(folder), [file.name for file in folder.iterdir()]]
    """
    with start(api, tmp_path, code, 2) as function:
        before = {pid: folder for pid, folder, _ in of_each(api, 2)}
        failed = api.send("end")()
        assert failed.name.endswith("/error")
        assert failed.headers["lambda-runtime-function-error-type"] == "Runtime.ExitError"
        request_id = failed.name.split("/")[1]
        assert failed.json == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: {ending}",
        }
        until(lambda: len(function.children) == 2)
        after = {pid: (folder, left) for pid, folder, left in of_each(api, 2)}
        (new,) = set(after) - set(before)
        (old,) = set(before) - set(after)
        assert after[new] == (before[old], ["left"])
        assert f"ended ({ending}), and is replaced" in function.output


def test_a_worker_that_ends_after_its_answer_fails_nobody(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import os, threading, time
    def handler(event, context):
        if event:
            threading.Thread(target=lambda: (time.sleep(0.3), os._exit(3)), daemon=True).start()
        return os.getpid()
    """
    with start(api, tmp_path, code, 1):
        pid = api.invoke("end")
        assert api.invoke(None) == pid
        until(lambda: not is_there(pid))
        assert api.invoke(None) != pid
        assert not [name for name in api.names if name.endswith("/error")]


def test_a_worker_that_cannot_begin_is_reported_and_not_started_in_a_hot_loop(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import os
    def handler(event, context): ...
    def begin():
        print("begun", flush=True)
        raise ConnectionRefusedError("no cache at 10.0.0.1")
    handler.open = begin
    """
    with start(api, tmp_path, code, 1) as function:
        until(lambda: "begun" in function.output)
        time.sleep(2.5)
        assert 2 <= function.output.count("begun") <= 4
        assert api.names[0] == "init/error"
        assert api.calls[0].json["errorMessage"] == "no cache at 10.0.0.1"


LIFESPAN = """
    import os, signal, threading, time
    from pathlib import Path
    from asgiref.sync import sync_to_async
    from adapter import LambdaHandler

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                Path(f"{kind}-{os.getpid()}").touch()
                scope["state"]["pid"] = await sync_to_async(os.getpid)()
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        body = str([os.getpid(), scope["state"]["pid"], await sync_to_async(os.getpid)()])
        if scope["path"] == "/busy":
            time.sleep(10)
        if scope["path"] == "/deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            time.sleep(10)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body.encode()})

    handler = LambdaHandler(application)
"""


def get(path: str) -> dict[str, Any]:
    return minimal_event("http_api", "GET", path, {"host": "example.com"})


def event_loops(pid: int) -> int:
    return sum("eventpoll" in str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir())


def test_each_worker_has_an_event_loop_a_lifespan_and_threads_of_its_own(api: RuntimeAPI, tmp_path: Path) -> None:
    with start(api, tmp_path, LIFESPAN, 3) as function:
        answers = of_each(api, 3, get("/"))
        pids = function.children
        assert sorted(answer["body"] for answer in answers) == sorted(str([pid] * 3) for pid in pids)
        assert event_loops(function.process.pid) == 0
        assert [event_loops(pid) for pid in pids] == [1, 1, 1]
        assert (tmp_path / f"lifespan.shutdown-{function.process.pid}").exists()
        assert not (tmp_path / f"lifespan.shutdown-{pids[0]}").exists()
        assert function.output == ""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_django_project_is_served_by_every_worker(api: RuntimeAPI, tmp_path: Path, interface: str) -> None:
    environment = {
        "_HANDLER": "adapter.entrypoint.handler",
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "FAAS_INTERFACE": interface,
    }
    with start(api, tmp_path, "", 2, **environment) as function:
        for _ in range(2):
            answers = of_each(api, 2, get("/greek/"))
            assert [answer["statusCode"] for answer in answers] == [200, 200]
        assert function.output == ""


def test_synchronous_code_has_its_thread_in_each_worker(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import asyncio, os
    from asgiref.sync import sync_to_async
    asyncio.run(sync_to_async(os.getpid)())
    def handler(event, context):
        return asyncio.run(sync_to_async(os.getpid)())
    """
    with start(api, tmp_path, code, 2) as function:
        assert sorted(of_each(api, 2)) == sorted(function.children)
        assert function.output == ""


@pytest.mark.parametrize("path", [None, "/busy"])
def test_sigterm_ends_every_worker_with_its_lifespan(api: RuntimeAPI, tmp_path: Path, path: str | None) -> None:
    with start(api, tmp_path, LIFESPAN, 3) as function:
        until(lambda: len(api.waiting) == 3)
        pids = function.children
        if path:
            api.send(get(path))
            until(lambda: len(api.waiting) == 2)
        started = time.monotonic()
        function.process.send_signal(SIGTERM)
        assert function.process.wait(5) == 0
        assert time.monotonic() - started < 2
        assert not any(map(is_there, pids))
        assert all((tmp_path / f"lifespan.shutdown-{pid}").exists() for pid in pids)
        assert list((tmp_path / "tmp").iterdir()) == []
        assert "Traceback" not in function.output


def test_a_worker_that_does_not_end_is_ended(api: RuntimeAPI, tmp_path: Path) -> None:
    with start(api, tmp_path, LIFESPAN, 2) as function:
        until(lambda: len(api.waiting) == 2)
        pids = function.children
        api.send(get("/deaf"))
        until(lambda: len(api.waiting) == 1)
        started = time.monotonic()
        function.process.send_signal(SIGTERM)
        assert function.process.wait(5) == 0
        assert time.monotonic() - started < 2
        assert not any(map(is_there, pids))


def test_workers_do_not_outlive_a_killed_parent(api: RuntimeAPI, tmp_path: Path) -> None:
    with start(api, tmp_path, LIFESPAN, 2) as function:
        until(lambda: len(api.waiting) == 2)
        pids = function.children
        function.process.send_signal(SIGKILL)
        until(lambda: not any(map(is_there, pids)))
        assert all((tmp_path / f"lifespan.shutdown-{pid}").exists() for pid in pids)


def test_without_a_runtime_api_all_of_it_ends(tmp_path: Path) -> None:
    with RuntimeAPI() as api:
        function = start(api, tmp_path, "def handler(event, context): ...", 2)
        with function:
            until(lambda: len(api.waiting) == 2)
            pids = function.children
            api.close()
            assert function.process.wait(10) == 1
            assert not any(map(is_there, pids))
            assert "No connection to the Runtime API" in function.output
            assert "Traceback" not in function.output


def test_each_worker_has_a_temporary_folder_and_randomness_of_its_own(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import os, random, tempfile, uuid
    try:
        import numpy.random
    except ModuleNotFoundError:
        numpy = None
    random.random(), tempfile.gettempdir(), tempfile.NamedTemporaryFile().close()

    def handler(event, context):
        with tempfile.NamedTemporaryFile() as file:
            name = file.name
        return {
            "folder": os.path.dirname(name),
            "TMPDIR": os.environ["TMPDIR"],
            "name": os.path.basename(name),
            "random": random.random(),
            "numpy": numpy.random.random() if numpy else random.random(),
            "uuid": str(uuid.uuid4()),
        }
    """
    with start(api, tmp_path, code, 3):
        answers = of_each(api, 3)
        for key in answers[0]:
            assert len({answer[key] for answer in answers}) == 3, key
        for answer in answers:
            assert answer["folder"] == answer["TMPDIR"]
            assert Path(answer["folder"]).parent.parent == tmp_path / "tmp"
            assert Path(answer["folder"]).parent.stat().st_mode & 0o77 == 0


def test_time_limits_hold_though_the_parent_had_a_timer_running(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import time
    from adapter import LambdaHandler, limits

    # As priming does: a timer that nothing waits for any more.
    limits.alarm.set(0.2)
    limits.alarm.deadline = None

    def application(environ, start_response):
        time.sleep(5)

    handler = LambdaHandler(application)
    """
    api.seconds = 1.5
    with start(api, tmp_path, code, 1):
        started = time.monotonic()
        assert api.invoke(get("/"))["statusCode"] == 504
        assert time.monotonic() - started < 4


def test_connections_to_databases_are_not_shared(api: RuntimeAPI, tmp_path: Path, postgresql: PostgreSQL) -> None:
    code = """
    import os
    from django.conf import settings
    settings.configure(DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "shop", "HOST": os.environ["PGHOST"],
        "CONN_MAX_AGE": None, "OPTIONS": {"application_name": "workers"}}})
    import django
    django.setup()
    from django.db import connection
    connection.ensure_connection()

    def handler(event, context):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]
    """
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'workers' ORDER BY pid"
    with start(api, tmp_path, code, 3, PGHOST=str(postgresql.folder)) as function:
        backends = of_each(api, 3)
        assert len(set(backends)) == 3
        assert sorted(backends) == [pid for (pid,) in postgresql.execute(sessions)]
        assert sorted(of_each(api, 3)) == sorted(backends)
        assert function.output == ""


def test_log_lines_go_to_the_streams_that_the_service_provides(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import os, sys
    print("from the parent", flush=True)
    def handler(event, context):
        print("out", os.getpid(), flush=True)
        print("err", os.getpid(), file=sys.stderr, flush=True)
        return os.getpid()
    """
    streams: list[bytes] = []
    # A socket's path may have 107 characters.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/logs"
        listener.bind(path)
        listener.listen(16)
        threads = []

        def collect(connection: socket.socket) -> None:
            with connection, connection.makefile("rb") as lines:
                streams.append(lines.read())

        def accept() -> None:
            for _ in range(4):
                connection, _ = listener.accept()
                thread = threading.Thread(target=collect, args=(connection,))
                thread.start()
                threads.append(thread)

        accepting = threading.Thread(target=accept)
        accepting.start()
        with start(api, tmp_path, code, 2, _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET=path) as function:
            pids = of_each(api, 2)
            accepting.join(10)
            function.process.send_signal(SIGTERM)
            function.process.wait(5)
            for thread in threads:
                thread.join(10)
            assert function.output == "from the parent\n"
    assert sorted(streams) == sorted(f"{name} {pid}\n".encode() for name in ("out", "err") for pid in pids)


def test_the_service_without_the_log_streams_it_named_does_not_stop_the_workers(
    api: RuntimeAPI, tmp_path: Path
) -> None:
    code = "def handler(event, context):\n    print('served', flush=True)\n    return 1"
    with start(api, tmp_path, code, 1, _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET="/nowhere/logs") as function:
        assert api.invoke(None) == 1
        assert "served" in function.output
        assert "/nowhere/logs" in function.output


def test_what_was_not_yet_written_out_is_written_once(api: RuntimeAPI, tmp_path: Path) -> None:
    code = "print('booting')\ndef handler(event, context): ..."
    with start(api, tmp_path, code, 3) as function:
        until(lambda: len(api.waiting) == 3)
        function.process.send_signal(SIGTERM)
        function.process.wait(5)
        assert function.output == "booting\n"


def test_hooks_for_snapshots_run_around_the_fork(api: RuntimeAPI, tmp_path: Path) -> None:
    pytest.importorskip("snapshot_restore_py")
    code = """
    import os
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    told = []
    for name in "ab":
        register_before_snapshot(lambda name=name: told.append((name, os.getpid())))
        register_after_restore(lambda name=name: told.append((name, os.getpid())))

    def handler(event, context):
        return [os.getppid(), os.getpid(), told]
    """
    with start(api, tmp_path, code, 2):
        for parent, pid, told in of_each(api, 2):
            assert told == [["b", parent], ["a", parent], ["a", pid], ["b", pid]]


def test_a_hook_that_fails_before_the_fork_ends_init(api: RuntimeAPI, tmp_path: Path) -> None:
    pytest.importorskip("snapshot_restore_py")
    code = """
    from snapshot_restore_py import register_before_snapshot
    @register_before_snapshot
    def prime(): raise LookupError("nothing to prime with")
    def handler(event, context): ...
    """
    with start(api, tmp_path, code, 2) as function:
        assert function.process.wait(10) == 1
        assert api.names == ["init/error"]
        assert api.calls[0].json["errorMessage"] == "nothing to prime with"
        assert 'raise LookupError("nothing to prime with")' in function.output


def test_threads_and_processes_of_the_projects_own_are_named_or_left_alone(api: RuntimeAPI, tmp_path: Path) -> None:
    code = """
    import subprocess, threading, time, warnings
    # Python 3.12 and newer warn of the thread by themselves.
    warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
    threading.Thread(target=time.sleep, args=(60,), name="heartbeat", daemon=True).start()
    process = subprocess.Popen(["sleep", "0.2"])
    def handler(event, context): return 1
    """
    with start(api, tmp_path, code, 1) as function:
        assert api.invoke(None) == 1
        assert "not there in the workers: heartbeat" in function.output
        time.sleep(0.5)
        assert api.invoke(None) == 1
        assert "ended" not in function.output


def test_what_is_there_becomes_immortal_and_what_comes_is_not() -> None:
    code = """
    import sys, weakref
    from adapter.runtime.immortal import immortalise

    class Thing: ...
    old = [Thing(), "".join(["a", "text"]), lambda: "a constant"]
    old.append(old[2].__code__.co_consts[1])
    gone = weakref.ref(old[0])
    immortalise()
    before = [sys.getrefcount(thing) for thing in old]
    more = old * 10
    counted = sys.version_info < (3, 12)
    after = [sys.getrefcount(thing) for thing in old]
    assert after == [count + 10 * counted for count in before]
    new = Thing()
    gone_too = weakref.ref(new)
    del new, more
    old.clear()
    assert gone_too() is None
    assert (gone() is None) is counted
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], cwd=ROOT, check=True, timeout=60)
