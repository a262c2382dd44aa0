"""Events built from HTTP requests by the rules alone, without the emulator: a second opinion for the property tests."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, unquote_plus


@dataclass(frozen=True)
class Sent:
    """A request as a client sends it: ``path`` still to be encoded, ``query`` as pairs, header names in lower case."""

    method: str
    path: bytes
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def raw_path(self) -> str:
        return quote(self.path, safe="/")

    @property
    def raw_query(self) -> str:
        return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.query)


def lists(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def build(door: str, sent: Sent) -> dict[str, Any]:
    """The event that ``door`` sends for the request, every body as base64."""
    headers, query = lists(sent.headers), lists(sent.query)
    raw = {quote(name, safe=""): [quote(value, safe="") for value in values] for name, values in query.items()}
    target = sent.raw_path + ("?" + sent.raw_query if sent.query else "")
    body: dict[str, Any] = {"body": base64.b64encode(sent.body).decode(), "isBase64Encoded": True}
    if not sent.body:
        body = {"body": None, "isBase64Encoded": False}
    if door in {"http_api", "function_url"}:
        decoded = unquote(sent.raw_path)
        url = door == "function_url"
        return {
            "version": "2.0",
            "rawPath": sent.raw_path if url else decoded,
            "rawQueryString": sent.raw_query,
            "headers": {name: ",".join(values) for name, values in headers.items()},
            "requestContext": {
                "http": {
                    "method": sent.method,
                    "path": decoded.rstrip("/") if url else decoded,
                    "sourceIp": "192.0.2.1",
                },
                "domainName": f"x.{'lambda-url' if url else 'execute-api'}.eu-west-1.on.aws",
                "stage": "$default",
            },
            **body,
        }
    if door == "vpc_lattice_1":
        body["is_base64_encoded"] = body.pop("isBase64Encoded")
        joined = {name: ",".join(values) for name, values in headers.items()}
        return {"raw_path": target, "method": sent.method, "headers": joined, **body}
    if door == "vpc_lattice_2":
        context = {"targetGroupArn": "arn"}
        return {"path": target, "method": sent.method, "headers": headers, "requestContext": context, **body}
    event: dict[str, Any] = {"httpMethod": sent.method, "path": sent.raw_path, **body}
    if door == "alb":
        return {
            **event,
            "headers": {name: values[-1] for name, values in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in raw.items()},
            "requestContext": {"elb": {}},
        }
    if door == "alb_multi_value":
        balancer: dict[str, Any] = {"elb": {}}
        return {
            **event,
            "multiValueHeaders": headers,
            "multiValueQueryStringParameters": raw,
            "requestContext": balancer,
        }
    decoded_query = {unquote_plus(name): [unquote_plus(value) for value in values] for name, values in raw.items()}
    return {
        **event,
        "version": "1.0" if door == "http_api_1" else None,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "multiValueQueryStringParameters": decoded_query or None,
        "queryStringParameters": {name: values[-1] for name, values in decoded_query.items()} or None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}, "path": sent.raw_path},
    }
