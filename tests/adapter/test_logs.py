"""Where log records go: each comes out once, whichever runtime and project settings there are."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from awslambdaric.lambda_runtime_log_utils import _JSON_FRAME_TYPES, _TEXT_FRAME_TYPES

from adapter import ConfigurationError, logs
from adapter.http import HTTPResponse
from adapter.invocation import begin
from adapter.log_lines import JSONFormatter
from adapter.logs import LogOptions, Record
from emulator.function.service import FunctionService
from emulator.function.spec import FunctionSpec, lambda_variables
from tests.adapter.conftest import minimal_event
from tests.adapter.invocations import REQUEST_ID, context, no_invocation, python, record, request  # noqa: F401
from tests.adapter.processes import ROOT
from tests.emulator.helpers import Heard

# %(request_id)s


@pytest.fixture
def factory() -> Iterator[None]:
    """The record factory, put back after."""
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


FORMATS = [("%(request_id)s %(message)s", "%"), ("{request_id} {message}", "{"), ("$request_id $message", "$")]


@pytest.mark.usefixtures("factory")
@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize(("layout", "style"), FORMATS)
def test_a_projects_own_format_can_name_the_request_id(layout: str, style: Any, foreign: bool) -> None:
    if foreign:

        def tracers_own(*args: Any, **kwargs: Any) -> logging.LogRecord:
            made = logging.LogRecord(*args, **kwargs)
            made.span = "s-1"
            return made

        logging.setLogRecordFactory(tracers_own)
    logs.prepare()
    logs.prepare()
    formatter = logging.Formatter(layout, style=style)
    assert formatter.format(record()) == "- sold out"
    begin(context())
    made = record()
    assert formatter.format(made) == f"{REQUEST_ID} sold out"
    assert hasattr(made, "span") is foreign


@pytest.mark.usefixtures("factory")
def test_the_request_id_of_a_record_may_be_the_projects_own() -> None:
    logs.prepare()
    begin(context())
    formatter = logging.Formatter("%(request_id)s")
    assert formatter.format(record(request_id="mine")) == "mine"
    made = record()
    assert isinstance(made, Record)
    assert made.request_id == REQUEST_ID  # to a filter
    made.request_id = "set by a filter"
    assert formatter.format(made) == "set by a filter"
    with pytest.raises(AttributeError, match="no attribute 'reqest_id'"):
        _ = made.reqest_id


# The response header


def test_the_request_id_goes_out_as_a_header_unless_the_application_set_one() -> None:
    response = HTTPResponse(200, "OK", [("Vary", "Cookie")], b"")
    logs.add_request_id(response, "X-Request-ID")
    assert response.headers == [("Vary", "Cookie")]
    begin(context())
    logs.add_request_id(response, "X-Request-ID")
    logs.add_request_id(response, "x-request-id")
    assert response.headers == [("Vary", "Cookie"), ("X-Request-ID", REQUEST_ID)]


def test_a_header_name_that_is_none_is_refused() -> None:
    assert logs.header_name({}, "FAAS_REQUEST_ID_HEADER") == ""
    assert logs.header_name({"FAAS_REQUEST_ID_HEADER": "X-Request-ID"}, "FAAS_REQUEST_ID_HEADER") == "X-Request-ID"
    with pytest.raises(
        ConfigurationError, match="FAAS_REQUEST_ID_HEADER is 'X Request'; it must be the name of a header"
    ):
        logs.header_name({"FAAS_REQUEST_ID_HEADER": "X Request"}, "FAAS_REQUEST_ID_HEADER")


# The options


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, LogOptions()),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, LogOptions(json=True)),
        ({"AWS_LAMBDA_LOG_FORMAT": "Text"}, LogOptions()),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON", "FAAS_LOG_FORMAT": "text"}, LogOptions()),
        ({"FAAS_LOG_FORMAT": "JSON"}, LogOptions(json=True)),
        ({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, LogOptions(level=logging.WARNING)),
        ({"AWS_LAMBDA_LOG_LEVEL": "odd"}, LogOptions()),
        (
            {"AWS_LAMBDA_LOG_LEVEL": "WARN", "FAAS_LOG_LEVEL": "debug"},
            LogOptions(level=logging.DEBUG, insistent=True),
        ),
        ({"FAAS_ACCESS_LOG": "1"}, LogOptions(access=True)),
        ({"FAAS_ACCESS_LOG": "True"}, LogOptions(access=True)),
        ({"FAAS_ACCESS_LOG": "0"}, LogOptions(access=False)),
    ],
    ids=str,
)
def test_the_environment_chooses(environment: dict[str, str], options: LogOptions) -> None:
    assert LogOptions.from_environment(environment) == options


@pytest.mark.parametrize(
    ("name", "value"), [("FAAS_LOG_FORMAT", "yaml"), ("FAAS_LOG_LEVEL", "loud"), ("FAAS_ACCESS_LOG", "some")]
)
def test_a_wrong_value_is_named_with_what_it_can_be(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'; it can be one of "):
        LogOptions.from_environment({name: value})


# Where records go: each in a process of its own, as logging is the process's


SETTINGS = """
import logging
SECRET_KEY = "only-for-tests"
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
"""
URLS = """
import logging
from django.http import HttpResponse
from django.urls import path

logger = logging.getLogger("shop")

def index(request):
    logger.warning("three sold")
    logger.info("one of them signed")
    return HttpResponse("welcome")

def broken(request):
    raise LookupError("on purpose")

urlpatterns = [path("", index), path("broken/", broken)]
"""
# What the entry point does about logs, by hand.
FUNCTION = """
from adapter.entrypoint import handler
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "function.py").write_text(FUNCTION)
    return tmp_path


def with_settings(project: Path, settings: str) -> Path:
    (project / "settings.py").write_text(SETTINGS + textwrap.dedent(settings))
    return project


def in_process(project: Path, path: str = "/", **environment: str) -> list[str]:
    """The lines that one request leaves on stderr, no runtime around it."""
    event = {**minimal_event("http_api", "GET", path, {"host": "example.com"}), "rawQueryString": "token=secret"}
    code = f"""
        from types import SimpleNamespace
        from function import handler
        print(handler({event}, SimpleNamespace(aws_request_id={REQUEST_ID!r}))["statusCode"])
    """
    return python(code, project, DJANGO_SETTINGS_MODULE="settings", **environment).stderr.splitlines()


OWN_FORMATTER = """
import logging

class Shouting(logging.Formatter):
    def format(self, record):
        return super().format(record).upper()

class NoShop(logging.Filter):
    def filter(self, record):
        return record.name != "shop"
"""


def test_a_projects_own_handlers_write_json_and_keep_their_levels_and_filters(project: Path) -> None:
    (project / "own.py").write_text(OWN_FORMATTER)
    with_settings(
        project,
        """
        LOGGING = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"verbose": {"format": "{levelname} {message}", "style": "{"},
                           "shouting": {"()": "own.Shouting"}},
            "filters": {"no_shop": {"()": "own.NoShop"}},
            "handlers": {
                "console": {"class": "logging.StreamHandler", "formatter": "verbose"},
                "errors": {"class": "logging.StreamHandler", "level": "ERROR"},
                "quiet": {"class": "logging.StreamHandler", "filters": ["no_shop"]},
                "own": {"class": "logging.StreamHandler", "formatter": "shouting"},
                "file": {"class": "logging.FileHandler", "filename": "shop.log", "formatter": "verbose"},
            },
            "root": {"handlers": ["console", "errors", "quiet", "own", "file"], "level": "INFO"},
        }
        """,
    )
    lines = in_process(project, FAAS_LOG_FORMAT="json", FAAS_ACCESS_LOG="0")
    assert [json.loads(text)["message"] for text in lines if text.startswith("{")] == [
        "three sold",
        "one of them signed",
    ]
    assert [text for text in lines if not text.startswith("{")] == ["THREE SOLD", "ONE OF THEM SIGNED"]
    assert (project / "shop.log").read_text() == "WARNING three sold\nINFO one of them signed\n"


def test_as_text_a_projects_own_handlers_stay_as_they_are(project: Path) -> None:
    with_settings(
        project,
        """
        LOGGING = {
            "version": 1,
            "formatters": {"verbose": {"format": "%(levelname)s %(request_id)s %(message)s"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "verbose"}},
            "root": {"handlers": ["console"], "level": "INFO"},
        }
        """,
    )
    assert in_process(project) == [
        f"WARNING {REQUEST_ID} three sold",
        f"INFO {REQUEST_ID} one of them signed",
    ]


@pytest.mark.parametrize("disabled", [True, False])
def test_our_own_loggers_survive_disable_existing_loggers(project: Path, disabled: bool) -> None:
    with_settings(project, f"LOGGING = {{'version': 1, 'disable_existing_loggers': {disabled}}}")
    lines = in_process(project, FAAS_LOG_FORMAT="json")
    assert [json.loads(text)["logger"] for text in lines] == ["shop", "adapter.access"]


def test_a_basic_config_in_the_settings_counts(project: Path) -> None:
    with_settings(project, "logging.basicConfig(level='INFO', format='%(name)s said: %(message)s')")
    assert in_process(project) == ["shop said: three sold", "shop said: one of them signed"]


@pytest.mark.parametrize(
    ("level", "environment", "info_is_seen"),
    [
        (None, {}, False),
        (None, {"AWS_LAMBDA_LOG_LEVEL": "INFO"}, True),
        (None, {"FAAS_LOG_LEVEL": "INFO"}, True),
        ("WARNING", {"AWS_LAMBDA_LOG_LEVEL": "INFO"}, False),
        ("WARNING", {"FAAS_LOG_LEVEL": "INFO"}, True),
        ("INFO", {"FAAS_LOG_LEVEL": "WARNING", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, False),
    ],
)
def test_the_level_is_ours_the_projects_or_lambdas(
    project: Path, level: str | None, environment: dict[str, str], info_is_seen: bool
) -> None:
    root = {"root": {"level": level}} if level else {}
    with_settings(project, f"LOGGING = { ({'version': 1, **root}) }")
    lines = in_process(project, **environment)
    assert [text.rpartition("\t")[2] for text in lines] == [
        "shop: three sold",
        *(["shop: one of them signed"] if info_is_seen else []),
    ]


@pytest.mark.parametrize(
    ("logging_settings", "environment", "on"),
    [
        ({}, {}, False),
        ({}, {"FAAS_ACCESS_LOG": "1"}, True),
        ({}, {"FAAS_LOG_FORMAT": "json"}, True),
        ({}, {"FAAS_LOG_FORMAT": "json", "FAAS_ACCESS_LOG": "0"}, False),
        ({}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, True),
        ({}, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"}, False),
        ({"loggers": {"adapter.access": {"level": "ERROR"}}}, {"FAAS_LOG_FORMAT": "json"}, False),
        ({"loggers": {"adapter.access": {"level": "INFO"}}}, {}, True),
    ],
)
def test_the_access_line_can_be_switched(
    project: Path, logging_settings: dict[str, Any], environment: dict[str, str], on: bool
) -> None:
    with_settings(project, f"LOGGING = { ({'version': 1, **logging_settings}) }")
    assert ("adapter.access" in "".join(in_process(project, **environment))) is on


def test_an_access_line_tells_the_request_without_its_query(project: Path) -> None:
    with_settings(project, "")
    fields = json.loads(in_process(project, FAAS_LOG_FORMAT="json")[-1])
    milliseconds = fields.pop("durationMs")
    assert 0 < milliseconds < 60_000
    del fields["timestamp"]
    assert fields == {
        "level": "INFO",
        "message": f"GET / 200 in {milliseconds} ms, 7 bytes, cold",
        "logger": "adapter.access",
        "requestId": REQUEST_ID,
        "coldStart": True,
        "method": "GET",
        "path": "/",
        "status": 200,
        "bytes": 7,
    }


def test_a_client_writes_no_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    at_hand = begin(context(), request("GET", b"/a\n[ERROR]\tforged\x1b[2J\xff"))
    with caplog.at_level(logging.INFO, "adapter.access"):
        logs.access(at_hand, 404, 9)
    assert "GET /a\\n[ERROR]\\tforged\\x1b[2J\\xff 404 in " in caplog.messages[0]
    assert json.loads(JSONFormatter().format(caplog.records[0]))["path"] == "/a\n[ERROR]\tforged\x1b[2J\\xff"


FRAME = re.compile(rb"\xa5\x5a\x00(.)(....)(........)", re.DOTALL)


def frames(data: bytes) -> list[tuple[bytes, str]]:
    """What the telemetry descriptor was sent: kind and level, and text."""
    found = []
    while data:
        head = FRAME.match(data)
        assert head, data
        length = int.from_bytes(head[2], "big")
        assert abs(int.from_bytes(head[3], "big") / 1_000_000 - datetime.now(UTC).timestamp()) < 60
        content = data[16 : 16 + length]
        assert len(content) == length
        found.append((head[0][:4], content.decode()))
        data = data[16 + length :]
    return found


@pytest.mark.parametrize("level", range(0, 60, 10))
@pytest.mark.parametrize("as_json", [True, False])
def test_frames_are_marked_as_those_of_aws_are(as_json: bool, level: int) -> None:
    assert logs.frame_type(level, as_json) == (_JSON_FRAME_TYPES if as_json else _TEXT_FRAME_TYPES)[level]


def test_in_our_runtime_a_record_is_one_frame_however_many_lines_it_has(project: Path) -> None:
    with_settings(project, "")
    with (project / "frames").open("wb") as sink:
        event = minimal_event("http_api", "GET", "/broken/", {"host": "example.com"})
        code = f"from function import handler; handler({event}, None)"
        result = subprocess.run(
            [sys.executable, "-W", "error", "-X", "dev", "-c", code],
            cwd=project,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DJANGO_SETTINGS_MODULE": "settings",
                "_LAMBDA_TELEMETRY_LOG_FD": str(sink.fileno()),
            },
            pass_fds=[sink.fileno()],
            capture_output=True,
            timeout=60,
        )
    assert result.stderr == b""
    ((kind, text),) = frames((project / "frames").read_bytes())
    assert kind == _TEXT_FRAME_TYPES[logging.ERROR]
    assert "django.request: Internal Server Error: /broken/\nTraceback" in text
    assert text.endswith("LookupError: on purpose")


def test_the_workers_of_a_managed_instance_write_no_frames_into_each_others() -> None:
    code = "import logging; from adapter import logs; logs.configure(); logging.error('sold out')"
    result = python(code, _LAMBDA_TELEMETRY_LOG_FD="1", AWS_LAMBDA_MAX_CONCURRENCY="8")
    assert (result.stdout, result.stderr.endswith("\troot: sold out\n")) == ("", True)


# Under the runtimes themselves

RUNTIMES = {"own": "exec {python} -m adapter.runtime", "awslambdaric": "exec {python} -m awslambdaric function.handler"}


def served(project: Path, runtime: str, paths: list[str], **variables: str) -> list[str]:
    """What a real runtime, in an environment of the emulator, writes while it answers requests for ``paths``."""
    log = Heard()
    command = RUNTIMES[runtime].format(python=sys.executable)
    telemetry = variables.pop("telemetry", "")
    spec = FunctionSpec(
        project,
        ("sh", "-c", f"{telemetry} {command}"),
        {
            **lambda_variables(project, "eu-west-1"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{project}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "settings",
            "_HANDLER": "function.handler",
            **variables,
        },
    )

    async def main() -> None:
        service = FunctionService({"f": spec}, 1, log)
        service.start("f")
        try:
            for number, path in enumerate(paths):
                event = minimal_event("http_api", "GET", path, {"host": "example.com"})
                await service.invoke("f", json.dumps(event).encode(), f"request-{number}", 20)
            await asyncio.sleep(0.1)  # it asks for the next event: what is said of being stopped meanwhile is not ours
        finally:
            await service.stop()

    asyncio.run(main())
    return [text.removeprefix("fn-1 | ") for text in log.text.splitlines()]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("lambdas", "ours"), [("JSON", ""), ("", "json")])
def test_each_record_is_one_json_line(project: Path, runtime: str, lambdas: str, ours: str, debug: bool) -> None:
    with_settings(project, f"DEBUG = {debug}")
    variables = {"AWS_LAMBDA_LOG_FORMAT": lambdas, "FAAS_LOG_FORMAT": ours}
    lines = served(project, runtime, ["/", "/broken/", "/nothing"], **variables)
    fields = [json.loads(text) for text in lines]
    assert [(one["logger"], one["level"], one["requestId"]) for one in fields] == [
        ("shop", "WARNING", "request-0"),
        ("adapter.access", "INFO", "request-0"),
        ("django.request", "ERROR", "request-1"),
        ("adapter.access", "INFO", "request-1"),
        ("django.request", "WARNING", "request-2"),
        ("adapter.access", "INFO", "request-2"),
    ]
    assert [one["status"] for one in fields if "status" in one] == [200, 500, 404]
    assert [one["coldStart"] for one in fields] == [True, True, False, False, False, False]
    assert fields[2]["stackTrace"][-1] == "LookupError: on purpose"
    assert len({one["traceId"] for one in fields}) == 3


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("lambdas", ["", "JSON"])
def test_each_record_is_written_once_as_text(project: Path, runtime: str, lambdas: str, debug: bool) -> None:
    with_settings(project, f"DEBUG = {debug}")
    variables = {"AWS_LAMBDA_LOG_FORMAT": lambdas, "FAAS_LOG_FORMAT": "text"}
    text = "\n".join(served(project, runtime, ["/", "/broken/"], **variables))
    assert [text.count(part) for part in ("three sold", "Internal Server Error", "LookupError: on purpose")] == [1] * 3
    assert re.search(r"^\[WARNING\]\t\S+Z\trequest-0\tshop: three sold$", text, re.MULTILINE)
    # With DEBUG on Django's own handler prints it, and that is the one which is left.
    ours = re.search(r"^\[ERROR\]\t\S+Z\trequest-1\tdjango.request: Internal", text, re.MULTILINE)
    assert (ours is None) is debug


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("as_json", [True, False])
def test_records_go_whole_to_the_descriptor_that_lambda_provides(project: Path, runtime: str, as_json: bool) -> None:
    with_settings(project, "")
    lines = served(
        project,
        runtime,
        ["/broken/"],
        telemetry="exec 9>frames; export _LAMBDA_TELEMETRY_LOG_FD=9;",
        AWS_LAMBDA_LOG_FORMAT="JSON" if as_json else "Text",
        AWS_LAMBDA_LOG_LEVEL="ERROR",
    )
    assert lines == []
    ((kind, text),) = frames((project / "frames").read_bytes())
    assert kind == (_JSON_FRAME_TYPES if as_json else _TEXT_FRAME_TYPES)[logging.ERROR]
    if as_json:
        assert json.loads(text)["errorMessage"] == "on purpose"
    else:
        assert text.rstrip().endswith("LookupError: on purpose")


def test_a_handler_that_a_project_adds_beside_that_of_aws_doubles_nothing(project: Path) -> None:
    with_settings(project, "logging.getLogger().addHandler(logging.StreamHandler())")
    lines = served(project, "awslambdaric", ["/"], FAAS_LOG_FORMAT="text")
    assert lines == ["three sold"]


def test_a_formatter_that_a_project_gave_to_the_handler_of_aws_stays(project: Path) -> None:
    (project / "own.py").write_text(OWN_FORMATTER)
    with_settings(project, "import own; logging.getLogger().handlers[0].setFormatter(own.Shouting('%(message)s\\n'))")
    lines = served(project, "awslambdaric", ["/"], FAAS_LOG_FORMAT="json", FAAS_ACCESS_LOG="0")
    assert lines == ["THREE SOLD"]
