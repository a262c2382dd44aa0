"""Identity sources: where in a request an authorizer finds what it knows a client by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..front_doors import query
from ..http import Request
from .errors import InvalidAccess

# method.request.header.X for a REST API, $request.header.X for an HTTP API.
_SOURCE = re.compile(r"\$?(?:method\.)?(request\.header|request\.querystring|context)\.(.+)")

# Format 2.0 has these variables in places of their own.
_CONTEXT_2 = {
    "httpMethod": "http.method",
    "path": "http.path",
    "protocol": "http.protocol",
    "identity.sourceIp": "http.sourceIp",
    "identity.userAgent": "http.userAgent",
}


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """A header, a query parameter or a context variable.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
    """

    written: str
    place: str
    name: str

    def read(self, request: Request, event: Mapping[str, Any]) -> str:
        """What ``request`` holds there, "" for nothing; ``event`` is the front door's own for it.

        Of several values it is the last, which is unproven.
        """
        if self.place == "request.header":
            return request.header(self.name.lower()) or ""
        if self.place == "request.querystring":
            return query.decoded(request.query).get(self.name, [""])[-1]
        name = _CONTEXT_2.get(self.name, self.name) if event.get("version") == "2.0" else self.name
        value: Any = event["requestContext"]
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)


def parse(written: str) -> IdentitySource:
    """The source as a template writes it; raises `InvalidAccess` for what is none, or not emulated."""
    found = _SOURCE.fullmatch(written.strip())
    if found is None:
        raise InvalidAccess(
            f"{written!r} is no identity source that is emulated. An HTTP API's are $request.header.NAME, "
            "$request.querystring.NAME and $context.NAME; a REST API's have method.request in the place of $request, "
            "and context without the dollar sign. Stage variables are not emulated."
        )
    return IdentitySource(written, found[1], found[2])
