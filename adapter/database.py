"""What becomes of database connections while an environment is frozen, restored, or its server replaced.

A freeze stops the process for seconds or hours, and tells neither the process nor the server. Meanwhile the server, or
what stands in between, may end the session; the news of it may be waiting at the socket, or be lost. So a connection is
looked at before a request's first query: one system call where its last use was a moment ago, a question to the server
where it was not. Django looks at the same place, and either asks in each request (CONN_HEALTH_CHECKS) or in none.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("adapter.database")

QUIET = 1.0
"""Seconds without use after which the server is asked.

No idle limit in use is shorter, so until then a session ends only by somebody's deliberate act, of which the socket
tells. After it the answer costs one round trip in a second in which the environment had time for thousands.
"""

IDLE_TIMEOUT = 300
"""Seconds after which the server may end an idle session, where FAAS_DATABASE_IDLE_TIMEOUT does not say otherwise.

A frozen client answers no keep-alive probes, so RDS gives a session up after 360 s, and a NAT gateway its connection
after 350 s; this is a little before both, and by the server's own decision.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.DeadConnectionHandling.html
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
"""

_PATIENCE = 2000  # milliseconds for a packet to be acknowledged: within a region that takes a thousandth of it
_LOCAL = frozenset({"", "django.db.backends.dummy", "django.db.backends.sqlite3"})

# "cannot execute ... in a read-only transaction", https://www.postgresql.org/docs/current/errcodes-appendix.html;
# the numbers are the ones that Go's driver knows a demoted Aurora by, https://github.com/go-sql-driver/mysql/pull/604
_READ_ONLY_STATE = "25006"
_READ_ONLY_NUMBERS = frozenset({1290, 1792, 1836})

# The server's own process id beside the one the client was told: a pooler makes one up, and its sessions are not ours
# to limit. A stricter limit is left as it is, and what the server does not know is NULL here, and no error.
_LIMIT_POSTGRESQL = """
SELECT set_config(name, %(limit)s, false)
FROM unnest(ARRAY['idle_session_timeout', 'idle_in_transaction_session_timeout']) AS name
WHERE pg_backend_pid() = %(process)s
AND current_setting(name, true)::interval NOT BETWEEN '1 millisecond' AND %(limit)s::interval
"""
_LIMIT_MYSQL = (
    "SET SESSION wait_timeout = IF(CONNECTION_ID() = %(process)s, LEAST(@@wait_timeout, %(limit)s), @@wait_timeout)"
)


def install() -> None:
    """Look after every connection that is opened from now on; called once, after `django.setup`.

    Raises `ConfigurationError` where FAAS_DATABASE_IDLE_TIMEOUT is no number of seconds.
    """
    from django.conf import settings

    _idle_timeout(os.environ)
    if all(database.get("ENGINE", "") in _LOCAL for database in settings.DATABASES.values()):
        return
    from django.core.signals import request_finished
    from django.db import connections
    from django.db.backends.signals import connection_created

    connection_created.connect(_opened, dispatch_uid=__name__)
    request_finished.connect(settle, dispatch_uid=__name__)
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and _session(connection) is None:
            _opened(connection)


def connect() -> None:
    """Open the default database's connection in INIT, where CONN_MAX_AGE lets the first request find it still open.

    Only for an INIT that a request follows at once, in the same process: not before a snapshot or a fork. A server out
    of reach is logged, no more.
    """
    thread = _request_thread()
    if thread is None:
        _connect()
    else:
        thread.run(_connect)


def settle(**_: Any) -> None:
    """See to it that no connection which outlives a request holds a transaction, or lives on without a limit.

    Receives `request_finished`, after Django's own receiver, which has closed what CONN_MAX_AGE does not keep: for
    those connections the limit costs nothing.
    """
    for session in _of_this_thread.sessions:
        session.settle()


def close_all() -> None:
    """Close the connections of every thread that answers requests: at a snapshot, a restore, a fork and the end."""
    thread = _request_thread()
    if thread is not None:
        thread.end(_close_connections)
    _close_connections()


def abandon_request() -> None:
    """End a request that was broken off midway, as Django would have: its signal sent, its connections closed.

    A connection may have been left in the middle of an exchange with its server: nothing must be asked on it, and it
    is closed first. A synchronous view by ASGI can't be stopped: its thread is left to it. Nothing is imported: where
    Django's modules are not loaded there is nothing to end.
    """
    thread = _request_thread()
    if thread is not None:
        thread.end(_close_connections, wait=False)
    _close_connections()
    signals = sys.modules.get("django.core.signals")
    if signals is not None:
        signals.request_finished.send(sender=abandon_request)


class _Session:
    """What is known of a connection's present session, and whether a request may use it.

    `examine` takes the place of the connection's ``close_if_health_check_failed``, which Django calls before each query
    and expects to do something once a request; ``is_usable`` stays the question to the server.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection: Any = connection  # its type's stubs know nothing of health checks
        # As the outermost: a wrapper that a `with` block puts there and takes away again is the innermost.
        connection.execute_wrappers.insert(0, self._notice_refusal)
        connection.close_if_health_check_failed = self.examine  # type: ignore[method-assign]
        self.begin()

    def begin(self) -> None:
        """The connection has been opened, or opened anew."""
        self._opened = self._used = time.time()
        self._settled = False
        self._writable = False
        self._refused = False

    def examine(self) -> None:
        """Close the connection, to be opened anew, where the request that begins can't rely on it."""
        connection = self._connection
        if connection.connection is None or connection.health_check_done:
            return
        connection.health_check_done = True
        if not self._can_be_used():
            _discard(connection)

    def _can_be_used(self) -> bool:
        connection, now = self._connection, time.time()
        # By the wall clock: the monotonic one may stand still in a freeze and start anew after a restore, and Django
        # goes by it. A wall clock that went back tells nothing, so it counts as a long time.
        idle, self._used = now - self._used, now
        max_age = connection.settings_dict["CONN_MAX_AGE"]
        if self._refused or _in_stray_transaction(connection) or (max_age and not 0 <= now - self._opened < max_age):
            return False
        if 0 <= idle < QUIET and not _has_news(connection):
            return True
        # The server's answer brings the news of it having been made read-only since.
        return _ask_in_time(connection) and not (self._writable and _is_read_only(connection.connection))

    def settle(self) -> None:
        connection = self._connection
        if connection.connection is None:
            return
        if connection.closed_in_transaction or _in_stray_transaction(connection):
            # Django would not open it anew, for the sake of an atomic block that no longer exists.
            _discard(connection)
        elif connection.autocommit and not self._settled:
            self._settled = True
            try:
                self._writable = not _is_read_only(connection.connection)
                self._limit(_idle_timeout(os.environ))
            except Exception as error:
                connection.errors_occurred = True  # Django asks the server before it uses the connection again
                logger.warning(
                    "The server took no idle limit for the session (%s: %s). If it knows of none, set "
                    "FAAS_DATABASE_IDLE_TIMEOUT=0.", type(error).__name__, str(error).strip(),
                )  # fmt: skip

    def _limit(self, seconds: int) -> None:
        """Tell the server how long the session may be idle, on the driver's own connection as Django's checks do.

        Not as the start-up option ``-c idle_session_timeout``, which needs no round trip: PgBouncer and RDS Proxy
        refuse a connection for it. This round trip comes when the answer is made, or has left.
        """
        connection = self._connection
        raw: Any = connection.connection
        limit: str | int
        # RDS Proxy ties the server's session to the client's for any such statement:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
        if not seconds or ".proxy-" in str(connection.settings_dict["HOST"]):
            return
        if connection.vendor == "postgresql":
            statement, process, limit = _LIMIT_POSTGRESQL, raw.info.backend_pid, f"{seconds}s"
        elif connection.vendor == "mysql":
            statement, process, limit = _LIMIT_MYSQL, raw.thread_id(), seconds
        else:
            return
        with raw.cursor() as cursor:
            cursor.execute(statement, {"process": process, "limit": limit})

    def _notice_refusal(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            if _is_refusal(error):
                self._refused = True
                # In a transaction all of it is lost; else the very next query can have the new connection.
                if self._connection.autocommit:
                    self._connection.health_check_done = False
            raise


class _OfThread(threading.local):
    """Each thread's own, as Django's connections are; to ask Django for them takes longer than all else in `settle`."""

    def __init__(self) -> None:
        self.sessions: list[_Session] = []


_of_this_thread = _OfThread()


def _opened(connection: BaseDatabaseWrapper, **_: Any) -> None:
    session = _session(connection)
    if session is not None:
        session.begin()
    elif connection.settings_dict["ENGINE"] not in _LOCAL and not connection.settings_dict["OPTIONS"].get("pool"):
        _of_this_thread.sessions.append(_Session(connection))


def _session(connection: BaseDatabaseWrapper) -> _Session | None:
    owner = getattr(connection.close_if_health_check_failed, "__self__", None)
    return owner if isinstance(owner, _Session) else None


def _connect() -> None:
    from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

    connection = connections[DEFAULT_DB_ALIAS]
    settings = connection.settings_dict
    if settings["ENGINE"] in _LOCAL or settings["CONN_MAX_AGE"] == 0:
        return
    options = settings["OPTIONS"]
    # Both drivers know the option. Without it an unreachable server takes minutes, and INIT has ten seconds.
    settings["OPTIONS"] = {"connect_timeout": 3, **options}
    try:
        connection.ensure_connection()
    except OperationalError as error:
        logger.warning(
            "No database connection in INIT, requests will try again (%s). Look whether the function is in a subnet "
            "and a security group from which the server can be reached.", str(error).strip(),
        )  # fmt: skip
    finally:
        settings["OPTIONS"] = options
    settle()


def _close_connections() -> None:
    database = sys.modules.get("django.db")
    if database is not None:
        for connection in database.connections.all(initialized_only=True):
            _discard(connection)


def _discard(connection: BaseDatabaseWrapper) -> None:
    """Close the connection, whatever state it is in, so that the next query opens a new one."""
    connection.in_atomic_block = connection.closed_in_transaction = False
    # It may be broken in any way there is, and what its driver says of that is of no use to anybody.
    with suppress(Exception):
        connection.close()


def _in_stray_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open of which Django knows nothing; drivers other than PostgreSQL's can't tell."""
    idle = 0  # psycopg.pq.TransactionStatus.IDLE, psycopg2.extensions.TRANSACTION_STATUS_IDLE
    info = getattr(connection.connection, "info", None)
    return connection.autocommit and getattr(info, "transaction_status", idle) != idle


def _has_news(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server has said something unasked, which is hardly ever good: it has ended the session."""
    raw: Any = connection.connection
    if not hasattr(raw, "fileno"):
        return bool(connection.settings_dict["CONN_HEALTH_CHECKS"])  # the driver hides its socket: as without us
    try:
        return bool(select.select((raw,), (), (), 0)[0])
    except Exception:
        return True  # the driver's error of a closed connection, or a number too large for select()


def _is_read_only(raw: Any) -> bool:
    """Whether the server has said so of itself, as PostgreSQL does unasked with an answer when it changes.

    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
    """
    status = getattr(getattr(raw, "info", None), "parameter_status", None)
    return status is not None and "on" in (status("in_hot_standby"), status("default_transaction_read_only"))


def _is_refusal(error: Exception) -> bool:
    """Whether a server that is read-only has refused a write."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = error.args[0] if error.args else None
    return state == _READ_ONLY_STATE or (isinstance(number, int) and number in _READ_ONLY_NUMBERS)


def _ask_in_time(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server answers; one that does not even acknowledge the question is given up.

    A network that has forgotten the connection may drop its packets without a word, and TCP tries for a quarter of an
    hour: https://man7.org/linux/man-pages/man7/tcp.7.html (TCP_USER_TIMEOUT)
    """
    raw = connection.connection
    before = _set_patience(raw, _PATIENCE)
    try:
        return connection.is_usable()
    finally:
        if before is not None:
            _set_patience(raw, before)


def _set_patience(raw: Any, milliseconds: int) -> int | None:
    """What it was before; None where there is no TCP, no Linux, or no socket to be seen."""
    with suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as connected:
        before = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return before
    return None


def _request_thread() -> Any:
    return sys.modules.get(f"{__package__}.request_thread")


def _idle_timeout(environment: Mapping[str, str]) -> int:
    text = environment.get("FAAS_DATABASE_IDLE_TIMEOUT") or str(IDLE_TIMEOUT)
    if not text.isdecimal() or int(text) > 86_400:
        raise ConfigurationError(
            f"FAAS_DATABASE_IDLE_TIMEOUT is {text!r}; it must be a whole number of seconds, up to 86400 (a day), or 0 "
            "to leave it to the server how long an idle session lives."
        )
    return int(text)
