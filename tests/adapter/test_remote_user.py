"""A gateway's authorizer logs a user of Django's in: `RemoteUserMiddleware`, a database and a session, by both legs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapter.conftest import minimal_event

PROJECT = """
import json, os, sys
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.sqlite3"}},
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.RemoteUserMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"],
)

def who(request):
    return JsonResponse({"user": request.user.get_username(), "known": request.user.is_authenticated})

urlpatterns = [path("who/", who)]

import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)

from adapter import LambdaHandler
if sys.argv[1] == "wsgi":
    from django.core.wsgi import get_wsgi_application as get_application
else:
    from django.core.asgi import get_asgi_application as get_application
handler = LambdaHandler(get_application())
cookie, told = "", []
for event in json.load(sys.stdin):
    if cookie:
        event["headers"]["cookie"] = cookie
    answer = handler(event)
    for sent in answer.get("cookies", []):
        cookie = sent.partition(";")[0]
    told.append(json.loads(answer["body"]))
handler.close()
print(json.dumps(told))
"""


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
@pytest.mark.parametrize("switched_on", [True, False])
def test_whom_the_authorizer_found_is_logged_in(tmp_path: Path, interface: str, switched_on: bool) -> None:
    def event(subject: str | None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        made = minimal_event("http_api", "GET", "/who/", {"host": "example.com", **(headers or {})})
        if subject:
            made["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": subject}, "scopes": None}}
        return made

    events = [event("ada"), event("grace"), event(None), event(None, {"remote-user": "ada"})]
    ran = subprocess.run(
        [sys.executable, "-c", PROJECT, interface],
        input=json.dumps(events), cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "FAAS_REMOTE_USER": "1" if switched_on else "0"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    nobody = {"user": "", "known": False}
    known = [{"user": "ada", "known": True}, {"user": "grace", "known": True}] if switched_on else [nobody, nobody]
    assert json.loads(ran.stdout) == [*known, nobody, nobody]
