"""A function as small as can be: the Runtime API by hand, doing what each event asks for."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

BASE = "/2018-06-01/runtime"


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def enough_are_here(processes: int) -> bool:
    return len(list(Path().glob("here-*"))) >= processes


class Ticks(threading.Thread):
    """Counts for as long as the process is let run."""

    count = 0

    def run(self) -> None:
        while True:
            self.count += 1
            time.sleep(0.005)


def main() -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method: str, path: str, body: bytes | None = None) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection.request(method, f"{BASE}{path}", body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    broken = Path("broken")
    if broken.exists():
        how = broken.read_text()
        if how == "report":
            call("POST", "/init/error", json.dumps({"errorType": "Boom", "errorMessage": "no such luck"}).encode())
        print("the last words", file=sys.stderr)
        sys.exit(1)
    slow = Path("slow")
    if slow.exists():
        seconds = float(slow.read_text())
        if Path("once").exists():
            slow.unlink()
        print("waiting", flush=True)
        time.sleep(seconds)
    print("booted", flush=True)
    served = 0
    taken: list[bytearray] = []
    ticks = Ticks(daemon=True)
    while True:
        _, headers, body = call("GET", "/invocation/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.loads(body)
        served += 1
        answer = {"pid": os.getpid(), "served": served, "event": event, "id": request_id}
        match event.get("do"):
            case "meet":
                Path(f"here-{os.getpid()}").touch()
                wait_for(partial(enough_are_here, event["processes"]))
            case "wait":
                Path("waiting").touch()
                wait_for(Path("go").exists)
            case "crash":
                print("about to crash", flush=True)
                code = event.get("code", 3)
                if code < 0:
                    os.kill(os.getpid(), -code)
                os._exit(code)
            case "hang":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                Path("hanging").write_text(f"{os.getpid()} {child.pid}")
                time.sleep(60)
            case "spawn":
                answer["child"] = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid
            case "fail":
                error = {"errorType": "ValueError", "errorMessage": "not today"}
                call("POST", f"/invocation/{request_id}/error", json.dumps(error).encode())
                continue
            case "tick":
                if not ticks.is_alive():
                    ticks.start()
                answer["ticks"] = ticks.count
            case "linger":
                call("POST", f"/invocation/{request_id}/response", json.dumps(answer).encode())
                time.sleep(event["seconds"])
                Path("lingered").touch()
                continue
            case "print":
                print("to standard output", event["n"], flush=True)
                print("to standard error", event["n"], file=sys.stderr, flush=True)
            case "keep":
                notes = Path(os.environ["TMPDIR"], "notes")
                answer["notes"] = notes.read_text() if notes.exists() else None
                notes.write_text(event["text"])
                answer["folder"] = os.environ["TMPDIR"]
            case "take":
                taken.append(bytearray(b"x") * (event["megabytes"] << 20))
                time.sleep(event.get("seconds", 0))
            case "sleep":
                time.sleep(event["seconds"])
            case "big":
                answer["big"] = "x" * event["size"]
            case "text":
                call("POST", f"/invocation/{request_id}/response", b"<this is no JSON>")
                continue
            case "environment":
                answer["environment"] = dict(os.environ)
                answer["deadline"] = headers["Lambda-Runtime-Deadline-Ms"]
                answer["arn"] = headers["Lambda-Runtime-Invoked-Function-Arn"]
                answer["trace"] = headers["Lambda-Runtime-Trace-Id"]
                answer["folder"] = str(Path.cwd())
                answer["leader"] = os.getpgid(0) == os.getpid() == os.getsid(0)
        call("POST", f"/invocation/{request_id}/response", json.dumps(answer).encode())


if __name__ == "__main__":
    main()
