"""How long a piece of a streamed answer takes from the view's `yield` to the client, through loop, front door and CDN.

    python benchmarks/streaming.py [--pieces N]

Against gunicorn with the same view, which has none of these in between.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
URLS = """
import time
from django.http import StreamingHttpResponse
from django.urls import path

def pieces(count):
    for _ in range(count):
        yield f"{time.time()}\\n"
        time.sleep(0.01)

urlpatterns = [path("pieces/<int:count>/", lambda request, count: StreamingHttpResponse(pieces(count)))]
"""


@contextmanager
def serving(folder: str, *command: str) -> Iterator[None]:
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)


def delays(port: int, count: int) -> list[float]:
    """Milliseconds that each piece was under way, the first before the others."""
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", f"/pieces/{count}/")
            response = connection.getresponse()
            if response.status == 200:
                return [(time.time() - float(line)) * 1000 for line in response]
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--pieces", type=int, default=200)
    count = parser.parse_args().pieces
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", folder], check=True)
        Path(folder, "mysite/urls.py").write_text(URLS)
        ours, theirs = free_port(), free_port()
        emulate = ("infra", "emulate", "--port", str(ours), "--invoke-mode", "response_stream")
        with (
            serving(folder, *emulate, "--front-door", "function_url"),
            serving(folder, "gunicorn", "--bind", f"127.0.0.1:{theirs}", "mysite.wsgi"),
        ):
            delays(ours, 1), delays(theirs, 1)
            print(f"{'milliseconds under way':24}{'first':>8}{'median':>8}{'highest':>9}")
            for name, port in (("through the emulator", ours), ("gunicorn", theirs)):
                found = [delays(port, count) for _ in range(5)]
                firsts, every = [each[0] for each in found], [one for each in found for one in each]
                print(f"{name:24}{statistics.median(firsts):8.2f}{statistics.median(every):8.2f}{max(every):9.2f}")


if __name__ == "__main__":
    main()
