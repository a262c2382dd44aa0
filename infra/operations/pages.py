"""A page of the site, asked of the function itself: past the CDN and the front door, as an HTTP API would ask."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ..clients import Clients, asking
from ..exceptions import ConfigurationError
from ..site import ALIAS
from . import calling


@dataclass(frozen=True)
class Page:
    """What the front door would send of the function's answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def get(clients: Clients, function: str, site: str, path: str) -> Page:
    """The page at ``path`` (with its query) of the site at the URL ``site``; raises what `calling.call` raises."""
    from emulator import front_doors
    from emulator.http import Request

    if not path.startswith("/"):
        raise ConfigurationError(f"The path is {path!r}; it has to begin with /, as in /admin/?next=/.")
    host = urlsplit(site).netloc
    headers = {
        "Host": host,
        "X-Forwarded-Host": host,
        "X-Forwarded-Proto": "https",
        "User-Agent": "django-faas",
        "Accept": "*/*",
        **_origin_secret(clients, function),
    }
    route, _, query = quote(path, safe="/?%:@!$&'()*+,;=").partition("?")
    request = Request("GET", route, query, tuple(headers.items()), scheme="https", port=443, received=time.time())
    door, request_id = front_doors.create("http_api"), str(uuid.uuid4())
    event = door.event(request, request_id)
    answer = calling.call(clients, function, json.dumps(event).encode())
    response = door.response(answer, event, request_id)
    # The emulated door's own id names nothing on AWS.
    headers_sent = [(name, value) for name, value in response.headers if name != "Apigw-Requestid"]
    return Page(response.status, headers_sent, response.body)


def _origin_secret(clients: Clients, function: str) -> dict[str, str]:
    """The header by which the function knows the CDN, from the function's own configuration."""
    with asking(f"read the configuration of {function}"):
        found = clients("lambda").get_function_configuration(FunctionName=function, Qualifier=ALIAS)
    # While one secret replaces another there are two; each will do.
    secret = found.get("Environment", {}).get("Variables", {}).get("FAAS_ORIGIN_SECRET", "").split(",")[0].strip()
    return {"X-Origin-Verify": secret} if secret else {}
