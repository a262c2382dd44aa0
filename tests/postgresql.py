"""A real PostgreSQL server for tests, on a socket of its own and with nothing of this machine's settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest


class PostgreSQL:
    """One server; `stop` and `start` it as often as needed, its data stays."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Short, as a socket's path may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection | None = None
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(self.folder, "postgres")
            self._as_user = ["runuser", "-u", "postgres", "--"]
        options = ["-U", "shop", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(self._command("initdb", *options), check=True, capture_output=True, timeout=60, cwd=self.folder)

    @property
    def url(self) -> str:
        """The database's URL, as dj-database-url takes it."""
        return f"postgres://shop@{quote(str(self.folder), safe='')}/postgres"

    def _command(self, program: str, *options: str) -> list[str]:
        return [*self._as_user, str(self._programs / program), "-D", str(self.folder / "data"), *options]

    def start(self) -> None:
        """Serve; returns when connections are accepted."""
        command = self._command("postgres", "-k", str(self.folder))
        for option in ("listen_addresses=", "fsync=off", "timezone=UTC"):
            command += ["-c", option]
        with self.log.open("ab") as log:
            before = log.tell()
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 30
        while b"ready to accept connections" not in self.log.read_bytes()[before:]:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """End every session and the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            # SIGTERM would wait for the sessions to end by themselves.
            subprocess.run(self._command("pg_ctl", "stop", "-m", "fast", "-w", "-s"), check=True, timeout=30)
            self._process.wait(20)
            self._process = None

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement on a connection kept for this; its rows, if it has any."""
        if self._connection is None:
            address = f"host={self.folder} user=shop dbname=postgres application_name=test"
            self._connection = psycopg.connect(address, autocommit=True)
        with self._connection.cursor() as cursor:
            cursor.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A server that runs; skipped where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb", path=str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("there is no PostgreSQL server here: apt-get install postgresql")
    server = PostgreSQL(Path(initdb).parent)
    try:
        server.start()
        yield server
    finally:
        server.remove()
