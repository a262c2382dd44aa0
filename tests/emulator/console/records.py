"""Records as front doors and triggers leave them, made up."""

from __future__ import annotations

import json
from typing import Any

from emulator.records import Record

HTML = "<!doctype html><style>h1 { color: rgb(1, 2, 3) }</style><h1>Books</h1>"


def event(method: str = "GET", path: str = "/", **more: Any) -> bytes:
    context = {"http": {"method": method, "path": path}, "domainName": "localhost"}
    return json.dumps(
        {"version": "2.0", "rawPath": path, "headers": {"host": "localhost"}, "requestContext": context, **more}
    ).encode()


def answer(body: str = HTML, status: int = 200, kind: str = "text/html; charset=utf-8", **more: Any) -> bytes:
    return json.dumps({"statusCode": status, "headers": {"Content-Type": kind}, "body": body, **more}).encode()


def record(identifier: str, target: str = "/", **fields: Any) -> Record:
    """One that has ended well after 12 ms, unless ``fields`` say otherwise."""
    given = {
        "source": "http",
        "origin": "http_api",
        "function": "site",
        "title": "GET",
        "event": event(path=target),
        "status": 200,
        "answer": answer(),
        "queued": 0.0002,
        "duration": 0.012,
        "billed": 0.012,
        "total": 0.0135,
        "memory": 91,
        "environment": "site-1",
    }
    return Record(identifier, target=target, **{**given, **fields})
