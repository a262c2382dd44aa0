"""A runtime that streams, by hand on raw sockets: the path of each request says how it is answered."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import BinaryIO

BASE = "/2018-06-01/runtime"
INTEGRATION = "application/vnd.awslambda.http-integration-response"
METADATA = {"statusCode": 201, "headers": {"Content-Type": "text/plain", "X-Pid": str(os.getpid())}}


class Runtime:
    def __init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file: BinaryIO = self.socket.makefile("rb")

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers["content-length"]))

    def call(self, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, dict[str, str], bytes]:
        head = f"{method} {BASE}{path} HTTP/1.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        return self.answer()

    def begin(self, request_id: str, content_type: str = INTEGRATION) -> None:
        head = (
            f"POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nContent-Type: {content_type}\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end(self, error: str | None = None) -> int:
        trailers = ""
        if error is not None:
            report = json.dumps({"errorType": "Function.Boom", "errorMessage": error}).encode()
            trailers = (
                "Lambda-Runtime-Function-Error-Type: Function.Boom\r\n"
                f"Lambda-Runtime-Function-Error-Body: {base64.b64encode(report).decode()}\r\n"
            )
        self.socket.sendall(f"0\r\n{trailers}\r\n".encode())
        return self.answer()[0]


def metadata(**more: object) -> bytes:
    return json.dumps({**METADATA, **more}).encode() + bytes(8)


def wait_for(name: str) -> None:
    end = time.monotonic() + 20
    while not Path(name).exists() and time.monotonic() < end:
        time.sleep(0.005)


def play(runtime: Runtime, request_id: str, path: str) -> None:
    match path:
        case "/buffered":
            answer = {**METADATA, "body": "whole"}
            headers = "Content-Type: application/json\r\n"
            runtime.call("POST", f"/invocation/{request_id}/response", json.dumps(answer).encode(), headers)
        case "/error":
            report = json.dumps({"errorType": "KeyError", "errorMessage": "'x'"}).encode()
            runtime.call("POST", f"/invocation/{request_id}/error", report)
        case "/plain":
            runtime.begin(request_id, "text/x-plain")
            runtime.send(b"{no metadata}")
            runtime.end()
        case "/empty":
            runtime.begin(request_id)
            runtime.end()
        case "/no-metadata":
            runtime.begin(request_id)
            runtime.send(b"Not Found")
            runtime.end()
        case "/wrong-metadata":
            runtime.begin(request_id)
            runtime.send(b'{"statusCode": "teapot"}' + bytes(8) + b"rest")
            runtime.end()
        case "/endless-metadata":
            runtime.begin(request_id)
            runtime.send(metadata(headers={"X-Long": "x" * 16384}) + b"rest")
            runtime.end()
        case "/early-error":
            runtime.begin(request_id)
            runtime.send(b'{"statusCode"')
            runtime.end("before the metadata was there")
        case "/late-error":
            runtime.begin(request_id)
            runtime.send(metadata() + b"partial")
            Path("status").write_text(str(runtime.end("half of it")))
        case "/headers":
            runtime.begin(request_id)
            head = metadata(cookies=["a=1; Path=/", "b=2"], headers={"X-One": "1", "Content-Length": "7"})
            for byte in head + b"body...":
                runtime.send(bytes([byte]))
            runtime.end()
        case "/nothing":
            runtime.begin(request_id)
            runtime.send(metadata(statusCode=204))
            runtime.end()
        case "/pauses":
            runtime.begin(request_id)
            runtime.send(metadata())
            wait_for("first")
            runtime.send(b"one")
            wait_for("second")
            runtime.send(b"two")
            runtime.end()
        case "/big":
            runtime.begin(request_id)
            runtime.send(metadata())
            block = bytes(range(256)) * 256
            with Path("sent").open("w") as count:
                for number in range(1, 1601):
                    runtime.send(block)
                    count.seek(0)
                    count.write(str(number * len(block)))
                    count.flush()
            runtime.end()
        case "/endless":
            runtime.begin(request_id)
            runtime.send(metadata() + b"begin")
            try:
                while True:
                    runtime.send(b"tick")
                    time.sleep(0.01)
            except ConnectionError as error:
                Path("left").write_text(type(error).__name__)
                runtime.connect()
                status, _, _ = runtime.call("POST", f"/invocation/{request_id}/error", b"{}")
                Path("status").write_text(str(status))
        case "/exit" | "/killed":
            runtime.begin(request_id)
            runtime.send(metadata() + b"partial")
            wait_for("first")
            if path == "/killed":
                os.kill(os.getpid(), signal.SIGKILL)
            sys.exit(4)
        case "/hangs-up":
            runtime.begin(request_id)
            runtime.send(metadata() + b"partial")
            runtime.socket.shutdown(socket.SHUT_RDWR)
            time.sleep(0.1)
            runtime.connect()
        case "/hangs":
            runtime.begin(request_id)
            runtime.send(metadata() + b"partial")
            time.sleep(60)
        case _:
            runtime.begin(request_id)
            runtime.send(metadata() + b"hello")
            runtime.end()


def main() -> None:
    runtime = Runtime()
    while True:
        _, headers, body = runtime.call("GET", "/invocation/next")
        event = json.loads(body)
        play(runtime, headers["lambda-runtime-aws-request-id"], event.get("rawPath") or event["path"])


if __name__ == "__main__":
    main()
