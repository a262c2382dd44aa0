"""The whole stack of a site, in both of its front doors: what the emulator is then to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.blueprint import (
    CACHING_DISABLED,
    CACHING_OPTIMIZED,
    Blueprint,
    DeadLetters,
    Door,
    ErrorAnswer,
    Notification,
    Queue,
    QueueMapping,
    Route,
    Schedule,
)
from emulator.front_doors import build
from emulator.template import read_template
from tests.timing import processor_seconds

TEMPLATE = Path(__file__).parent / "stacks" / "production.yaml"


def read(**parameters: str) -> Blueprint:
    return read_template(TEMPLATE, parameters, region="us-east-1", bucket="local")


def test_functions() -> None:
    functions = read().functions
    assert list(functions) == ["Web", "Worker", "django-faas-console", "CodeDeployHook_django-faas_migrate"]
    web = functions["Web"]
    assert (web.timeout, web.memory, web.concurrency, web.snapstart) == (28, 1769, 50, True)
    assert web.variables == {
        "DJANGO_SETTINGS_MODULE": "site.settings",
        "ALLOWED_HOSTS": "*",
        "FAAS_MEDIA_BUCKET": "local",
        "FAAS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/Jobs",
        "WEB_WORKERS": "1",
        "DEBUG": "false",
    }
    assert {function.handler for function in functions.values()} == {"adapter.entrypoint.handler"}
    assert functions["django-faas-console"].timeout == 900


def test_what_leads_to_them() -> None:
    blueprint = read()
    assert blueprint.doors == (Door("http_api", "Web", routes=(Route("ANY", "$default"),), name="HttpApi"),)
    assert blueprint.queues == (Queue("Jobs", 1800, dead_letters=DeadLetters("DeadJobs", 5)), Queue("DeadJobs"))
    assert blueprint.mappings == (QueueMapping("Jobs", "Worker", 10, 1, partial=True, concurrency=10),)
    assert blueprint.schedules == (
        Schedule(
            "WorkerSessions", "cron(0 3 * * ? *)", "Worker", '{"manage": ["clearsessions"]}', timezone="Europe/Berlin"
        ),
    )
    assert blueprint.notifications == (Notification("Worker", ("s3:ObjectCreated:*",), "media/", ".jpg"),)


def test_the_cdn() -> None:
    distribution = read().distribution
    assert distribution is not None
    assert [(each.pattern, each.origin, each.cache, each.compress) for each in distribution.behaviours] == [
        ("static/*", "bucket", CACHING_OPTIMIZED, True),
        ("/media/*", "bucket", CACHING_OPTIMIZED, True),
        ("*", "door", CACHING_DISABLED, True),
    ]
    assert distribution.behaviours[-1].methods == ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
    assert distribution.errors == (ErrorAnswer(503, 0), ErrorAnswer(404, 5, "/static/404.html", 404))
    assert distribution.secrets == ()


def test_what_is_noted() -> None:
    names = "Web, Worker, django-faas-console, CodeDeployHook_django-faas_migrate"
    give = "has no value here: set it in this shell, or give --parameter"
    assert read().notes == (
        f"SECRET_KEY of {names} {give} 'secretsmanager:/site/django:SecretString:key=...'",
        f"ORIGIN_SECRET of {names} {give} 'ssm:/site/origin-secret=...'",
        (
            "The origin's header x-origin-verify is not sent, as it has no value here; give --parameter "
            "'ssm:/site/origin-secret=...' to send it, and the same to the functions that look for it"
        ),
        (
            "AWS::CloudFront::Function is not emulated: CopyHost (the CDN here puts the viewer's Host into "
            "X-Forwarded-Host by itself)"
        ),
    )


def test_the_other_front_door_on_the_other_stage_with_secrets_given() -> None:
    blueprint = read(
        **{
            "FrontDoor": "function_url",
            "Stage": "staging",
            "DomainName": "shop.example.com",
            "ssm:/site/origin-secret": "o",
            "secretsmanager:/site/django:SecretString:key": "k",
        }
    )
    assert blueprint.doors == (Door("function_url", "Web", streaming=True, name="Url"),)
    web = blueprint.functions["Web"]
    assert (web.memory, web.concurrency, web.snapstart) == (1024, 5, False)
    assert web.variables["ALLOWED_HOSTS"] == "shop.example.com"
    assert (web.variables["ORIGIN_SECRET"], web.variables["SECRET_KEY"]) == ("o", "k")
    assert blueprint.distribution is not None
    assert blueprint.distribution.secrets == (("x-origin-verify", "o"),)
    assert [note.partition(" ")[0] for note in blueprint.notes] == ["AWS::CloudFront::Function"]


@pytest.mark.parametrize("door", ["http_api", "function_url"])
def test_the_doors_can_be_made(door: str) -> None:
    assert [build(each).name for each in read(FrontDoor=door).doors] == [door]


def test_reading_costs_next_to_nothing() -> None:
    assert processor_seconds(read) < 0.2
