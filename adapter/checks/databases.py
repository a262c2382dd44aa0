"""SQLite, persistent connections, pools, and servers on localhost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from django.core import checks
from django.db import connections
from django.db.utils import load_backend

from .lookup import fate, is_here, nothing_listens


def check() -> Iterator[checks.CheckMessage]:
    for alias, database in connections.settings.items():
        setting = f'DATABASES["{alias}"]'
        vendor = _vendor(database["ENGINE"])
        if vendor == "sqlite":
            yield from _sqlite(setting, os.fsdecode(database["NAME"]))
            continue
        if vendor == "postgresql" and database["OPTIONS"].get("pool"):
            yield _pool(setting)
        elif vendor not in {None, "unknown"}:
            yield from _persistence(setting, database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"])
        if is_here(database["HOST"]):
            yield nothing_listens(setting, "HOST", database["HOST"], "DATABASE_HOST")


def _vendor(engine: str) -> str | None:
    try:
        return str(load_backend(engine).DatabaseWrapper.vendor)
    except Exception:
        return None


def _sqlite(setting: str, name: str) -> Iterator[checks.CheckMessage]:
    options: dict[str, list[str]] = {}
    if name.startswith("file:"):
        options = parse_qs(urlsplit(name).query)
        name = urlsplit(name).path
    if options.get("mode") == ["ro"] or options.get("immutable") == ["1"]:
        return
    in_memory = name == ":memory:" or options.get("mode") == ["memory"]
    consequence = {
        "lost": "Each environment has a database of its own, which is empty at first and goes with the environment",
        "refused": "A function can write to /tmp alone, so every write to this file fails",
        None: "SQLite counts on locks that network file systems do not keep reliably: environments that write at the "
        "same time can damage the file (https://www.sqlite.org/useovernet.html)",
    }["lost" if in_memory else fate(name)]
    yield checks.Warning(
        f"This is SQLite in {'memory' if in_memory else name}. {consequence}.",
        hint='Use a database server: {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DATABASE_HOST"], '
        '..., "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}. Data that never changes can be shipped as a file and '
        'opened read-only: "NAME": "file:/var/task/data.sqlite3?immutable=1".',
        obj=setting,
        id="faas.W001",
    )


def _pool(setting: str) -> checks.CheckMessage:
    return checks.Error(
        'OPTIONS["pool"] keeps several connections open in each environment (4, unless min_size says otherwise), where '
        "requests are served one at a time and one connection is used. The threads that look after the pool stand "
        "still while the environment is frozen, so it may hand out connections that the server has closed.",
        hint='Take "pool" out of OPTIONS and set "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True: each environment '
        "then keeps one connection. A pool for all of them belongs in front of the server: PgBouncer, RDS Proxy.",
        obj=setting,
        id="faas.E002",
    )


def _persistence(setting: str, age: float | None, health_checks: bool) -> Iterator[checks.CheckMessage]:
    if age == 0:
        yield checks.Info(
            "CONN_MAX_AGE is 0, the default: each request that uses the database opens a connection, with TLS and "
            "log-in, and closes it again.",
            hint='Set "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True. Each environment then keeps one connection: '
            "let the function's reserved concurrency stay below the server's max_connections, or put PgBouncer or RDS "
            'Proxy between. If 0 is on purpose, set SILENCED_SYSTEM_CHECKS = ["faas.I004"].',
            obj=setting,
            id="faas.I004",
        )
    elif not health_checks:
        yield checks.Warning(
            f"CONN_MAX_AGE is {age}, and CONN_HEALTH_CHECKS is off: a connection that the server or the network has "
            "dropped while the environment was frozen is used all the same, and the request fails. The adapter's own "
            "handler looks at it first; Mangum, or whatever else runs the project, does not.",
            hint='Set "CONN_HEALTH_CHECKS": True. Django then tries a kept connection before a request first uses it, '
            "and opens another if it is dead.",
            obj=setting,
            id="faas.W003",
        )
