"""A Lambda whose functions run the adapter in a process of their own; all else is moto's."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.emulator.helpers import ROOT
from tests.infra.aws import Aws

PROCESS = Path(__file__).with_name("function_process.py")


class Function:
    """A process of the adapter with a Django project, as the function service would start it."""

    def __init__(self, project: Path, log: Path, variables: dict[str, str]) -> None:
        self._log = log.open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{project}{os.pathsep}{ROOT}",
                "DJANGO_SETTINGS_MODULE": "mysite.settings",
                "FAAS_LOG_FORMAT": "json",
                **variables,
            },
        )

    def call(self, event: Any, request_id: str) -> tuple[dict[str, Any], str]:
        """What came of ``event``, and what was logged meanwhile."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        before = self._log.seek(0, os.SEEK_END)
        stdin.write(json.dumps({"event": event, "id": request_id}).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        self._log.seek(before)
        log = self._log.read().decode()
        assert line, log
        return json.loads(line), log

    def stop(self) -> None:
        self._process.communicate()
        self._log.close()


class Lambda:
    """The function service: invocations are its own, everything else is moto's.

    ``refusal`` (status, code, message) is what a call is refused with, ``failure`` what an invocation fails with,
    ``answer`` what it returns in place of the adapter's answer, and ``log`` what it wrote then. ``calls`` are those
    that came, by function, alias and event; ``logs`` what each wrote. ``group`` is the log group of all functions;
    empty, each has its own.
    """

    def __init__(self, account: Aws, function: Function) -> None:
        self._moto = urlsplit(account.url).netloc
        self._function = function
        self.calls: list[tuple[str, str, Any]] = []
        self.logs: list[str] = []
        self.refusal: tuple[str, str, str] | None = None
        self.failure: dict[str, Any] | None = None
        self.answer: Any = None
        self.log = ""
        self.group = "/aws/lambda/shop-production"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        match = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations\?Qualifier=(\w+)", environ["RAW_URI"])
        if match is None:
            return self._forwarded(environ, body, start_response)
        assert environ["HTTP_X_AMZ_LOG_TYPE"] == "Tail"
        self.calls.append((match[1], match[2], json.loads(body)))
        request_id = str(uuid.uuid4())
        if self.refusal:
            status, code, message = self.refusal
            start_response(status, [("x-amzn-errortype", code), ("Content-Type", "application/json")])
            return [json.dumps({"Type": "User", "Message": message}).encode()]
        if self.failure or self.answer:
            outcome, log = {"error": self.failure} if self.failure else {"answer": self.answer}, self.log
        else:
            outcome, log = self._function.call(self.calls[-1][2], request_id)
        self.logs.append(log)
        headers = [
            ("Content-Type", "application/json"),
            ("x-amzn-RequestId", request_id),
            ("X-Amz-Executed-Version", "1"),
            ("X-Amz-Log-Result", base64.b64encode(log.encode()[-4096:]).decode()),
        ]
        if "error" in outcome:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        start_response("200 OK", headers)
        return [json.dumps(outcome["error"] if "error" in outcome else outcome["answer"]).encode()]

    def _forwarded(self, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        connection = http.client.HTTPConnection(self._moto)
        try:
            connection.request(environ["REQUEST_METHOD"], environ["RAW_URI"], body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        function = re.match(r"/2015-03-31/functions/([^/]+)/configuration", environ["RAW_URI"])
        if function and response.status == 200:
            # moto leaves it out: https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
            configured = {"LogFormat": "JSON", "LogGroup": self.group or f"/aws/lambda/{function[1]}"}
            content = json.dumps({**json.loads(content), "LoggingConfig": configured}).encode()
        own = {"connection", "content-length", "date", "server"}
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in own]
        start_response(f"{response.status} {response.reason}", [*kept, ("Content-Length", str(len(content)))])
        return [content]
