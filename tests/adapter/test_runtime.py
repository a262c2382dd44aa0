"""The loop against a Runtime API written for it, apart from the emulator's."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapter import ConfigurationError, RuntimeAPIError
from adapter.runtime import LambdaContext, RuntimeClient
from adapter.runtime.loop import load_handler

from .service import (
    ACCEPTED,
    ERROR,
    EVENT_HEADERS,
    NEXT,
    REQUEST_ID,
    RESPONSE,
    ROOT,
    Request,
    Service,
    answer,
    event,
    run,
    service,
)

__all__ = ["service"]


def test_events_are_answered_over_one_connection(service: Service, tmp_path: Path) -> None:
    service.answers = [event({"n": 1}), ACCEPTED, event({"n": "zwölf"}), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return {'got': event['n']}")
    assert service.lines == [NEXT, RESPONSE] * 2
    assert [request.body for request in service.requests[1::2]] == [b'{"got":1}', '{"got":"zwölf"}'.encode()]
    assert service.requests[1].headers["content-type"] == "application/json"
    assert service.connections == 1


def test_a_service_that_closes_is_connected_to_again(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1, connection="close"), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return event")
    assert service.lines == [NEXT, RESPONSE]
    assert service.connections == 2


def test_an_event_may_arrive_in_chunks(service: Service, tmp_path: Path) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in EVENT_HEADERS.items())
    chunked = f'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n3\r\n{{"a\r\n4;x=1\r\n":1}}\r\n0\r\n\r\n'
    service.answers = [chunked.encode(), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return event")
    assert service.requests[1].body == b'{"a":1}'


def test_bytes_are_posted_as_they_are(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(service, tmp_path, r"def handler(event, context): return b'\x00\xff'")
    assert service.requests[1].body == b"\x00\xff"


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
    report = service.requests[1].json
    assert service.lines == [NEXT, ERROR, NEXT, RESPONSE]
    assert service.requests[1].headers["lambda-runtime-function-error-type"] == "LookupError"
    assert (report["errorType"], report["errorMessage"]) == ("LookupError", "lost")
    assert report["requestId"] == REQUEST_ID
    assert 'raise LookupError("lost")' in "".join(report["stackTrace"])
    assert result.stderr.count("LookupError: lost") == 1
    assert service.requests[3].body == b'"found"'


def test_a_traceback_begins_with_the_projects_own_code(service: Service, tmp_path: Path) -> None:
    service.answers = [ACCEPTED]
    (tmp_path / "shop.py").write_text("import pillov")
    result = run(service, tmp_path, "import shop")
    assert re.findall(r'File "(.+)"', result.stderr) == [str(tmp_path / "function.py"), str(tmp_path / "shop.py")]
    assert "ModuleNotFoundError: No module named 'pillov'" in result.stderr


def test_an_answer_that_is_not_json_is_reported(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return object()")
    assert service.requests[1].json["errorType"] == "Runtime.MarshalError"


def test_an_error_that_explains_itself_comes_without_a_traceback(service: Service, tmp_path: Path) -> None:
    service.answers = [event({"Records": []}), ACCEPTED]
    result = run(
        service,
        tmp_path,
        "from adapter import LambdaHandler\nhandler = LambdaHandler(lambda environ, start_response: [])",
    )
    report = service.requests[1].json
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
    (request,) = service.requests
    assert request.line == "POST /2018-06-01/runtime/init/error"
    report = request.json
    assert report["errorType"] == error_type
    assert says in report["errorMessage"]
    assert says in result.stderr
    assert ("Traceback" in result.stderr) is (error_type == "ModuleNotFoundError")
    assert result.returncode == 1


def test_the_trace_id_is_where_the_x_ray_sdk_looks_for_it(service: Service, tmp_path: Path) -> None:
    trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"
    service.answers = [event(1, **{"Lambda-Runtime-Trace-Id": trace}), ACCEPTED, event(1), ACCEPTED]
    run(service, tmp_path, "import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')")
    assert [request.body for request in service.requests[1::2]] == [f'"{trace}"'.encode(), b"null"]


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


# What the service refuses

TOO_LARGE = answer("413 Too Large", b'{"errorType":"RequestEntityTooLarge"}')
LATE = answer("400 Bad Request", b'{"errorType":"InvalidRequestID"}')


@pytest.mark.parametrize("refusal", [TOO_LARGE, LATE], ids=["too large", "too late"])
def test_an_answer_that_is_refused_is_logged_and_the_next_event_served(
    service: Service, tmp_path: Path, refusal: bytes
) -> None:
    service.answers = [event(7_000_000), refusal, event(1), ACCEPTED]
    result = run(service, tmp_path, "def handler(event, context): return 'x' * event")
    assert service.lines == [NEXT, RESPONSE, NEXT, RESPONSE]
    assert service.requests[3].body == b'"x"'
    assert f"(request {REQUEST_ID})" in result.stderr
    assert f"refused an answer of 7,000,002 bytes: {refusal[9:12].decode()}" in result.stderr
    assert "Traceback" not in result.stderr
    assert service.connections == 1


def test_an_error_report_that_is_refused_is_logged_and_the_next_event_served(service: Service, tmp_path: Path) -> None:
    service.answers = [event(0), LATE, event(1), ACCEPTED]
    result = run(service, tmp_path, "def handler(event, context): return 1 // event")
    assert service.lines == [NEXT, ERROR, NEXT, RESPONSE]
    assert "refused an error report: 400" in result.stderr


@pytest.mark.parametrize("status", ["403 Forbidden", "500 Internal Server Error"])
@pytest.mark.parametrize("handler", ["return event", "yield b'event'", "raise LookupError"])
def test_a_service_that_can_go_on_no_more_ends_the_process(
    service: Service, tmp_path: Path, status: str, handler: str
) -> None:
    service.answers = [event(1), answer(status, b'{"errorType":"InvalidStateTransition"}')]
    result = run(service, tmp_path, f"def handler(event, context): {handler}")
    assert len(service.requests) == 2
    assert "No connection" not in result.stderr  # it did not ask for more
    assert f'{status[:3]} {{"errorType":"InvalidStateTransition"}}' in result.stderr
    assert result.returncode == 1


@pytest.mark.parametrize("handler", ["return 'x' * 20_000_000", "while True: yield b'x' * 20_000_000"])
def test_a_refusal_may_come_while_the_answer_is_still_being_sent(
    service: Service, tmp_path: Path, handler: str
) -> None:
    def refuse(request: Request) -> None:
        request.connection.recv(1000)
        request.answer(TOO_LARGE)
        request.hang_up()

    service.answers = [event(1), refuse, event(2), ACCEPTED]
    result = run(
        service,
        tmp_path,
        f"""
        def handler(event, context):
            if event == 1:
                {handler}
            yield b"fine"
        """
        if "yield" in handler
        else f"def handler(event, context):\n    if event == 1: {handler}\n    return 'fine'",
    )
    assert service.lines == [NEXT, RESPONSE, NEXT, RESPONSE]
    assert b"fine" in service.requests[3].body
    assert "413" in result.stderr
    assert service.connections == 2


def test_a_service_that_goes_away_ends_the_process(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    result = run(service, tmp_path, "def handler(event, context): return event")
    assert result.returncode == 1
    assert "No connection to the Runtime API" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_event_may_be_long_in_coming(service: Service, tmp_path: Path) -> None:
    def wait(request: Request) -> None:
        time.sleep(1.3)
        request.answer(event(1))

    service.answers = [wait, ACCEPTED]
    run(service, tmp_path, "def handler(event, context): return event")
    assert service.lines == [NEXT, RESPONSE]


# What a handler may do


def test_an_event_that_is_no_json_is_reported(service: Service, tmp_path: Path) -> None:
    service.answers = [answer("200 OK", b'{"cut": ', **EVENT_HEADERS), ACCEPTED, event(1), ACCEPTED]
    result = run(service, tmp_path, "def handler(event, context): return event")
    assert service.lines == [NEXT, ERROR, NEXT, RESPONSE]
    assert service.requests[1].json["errorType"] == "Runtime.UnmarshalError"
    assert service.requests[1].headers["lambda-runtime-function-error-type"] == "Runtime.UnmarshalError"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("raise MemoryError", "MemoryError"),
        ("return handler(event, context)", "RecursionError"),
        ("answer = []; answer.append(answer); return answer", "Runtime.MarshalError"),
        ("return float", "Runtime.MarshalError"),
        ("return '\\ud800'", "Runtime.MarshalError"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: self.nothing})", "Mute"),
        ("raise type('Ärger', (Exception,), {})('mit\\nUmbruch \\ud800')", "Ärger"),
    ],
)
def test_whatever_fails_is_reported_once(service: Service, tmp_path: Path, code: str, error_type: str) -> None:
    service.answers = [event(0), ACCEPTED, event(1), ACCEPTED]
    run(service, tmp_path, f"def handler(event, context):\n    if event: return 'fine'\n    {code}")
    assert service.lines == [NEXT, ERROR, NEXT, RESPONSE]
    report = service.requests[1]
    assert report.json["errorType"] == error_type
    cause = json.loads(report.headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == error_type
    assert isinstance(cause["working_directory"], str)
    assert service.requests[3].body == b'"fine"'


def test_x_ray_is_told_the_cause(service: Service, tmp_path: Path) -> None:
    service.answers = [event(0), ACCEPTED]
    run(service, tmp_path, "def handler(event, context):\n    raise LookupError('line one\\r\\nline two')")
    cause = json.loads(service.requests[1].headers["lambda-runtime-function-xray-error-cause"])
    function = str(tmp_path / "function.py")
    assert cause["working_directory"] == str(tmp_path)
    assert cause["paths"] == [function]
    (exception,) = cause["exceptions"]
    assert exception["message"] == "line one\r\nline two"
    assert exception["stack"] == [{"label": "handler", "path": function, "line": 2}]


@pytest.mark.parametrize(("code", "status"), [("sys.exit(3)", 3), ("os._exit(4)", 4), ("sys.exit()", 0)])
def test_a_handler_that_ends_the_process_leaves_nothing_behind(
    service: Service, tmp_path: Path, code: str, status: int
) -> None:
    service.answers = [event(0)]
    result = run(service, tmp_path, f"import os, sys\ndef handler(event, context): {code}")
    assert service.lines == [NEXT]
    assert result.returncode == status
    assert result.stderr == ""


def test_path_files_of_the_package_are_read(service: Service, tmp_path: Path) -> None:
    service.answers = [event(0), ACCEPTED]
    (tmp_path / "vendored").mkdir()
    (tmp_path / "vendored" / "pillov.py").write_text("name = 'pillov'")
    (tmp_path / "vendored.pth").write_text("vendored\n")
    run(service, tmp_path, "import pillov\ndef handler(event, context): return pillov.name")
    assert service.requests[1].body == b'"pillov"'


# Answers in pieces

STREAMED = """
    class Answer:
        content_type = "application/x-pieces"

        def __init__(self, pieces):
            self.pieces = pieces

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.pieces)

        def close(self):
            print("closed", flush=True)
            self.pieces.close()

    def handler(event, context):
        assert context.streams
        return Answer(pieces(event))
"""


def test_an_answer_in_pieces_is_chunked(service: Service, tmp_path: Path) -> None:
    service.answers = [event(2), ACCEPTED, event(0), ACCEPTED]
    result = run(
        service,
        tmp_path,
        f"""{STREAMED}
    def pieces(count):
        yield b""
        for number in range(count):
            yield b"piece %d" % number
        """,
    )
    assert service.lines == [NEXT, RESPONSE] * 2
    request = service.requests[1]
    assert request.headers == {
        "host": service_address(request),
        "content-type": "application/x-pieces",
        "lambda-runtime-function-response-mode": "streaming",
        "transfer-encoding": "chunked",
        "trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    }
    assert request.chunks == [b"piece 0", b"piece 1"]
    assert request.trailers == {}
    assert service.requests[3].chunks == []
    assert result.stdout == "closed\n" * 2
    assert service.connections == 1


def service_address(request: Request) -> str:
    host, port = request.connection_name
    return f"{host}:{port}"


def test_the_loops_own_lines_are_json_where_all_are(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), answer("413 Too Large", b"{}"), event(2), Request.hang_up, event(3), ACCEPTED]
    code = "def handler(event, context):\n    return 'x' if event != 2 else iter([b'piece'])"
    result = run(service, tmp_path, code, FAAS_LOG_FORMAT="json")
    refused, left = [json.loads(line) for line in result.stderr.splitlines()[:2]]
    assert "refused an answer of 3 bytes: 413" in refused["message"]
    assert (refused["level"], refused["requestId"], refused["logger"]) == ("ERROR", REQUEST_ID, "adapter.runtime")
    assert (left["level"], left["message"]) == ("INFO", "The client left before the answer's end.")


def test_a_generator_is_an_answer_too(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(service, tmp_path, "def handler(event, context):\n    yield b'a'\n    yield b'b'")
    assert service.requests[1].chunks == [b"a", b"b"]
    assert service.requests[1].headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("failure", "error_type", "message"),
    [
        ("raise LookupError('on the way')", "LookupError", "on the way"),
        ("yield 'text'", "TypeError", "requires a bytes-like object"),
        ("raise DeadlineExceeded", "DeadlineExceeded", "broken off, as the function's time limit is near"),
    ],
)
def test_an_answer_that_breaks_off_says_so_in_its_trailers(
    service: Service, tmp_path: Path, failure: str, error_type: str, message: str
) -> None:
    service.answers = [event(1), ACCEPTED, event(2), ACCEPTED]
    result = run(
        service,
        tmp_path,
        f"""{STREAMED}
    from adapter.limits import DeadlineExceeded

    def pieces(event):
        yield b"so far"
        if event == 1:
            {failure}
        yield b"so good"
        """,
    )
    assert service.lines == [NEXT, RESPONSE] * 2
    request = service.requests[1]
    assert request.chunks == [b"so far"]
    assert request.trailers["lambda-runtime-function-error-type"] == error_type
    report = json.loads(base64.b64decode(request.trailers["lambda-runtime-function-error-body"]))
    assert report["errorType"] == error_type
    assert message in report["errorMessage"]
    assert report["requestId"] == REQUEST_ID
    assert result.stderr.count("Traceback") == 1
    assert service.requests[3].chunks == [b"so far", b"so good"]
    assert service.requests[3].trailers == {}
    assert result.stdout == "closed\n" * 2
    assert service.connections == 1


def test_a_reader_that_hangs_up_ends_the_answer(service: Service, tmp_path: Path) -> None:
    def hang_up(request: Request) -> None:
        request.read_chunk()
        request.hang_up()

    service.answers = [event(100_000), hang_up, event(1), ACCEPTED]
    result = run(
        service,
        tmp_path,
        f"""{STREAMED}
    def pieces(count):
        for number in range(count):
            yield b"x" * 1000
        print("all made")
        """,
    )
    assert service.lines == [NEXT, RESPONSE] * 2
    assert service.requests[3].chunks == [b"x" * 1000]
    assert result.stdout == "closed\nall made\nclosed\n"
    assert result.stderr.count(f"[INFO] (request {REQUEST_ID}) The client left") == 1
    assert "Traceback" not in result.stderr
    assert service.connections == 2


@pytest.mark.parametrize("refusal", [TOO_LARGE, LATE], ids=["too large", "too late"])
def test_an_answer_in_pieces_may_be_refused_at_its_end(service: Service, tmp_path: Path, refusal: bytes) -> None:
    service.answers = [event(1), refusal, event(1), ACCEPTED]
    result = run(service, tmp_path, "def handler(event, context):\n    yield b'piece'")
    assert service.lines == [NEXT, RESPONSE] * 2
    assert f"refused a streamed answer: {refusal[9:12].decode()}" in result.stderr
    assert "The client left" not in result.stderr


def test_what_fails_when_the_iterator_is_closed_is_logged(service: Service, tmp_path: Path) -> None:
    def hang_up(request: Request) -> None:
        request.read_chunk()
        request.hang_up()

    service.answers = [event(100_000), hang_up, event(1), ACCEPTED]
    result = run(
        service,
        tmp_path,
        """
        def handler(event, context):
            try:
                for _ in range(event):
                    yield b"x" * 1000
            finally:
                if event > 1:
                    yield b"one more"
        """,
    )
    assert service.lines == [NEXT, RESPONSE] * 2
    assert result.stderr.count("generator ignored GeneratorExit") == 1


def test_a_process_that_is_told_to_end_breaks_its_answer_off(service: Service, tmp_path: Path) -> None:
    def terminate(request: Request) -> None:
        request.read_chunk()
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert request.stream.read() in {b"", b"7\r\npiece 1\r\n"}

    service.answers = [event(1), terminate]
    result = run(
        service,
        tmp_path,
        f"""{STREAMED}
    import time

    def pieces(event):
        try:
            yield b"piece 0"
            time.sleep(5)
        finally:
            print("ended", flush=True)

    handler.close = lambda: print("handler closed", flush=True)
        """,
    )
    *ends, last = result.stdout.splitlines()
    assert (sorted(ends), last) == (["closed", "ended"], "handler closed")
    assert result.returncode == 0
    assert result.stderr == ""


# On the managed runtimes


WRAPPER = ROOT / "adapter" / "runtime" / "exec_wrapper"
PATH_CODE = "import sys\ndef handler(event, context): return [sys.path, sys.executable, sys.argv, sys.orig_argv]"


def test_the_wrapper_starts_the_loop_in_place_of_awss(service: Service, tmp_path: Path) -> None:
    service.answers = [event(1), ACCEPTED]
    run(
        service, tmp_path, PATH_CODE, (str(WRAPPER), sys.executable, "/var/runtime/bootstrap.py"),
        LAMBDA_RUNTIME_DIR="/var/runtime",
    )  # fmt: skip
    path, executable, _, line = service.requests[1].json
    assert path[:4] == [str(tmp_path), str(tmp_path), str(ROOT), "/var/runtime"]
    assert executable == sys.executable
    assert line == [sys.executable, "-m", "adapter.runtime"]


def test_the_wrapper_finds_layers_as_awss_runtime_does(tmp_path: Path) -> None:
    interpreter = tmp_path / "python3.13"
    interpreter.write_text('#!/bin/sh\necho "$PYTHONPATH" "$@"')
    interpreter.chmod(0o755)
    result = subprocess.run(
        [WRAPPER, interpreter, "/var/runtime/bootstrap.py"],
        env={
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    layers = "/opt/python/lib/python3.13/site-packages:/opt/python"
    assert result.stdout == f"/var/task:{layers}:/var/runtime -m adapter.runtime\n"


def test_the_wrapper_hands_signals_on(service: Service, tmp_path: Path) -> None:
    def terminate(request: Request) -> None:
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert request.stream.read() == b""

    service.answers = [terminate]
    result = run(
        service,
        tmp_path,
        "def handler(event, context): ...\nhandler.close = lambda: print('closed', flush=True)",
        (str(WRAPPER), sys.executable, "/var/runtime/bootstrap.py"),
    )
    assert (result.returncode, result.stdout) == (0, "closed\n")
