"""Events with anything in the place of anything: an answer or an error of ours, never another exception, never a hang.

Runs for ``FAAS_FUZZ_SECONDS`` (5 by default; CI gives it longer) and says how many events that were.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from adapter import EventError, LambdaHandler
from adapter.options import Options

from .builder import Sent, build
from .conftest import CAPTURED, DOORS

SECONDS = float(os.environ.get("FAAS_FUZZ_SECONDS", "5"))
ODD: list[Any] = [
    *(None, True, False, 0, -1, 7, 2.5, 1 << 70, "", " ", "/", "//", "?", "%", "%zz", "%ff", "\x00", "é", "\ud800"),
    *("a" * 999, "2.0", "1.0", "GET", "$default", "AAAA", "AAA", "e30=", "x.lambda-url.y", ".execute-api."),
    *([], [None], ["a", 1], {}, {"": ""}, {"a": None}, {"a": ["b", None]}, {"elb": None}, {"http": None}),
    *({"host": "\r\n"}, {"x_y": "1", "x-y": "2"}),
]


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", repr(environ["PATH_INFO"]))])
    return [environ["wsgi.input"].read()]


def mutate(event: dict[str, Any], choose: random.Random) -> None:
    """Change one to three fields, at any depth: gone, odd, or what another field holds."""
    for _ in range(choose.randint(1, 3)):
        holder, depth = event, 0
        while True:
            keys = list(holder)
            key = (
                choose.choice(keys) if keys and choose.random() < 0.95 else choose.choice(["path", "body", "x", "elb"])
            )
            inner = holder.get(key)
            if isinstance(inner, dict) and inner and depth < 4 and choose.random() < 0.7:
                holder, depth = inner, depth + 1
                continue
            break
        kind = choose.random()
        if kind < 0.25:
            holder.pop(key, None)
        elif kind < 0.85:
            holder[key] = choose.choice(ODD)
        else:
            holder[key] = choose.choice(list(event.values()) or ODD)


@pytest.fixture
def without_logs() -> Iterator[None]:
    """pytest would keep every record: hundreds of megabytes of them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("without_logs")
def test_no_event_gets_past_our_errors(record_property: Any) -> None:
    seed = random.randrange(1 << 32)
    choose = random.Random(seed)
    sent = Sent("POST", b"/a/b", (("q", "1"), ("q", "2")), (("host", "x"), ("x-a", "1"), ("x-a", "2")), b"\x00body")
    sources = [json.dumps(event) for event in (*CAPTURED.values(), *(build(door, sent) for door in DOORS))]
    handlers = [
        LambdaHandler(application, options=Options()),
        LambdaHandler(application, options=Options((b"s",), 1, "/live", True, "/up/", 204)),
    ]
    deadline, count, refused, slowest = time.monotonic() + SECONDS, 0, 0, 0.0
    while time.monotonic() < deadline:
        event = json.loads(choose.choice(sources))
        mutate(event, choose)
        shown = repr(event)
        started = time.monotonic()
        try:
            answer = handlers[count % 2](event)
        except EventError:
            refused += 1
        except BaseException as error:
            raise AssertionError(f"seed {seed}, event {count}: {error!r} from {shown}") from error
        else:
            assert isinstance(answer["statusCode"], int), shown
            assert answer["statusCode"] != 500, f"the error was the adapter's, not an event's: {shown}"
        slowest = max(slowest, time.monotonic() - started)
        count += 1
    print(f"{count:,} events, {refused:,} refused, slowest {slowest * 1000:.1f} ms, seed {seed}")
    record_property("events", count)
    assert count > 1000 * SECONDS
    assert refused
    assert slowest < 1
