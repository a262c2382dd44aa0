"""Run as a script in a project's folder, with a function's variables: says in JSON what the function answers.

The admin's tables and an account are made, the handler is booted, and logged into the admin by events as an HTTP API
makes them behind CloudFront. At the end Django's checks for a deployment are made.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
import uuid
from typing import Any
from urllib.parse import urlencode

SITE, GATEWAY = "www.example.com", "abc123.execute-api.eu-central-1.amazonaws.com"
USER, PASSWORD = "ada", "correct horse battery"


def prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from django.contrib.auth import get_user_model

    for app in ("auth", "admin", "sessions"):
        call_command("migrate", app, verbosity=0)
    User: Any = get_user_model()  # noqa: N806
    User.objects.create_superuser(USER, "ada@example.com", PASSWORD)


class Visitor:
    """Asks the site by CloudFront, with cookies."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.cookies: dict[str, str] = {}
        self.attributes = ""

    def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        secret: str | None = None,
        stage: str | None = None,
    ) -> Any:
        """The handler's answer to a request by an HTTP API, or by that stage of a REST API."""
        from emulator.front_doors import create
        from emulator.http import Request

        headers = {
            "Host": GATEWAY,
            "X-Forwarded-Host": SITE,
            "X-Forwarded-For": "198.51.100.7",
            "Via": "2.0 0123456789abcdef.cloudfront.net (CloudFront)",
            "X-Origin-Verify": os.environ["FAAS_ORIGIN_SECRET"] if secret is None else secret,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if form is not None:
            headers |= {"Origin": f"https://{SITE}", "Content-Type": "application/x-www-form-urlencoded"}
        request = Request(
            method=method,
            path=f"/{stage}{path}" if stage else path,
            query="",
            headers=tuple(headers.items()),
            body=urlencode(form or {}).encode(),
            client="64.252.64.1",
            scheme="https",
            port=443,
            received=time.time(),
        )
        door = create("rest_api", stage=stage) if stage else create("http_api")
        answer = self._handler(door.event(request, str(uuid.uuid4())), None)
        for cookie in answer.get("cookies", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            self.attributes += f"{cookie}\n"
        return answer


def checked() -> str:
    from django.core.management import CommandError, call_command

    said = io.StringIO()
    try:
        call_command("check", deploy=True, stdout=said, stderr=said)
    except CommandError as error:
        return f"failed: {error}"
    return said.getvalue()


def visit(admin: str) -> dict[str, Any]:
    from adapter.entrypoint import handler

    visitor = Visitor(handler)
    refused = visitor.ask("GET", f"{admin}login/", secret="guessed")
    sent_on = visitor.ask("GET", admin, stage="live")
    page = visitor.ask("GET", f"{admin}login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page["body"])
    form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token[1] if token else "", "next": admin}
    entered = visitor.ask("POST", f"{admin}login/", form)
    index = visitor.ask("GET", admin)
    return {
        "refused": refused["statusCode"],
        "sent_on": sent_on["multiValueHeaders"]["location"],
        "page": page["statusCode"],
        "sheet": re.findall(r'href="([^"]*/admin/css/base[^"]*)"', page["body"]),
        "entered": [entered["statusCode"], entered["headers"].get("location")],
        "cookies": visitor.attributes,
        "index": [index["statusCode"], USER in index.get("body", "")],
        "checked": checked(),
    }


if __name__ == "__main__":
    prepare()
    print(f"\nfunction:{json.dumps(visit(sys.argv[1]))}")
