"""CodeDeploy's hook before a new version gets traffic: migrate, look at a page of that version, and report.

Whatever goes wrong is reported as a failure: CodeDeploy then leaves the alias where it is, and the old version serves
on. For a hook that does not report at all it waits an hour.
https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#appspec-hooks-lambda
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import limits
from ..exceptions import AdapterError, MalformedEventError
from ..origin import SECRET_HEADER
from . import command

if TYPE_CHECKING:
    from ..aws import Client

logger = logging.getLogger("adapter.triggers")

PATIENCE = 30.0
"""Seconds that the page may take, in an environment that has to boot for it."""

MARGIN = PATIENCE + 10.0
"""Seconds before the function's time limit at which the migration is ended: time for the page and the report."""

_MIGRATE = ["migrate", "--noinput"]
_FIELDS = ("DeploymentId", "LifecycleEventHookExecutionId")


class _Failure(AdapterError):
    """The deployment must not go on; its text says why."""


def recognises(event: dict[str, Any]) -> bool:
    return "LifecycleEventHookExecutionId" in event


def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What was reported; `ServiceError` where it could not be."""
    from ..aws import Client

    for field in _FIELDS:
        if not isinstance(event.get(field), str):
            raise MalformedEventError("CodeDeploy's hook", f"{field} is not text", event)
    problem = ""
    try:
        _migrate(context)
        _visit(os.environ.get("FAAS_HOOK_TARGET", ""), os.environ.get("FAAS_SMOKE_PATH") or "/")
    except AdapterError as error:
        problem = str(error)
        logger.error("The deployment is refused. %s", problem)  # noqa: TRY400 - the error says it all
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        logger.exception("The deployment is refused.")
    status = "Failed" if problem else "Succeeded"
    _report(Client("codedeploy"), event, status)
    return {"status": status, **({"problem": problem} if problem else {})}


def _report(client: Client, event: dict[str, Any], status: str) -> None:
    try:
        client.call(
            "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
            {
                "deploymentId": event["DeploymentId"],
                "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
                "status": status,
            },
        )
    finally:
        client.close()


def _migrate(context: Any) -> None:
    outcome = command.run(_MIGRATE, {}, limits.seconds_left(context, MARGIN))
    if outcome.output.strip():
        logger.log(logging.ERROR if outcome.exit else logging.INFO, "%s", outcome.output.strip())
    if outcome.exit:
        raise _Failure(f"migrate has ended with exit status {outcome.exit}; its output is in the log above.")


def _visit(target: str, path: str) -> None:
    """GET ``path`` of the version whose ARN is ``target``, as a visitor would through the CDN; nothing without one."""
    if not target:
        logger.info("FAAS_HOOK_TARGET is not set: the new version is not looked at.")
        return
    from ..aws import Client

    client = Client("lambda", timeout=PATIENCE)
    # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    invoke = f"/2015-03-31/functions/{quote(target, safe='')}/invocations"
    started = time.monotonic()
    try:
        event = json.dumps(_request(path)).encode()
        answer = client.post(invoke, event, {"content-type": "application/json"}, "Invoke")
    finally:
        client.close()
    if "x-amz-function-error" in answer.headers:
        raise _Failure(f"GET {path} on {target} ends in an error of the function; its own log has it.")
    status = json.loads(answer.body)["statusCode"]
    if status >= 400:
        raise _Failure(
            f"GET {path} on {target} is answered with status {status}. Its own log may say why (400: ALLOWED_HOSTS). "
            "FAAS_SMOKE_PATH names another page to look at."
        )
    logger.info("GET %s on %s: status %d after %.1f s", path, target, status, time.monotonic() - started)


def _request(path: str) -> dict[str, Any]:
    """The event of an HTTP API, which every function takes whatever its own front door is, and answers in one piece.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    from ..rehearsal import allowed_host

    path, _, query = path.partition("?")
    host, now = allowed_host(), time.time()
    headers = {
        "accept": "text/html",
        "host": host,
        "user-agent": "django-faas deployment",
        "x-forwarded-host": host,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    secret = os.environ.get("FAAS_ORIGIN_SECRET", "").partition(",")[0].strip()
    if secret:
        headers[SECRET_HEADER] = secret
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "deployment",
            "domainName": "deployment.invalid",
            "domainPrefix": "deployment",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers["user-agent"],
            },
            "requestId": "deployment",
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
