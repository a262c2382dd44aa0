"""Invocations a second of the runtime loop, against AWS's own client with apig-wsgi, in one interleaved run.

    python benchmarks/runtime.py [--rounds N]

Both runtimes stay connected to a Runtime API of the benchmark's own and get bursts of the same event in turn; the ratio
is the median of the rounds' ratios. Much of an invocation's time goes into waking processes up, which is the same for
both and differs from machine to machine; so the processor time of the runtime's own process is told too.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTION = """
import json, os

def trivial(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]

if os.environ["ADAPTER"] == "django-faas":
    from adapter import LambdaHandler
    from adapter.boot import build_handler
    handler = build_handler() if os.environ["APPLICATION"] == "django" else LambdaHandler(trivial)
else:
    from apig_wsgi import make_lambda_handler
    if os.environ["APPLICATION"] == "django":
        from django.core.wsgi import get_wsgi_application
    handler = make_lambda_handler(
        get_wsgi_application() if os.environ["APPLICATION"] == "django" else trivial, binary_support=True
    )
"""
URLS = """
from django.http import JsonResponse
from django.urls import path
urlpatterns = [path("json/", lambda request: JsonResponse({"message": "Hello"}))]
"""


class Runtime:
    """A runtime's process at the other end of one connection."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket, event: bytes) -> None:
        self._process = process
        self._connection = connection
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = int(time.time() * 1000) + 3_600_000
        self._event = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:site\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n"
            f"Content-Length: {len(event)}\r\n\r\n"
        ).encode() + event
        self._accepted = (
            b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'
        )
        assert self._request().startswith(b"GET ")

    def processor_seconds(self) -> float:
        """What the process has used since it was started."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def invoke(self) -> bytes:
        """The answer to one event, when the runtime has asked for the next."""
        self._connection.sendall(self._event)
        answer = self._request()
        self._connection.sendall(self._accepted)
        assert self._request().startswith(b"GET ")
        return answer

    def _request(self) -> bytes:
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        length = 0
        for line in data[:end].lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(data) < end + 4 + length:
            data += self._more()
        return data

    def _more(self) -> bytes:
        more = self._connection.recv(65536)
        assert more, "the runtime is gone"
        return more


@contextmanager
def running(adapter: str, application: str, folder: str, event: bytes) -> Iterator[Runtime]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        environment = {
            **os.environ,
            "ADAPTER": adapter,
            "APPLICATION": application,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{listener.getsockname()[1]}",
            "LAMBDA_TASK_ROOT": folder,
            "PYTHONPATH": f"{folder}:{ROOT}",
            "_HANDLER": "function.handler",
        }
        module = ["adapter.runtime"] if adapter == "django-faas" else ["awslambdaric", "function.handler"]
        with subprocess.Popen([sys.executable, "-m", *module], env=environment, cwd=folder) as process:
            try:
                connection, _ = listener.accept()
                with connection:
                    yield Runtime(process, connection, event)
            finally:
                process.kill()


def compare(application: str, rounds: int, calls: int, folder: str) -> None:
    captured = json.loads((ROOT / "tests/events/http_api.json").read_text())
    captured["rawPath"] = "/json/"
    captured["requestContext"]["http"]["method"] = "GET"
    event = json.dumps(captured).encode()
    rates: dict[str, list[float]] = {"django-faas": [], "awslambdaric": []}
    with ExitStack() as stack:
        runtimes = {name: stack.enter_context(running(name, application, folder, event)) for name in rates}
        for name, runtime in runtimes.items():
            assert b'"statusCode":200' in runtime.invoke().replace(b" ", b""), name
        used = {name: -runtime.processor_seconds() for name, runtime in runtimes.items()}
        for number in range(rounds):
            for name in sorted(runtimes, reverse=bool(number % 2)):
                started = time.perf_counter()
                for _ in range(calls):
                    runtimes[name].invoke()
                rates[name].append(calls / (time.perf_counter() - started))
        used = {name: (used[name] + runtimes[name].processor_seconds()) / rounds / calls * 1e6 for name in used}
    ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
    ours, theirs = (statistics.median(rate) for rate in rates.values())
    print(
        f"{application:10}{ours:16,.0f}/s{theirs:26,.0f}/s{statistics.median(ratios):8.2f}"
        f"{min(ratios):8.2f}{max(ratios):8.2f}"
    )
    print(f"{'':10}{used['django-faas']:15,.0f} us{used['awslambdaric']:25,.0f} us of processor time each")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"Python {sys.version.split()[0]}, {rounds} rounds; medians; invocations a second")
    print(f"{'':10}{'django-faas':>18}{'awslambdaric, apig-wsgi':>28}{'ratio':>8}{'lowest':>8}{'highest':>8}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", folder], check=True)
        Path(folder, "mysite/urls.py").write_text(URLS)
        settings = Path(folder, "mysite/settings.py")
        settings.write_text(settings.read_text() + "\nDEBUG = False\nALLOWED_HOSTS = ['*']\n")
        Path(folder, "function.py").write_text(FUNCTION)
        compare("trivial", rounds, 1000, folder)
        compare("django", rounds, 500, folder)


if __name__ == "__main__":
    main()
