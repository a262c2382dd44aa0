"""A Runtime API that plays a script, and the loop run against it in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest

ROOT = Path(__file__).parent.parent.parent
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
EVENT_HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 900) * 1000)),
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:site",
}
NEXT = "GET /2018-06-01/runtime/invocation/next"
RESPONSE = f"POST /2018-06-01/runtime/invocation/{REQUEST_ID}/response"
ERROR = f"POST /2018-06-01/runtime/invocation/{REQUEST_ID}/error"


@dataclass
class Request:
    """One request of the loop; its body is there once it has been read."""

    line: str
    headers: dict[str, str]
    connection: socket.socket
    stream: BinaryIO
    chunks: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    hung_up: bool = False

    def __post_init__(self) -> None:
        self.connection_name = self.connection.getsockname()

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def read(self) -> None:
        if self.headers.get("transfer-encoding") != "chunked":
            self.chunks.append(self.stream.read(int(self.headers.get("content-length", 0))))
            return
        while self.read_chunk():
            pass
        self.trailers = read_headers(self.stream)

    def read_chunk(self) -> bytes:
        size = int(self.stream.readline(), 16)
        chunk = self.stream.read(size)
        if size:
            assert self.stream.readline() == b"\r\n"
            self.chunks.append(chunk)
        return chunk

    def answer(self, answer: bytes) -> None:
        self.connection.sendall(answer)

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.hung_up = True


@dataclass
class Service:
    """Answers for the client, one a request, over as few connections as it uses; a function does as it likes."""

    answers: list[bytes | Callable[[Request], None]]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.requests]

    def play(self) -> None:
        self.listener.settimeout(20)
        while self.answers:
            connection, _ = self.listener.accept()
            connection.settimeout(20)
            self.connections += 1
            with connection, connection.makefile("rb") as stream:
                while self.answers and (line := stream.readline()):
                    request = Request(line.decode().rsplit(" ", 1)[0], read_headers(stream), connection, stream)
                    self.requests.append(request)
                    answer = self.answers.pop(0)
                    if not isinstance(answer, bytes):
                        answer(request)
                    else:
                        request.read()
                        request.answer(answer)
                        request.hung_up = b"connection: close" in answer
                    if request.hung_up:
                        break


def read_headers(stream: BinaryIO) -> dict[str, str]:
    headers = {}
    while (header := stream.readline()) not in {b"\r\n", b""}:
        name, _, value = header.decode().partition(": ")
        headers[name.lower()] = value.strip()
    return headers


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def event(payload: Any, **headers: str) -> bytes:
    return answer("200 OK", json.dumps(payload).encode(), **{**EVENT_HEADERS, **headers})


ACCEPTED = answer("202 Accepted", b'{"status":"OK"}')


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service([])
    yield service
    service.listener.close()


def run(
    service: Service, tmp_path: Path, code: str, command: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Play the script against the loop with a handler made of ``code``; the service then goes away."""
    (tmp_path / "function.py").write_text(textwrap.dedent(code))
    with subprocess.Popen(
        command or [sys.executable, "-W", "error", "-m", "adapter.runtime"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_RUNTIME_API": service.address,
            "_HANDLER": "function.handler",
            "LAMBDA_TASK_ROOT": str(tmp_path),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        service.process = process
        try:
            service.play()
            service.listener.close()
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
