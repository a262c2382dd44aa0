"""A Runtime API for several workers at once, and for a snapshot; and processes that it serves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
BASE = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Call:
    """A request to the API; ``port`` tells its connection from others."""

    name: str
    headers: dict[str, str]
    body: bytes
    port: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RuntimeAPI:
    """Hands each event to one of the requests that wait for the next; ``restored`` ends the wait for a restore."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.waiting: dict[int, queue.SimpleQueue[tuple[str, bytes]]] = {}
        """The connections that wait for the next event, by their ports."""
        self.restored = threading.Event()
        self.seconds = 30.0
        """The time that an invocation may take, as the function is told."""
        self._ids = itertools.count(1)
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: dict[str, queue.Queue[Call]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def names(self) -> list[str]:
        return [call.name for call in self.calls]

    def send(self, event: Any, port: int | None = None) -> Callable[[], Call]:
        """Put an event in line, for one connection or for whichever waits; what is returned waits for its answer."""
        request_id = f"request-{next(self._ids)}"
        answer: queue.Queue[Call] = queue.Queue()
        self._answers[request_id] = answer
        events = self._events if port is None else self.waiting[port]
        events.put((request_id, json.dumps(event).encode()))
        return lambda: answer.get(timeout=20)

    def invoke(self, event: Any, port: int | None = None) -> Any:
        """What the function answers, from JSON."""
        call = self.send(event, port)()
        assert call.name.endswith("/response"), call
        return call.json

    def close(self) -> None:
        """End every connection."""
        self._closed = True
        self.restored.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def answer(self, call: Call, connection: socket.socket) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body for ``call``; None where the connection is to end."""
        with self._lock:
            self.calls.append(call)
        match call.name.split("/"):
            case ["invocation", "next"]:
                return self._next(connection)
            case ["invocation", request_id, _]:
                self._answers[request_id].put(call)
            case ["restore", "next"]:
                self.restored.wait()
                return None if self._closed else (200, {}, b"")
        return 202, {}, b'{"status":"OK"}'

    def _next(self, connection: socket.socket) -> tuple[int, dict[str, str], bytes] | None:
        port = connection.getpeername()[1]
        events = self.waiting[port] = queue.SimpleQueue()
        try:
            while not self._closed and not select.select([connection], (), (), 0)[0]:
                try:
                    request_id, event = self._events.get_nowait()
                except queue.Empty:
                    try:
                        request_id, event = events.get(timeout=0.005)
                    except queue.Empty:
                        continue
                deadline = str(int((time.time() + self.seconds) * 1000))
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": deadline,
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:shop",
                }
                return 200, headers, event
            return None
        finally:
            del self.waiting[port]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, api: RuntimeAPI) -> None:
        self.api = api
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.path.removeprefix(f"{BASE}/"), headers, body, self.client_address[1])
        answer = self.server.api.answer(call, self.connection)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class Function:
    """A process with a runtime and a handler made of ``code``, ended with all its children.

    Every warning is an error, but for AWS's runtime, which has some of its own.
    """

    def __init__(
        self, api: RuntimeAPI, folder: Path, code: str, runtime: str = "adapter.runtime", **environment: str
    ) -> None:
        (folder / "function.py").write_text(textwrap.dedent(code))
        self._output = folder / "output"
        matter = ("AWS_", "FAAS_", "_X_AMZN", "DJANGO_", "TMPDIR", "PYTHONDEVMODE", "PYTHONWARNINGS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(matter)}
        (folder / "tmp").mkdir()
        flags, arguments = ["-X", "dev", "-W", "error"], []
        if runtime == "awslambdaric":
            flags, arguments = [], ["function.handler"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *flags, "-m", runtime, *arguments],
                cwd=folder,
                env={
                    **inherited,
                    "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
                    "AWS_LAMBDA_RUNTIME_API": api.address,
                    "_HANDLER": "function.handler",
                    "LAMBDA_TASK_ROOT": str(folder),
                    "TMPDIR": str(folder / "tmp"),
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def children(self) -> list[int]:
        """The process ids of its workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if error is not None:
            print(self.output)


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for ``condition`` to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.01)
