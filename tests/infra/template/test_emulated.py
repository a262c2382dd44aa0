"""The emulator reads the template, whatever its front door, and knows what to do with all of it."""

from __future__ import annotations

import pytest

from emulator.blueprint import (
    CACHING_DISABLED,
    CACHING_OPTIMIZED,
    DeadLetters,
    Door,
    ErrorAnswer,
    Queue,
    QueueMapping,
    Route,
    Schedule,
)
from emulator.front_doors import build
from emulator.template import read_template

from .expansion import DOORS, REGION, TEMPLATE

_SECRETS = {
    f"secretsmanager:arn:aws:secretsmanager:{REGION}:123456789012:secret:{name}": name.lower()
    for name in ("SecretKey", "OriginSecret")
}
WEB, WORKER = "django-faas-web", "django-faas-worker"
EXPECTED = {
    "http_api": Door("http_api", WEB, routes=(Route("ANY", "$default"),), name="HttpApi"),
    "function_url": Door("function_url", WEB, streaming=True, name="Url"),
    "rest_api": Door(
        "rest_api",
        WEB,
        stage="live",
        streaming=True,
        timeout=300,
        routes=(Route("ANY", "/"), Route("ANY", "/{proxy+}")),
        binary_media_types=("*/*",),
        name="RestApi",
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_all_of_it(door: str) -> None:
    blueprint = read_template(TEMPLATE, {"FrontDoor": door, **_SECRETS}, region=REGION, bucket="local")
    assert blueprint.doors == (EXPECTED[door],)
    assert [build(each).name for each in blueprint.doors] == [door]
    assert list(blueprint.functions) == [WEB, WORKER, "django-faas-console", "CodeDeployHook_django-faas"]
    assert [each.timeout for each in blueprint.functions.values()] == [28 if door == "http_api" else 300, 300, 900, 900]
    web = blueprint.functions[WEB].variables
    assert web["FAAS_JOBS_QUEUE_URL"] == f"https://sqs.{REGION}.amazonaws.com/123456789012/Jobs"
    assert (web["FAAS_MEDIA_BUCKET"], web["FAAS_ORIGIN_SECRET"]) == ("local", "originsecret")
    assert web.get("AWS_LAMBDA_EXEC_WRAPPER") == (
        None if door == "http_api" else "/var/task/adapter/runtime/exec_wrapper"
    )
    assert blueprint.queues == (Queue("Jobs", 1800, dead_letters=DeadLetters("DeadJobs", 5)), Queue("DeadJobs"))
    assert blueprint.mappings == (QueueMapping("Jobs", WORKER, 10, partial=True, concurrency=10),)
    assert blueprint.schedules == (
        Schedule(
            "django-faas-nightly", "cron(0 3 * * ? *)", WORKER, '{"manage": ["clearsessions"], "schedule": "nightly"}'
        ),
    )
    cdn = blueprint.distribution
    assert cdn is not None
    assert [(each.pattern, each.origin, each.cache, each.origin_path) for each in cdn.behaviours] == [
        ("/static/*", "bucket", CACHING_OPTIMIZED, ""),
        ("/media/*", "bucket", CACHING_OPTIMIZED, ""),
        ("*", "door", CACHING_DISABLED, "/live" if door == "rest_api" else ""),
    ]
    assert cdn.errors == tuple(ErrorAnswer(status, 0) for status in (404, 500, 502, 503, 504))
    assert cdn.secrets == (("x-origin-verify", "originsecret"),)
    assert blueprint.notes == (
        "ResponseHeadersPolicyId is not emulated (/media/* of Cdn): no header is added",
        "AWS::SecretsManager::Secret is not emulated: SecretKey, OriginSecret",
        "AWS::CloudFront::ResponseHeadersPolicy is not emulated: MediaHeaders",
        (
            "AWS::CloudFront::Function is not emulated: CopyHost (the CDN here puts the viewer's Host into "
            "X-Forwarded-Host by itself)"
        ),
    )


def test_without_secrets_it_asks_for_them() -> None:
    notes = read_template(TEMPLATE, {}, region=REGION, bucket="local").notes
    asked = [note.partition(" of ")[0] for note in notes if "has no value here: set it in this shell" in note]
    assert asked == ["DJANGO_SECRET_KEY", "FAAS_ORIGIN_SECRET"]
    (header,) = [note for note in notes if note.startswith("The origin's header x-origin-verify is not sent")]
    assert f"secretsmanager:arn:aws:secretsmanager:{REGION}:123456789012:secret:OriginSecret=..." in header
