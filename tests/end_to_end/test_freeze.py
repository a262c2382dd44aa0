"""A function with a database: frozen, thawed, and its server stopped, replaced or gone meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from tests.emulator.helpers import Heard, alive, until
from tests.postgresql import PostgreSQL

ROOT = Path(__file__).parents[2]
LONGER_THAN_QUIET = 1.1

interfaces = pytest.mark.parametrize("interface", ["wsgi", "asgi"])


class Wire:
    """The way from the function to its server by TCP, which can be listened to and meddled with."""

    def __init__(self, postgresql: PostgreSQL) -> None:
        self._socket = str(postgresql.folder / ".s.PGSQL.5432")
        self.round_trips = 0
        self.connections = 0
        self.loses_endings = False
        """The client hears nothing of the end of its session, now or until it sends something, as in a long freeze."""
        self.pools = False
        """A process of its own making is named to the client, as by a pooler."""

    async def start(self) -> int:
        """Returns the port to connect to."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        self._server.close()

    async def _connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self._socket)
        self.connections += 1
        answered = True
        ended = False

        async def forth() -> None:
            nonlocal answered
            while data := await client.read(65536):
                if ended:
                    linger = struct.pack("ii", 1, 0)  # closed with a reset, as a host does that knows of no connection
                    to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    to_client.transport.abort()
                    return
                self.round_trips += answered
                answered = False
                to_server.write(data)
            to_server.close()

        async def back() -> None:
            nonlocal answered, ended
            while data := await server.read(65536):
                if self.loses_endings:
                    continue
                answered = True
                if self.pools:
                    # https://www.postgresql.org/docs/current/protocol-message-formats.html (BackendKeyData)
                    mark = b"K\0\0\0\x0c"
                    before, found, after = data.partition(mark)
                    data = before + found + b"\x7f" + after[1:] if found else data
                to_client.write(data)
            ended = True
            if not self.loses_endings:
                to_client.close()
                client.feed_eof()

        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(forth())
                both.create_task(back())
        except* ConnectionError:
            pass
        finally:
            for writer in (to_client, to_server):
                writer.close()
            self.connections -= 1


class Function:
    """The project in an environment of its own, frozen whenever it has no request."""

    def __init__(self, postgresql: PostgreSQL, interface: str, variables: dict[str, str]) -> None:
        self.postgresql = postgresql
        self.log = Heard()
        self.processes: set[int] = set()
        variables = {
            **lambda_variables(ROOT, "eu-west-1"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "DJANGO_SETTINGS_MODULE": "tests.end_to_end.visits.settings",
            "FAAS_INTERFACE": interface,
            "_HANDLER": "adapter.entrypoint.handler",
            "VISITS_HOST": str(postgresql.folder),
            **variables,
        }
        spec = FunctionSpec(ROOT, (sys.executable, "-m", "adapter.runtime"), variables)
        self.service = FunctionService({"f": spec}, 1, self.log)

    async def get(self, path: str, status: int = 200) -> Any:
        """The view's answer; returns when the process is frozen again."""
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"host": "example.com"},
            "requestContext": {"http": {"method": "GET", "path": path}, "domainName": "x.lambda-url.eu-west-1.on.aws"},
        }
        invocation = await self.service.invoke("f", json.dumps(event).encode(), "1", 20)
        answer = json.loads(invocation.outcome.result())
        assert answer["statusCode"] == status, (answer["body"], self.log.text)
        body = None
        if status == 200:
            body = json.loads(answer["body"])
            self.processes.add(body["process"])
        await self.frozen()
        return body

    async def frozen(self) -> None:
        """Wait until the environment, which has had one process all the time, is stopped."""
        (process,) = self.processes
        deadline = time.monotonic() + 10
        while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline, self.log.text
            await asyncio.sleep(0.001)

    def sessions(self) -> list[int]:
        """The server's processes for this function."""
        found = self.postgresql.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'function'")
        return [pid for (pid,) in found]

    def terminate(self) -> None:
        """End the function's sessions, and wait for them to be gone."""
        sessions = self.sessions()
        for session in sessions:
            os.kill(session, signal.SIGTERM)  # as pg_terminate_backend() does, which waits in steps of 0.1 s
        assert until(lambda: not any(map(alive, sessions)))


def play(
    scenario: Callable[[Function], Awaitable[None]],
    postgresql: PostgreSQL,
    interface: str,
    wire: Wire | None = None,
    **variables: str,
) -> str:
    """Play ``scenario`` with a function that has answered once; what it logged. No session of it may be left."""
    postgresql.execute("CREATE TABLE IF NOT EXISTS visits_visit (id bigserial PRIMARY KEY, path text NOT NULL)")

    async def main() -> Function:
        if wire is not None:
            variables.update(VISITS_HOST="127.0.0.1", VISITS_PORT=str(await wire.start()))
            variables.update(PGSSLMODE="disable", PGGSSENCMODE="disable")
        function = Function(postgresql, interface, variables)
        function.service.start("f")
        try:
            await function.get("/visit/")
            await scenario(function)
        finally:
            await function.service.stop()
            if wire is not None:
                wire.stop()
        return function

    function = asyncio.run(main(), debug=False)  # each of two thousand requests is the slower for it
    assert until(lambda: not function.sessions(), 5)
    assert "Warning" not in function.log.text
    return function.log.text


@pytest.mark.parametrize("checked", ["", "1"], ids=["unchecked", "checked"])
@interfaces
def test_two_hundred_freezes_are_noticed_by_nobody(postgresql: PostgreSQL, interface: str, checked: str) -> None:
    paths = ["/visit/", "/transaction/", "/read/"] + ["/asynchronous/"] * (interface == "asgi")

    async def scenario(function: Function) -> None:
        replaced = 0
        for cycle in range(200):
            sessions = function.sessions()
            assert len(sessions) == 1
            match cycle % 50:
                case 0:
                    postgresql.stop()
                    postgresql.start()
                case 1 if cycle % 100 == 1:
                    await asyncio.sleep(LONGER_THAN_QUIET)  # the server ends the idle session by itself
                    assert until(lambda: not function.sessions())
                case number if number % 3 == 2:
                    function.terminate()
            await function.get(paths[cycle % len(paths)])
            replaced += sessions != function.sessions()
        assert replaced >= 4 + 2 + 64

    log = play(scenario, postgresql, interface, VISITS_CHECKED=checked, FAAS_DATABASE_IDLE_TIMEOUT="1")
    assert "Error" not in log


@pytest.mark.parametrize(
    ("interface", "checked"), [("wsgi", ""), ("wsgi", "1"), ("asgi", "1")], ids=["unchecked", "checked", "asgi"]
)
def test_requests_in_quick_succession_cost_no_round_trip_more(
    postgresql: PostgreSQL, interface: str, checked: str
) -> None:
    wire = Wire(postgresql)

    async def round_trips(function: Function, path: str) -> int:
        before = wire.round_trips
        await function.get(path)
        return wire.round_trips - before

    async def scenario(function: Function) -> None:
        # The lowest of several, as a busy machine may make a pause of its own.
        assert min([await round_trips(function, "/visit/") for _ in range(5)]) == 2
        assert min([await round_trips(function, "/transaction/") for _ in range(5)]) == 4
        await asyncio.sleep(LONGER_THAN_QUIET)
        assert await round_trips(function, "/visit/") == 3
        function.terminate()
        while wire.connections:
            await asyncio.sleep(0.001)
        # The new connection and its limit; the question to the old one never gets as far as the server.
        assert await round_trips(function, "/visit/") == 1 + 2 + 1

    play(scenario, postgresql, interface, wire, VISITS_CHECKED=checked)


def test_the_end_of_a_session_may_be_lost_in_a_freeze(postgresql: PostgreSQL) -> None:
    wire = Wire(postgresql)

    async def scenario(function: Function) -> None:
        wire.loses_endings = True
        function.terminate()
        await asyncio.sleep(LONGER_THAN_QUIET)
        wire.loses_endings = False
        await function.get("/transaction/")

    assert "Error" not in play(scenario, postgresql, "wsgi", wire)


@pytest.mark.parametrize(
    ("interface", "path"), [("wsgi", "/visit/"), ("wsgi", "/transaction/"), ("asgi", "/asynchronous/")]
)
def test_a_read_only_server_is_left_after_one_error(postgresql: PostgreSQL, interface: str, path: str) -> None:
    async def scenario(function: Function) -> None:
        # Sessions that begin now stay read-only for as long as they last.
        postgresql.execute("ALTER ROLE shop SET default_transaction_read_only = on")
        function.terminate()
        await function.get("/read/")
        postgresql.execute("ALTER ROLE shop RESET default_transaction_read_only")
        await function.get(path, status=500)
        await function.get(path)
        assert len(function.sessions()) == 1

    assert play(scenario, postgresql, interface).count("ReadOnlySqlTransaction") == 1


def test_a_server_made_read_only_in_a_freeze_is_left_before_an_error(postgresql: PostgreSQL) -> None:
    async def scenario(function: Function) -> None:
        # New sessions stand for those with the server that has taken over.
        postgresql.execute("ALTER ROLE shop SET default_transaction_read_only = off")
        postgresql.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        postgresql.execute("SELECT pg_reload_conf()")
        try:
            await asyncio.sleep(LONGER_THAN_QUIET)
            await function.get("/visit/")
        finally:
            postgresql.execute("ALTER SYSTEM RESET default_transaction_read_only")
            postgresql.stop()
            postgresql.start()
            postgresql.execute("ALTER ROLE shop RESET default_transaction_read_only")

    assert "Error" not in play(scenario, postgresql, "wsgi")


@interfaces
def test_a_server_that_is_down_is_djangos_error_until_it_is_up(postgresql: PostgreSQL, interface: str) -> None:
    async def scenario(function: Function) -> None:
        postgresql.stop()
        await function.get("/visit/", status=500)
        await function.get("/transaction/", status=500)
        postgresql.start()
        await function.get("/visit/")

    assert "django.db.utils.OperationalError" in play(scenario, postgresql, interface)


@interfaces
def test_no_transaction_is_left_open_in_a_freeze(postgresql: PostgreSQL, interface: str) -> None:
    async def scenario(function: Function) -> None:
        visits = (await function.get("/read/"))["visits"]
        for path in ("/leave-transaction/", "/leave-atomic-block/"):
            assert (await function.get(path))["visits"] == visits + 1
            assert until(lambda: not function.sessions())  # ended, and the transaction and its locks with it
            visits = (await function.get("/visit/"))["visits"]

    assert "Error" not in play(scenario, postgresql, interface)


def test_a_poolers_sessions_are_not_limited(postgresql: PostgreSQL) -> None:
    wire = Wire(postgresql)
    wire.pools = True

    async def scenario(function: Function) -> None:
        assert (await function.get("/limits/"))["limits"] == ["0", "0"]

    play(scenario, postgresql, "wsgi", wire)
