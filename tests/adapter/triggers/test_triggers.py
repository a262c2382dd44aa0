"""Which events are triggers', and that nothing a client sends over HTTP can ever be one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter import LambdaHandler, UnknownEventError
from adapter.triggers import command, deployment, queue, schedule
from tests.adapter.conftest import DOORS, Make, minimal_event
from tests.adapter.processes import python
from tests.project import wsgi

from .events import batch, message

COMMANDS: list[dict[str, Any]] = [
    {"manage": ["shell", "-c", "raise SystemExit(9)"]},
    {"manage": ["flush", "--noinput"], "schedule": "nightly", "environment": {"A": "b"}},
    batch(message("pay", 7)),
    {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "ey"},
    {"detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"},
]


@pytest.fixture
def no_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Any:
        raise AssertionError("a trigger was pulled")

    for trigger in (queue, command, schedule, deployment):
        monkeypatch.setattr(trigger, "answer", refuse)


@pytest.mark.parametrize("sent", COMMANDS, ids=["manage", "schedule", "queue", "deployment", "scheduled"])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_stays_a_body(
    handler: LambdaHandler, make: Make, no_trigger: None, sent: dict[str, Any], encoded: bool
) -> None:
    body = json.dumps(sent)
    event = make(
        "POST",
        "/",
        {"content-type": "application/json"},
        body=base64.b64encode(body.encode()).decode() if encoded else body,
        isBase64Encoded=encoded,
    )
    seen = json.loads(handler(event)["body"])
    assert seen["method"] == "POST"
    assert seen["body"][0] == len(body)


@pytest.mark.parametrize("sent", COMMANDS, ids=["manage", "schedule", "queue", "deployment", "scheduled"])
def test_the_marks_of_a_front_door_go_before_those_of_a_trigger(
    handler: LambdaHandler, make: Make, no_trigger: None, sent: dict[str, Any]
) -> None:
    assert json.loads(handler({**sent, **make()})["body"])["method"] == "GET"


HTTP = LambdaHandler(wsgi.application)
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(DOORS),
    st.sampled_from(COMMANDS) | st.dictionaries(st.sampled_from(["manage", "Records", "schedule"]), JSON),
    st.sampled_from(["/", "/manage", '/{"manage":["migrate"]}']),
    st.dictionaries(st.sampled_from(["manage", "records", "x-manage"]), st.sampled_from(["migrate", '["migrate"]'])),
)
@settings(max_examples=60)
def test_no_request_is_a_command(door: str, sent: dict[str, Any], path: str, headers: dict[str, str]) -> None:
    event = minimal_event(door, "POST", path, {"host": "example.com", **headers})
    answer = HTTP({**event, "body": json.dumps(sent)})
    assert json.loads(answer["body"])["method"] == "POST"


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        (batch("a", "b"), queue),
        ({"manage": ["check"]}, command),
        ({"manage": ["check"], "environment": {}}, command),
        ({"manage": ["check"], "schedule": "nightly"}, schedule),
        ({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}, schedule),
        ({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "ey"}, deployment),
    ],
)
def test_every_event_has_its_trigger(
    handler: LambdaHandler, event: dict[str, Any], trigger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger, "answer", lambda event, context: {"answered": event, "by": context})
    assert handler(event, None) == {"answered": event, "by": None}


@pytest.mark.parametrize(
    "event",
    [
        {"Records": []},
        {"Records": "aws:sqs"},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [{"eventSource": "aws:sqs"}, {"EventSource": "aws:sns"}]},
        {"Records": [None]},
        {"command": "migrate"},
        [{"manage": ["check"]}],
        '{"manage": ["check"]}',
    ],
)
def test_what_is_no_triggers_either_is_told(handler: LambdaHandler, event: Any) -> None:
    with pytest.raises(UnknownEventError, match="a queue's has Records of SQS, a management command a"):
        handler(event, None)


SERVE = """
import sys, json
from adapter.entrypoint import handler
print(handler({event})["statusCode"])
print(sorted(name for name in sys.modules if name.startswith(("adapter.trig", "adapter.tasks", "adapter.aws"))))
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_request_loads_no_trigger(interface: str) -> None:
    event = minimal_event("http_api", "GET", "/", {"host": "example.com"})
    result = python(
        SERVE.format(event=event),
        Path.cwd(),
        DJANGO_SETTINGS_MODULE="tests.project.settings",
        FAAS_INTERFACE=interface,
        FAAS_PRIME="off",
    )
    assert result.stdout == "200\n[]\n", result
