"""What is decided about a connection, by a driver with nothing behind it; test_freeze.py has a server."""

from __future__ import annotations

import copy
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from django.core.signals import request_finished, request_started
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.client import BaseDatabaseClient
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.signals import connection_created

from adapter import database
from adapter.exceptions import ConfigurationError
from tests.postgresql import PostgreSQL

ROOT = Path(__file__).parents[2]
ALIAS = "default"


class Clock:
    """The wall clock, which a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Raw:
    """A driver's connection: a socket whose other end is the test's, and what PostgreSQL's drivers know of it."""

    def __init__(self) -> None:
        self.socket, self.server = socket.socketpair()
        self.statements: list[tuple[str, dict[str, Any]]] = []
        self.reported: dict[str, str] = {}
        self.info = SimpleNamespace(transaction_status=0, backend_pid=7, parameter_status=self.reported.get)
        self.closed = False

    def fileno(self) -> int:
        return self.socket.fileno()

    def cursor(self) -> Raw:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        pass

    def execute(self, statement: str, parameters: dict[str, Any]) -> None:
        if self.closed:
            raise sqlite3.OperationalError("closed")
        self.statements.append((statement, parameters))

    def commit(self) -> None:
        pass

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
        self.socket.close()
        self.server.close()


class Cursor:
    """What Django executes: fails with what the test has put there."""

    error: Exception | None = None

    def execute(self, sql: str, params: object = None) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        pass


class Wrapper(BaseDatabaseWrapper):
    vendor = "postgresql"
    Database = sqlite3  # for its exceptions, which every driver has by these names
    client_class = BaseDatabaseClient
    creation_class = BaseDatabaseCreation
    features_class = BaseDatabaseFeatures
    introspection_class = BaseDatabaseIntrospection
    ops_class = BaseDatabaseOperations

    def __init__(self, settings: dict[str, Any], alias: str) -> None:
        super().__init__(settings, alias)
        self.questions = 0
        self.raws: list[Raw] = []
        self.answers = True

    def get_connection_params(self) -> dict[str, Any]:
        return {}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Raw:
        self.raws.append(Raw())
        return self.raws[-1]

    def _set_autocommit(self, autocommit: bool) -> None:
        pass

    def create_cursor(self, name: str | None = None) -> Any:
        return Cursor()

    def is_usable(self) -> bool:
        self.questions += 1
        return self.answers

    @property
    def raw(self) -> Raw:
        return self.raws[-1]


Open = Callable[..., Wrapper]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def opened(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the default connection of a project whose requests are looked after."""
    monkeypatch.delenv("FAAS_DATABASE_IDLE_TIMEOUT", raising=False)
    before = connections[ALIAS]
    made: list[Wrapper] = []

    def open_one(**settings: Any) -> Wrapper:
        settings_dict = copy.deepcopy(before.settings_dict)
        settings_dict |= {"ENGINE": "stub", "CONN_MAX_AGE": None, **settings}
        wrapper = Wrapper(settings_dict, ALIAS)
        connections[ALIAS] = wrapper
        made.append(wrapper)
        request()
        return wrapper

    connection_created.connect(database._opened, dispatch_uid="test")
    request_finished.connect(database.settle, dispatch_uid="test")
    yield open_one
    connection_created.disconnect(dispatch_uid="test")
    request_finished.disconnect(dispatch_uid="test")
    database._of_this_thread.sessions.clear()
    connections[ALIAS] = before
    for wrapper in made:
        for raw in wrapper.raws:
            raw.close()


def request(queries: int = 2) -> None:
    """A request, as far as its database connection is concerned."""
    request_started.send(sender=None, environ={})
    try:
        for _ in range(queries):
            query()
    finally:
        request_finished.send(sender=None)


def query() -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT")


@pytest.mark.parametrize("checked", [False, True])
def test_in_quick_succession_nothing_is_asked(opened: Open, clock: Clock, checked: bool) -> None:
    wrapper = opened(CONN_HEALTH_CHECKS=checked)
    for _ in range(20):
        clock.now += 0.9
        request()
    assert (len(wrapper.raws), wrapper.questions) == (1, 0)


@pytest.mark.parametrize("seconds", [1.0, 3600.0, -1.0, -3600.0])
def test_after_a_gap_or_a_jump_the_server_is_asked_once(opened: Open, clock: Clock, seconds: float) -> None:
    wrapper = opened()
    clock.now += seconds
    request(queries=0)
    assert wrapper.questions == 0
    request(queries=3)
    assert (len(wrapper.raws), wrapper.questions) == (1, 1)
    wrapper.answers = False
    clock.now += seconds
    request(queries=3)
    assert (len(wrapper.raws), wrapper.questions) == (2, 2)


def test_what_a_server_says_unasked_is_looked_into(opened: Open) -> None:
    wrapper = opened()
    wrapper.raw.server.send(b"NOTIFY")
    request()
    assert (len(wrapper.raws), wrapper.questions) == (1, 1)
    wrapper.raw.server.close()
    wrapper.answers = False
    request()
    assert (len(wrapper.raws), wrapper.questions) == (2, 2)


def test_a_connection_that_is_seldom_used_has_a_gap_of_its_own(opened: Open, clock: Clock) -> None:
    wrapper = opened()
    for _ in range(3):
        clock.now += 0.5
        request(queries=0)
    request()
    assert wrapper.questions == 1


@pytest.mark.parametrize("seconds", [60.0, -1.0])
def test_conn_max_age_goes_by_the_wall_clock(opened: Open, clock: Clock, seconds: float) -> None:
    wrapper = opened(CONN_MAX_AGE=60)
    clock.now += seconds
    request()
    assert (len(wrapper.raws), wrapper.questions) == (2, 0)


def test_a_driver_without_a_socket_is_asked_as_django_would(
    opened: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Raw, "fileno")
    wrapper = opened()
    request()
    assert wrapper.questions == 0
    wrapper = opened(CONN_HEALTH_CHECKS=True)
    request()
    assert wrapper.questions == 1


def test_a_connection_closed_behind_djangos_back_is_replaced(opened: Open) -> None:
    wrapper = opened()
    wrapper.answers = False
    wrapper.raw.close()
    request()
    assert (len(wrapper.raws), wrapper.questions) == (2, 1)


def test_conn_max_age_of_nought_costs_nothing(opened: Open) -> None:
    wrapper = opened(CONN_MAX_AGE=0)
    request()
    assert wrapper.connection is None
    assert (len(wrapper.raws), wrapper.questions) == (2, 0)
    assert not wrapper.raws[0].statements
    assert not wrapper.raws[1].statements


class Refusal(sqlite3.OperationalError):
    sqlstate = "25006"


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("cannot execute INSERT"),
        *(sqlite3.OperationalError(number, "read-only") for number in (1290, 1792, 1836)),
    ],
)
def test_a_refused_write_has_the_connection_replaced(
    opened: Open, refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = opened()
    monkeypatch.setattr(Cursor, "error", refusal)
    with pytest.raises(DatabaseError):
        request()
    monkeypatch.setattr(Cursor, "error", None)
    request()
    assert len(wrapper.raws) == 2
    request()
    assert len(wrapper.raws) == 2


def test_a_refused_write_lets_the_same_request_try_again(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = opened()
    request_started.send(sender=None, environ={})
    monkeypatch.setattr(Cursor, "error", Refusal())
    with pytest.raises(DatabaseError):
        query()
    monkeypatch.setattr(Cursor, "error", None)
    query()
    assert len(wrapper.raws) == 2


def test_a_refused_write_leaves_a_transaction_on_its_connection(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = opened()
    request_started.send(sender=None, environ={})
    monkeypatch.setattr(Cursor, "error", Refusal())
    with transaction.atomic():
        with pytest.raises(DatabaseError):
            query()
        monkeypatch.setattr(Cursor, "error", None)
        query()
        assert len(wrapper.raws) == 1
    request_finished.send(sender=None)
    request()
    assert len(wrapper.raws) == 2


@pytest.mark.parametrize("error", [sqlite3.OperationalError("syntax"), sqlite3.OperationalError(["no number"])])
def test_other_errors_are_no_refusal(opened: Open, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = opened()
    monkeypatch.setattr(Cursor, "error", error)
    with pytest.raises(DatabaseError) as caught:
        request()
    assert caught.value.args == error.args
    monkeypatch.setattr(Cursor, "error", None)
    request()
    assert len(wrapper.raws) == 1


@pytest.mark.parametrize("name", ["in_hot_standby", "default_transaction_read_only"])
def test_a_server_found_read_only_after_a_gap_is_left(opened: Open, clock: Clock, name: str) -> None:
    wrapper = opened()
    wrapper.raw.reported[name] = "on"
    request()
    assert len(wrapper.raws) == 1
    clock.now += 2
    request()
    assert len(wrapper.raws) == 2


def test_a_replica_may_be_read_only_from_the_start(opened: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = SimpleNamespace(transaction_status=0, backend_pid=7, parameter_status=lambda name: "on")
    monkeypatch.setattr(Raw, "info", property(lambda self: replica, lambda self, value: None), raising=False)
    wrapper = opened()
    clock.now += 2
    request()
    assert len(wrapper.raws) == 1


def test_a_transaction_unknown_to_django_ends_with_its_request(opened: Open) -> None:
    wrapper = opened()
    wrapper.raw.info.transaction_status = 2
    request_finished.send(sender=None)
    assert wrapper.connection is None
    request()
    wrapper.raw.info.transaction_status = 3  # since, by what a request has left to be done after it
    request()
    assert len(wrapper.raws) == 3


def test_an_atomic_block_that_is_never_left_costs_one_connection(opened: Open) -> None:
    wrapper = opened()
    request_started.send(sender=None, environ={})
    transaction.atomic().__enter__()
    query()
    request_finished.send(sender=None)
    assert wrapper.raw.closed
    request()
    with transaction.atomic():
        query()
    assert len(wrapper.raws) == 2


def test_close_all_closes_whatever_state_a_connection_is_in(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = opened()
    transaction.atomic().__enter__()
    database.close_all()
    assert wrapper.connection is None
    assert wrapper.raw.closed
    request()
    assert len(wrapper.raws) == 2
    with monkeypatch.context() as patched:
        patched.setattr(Raw, "close", failing)
        database.close_all()
    assert wrapper.connection is None


def failing(raw: Raw) -> None:
    raise OSError("the network is of another time")


def test_an_abandoned_request_asks_nothing_of_its_connection(opened: Open) -> None:
    wrapper = opened()
    wrapper.errors_occurred = True
    database.abandon_request()
    assert (wrapper.connection, wrapper.questions) == (None, 0)


def test_a_session_is_limited_once_at_the_end_of_its_first_request(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = opened()
    request()
    ((statement, parameters),) = wrapper.raw.statements
    assert "idle_session_timeout" in statement
    assert parameters == {"process": 7, "limit": "300s"}
    monkeypatch.setenv("FAAS_DATABASE_IDLE_TIMEOUT", "60")
    wrapper.close()
    request()
    assert wrapper.raw.statements[0][1] == {"process": 7, "limit": "60s"}


def test_mysql_has_a_limit_of_its_own(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wrapper, "vendor", "mysql")
    monkeypatch.setattr(Raw, "thread_id", lambda self: 9, raising=False)
    ((statement, parameters),) = opened().raw.statements
    assert "wait_timeout" in statement
    assert parameters == {"process": 9, "limit": 300}


@pytest.mark.parametrize("without", ["option", "RDS Proxy", "other vendor"])
def test_a_session_is_not_limited(opened: Open, monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    host = "shop.proxy-abc.eu-west-1.rds.amazonaws.com" if without == "RDS Proxy" else ""
    if without == "option":
        monkeypatch.setenv("FAAS_DATABASE_IDLE_TIMEOUT", "0")
    if without == "other vendor":
        monkeypatch.setattr(Wrapper, "vendor", "oracle")
    assert opened(HOST=host).raw.statements == []


def test_a_limit_that_is_refused_is_logged_and_harms_nothing(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Raw, *statement: object) -> None:
        raise sqlite3.OperationalError("permission denied")

    monkeypatch.setattr(Raw, "execute", refuse)
    wrapper = opened()
    assert "permission denied" in caplog.text
    assert "FAAS_DATABASE_IDLE_TIMEOUT=0" in caplog.text
    request()
    assert (len(wrapper.raws), wrapper.questions) == (1, 1)


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "86401"])
def test_an_idle_timeout_that_cannot_be_used_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAAS_DATABASE_IDLE_TIMEOUT", text)
    with pytest.raises(ConfigurationError, match=rf"FAAS_DATABASE_IDLE_TIMEOUT is '{text}'.*seconds"):
        database.install()


def test_a_project_without_a_server_pays_nothing() -> None:
    # This test project has SQLite.
    before = len(request_finished.receivers), len(connection_created.receivers)
    database.install()
    assert (len(request_finished.receivers), len(connection_created.receivers)) == before
    database.connect()


def django(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a process of its own, in a project on PostgreSQL."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import django; django.setup(); from adapter import database\n{code}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.end_to_end.visits.settings"}
        | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


SHOW_LIMITS = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW idle_session_timeout")
    print(*cursor.fetchone())
    cursor.execute("SHOW idle_in_transaction_session_timeout")
    print(*cursor.fetchone())
database.close_all()
"""


def test_init_opens_a_connection_that_is_looked_after(postgresql: PostgreSQL) -> None:
    result = django(f"database.install(); database.connect()\n{SHOW_LIMITS}", VISITS_HOST=str(postgresql.folder))
    assert (result.stdout, result.stderr) == ("5min\n5min\n", "")


def test_a_stricter_limit_of_the_servers_is_left_alone(postgresql: PostgreSQL) -> None:
    postgresql.execute("ALTER ROLE shop SET idle_session_timeout = '30s'")
    postgresql.execute("ALTER ROLE shop SET idle_in_transaction_session_timeout = '1d'")  # as on RDS
    try:
        result = django(f"database.install(); database.connect()\n{SHOW_LIMITS}", VISITS_HOST=str(postgresql.folder))
    finally:
        postgresql.execute("ALTER ROLE shop RESET ALL")
    assert (result.stdout, result.stderr) == ("30s\n5min\n", "")


def test_a_connection_opened_before_is_looked_after_too(postgresql: PostgreSQL) -> None:
    result = django(
        "from django.db import connection; connection.ensure_connection(); database.install(); database.install();"
        f"database.settle()\n{SHOW_LIMITS}",
        VISITS_HOST=str(postgresql.folder),
    )
    assert (result.stdout, result.stderr) == ("5min\n5min\n", "")


@pytest.mark.parametrize("asgi", [False, True])
def test_in_init_a_server_out_of_reach_is_logged(tmp_path: Path, asgi: bool) -> None:
    thread = "from adapter import request_thread; " if asgi else ""
    result = django(
        f"{thread}database.install(); database.connect(); print('on'); database.close_all()", VISITS_HOST=str(tmp_path)
    )
    assert result.stdout == "on\n"
    assert "No database connection in INIT" in result.stderr
    assert "security group" in result.stderr
    assert "Traceback" not in result.stderr
