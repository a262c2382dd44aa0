"""What an invocation costs in the adapter, against apig-wsgi (WSGI) and Mangum (ASGI), in one interleaved run.

    python benchmarks/adapter.py [--rounds N]

A trivial application stands behind each, so that only the adapters' own work is measured; the events are the captured
ones of `tests/events`, with a browser's headers for the GET. Each round times both adapters in turn; the ratio is the
median of the rounds' ratios, which a machine that slows down or speeds up between rounds does not bend.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import gc
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import apig_wsgi  # noqa: E402
import mangum  # noqa: E402

from adapter import LambdaHandler  # noqa: E402

Handler = Callable[[Any, Any], Any]

BROWSER = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "en-GB,en;q=0.9,de;q=0.8",
    "cache-control": "max-age=0",
    "cookie": "csrftoken=Qk3eXbTn2hJ8gVwZ5mR1cY7uA4sD9fLp; sessionid=x8v2k1m5q9w3e7r4t6y0u2i5o8p1a3s6",
    "host": "shop.example.com",
    "referer": "https://shop.example.com/books/",
    "sec-ch-ua": '"Chromium";v="156", "Not.A/Brand";v="8"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0",
    "x-amzn-trace-id": "Root=1-6a5145a9-1bae89e2512ec92d5d9438a0",
    "x-forwarded-for": "68.8.83.18",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}


class Context:
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 28_000


def events() -> dict[str, dict[str, Any]]:
    """A browser's GET and a JSON POST for every captured front door, and for the balancer's single-value mode."""
    captured = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tests/events").glob("*.json")}
    single = copy.deepcopy(captured["alb_multi_value"])
    single["headers"] = {name: values[-1] for name, values in single.pop("multiValueHeaders").items()}
    single["queryStringParameters"] = {
        name: values[-1] for name, values in single.pop("multiValueQueryStringParameters").items()
    }
    captured["alb"] = single
    made = {}
    for door, post in sorted(captured.items()):
        get = copy.deepcopy(post)
        headers = {name: value for name, value in BROWSER.items() if (door, name) != ("http_api", "cookie")}
        if get.get("headers"):
            get["headers"] = headers
        if get.get("multiValueHeaders"):
            get["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        if "http" in get["requestContext"]:
            get["requestContext"]["http"]["method"] = "GET"
        else:
            get["httpMethod"] = "GET"
        del get["body"]
        made[f"{door} GET"], made[f"{door} POST"] = get, post
    return made


PAGE = b"<!doctype html><title>A page</title>" + b"<p>Some text of a page.</p>" * 100
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("X-Frame-Options", "DENY"),
    ("Vary", "Cookie"),
    ("Content-Length", str(len(PAGE))),
    ("X-Content-Type-Options", "nosniff"),
]
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS]


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", HEADERS)
    return [PAGE]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
    await send({"type": "http.response.body", "body": PAGE})


def seconds(handler: Handler, event: Any, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        handler(event, Context)
    return (time.perf_counter() - started) / calls


def compare(title: str, ours: Handler, peer_name: str, peer: Handler, rounds: int, calls: int) -> None:
    print(f"\n{title}: django-faas against {peer_name}")
    print(f"{'':24}{'django-faas':>14}{peer_name:>14}{'ratio':>8}{'lowest':>8}{'highest':>8}")
    ratios = []
    for name, event in events().items():
        pairs = []
        for number in range(rounds):
            order = (ours, peer) if number % 2 else (peer, ours)
            taken = {handler: seconds(handler, event, calls) for handler in order}
            pairs.append((taken[ours], taken[peer]))
        each = [a / b for a, b in pairs]
        ratios.append(statistics.median(each))
        a, b = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
        print(f"{name:24}{a:11.1f} us{b:11.1f} us{ratios[-1]:8.2f}{min(each):8.2f}{max(each):8.2f}")
    print(f"{'geometric mean':24}{'':28}{statistics.geometric_mean(ratios):8.2f}")


def share_of_django(rounds: int) -> None:
    """What the adapters add to Django called with a ready environ, in a project as `startproject` makes it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", folder], check=True)
        Path(folder, "mysite", "urls.py").write_text(
            "from django.contrib import admin\nfrom django.http import JsonResponse\nfrom django.urls import path\n"
            "urlpatterns = [path('json/', lambda request: JsonResponse({})), path('admin/', admin.site.urls)]\n"
        )
        sys.path.insert(0, folder)
        os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
        from django.conf import settings
        from django.core.wsgi import WSGIHandler, get_wsgi_application

        settings.DEBUG, settings.ALLOWED_HOSTS = False, ["*"]
        application = get_wsgi_application()
        print("\nWhat the adapter adds to Django's own time for a page")
        print(f"{'':36}{'Django':>12}{'django-faas':>14}{'apig-wsgi':>12}")
        _share("the admin's log-in page", application, "/admin/login/", rounds)
        _share("a view that returns {}", application, "/json/", rounds)
        settings.MIDDLEWARE = []
        _share("the same without any middleware", WSGIHandler(), "/json/", rounds)


def _share(title: str, application: Callable[..., Any], path: str, rounds: int) -> None:
    from adapter import front_doors
    from adapter.wsgi import environ

    event = events()["http_api GET"] | {"rawPath": path}
    ready = environ(front_doors.recognise(event).read(event, Context))

    def django_alone(event: Any, context: Any) -> None:
        response = application({**ready, "wsgi.input": io.BytesIO()}, lambda status, headers, exc_info=None: None)
        b"".join(response)
        response.close()

    ours, peer = LambdaHandler(application), apig_wsgi.make_lambda_handler(application, binary_support=True)
    assert ours(event, Context)["statusCode"] == peer(event, Context)["statusCode"] == 200
    # Differences of a few per cent: the least of many short runs is the one that nothing disturbed.
    least = dict.fromkeys((django_alone, ours, peer), float("inf"))
    for _ in range(4 * rounds):
        for handler in least:
            least[handler] = min(least[handler], seconds(handler, event, 50))
    alone, with_ours, with_peer = least.values()
    print(f"  {title:34}{alone * 1e6:9.0f} us{with_ours / alone - 1:14.1%}{with_peer / alone - 1:12.1%}")


def memory_of_a_large_body() -> None:
    """Peak memory of one invocation with a body of 5 MB, beyond what the event itself holds."""
    size = 5 << 20
    event = events()["http_api POST"]
    event["body"] = "x" * size

    def read(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(10)
        start_response("200 OK", HEADERS[:1])
        return [b"read"]

    print("\nPeak memory for a body of 5 MB, in copies of it beyond the event's own")
    for name, handler in {
        "django-faas": LambdaHandler(read),
        "apig-wsgi": apig_wsgi.make_lambda_handler(read, binary_support=True),
    }.items():
        gc.collect()
        tracemalloc.start()
        handler(event, Context)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"  {name:14}{peak / size:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"Python {sys.version.split()[0]}, {rounds} rounds; medians")
    compare(
        "WSGI", LambdaHandler(wsgi), "apig-wsgi", apig_wsgi.make_lambda_handler(wsgi, binary_support=True), rounds, 400
    )
    asyncio.set_event_loop(asyncio.new_event_loop())
    ours = LambdaHandler(asgi)
    compare("ASGI", ours, "Mangum", mangum.Mangum(asgi, lifespan="off"), rounds, 200)
    ours.close()
    share_of_django(rounds)
    memory_of_a_large_body()


if __name__ == "__main__":
    main()
