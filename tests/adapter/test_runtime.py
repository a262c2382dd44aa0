"""The loop against a Runtime API written here, apart from the emulator's."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapter import ConfigurationError, RuntimeAPIError
from adapter.runtime import LambdaContext, RuntimeClient
from adapter.runtime.loop import load_handler

ROOT = Path(__file__).parent.parent.parent
EVENT_HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:site",
}


@dataclass
class Service:
    """A Runtime API that plays a script: answers for the client, one a request, over as few connections as it uses."""

    answers: list[bytes]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def play(self) -> None:
        self.listener.settimeout(20)
        while self.answers:
            connection, _ = self.listener.accept()
            self.connections += 1
            with connection, connection.makefile("rb") as stream:
                while self.answers and (line := stream.readline()):
                    headers = {}
                    while (header := stream.readline()) != b"\r\n":
                        name, _, value = header.decode().partition(": ")
                        headers[name.lower()] = value.strip()
                    body = stream.read(int(headers.get("content-length", 0)))
                    self.requests.append((line.decode().rsplit(" ", 1)[0], headers, body))
                    answer = self.answers.pop(0)
                    connection.sendall(answer)
                    if b"connection: close" in answer:
                        break


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


def run(service: Service, tmp_path: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Play the script against the loop with a handler made of ``code``; the service then goes away."""
    (tmp_path / "function.py").write_text(textwrap.dedent(code))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "adapter.runtime"],
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
    )
    try:
        service.play()
        service.listener.close()
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_events_are_answered_over_one_connection(service: Service, tmp_path: Path) -> None:
    service.answers = [event({"n": 1}), ACCEPTED, event({"n": "zwölf"}), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return {'got': event['n']}")
    assert [line for line, _, _ in service.requests] == [
        "GET /2018-06-01/runtime/invocation/next",
        "POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response",
    ] * 2
    assert [body for _, _, body in service.requests[1::2]] == [b'{"got":1}', '{"got":"zwölf"}'.encode()]
    assert service.requests[1][1]["content-type"] == "application/json"
    assert service.connections == 1


def test_a_service_that_closes_is_connected_to_again(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1, connection="close"), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return event")
    assert [line.split(" ")[0] for line, _, _ in service.requests] == ["GET", "POST"]
    assert service.connections == 2


def test_an_event_may_arrive_in_chunks(service: Service, tmp_path: Path) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in EVENT_HEADERS.items())
    chunked = f'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n3\r\n{{"a\r\n4;x=1\r\n":1}}\r\n0\r\n\r\n'
    service.answers = [chunked.encode(), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return event")
    assert service.requests[1][2] == b'{"a":1}'


def test_bytes_are_posted_as_they_are(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(service, tmp_path, r"def handler(event, context): return b'\x00\xff'")
    assert service.requests[1][2] == b"\x00\xff"


def test_an_exception_is_reported_and_the_next_event_served(service: Service, tmp_path: Path) -> None:
    service.answers = [event({"fail": True}), ACCEPTED, event({"fail": False}), ACCEPTED]
    result = run(
        service,
        tmp_path,
        """
        def handler(event, context):
            if event["fail"]:
                raise LookupError("lost")
            return "found"
        """,
    )
    line, headers, body = service.requests[1]
    report = json.loads(body)
    assert line.endswith("/error")
    assert headers["lambda-runtime-function-error-type"] == "LookupError"
    assert (report["errorType"], report["errorMessage"]) == ("LookupError", "lost")
    assert report["requestId"] == EVENT_HEADERS["Lambda-Runtime-Aws-Request-Id"]
    assert 'raise LookupError("lost")' in "".join(report["stackTrace"])
    assert result.stderr.count("LookupError: lost") == 1
    assert service.requests[3][2] == b'"found"'


def test_a_traceback_begins_with_the_projects_own_code(service: Service, tmp_path: Path) -> None:
    service.answers = [ACCEPTED]
    (tmp_path / "shop.py").write_text("import pillov")
    result = run(service, tmp_path, "import shop")
    assert re.findall(r'File "(.+)"', result.stderr) == [str(tmp_path / "function.py"), str(tmp_path / "shop.py")]
    assert "ModuleNotFoundError: No module named 'pillov'" in result.stderr


def test_an_answer_that_is_not_json_is_reported(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return object()")
    assert json.loads(service.requests[1][2])["errorType"] == "TypeError"


def test_an_error_that_explains_itself_comes_without_a_traceback(service: Service, tmp_path: Path) -> None:
    service.answers = [event({"Records": []}), ACCEPTED]
    result = run(
        service,
        tmp_path,
        "from adapter import LambdaHandler\nhandler = LambdaHandler(lambda environ, start_response: [])",
    )
    report = json.loads(service.requests[1][2])
    assert report["errorType"] == "UnknownEventError"
    assert report["stackTrace"] == []
    assert "{Records: list of 0}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("handler", "error_type", "says"),
    [
        ("function.missing", "ConfigurationError", "function has no 'missing'"),
        ("function", "ConfigurationError", "must name a module and a function"),
        ("nowhere.handler", "ModuleNotFoundError", "No module named 'nowhere'"),
        ("adapter.entrypoint.handler", "ConfigurationError", "DJANGO_SETTINGS_MODULE is 'no.such', but there is no"),
    ],
)
def test_a_handler_that_cannot_be_loaded_ends_the_process(
    service: Service, tmp_path: Path, handler: str, error_type: str, says: str
) -> None:
    service.answers = [ACCEPTED]
    result = run(service, tmp_path, "", _HANDLER=handler, DJANGO_SETTINGS_MODULE="no.such")
    ((line, _, body),) = service.requests
    assert line == "POST /2018-06-01/runtime/init/error"
    report = json.loads(body)
    assert report["errorType"] == error_type
    assert says in report["errorMessage"]
    assert says in result.stderr
    assert ("Traceback" in result.stderr) is (error_type == "ModuleNotFoundError")
    assert result.returncode == 1


def test_a_refused_answer_ends_the_process_with_what_the_service_said(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), answer("413 Too Large", b'{"errorType":"RequestEntityTooLarge"}')]
    result = run(service, tmp_path, "def handler(event, context): return 'x' * 7_000_000")
    assert result.returncode == 1
    assert "refused an answer of 7,000,002 bytes: 413" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_trace_id_is_where_the_x_ray_sdk_looks_for_it(service: Service, tmp_path: Path) -> None:
    trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"
    service.answers = [event(1, **{"Lambda-Runtime-Trace-Id": trace}), ACCEPTED, event(1), ACCEPTED]
    run(service, tmp_path, "import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')")
    assert [body for _, _, body in service.requests[1::2]] == [f'"{trace}"'.encode(), b"null"]


def test_sigterm_closes_the_handler_and_ends_the_process(service: Service, tmp_path: Path) -> None:
    (tmp_path / "function.py").write_text(
        "def handler(event, context): ...\nhandler.close = lambda: print('closed', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "adapter.runtime"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}",
            "AWS_LAMBDA_RUNTIME_API": service.address,
            "_HANDLER": "function.handler",
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        connection, _ = service.listener.accept()
        with connection:
            connection.recv(1000)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "closed\n"


def test_a_service_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    client = RuntimeClient(address)
    with pytest.raises(RuntimeAPIError, match=f"No connection to the Runtime API at {address}"):
        client.next()


def test_started_by_hand_the_loop_says_what_to_use_instead() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "AWS_LAMBDA_RUNTIME_API"}
    result = subprocess.run(
        [sys.executable, "-m", "adapter.runtime"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 1
    assert "django-faas emulate" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_context_has_what_aws_documents() -> None:
    context = LambdaContext(
        {
            "lambda-runtime-aws-request-id": "id",
            "lambda-runtime-deadline-ms": str(int((time.time() + 5) * 1000)),
            "lambda-runtime-invoked-function-arn": "arn",
            "lambda-runtime-aws-tenant-id": "tenant",
            "lambda-runtime-client-context": '{"client": {"app_title": "shop"}, "custom": {"a": "b"}}',
            "lambda-runtime-cognito-identity": '{"cognitoIdentityId": "one", "cognitoIdentityPoolId": "pool"}',
        }
    )
    assert (context.aws_request_id, context.invoked_function_arn, context.tenant_id) == ("id", "arn", "tenant")
    assert 4000 < context.get_remaining_time_in_millis() <= 5000
    assert context.client_context.client.app_title == "shop"
    assert context.client_context.custom == {"a": "b"}
    assert (context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id) == ("one", "pool")


def test_a_context_of_an_http_request_has_no_client_or_identity() -> None:
    context = LambdaContext({"lambda-runtime-aws-request-id": "id"})
    assert context.client_context is None
    assert context.identity.cognito_identity_id is None
    assert context.get_remaining_time_in_millis() == 0


def test_a_handler_may_be_written_with_slashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slashed").mkdir()
    (tmp_path / "slashed/function.py").write_text("def handler(event, context): return 1")
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    assert load_handler("slashed/function.handler")(None, None) == 1
    with pytest.raises(ConfigurationError, match="has no 'other'"):
        load_handler("slashed.function.other")
