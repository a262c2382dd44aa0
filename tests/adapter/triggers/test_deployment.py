"""CodeDeploy's hook: what is done before a version gets traffic, and what CodeDeploy is told of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import override_settings

from adapter import LambdaHandler, MalformedEventError
from adapter.exceptions import ServiceError
from adapter.options import Options
from adapter.triggers import deployment
from tests.adapter.aws_services import Answered, Asked, Service, as_function, service
from tests.project import wsgi

from .events import Context

__all__ = ["as_function", "service"]

VERSION = "arn:aws:lambda:eu-west-1:123456789012:function:shop-web:7"
HOOK = {"DeploymentId": "d-EXAMPLE1", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi"}
SECRET = "between CDN and function"


@pytest.fixture(scope="module")
def handler() -> Iterator[LambdaHandler]:
    handler = LambdaHandler(wsgi.application)
    yield handler
    handler.close()


class AWS:
    """Lambda, whose new version is ``web``, and CodeDeploy, which notes what it is told."""

    def __init__(self, service: Service, web: LambdaHandler) -> None:
        self.service = service
        self.web = web
        self.answer: Callable[[Any], Answered] = lambda event: Answered(body=json.dumps(self.web(event)).encode())
        self.invoked: list[tuple[str, Any]] = []
        self.told: list[Any] = []
        service.answer = self._answer

    def _answer(self, asked: Asked) -> Answered:
        if asked.operation == "PutLifecycleEventHookExecutionStatus":
            assert asked.headers["x-amz-target"].startswith("CodeDeploy_20141006.")
            self.told.append(asked.json)
            return Answered(body=json.dumps({"lifecycleEventHookExecutionId": "ey"}).encode())
        assert asked.path.startswith("/2015-03-31/functions/")
        assert asked.path.endswith("/invocations")
        self.invoked.append((unquote(asked.path.split("/")[3]), asked.json))
        return self.answer(asked.json)


@pytest.fixture
def aws(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.project.settings")
    monkeypatch.setenv("FAAS_ORIGIN_SECRET", f"{SECRET},an older one")
    monkeypatch.setenv("FAAS_HOOK_TARGET", VERSION)
    for name in ("LAMBDA", "CODEDEPLOY"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", service.url)
    web = LambdaHandler(wsgi.application, options=Options(origin_secrets=(SECRET.encode(),), streams=True))
    with override_settings(ALLOWED_HOSTS=[".example.com"]):
        yield AWS(service, web)
    web.close()


def status(value: str) -> dict[str, str]:
    return {
        "deploymentId": "d-EXAMPLE1",
        "lifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi",
        "status": value,
    }


def test_a_good_version_gets_its_traffic(
    handler: LambdaHandler, aws: AWS, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("FAAS_SMOKE_PATH", "/books/?page=2")
    assert handler(HOOK, Context()) == {"status": "Succeeded"}
    assert aws.told == [status("Succeeded")]
    assert "Applying auth.0001_initial... OK" in caplog.text
    assert f"GET /books/?page=2 on {VERSION}: status 200 after" in caplog.text
    [(version, event)] = aws.invoked
    assert version == VERSION
    seen = json.loads(aws.web(event)["body"])
    assert (seen["method"], seen["path"], seen["GET"]) == ("GET", "/books/", {"page": ["2"]})
    assert (seen["host"], seen["secure"]) == ("example.com", True)
    assert seen["headers"]["X-Forwarded-Host"] == "example.com"
    assert SECRET not in caplog.text


def test_the_migration_comes_before_the_page(
    handler: LambdaHandler, aws: AWS, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deployment, "_MIGRATE", ["migrate", "nosuchapp"])
    answer = handler(HOOK, Context())
    assert answer["status"] == "Failed"
    assert answer["problem"].startswith("migrate has ended with exit status 1")
    assert (aws.told, aws.invoked) == ([status("Failed")], [])
    assert "No installed app with label 'nosuchapp'" in caplog.text
    assert "The deployment is refused. migrate has ended with" in caplog.text


def test_a_migration_that_takes_too_long_is_reported_in_time(
    handler: LambdaHandler, aws: AWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = ["shell", "--no-imports", "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(deployment, "_MIGRATE", sleep)
    context = Context(deployment.MARGIN + 1)
    assert "exit status 124" in handler(HOOK, context)["problem"]
    assert aws.told == [status("Failed")]
    assert context.get_remaining_time_in_millis() > (deployment.MARGIN - 5) * 1000


class TestPage:
    """Without the migration, which takes a process."""

    @pytest.fixture(autouse=True)
    def migrated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(deployment, "_migrate", lambda context: None)

    def test_a_page_that_fails_refuses_the_version(
        self, handler: LambdaHandler, aws: AWS, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FAAS_SMOKE_PATH", "/broken/")
        problem = handler(HOOK, Context())["problem"]
        assert problem.startswith(f"GET /broken/ on {VERSION} is answered with status 500. Its own log")
        assert aws.told == [status("Failed")]

    def test_a_redirect_is_good(self, handler: LambdaHandler, aws: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAAS_SMOKE_PATH", "/redirect/")
        assert handler(HOOK, Context()) == {"status": "Succeeded"}

    def test_a_version_that_does_not_know_its_cdn_is_refused(self, handler: LambdaHandler, aws: AWS) -> None:
        aws.web = LambdaHandler(wsgi.application, options=Options(origin_secrets=(b"another",)))
        assert "status 403" in handler(HOOK, Context())["problem"]

    @pytest.mark.parametrize(
        ("answered", "problem"),
        [
            (
                Answered(body=b'{"errorMessage": "x"}', headers={"X-Amz-Function-Error": "Unhandled"}),
                "ends in an error",
            ),
            (
                Answered(403, b'{"Message": "not authorized to perform: lambda:InvokeFunction"}'),
                "lambda refuses Invoke",
            ),
            (Answered(body=b"null"), "TypeError"),
        ],
    )
    def test_whatever_goes_wrong_is_reported(
        self, handler: LambdaHandler, aws: AWS, answered: Answered, problem: str
    ) -> None:
        aws.answer = lambda event: answered
        assert problem in handler(HOOK, Context())["problem"]
        assert aws.told == [status("Failed")]

    def test_without_a_version_there_is_no_page_to_look_at(
        self, handler: LambdaHandler, aws: AWS, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("FAAS_HOOK_TARGET")
        assert handler(HOOK, Context()) == {"status": "Succeeded"}
        assert aws.invoked == []

    def test_a_report_that_does_not_arrive_is_an_error(self, handler: LambdaHandler, aws: AWS) -> None:
        aws.service.answer = lambda asked: (
            Answered(400, b'{"__type": "DeploymentDoesNotExistException"}')
            if asked.operation
            else Answered(body=json.dumps(aws.web(asked.json)).encode())
        )
        with pytest.raises(ServiceError, match=r"codedeploy refuses PutLifecycle.*DeploymentDoesNotExistException"):
            handler(HOOK, Context())


@pytest.mark.parametrize("field", HOOK)
def test_a_hook_without_its_ids_is_named(handler: LambdaHandler, aws: AWS, field: str) -> None:
    with pytest.raises(MalformedEventError, match=f"CodeDeploy's hook, but {field} is not text"):
        handler({**HOOK, field: 7}, Context())
