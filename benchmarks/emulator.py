"""One Django view through every front door of the emulator and of its peers, by one client, in one interleaved run.

    python benchmarks/emulator.py [--rounds N] [--requests N] [--seconds S] [--peers ministack,serverless-offline]

Told are: the warm median latency of requests in a row over one connection; requests a second over four connections,
with four environments; and the time from the command to the first answer, for a site without static files and for
samples/bookshop. Behind each door are the same site and the same handler, `adapter.entrypoint.handler`; every answer is
compared with what the view says. In each round all doors take their turn; a ratio is the median of the rounds' ratios.

Peers that run without Docker are put into `benchmarks/.cache/emulator` by the first run; what cannot be had is named.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = Path(__file__).parent / ".cache" / "emulator"
BOOKSHOP = ROOT / "samples/bookshop"
ENVIRONMENTS = 4
TURNS = 5  # of each door in a round: a machine's slow moments are to hit all of them
MINISTACK = ("ministack==1.5.33", "boto3==1.43.106", "Django==5.2.19")
OFFLINE = ("osls@3.77.1", "serverless-offline@14.8.2")
NOT_TO_BE_HAD = {"SAM (local start-api)": "it starts every function in a container: Docker or Finch is needed"}

PATH = "/hello"  # without a slash at its end: serverless-offline drops it
BODY = b"<!doctype html><title>Hello</title><p>Hello from Django.</p>" + b"<p>A paragraph.</p>" * 100
BROWSER = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.9,de;q=0.8",
    "cookie": "csrftoken=Qk3eXbTn2hJ8gVwZ5mR1cY7uA4sD9fLp; sessionid=x8v2k1m5q9w3e7r4t6y0u2i5o8p1a3s6",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0",
}
SITE = f"""
import os
from django.http import HttpResponse
from django.urls import path

DEBUG = False
SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "hello_site"
WSGI_APPLICATION = "hello_site.application"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
hello = lambda request: HttpResponse({BODY!r})
urlpatterns = [path("hello", hello), path("rest/hello", hello)]

def application(environ, start_response):
    return _application()(environ, start_response)

def _application(found=[]):
    if not found:
        from django.core.wsgi import get_wsgi_application
        found.append(get_wsgi_application())
    return found[0]
"""
MANAGE = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hello_site")
from django.core.management import execute_from_command_line
execute_from_command_line()
"""


# -- what is measured


@dataclass
class Door:
    """A way to the view: the port, the Host header and the path that lead there; ``kind`` is that of front door."""

    name: str
    kind: str
    port: int
    host: str = ""
    path: str = PATH
    latencies: list[float] = field(default_factory=list)  # milliseconds, the median of each round
    rates: list[float] = field(default_factory=list)  # requests a second, of each round
    refused: int = 0

    @property
    def request(self) -> bytes:
        headers = {"host": self.host or f"127.0.0.1:{self.port}", **BROWSER}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {self.path} HTTP/1.1\r\n{lines}\r\n".encode()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def answer_of(data: bytes) -> tuple[bool, bool] | None:
    """Whether an answer is the view's, and whether its connection can be used again; None where it is not whole yet."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        if not rest.endswith(b"0\r\n\r\n"):
            return None
        body = unchunked(rest)
    else:
        length = int(lower.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return None
        body = rest
    return head.split()[1] == b"200" and body == BODY, b"\r\nconnection: close" not in lower


def unchunked(data: bytes) -> bytes:
    stream, parts = io.BytesIO(data), []
    while size := int(stream.readline(), 16):
        parts.append(stream.read(size))
        stream.readline()
    return b"".join(parts)


def in_a_row(door: Door, count: int) -> list[float]:
    """Milliseconds of each of ``count`` requests over one connection, or as few as the door allows."""
    taken = []
    request, connection = door.request, door.connect()
    try:
        for _ in range(count):
            started = time.perf_counter()
            connection.sendall(request)
            data = b""
            while (answer := answer_of(data)) is None:
                part = connection.recv(1 << 16)
                if not part:
                    raise SystemExit(f"{door.name} broke its connection off after {data!r}")
                data += part
            taken.append((time.perf_counter() - started) * 1000)
            good, kept = answer
            if not good:
                raise SystemExit(f"{door.name} answered with something else: {data[:400]!r}")
            if not kept:
                connection.close()
                connection = door.connect()
    finally:
        connection.close()
    return taken


def at_once(door: Door, seconds: float, connections: int = ENVIRONMENTS) -> tuple[float, int]:
    """Good answers a second over some connections, each with one request at a time; and how many were refused."""
    request, good, refused = door.request, 0, 0
    with selectors.DefaultSelector() as selector:
        held: dict[socket.socket, bytes] = {}

        def open_one() -> None:
            connection = door.connect()
            held[connection] = b""
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)

        for _ in range(connections):
            open_one()
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            for key, _ in selector.select(1):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                part = connection.recv(1 << 16)
                held[connection] += part
                answer = answer_of(held[connection])
                if answer is None and part:
                    continue
                if answer is not None:
                    good, refused = good + answer[0], refused + (not answer[0])
                if answer is not None and answer[1]:
                    held[connection] = b""
                    connection.sendall(request)
                else:
                    selector.unregister(connection)
                    held.pop(connection)
                    connection.close()
                    open_one()
        for connection, begun in held.items():  # what is still under way would take the next one's places
            data = begun
            while answer_of(data) is None and (part := connection.recv(1 << 16)):
                data += part
            connection.close()
    return good / elapsed, refused


def first_answer(door: Door, process: subprocess.Popen[bytes], good: Callable[[bytes], bool]) -> float:
    """Seconds until there is an answer that is ``good``, for which connections and requests are made again."""
    started = time.perf_counter()
    while time.perf_counter() - started < 60:
        with contextlib.suppress(OSError), door.connect() as connection:
            connection.sendall(door.request)
            data = b""
            while part := connection.recv(1 << 16):
                data += part
                if good(data):
                    return time.perf_counter() - started
                if answer_is_error(data):
                    break
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise RuntimeError(f"{door.name} gave no answer")


def answer_is_error(data: bytes) -> bool:
    return data[9:10] in (b"4", b"5")


# -- what is run


@contextmanager
def running(
    folder: Path, *command: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a session of its own, ended with all it started; a `RuntimeError` inside tells what it said last."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONDEVMODE": "", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        except RuntimeError as error:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"{error}; {command[0]} said: {said}") from None
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def hello(folder: Path) -> Path:
    """A site of one view."""
    (folder / "hello_site.py").write_text(SITE)
    (folder / "manage.py").write_text(MANAGE)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports in a row that nothing listens on."""
    for first in range(21_000 + os.getpid() % 10_000, 60_000, count):
        with ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return list(range(first, first + count))
    raise SystemExit("no free ports")


def emulate(port: int, *doors: str) -> list[str]:
    """The command of this project's emulator."""
    command = [sys.executable, "-m", "infra", "emulate", "--port", str(port), "--concurrency", str(ENVIRONMENTS)]
    return command + [word for door in doors for word in ("--front-door", door)]


@contextmanager
def ours(folder: Path) -> Iterator[list[Door]]:
    """All front doors, and the CDN."""
    from emulator.front_doors import FRONT_DOORS

    ports = free_ports(len(FRONT_DOORS) + 1)
    with running(hello(folder), *emulate(ports[0], *FRONT_DOORS), environment={"PYTHONPATH": str(ROOT)}) as process:
        doors = [Door("CDN and http_api", "", ports[0])]
        doors += [Door(name, name, port) for name, port in zip(FRONT_DOORS, ports[1:], strict=True)]
        for door in doors:
            first_answer(door, process, is_hello)
        yield doors


def is_hello(data: bytes) -> bool:
    return answer_of(data) == (True, True) or answer_of(data) == (True, False)


SETTING_UP = """
import json, sys
import boto3
port, archive = sys.argv[1:]
make = lambda name: boto3.client(name, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                                 aws_access_key_id="test", aws_secret_access_key="test")
functions, http, rest = make("lambda"), make("apigatewayv2"), make("apigateway")
with open(archive, "rb") as file:
    arn = functions.create_function(FunctionName="hello", Runtime="python3.12", Handler="app.handler", Timeout=28,
                                    Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": file.read()},
                                    MemorySize=1024)["FunctionArn"]
functions.get_waiter("function_active_v2").wait(FunctionName="hello")
api = http.create_api(Name="h", ProtocolType="HTTP")["ApiId"]
integration = http.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn,
                                      PayloadFormatVersion="2.0")["IntegrationId"]
http.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
http.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
url = functions.create_function_url_config(FunctionName="hello", AuthType="NONE")["FunctionUrl"]
rest_api = rest.create_rest_api(name="r")["id"]
root = rest.get_resources(restApiId=rest_api)["items"][0]["id"]
proxy = rest.create_resource(restApiId=rest_api, parentId=root, pathPart="{proxy+}")["id"]
rest.put_method(restApiId=rest_api, resourceId=proxy, httpMethod="ANY", authorizationType="NONE")
rest.put_integration(restApiId=rest_api, resourceId=proxy, httpMethod="ANY", type="AWS_PROXY",
                     integrationHttpMethod="POST",
                     uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations")
rest.create_deployment(restApiId=rest_api, stageName="prod")
print(json.dumps({"http_api": api, "function_url": url, "rest_api": rest_api}))
"""


@contextmanager
def ministack(folder: Path) -> Iterator[list[Door]]:
    """MiniStack with the function behind an HTTP API, a function URL and a REST API."""
    hello(folder)
    [port] = free_ports(1)
    # Its workers get the archive's folder alone to import from.
    code = f"import os, sys\nsys.path[:0] = {[str(folder), str(ROOT)]!r}\n"
    code += 'os.environ["DJANGO_SETTINGS_MODULE"] = "hello_site"\nfrom adapter.entrypoint import handler\n'
    with zipfile.ZipFile(folder / "hello.zip", "w") as archive:
        archive.writestr("app.py", code)
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "ERROR"}
    python = str(CACHE / "ministack/bin/python")
    with running(folder, python, "-m", "ministack", environment=environment) as process:
        wait_for_port(port, process)
        made = json.loads(checked(python, "-c", SETTING_UP, str(port), str(folder / "hello.zip")))
        url = made["function_url"].split("//")[1].split("/")[0]
        host = f".execute-api.localhost:{port}"
        doors = [
            Door("MiniStack, http_api", "http_api", port, made["http_api"] + host),
            Door("MiniStack, function_url", "function_url", port, url),
            Door("MiniStack, rest_api", "rest_api", port, made["rest_api"] + host, f"/prod{PATH}"),
        ]
        for door in doors:
            first_answer(door, process, is_hello)
        yield doors


OFFLINE_PROJECT = {
    "service": "hello",
    "frameworkVersion": "*",
    "configValidationMode": "off",
    "plugins": ["serverless-offline"],
    "provider": {
        "name": "aws",
        "runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "environment": {"DJANGO_SETTINGS_MODULE": "hello_site"},
    },
    "functions": {
        "web": {
            "handler": "app.handler",
            "timeout": 28,
            "events": [{"http": {"path": "/rest/{proxy+}", "method": "any"}}, {"httpApi": f"GET {PATH}"}],
        }
    },
}


@contextmanager
def serverless_offline(folder: Path) -> Iterator[list[Door]]:
    """serverless-offline with the function behind an HTTP API and a REST API."""
    hello(folder)
    (folder / "app.py").write_text(
        f"import sys\nsys.path[:0] = [{str(ROOT)!r}]\nfrom adapter.entrypoint import handler\n"
    )
    (folder / "serverless.json").write_text(json.dumps(OFFLINE_PROJECT))
    (folder / "node_modules").symlink_to(CACHE / "serverless-offline/node_modules")
    port, functions = free_ports(2)
    command = ("node", str(CACHE / "serverless-offline/node_modules/osls/bin/serverless.js"), "offline", "--httpPort")
    options = (str(port), "--lambdaPort", str(functions), "--noPrependStageInUrl", "--noTimeout")
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
    }
    with running(folder, *command, *options, environment=environment) as process:
        doors = [
            Door("serverless-offline, http_api", "http_api", port),
            Door("serverless-offline, rest_api", "rest_api", port, path=f"/rest{PATH}"),
        ]
        for door in doors:
            first_answer(door, process, is_hello)
        yield doors


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port}")


# -- what the first run sets up


def checked(*argv: str, cwd: Path | None = None) -> str:
    """What a program prints; raises `RuntimeError` with the last line of its complaint."""
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"{argv[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise RuntimeError(f"{Path(argv[0]).name}: {said[-1]}")
    return done.stdout


def install(name: str, wanted: tuple[str, ...], make: Callable[[Path], None]) -> None:
    """Has ``make`` fill a folder of the cache, where what is there is not what is ``wanted``."""
    folder = CACHE / name
    stamp = folder / "installed.json"
    if stamp.is_file() and json.loads(stamp.read_text()) == list(wanted):
        return
    print(f"Installing {', '.join(wanted)} into {folder} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    stamp.write_text(json.dumps(wanted))


def install_ministack(folder: Path) -> None:
    checked(sys.executable, "-m", "venv", str(folder))
    checked(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *MINISTACK)


def install_offline(folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}')
    # The plugin asks for a version 4 of serverless; osls goes on with version 3, which needs no account.
    checked("npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund", *OFFLINE, cwd=folder)


PEERS = {
    "ministack": (MINISTACK, install_ministack, ministack),
    "serverless-offline": (OFFLINE, install_offline, serverless_offline),
}


# -- the runs


def warm(doors: list[Door], arguments: argparse.Namespace) -> None:
    """Latency and rate of all doors, which take their turns."""
    for door in doors:  # all environments have to be there, and all code to be compiled
        in_a_row(door, 50)
        at_once(door, 1.0)
    for number in range(arguments.rounds):
        taken: dict[str, list[float]] = {door.name: [] for door in doors}
        for turn in range(number, number + TURNS):
            first = turn * len(doors) // TURNS % len(doors)  # so that nobody is always the one after another's work
            for door in doors[first:] + doors[:first]:
                taken[door.name] += in_a_row(door, arguments.requests // TURNS)
        for door in doors:
            door.latencies.append(statistics.median(taken[door.name]))
        for door in doors:
            rate, refused = at_once(door, arguments.seconds)
            door.rates.append(rate)
            door.refused += refused
        print(f"  round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)


def start_up(name: str, folder: Path, good: Callable[[bytes], bool], path: str, rounds: int) -> dict[str, list[float]]:
    """Seconds from the command to the CDN's first answer, with nothing from before and with what the first run left."""
    taken: dict[str, list[float]] = {f"{name}, first": [], f"{name}, again": []}
    for _ in range(rounds):
        shutil.rmtree(folder / ".faas", ignore_errors=True)
        for times in taken.values():
            port, _ = free_ports(2)
            with running(folder, *emulate(port, "http_api"), environment={"PYTHONPATH": str(ROOT)}) as process:
                times.append(first_answer(Door(name, "", port, path=path), process, good))
    return taken


def bookshop(folder: Path) -> Path:
    """A copy of the sample with its seed data."""
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(BOOKSHOP, folder, ignore=left_out)
    checked(sys.executable, "manage.py", "prepare", cwd=folder)
    return folder


def print_warm(doors: list[Door], own: int) -> None:
    mine, others = doors[1:own], doors[own:]
    of_kind = {door.kind: door for door in mine}
    print(f"\n{'':31}{'one request at a time':^30}  four at a time")
    print(f"{'warm':31}{'median ms':>10}{'of ours of its kind':>20}{'requests/s':>16}")
    for door in doors:
        compared = f"{times_as_slow(door, of_kind[door.kind]):19.1f}x" if door in others else ""
        rate, refused = statistics.median(door.rates), f"  ({door.refused} refused)" if door.refused else ""
        print(f"{door.name:31}{statistics.median(door.latencies):10.2f}{compared:>20}{rate:16.0f}{refused}")
    print()
    slowest = max(statistics.median(door.latencies) for door in mine)
    verdict("slowest front door, warm median, ms", slowest, 2.0, slowest <= 2)
    for door in others:
        slower = times_as_slow(door, of_kind[door.kind])
        verdict(f"{door.name}, times as slow as ours", slower, 1.0, slower > 1)
    least = min(statistics.median(door.rates) for door in mine)
    verdict("fewest requests a second", least, 1000, least >= 1000)


def times_as_slow(door: Door, other: Door) -> float:
    return statistics.median(one / two for one, two in zip(door.latencies, other.latencies, strict=True))


def verdict(what: str, value: float, limit: float, holds: bool) -> None:
    print(f"{'ok  ' if holds else 'MISS'}  {what}: {value:.2f}, target {limit:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200, help="requests in a row, a round and door")
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds of requests at once, a round and door")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of them; empty for none")
    parser.add_argument("--jobs", default="warm,start", help="warm, start or both")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))

    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {arguments.rounds} rounds; medians")
    missing = dict(NOT_TO_BE_HAD)
    with ExitStack() as stack:
        if "warm" in arguments.jobs:
            doors = stack.enter_context(ours(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            own = len(doors)
            for name in filter(None, arguments.peers.split(",")):
                wanted, make, peer = PEERS[name]
                try:
                    install(name, wanted, make)
                    doors += stack.enter_context(peer(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
                except RuntimeError as error:
                    missing[name] = str(error)
            warm(doors, arguments)
            print_warm(doors, own)
    if "start" in arguments.jobs:
        with tempfile.TemporaryDirectory() as folder:
            taken = start_up("no static files", hello(Path(folder)), is_hello, PATH, arguments.rounds)
            shop = bookshop(Path(folder, "bookshop"))
            taken |= start_up("bookshop", shop, lambda data: data.startswith(b"HTTP/1.1 200"), "/", arguments.rounds)
        print(f"\n{'from the command to the first answer':40}{'median s':>10}{'highest':>10}")
        for name, times in taken.items():
            print(f"{name:40}{statistics.median(times):10.2f}{max(times):10.2f}")
        for name, limit in (("no static files, first", 1.0), ("bookshop, first", 3.0)):
            verdict(name, statistics.median(taken[name]), limit, statistics.median(taken[name]) < limit)
    for name, reason in missing.items():
        print(f"Not to be had: {name} ({reason})")


if __name__ == "__main__":
    main()
