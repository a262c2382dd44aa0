"""Copies of the process, by a snapshot (SnapStart) or a fork: what is let go of before, and made anew in each.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import random
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import database, limits

logger = logging.getLogger("adapter.snapshots")

Hook = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]


def register() -> None:
    """Have `prepare` called when the process is about to be copied and `renew` in each copy, by whatever runtime it is.

    The project's own hooks may open connections before, and use what is renewed after: so ours is the last of those
    before and the first of those after, whenever this is called.
    """
    before, after = _hooks()
    if all(function is not prepare for function, _, _ in before):
        # Those before are called from the end of the list.
        before.insert(0, (prepare, (), {}))
        after.insert(0, (renew, (), {}))


def run_before() -> None:
    """Call the hooks for before the copy, last registered first, each of them once."""
    before, _ = _hooks()
    while before:
        function, args, kwargs = before.pop()
        function(*args, **kwargs)


def run_after() -> None:
    """Call the hooks for a copy, first registered first."""
    _, after = _hooks()
    for function, args, kwargs in after:
        function(*args, **kwargs)


def prepare() -> None:
    """Leave nothing in the process that won't be true of its copies."""
    gc.unfreeze()  # what the boot froze, the search for connections would not find
    _close_connections()
    ssl: Any = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_bytes(1)  # OpenSSL makes itself ready for it at first, which is then done once for all copies
    gc.collect()
    # The collector writes to every object that it looks at, and a page written to is no longer shared.
    gc.freeze()


def renew() -> None:
    """Chance, timers and connections of this copy alone."""
    random.seed()
    # Its names come from a generator of its own.
    tempfile._name_sequence = None  # type: ignore[attr-defined]
    for name, reseed in _RESEEDS.items():
        module: Any = sys.modules.get(name)
        if module is not None:
            reseed(module)
    limits.alarm.forget()
    database.close_all()


# OpenSSL sees by itself that it was forked, as its process has another id; a restored one has the same.
_RESEEDS: dict[str, Callable[[Any], object]] = {
    "numpy.random": lambda module: module.seed(),
    "ssl": lambda module: module.RAND_add(os.urandom(32), 32.0),
}


def _hooks() -> tuple[list[Hook], list[Hook]]:
    """Those for before and after, in the order of their registration: of AWS's module, where it is installed."""
    try:
        registry: Any = importlib.import_module("snapshot_restore_py")
    except ModuleNotFoundError:
        return _own_hooks
    return registry.get_before_snapshot(), registry.get_after_restore()


_own_hooks: tuple[list[Hook], list[Hook]] = ([], [])


def _close_connections() -> None:
    """Close each connection that is opened again by whoever needs it; the others are named in the log.

    The server at the other end knows of one connection: copies that share it would talk across each other.
    """
    database.close_all()
    _end_asgiref_thread()
    caches = sys.modules.get("django.core.cache")
    if caches is not None:
        caches.caches.close_all()
    for name, kind_name, close in _REOPENED:
        kind = getattr(sys.modules.get(name), kind_name, None)
        if kind is not None:
            # Not isinstance(), which has lazy objects made.
            for found in [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]:
                with suppress(Exception):  # what could not be closed is named below
                    getattr(found, close)()
    for host, port in _open_connections():
        logger.warning(
            "A connection to %s:%s is still open: copies of this process find it dead (SnapStart) or share it (forked "
            "workers). Open it when it is first needed, or close it in a function registered with "
            "snapshot_restore_py.register_before_snapshot.", host, port,
        )  # fmt: skip


# Those of requests, boto3 and everything else that builds on urllib3 are http.client's, which connects again by itself.
_REOPENED = (
    ("http.client", "HTTPConnection", "close"),
    ("redis.connection", "ConnectionPool", "disconnect"),
)


def _end_asgiref_thread() -> None:
    """End the one thread of asgiref's for synchronous code outside of requests; whoever needs it next gets another.

    Its database connections are out of reach for all others. And a forked process would wait for it for ever: threads
    stay behind.
    """
    asgiref = sys.modules.get("asgiref.sync")
    if asgiref is not None:
        executor = asgiref.SyncToAsync.single_thread_executor
        executor.submit(database.close_all)
        executor.shutdown()
        asgiref.SyncToAsync.single_thread_executor = type(executor)(max_workers=1)


def _open_connections() -> list[tuple[str, int]]:
    """Host and port at the other end of each TCP connection of this process; none where there is no /proc."""
    found = []
    folder = Path("/proc/self/fd")
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):  # no longer there, no socket, or not connected
            if str(entry.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(entry.name))) as connection:
                    if connection.family in _NETWORK and connection.type == socket.SOCK_STREAM:
                        found.append(connection.getpeername()[:2])
    return found


_NETWORK = {socket.AF_INET, socket.AF_INET6}
