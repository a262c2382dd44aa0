"""The command as a user runs it: a process of its own, in a project that knows nothing of it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.emulator.helpers import ROOT, alive, descendants, replace, start_project, stopped, until

pytestmark = pytest.mark.emulated

COMMAND = (sys.executable, "-m", "infra", "emulate", "--port", "0")
URLS = """
import os, time
from django.contrib import admin
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

def pid(request):
    print("looking at the pid")
    return HttpResponse(f"first {os.getpid()}")

def slow(request):
    time.sleep(30)

def crash(request):
    os._exit(5)

def pause(request):
    answer = "unchanged"
    breakpoint()
    return HttpResponse(answer)

def drip(request):
    def drops():
        yield "one"
        while not os.path.exists("go"):
            time.sleep(0.01)
        yield "two"
    return StreamingHttpResponse(drops())

urlpatterns = [
    path("admin/", admin.site.urls), path("pid", pid), path("slow", slow), path("crash", crash), path("drip", drip),
    path("pause", pause),
]
"""


def variables(**more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "PYTHONDEVMODE"}
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


class Running:
    """The command at work, with what it printed and the ports it named."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(iter(stream.readline, ""))

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 20) -> None:
        assert until(lambda: bool(re.search(pattern, self.text)), seconds), f"no {pattern!r} in:\n{self.text}"

    def port(self, name: str) -> int:
        found = re.search(rf"^  {name} +http://127.0.0.1:(\d+)", self.text, re.MULTILINE)
        assert found, self.text
        return int(found[1])

    def get(self, path: str, name: str = "site") -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(name), timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.read().decode(),
            )
        finally:
            connection.close()

    def end(self, number: int, seconds: float = 5) -> int:
        """Sends the signal; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code


@contextlib.contextmanager
def emulating(folder: Path, *options: str, command: tuple[str, ...] = COMMAND, ready: bool = True) -> Iterator[Running]:
    process = subprocess.Popen(
        [*command, *options],
        cwd=folder,
        env=variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(process)
    children: set[int] = set()
    try:
        if ready:
            running.wait_for(r"ready in \d")
        yield running
    finally:
        if process.poll() is None:
            children = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            finally:
                process.kill()
        process.wait()
        running._reader.join(5)
        assert process.stdin is not None
        process.stdin.close()
    assert not {child for child in children if alive(child)}
    assert "Traceback" not in running.text


def refused(folder: Path, *options: str, command: tuple[str, ...] = COMMAND, **more: str) -> tuple[int, str]:
    """Exit code and words of a command that can't do what it is asked."""
    done = subprocess.run(
        [*command, *options], cwd=folder, env=variables(**more), capture_output=True, text=True, timeout=30
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start_project(tmp_path_factory.mktemp("emulate") / "site")
    (folder / "mysite" / "urls.py").write_text(URLS)
    (folder / "static").mkdir()
    (folder / "static" / "site.css").write_text("body { color: red }")
    settings = folder / "mysite" / "settings.py"
    settings.write_text(f"{settings.read_text()}\nSTATICFILES_DIRS = [BASE_DIR / 'static']\n")
    return folder


def test_a_fresh_project_is_served_with_its_style(site: Path) -> None:
    with emulating(site, "--front-door", "http-api", "--front-door", "rest_api", "--no-reload") as running:
        status, headers, body = running.get("/admin/login/")
        assert status == 200
        assert "csrfmiddlewaretoken" in body
        [style] = re.findall(r'href="(/static/admin/css/base.css)"', body)
        status, headers, body = running.get(style)
        assert (status, headers["server"]) == (200, "AmazonS3")
        assert headers["content-type"].startswith("text/css")
        assert "--primary" in body
        assert running.get("/static/nothing.css")[0] == 404
        assert running.get("/admin/login/", "rest_api")[0] == 200
        assert running.get(style, "rest_api")[0] == 404  # static files are the CDN's affair
        running.wait_for(r"GET    /static/admin/css/base.css  200  \d+ ms  bucket")
        running.wait_for(r"GET    /admin/login/  200  \d+ ms  rest_api")
        assert (site / ".faas" / ".gitignore").read_text() == "*\n"
    with emulating(site, "--no-reload") as running:
        # What was uploaded before is still there.
        assert "Nothing to upload" in running.text
        assert running.get(style)[0] == 200


def test_one_process_serves_under_aws_own_client(site: Path) -> None:
    pytest.importorskip("awslambdaric", reason="awslambdaric is not installed")
    with emulating(site, "--runtime", "awslambdaric", "--interface", "asgi", "--no-reload") as running:
        pids = {int(running.get("/pid")[2].split()[1]) for _ in range(3)}
        assert len(pids) == 1
        assert "asgi, awslambdaric runtime" in running.text
        assert until(lambda: all(map(stopped, pids)))


def test_processes_go_on_between_requests_where_that_is_asked_for(site: Path) -> None:
    with emulating(site, "--no-freeze", "--no-reload") as running:
        pid = int(running.get("/pid")[2].split()[1])
        assert not until(lambda: stopped(pid), 0.5)


def test_answers_are_streamed_where_that_is_asked_for(site: Path) -> None:
    options = ("--front-door", "function_url", "--front-door", "rest_api", "--invoke-mode", "response_stream")
    with emulating(site, *options, "--no-reload") as running:
        assert "wsgi, own runtime, response_stream" in running.text
        for name in ("site", "function_url", "rest_api"):
            connection = http.client.HTTPConnection("127.0.0.1", running.port(name), timeout=10)
            connection.request("GET", "/drip")
            answer = connection.getresponse()
            assert answer.read1() == b"one"
            (site / "go").touch()
            assert answer.read() == b"two"
            connection.close()
            (site / "go").unlink()
        running.wait_for(r"GET    /drip  200  \d+ ms, begun after \d+ ms  rest_api")


def test_crashes_and_time_limits_get_the_front_doors_answer(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doors = ("--front-door", "http_api", "--front-door", "rest_api", "--front-door", "function_url")
    # The adapter would give the slow view up by itself before the function's limit is met.
    monkeypatch.setenv("FAAS_DEADLINE_MARGIN", "0")
    # After a crash the process boots again in the next request's time: on a busy machine that is more than a second.
    with emulating(site, *doors, "--timeout", "4", "--no-reload") as running:
        status, _, body = running.get("/crash", "http_api")
        assert (status, body) == (500, '{"message":"Internal Server Error"}')
        status, _, body = running.get("/slow", "rest_api")
        assert (status, body) == (502, '{"message": "Internal server error"}')
        status, _, body = running.get("/crash", "function_url")
        assert (status, body) == (502, "Internal Server Error")
        assert running.get("/pid")[0] == 200
        running.wait_for(r"GET /crash: Runtime.ExitError: Runtime exited with error: exit status 5")
        running.wait_for(r"GET /slow: Sandbox.Timedout: Task timed out after 4.00 seconds")
        running.wait_for(r"GET    /pid  200  \d+ ms  http_api  cold \d+ ms")
        running.wait_for(r"fn-\d+ \| looking at the pid")


def test_a_view_stops_at_its_breakpoint_for_as_long_as_that_takes(site: Path) -> None:
    answers: list[tuple[int, dict[str, str], str]] = []
    with emulating(site, "--debug", "--timeout", "0.1", "--no-reload") as running:
        asking = threading.Thread(target=lambda: answers.append(running.get("/pause")))
        asking.start()
        running.wait_for(r"urls\.py\(\d+\)pause\(\)")
        time.sleep(0.3)
        assert running.process.stdin is not None
        running.process.stdin.write("answer = answer.upper()\ncontinue\n")
        running.process.stdin.flush()
        asking.join(10)
        [(status, _, body)] = answers
        assert (status, body) == (200, "UNCHANGED")


def test_changes_are_taken_over_and_mistakes_mended(site: Path) -> None:
    urls, style = site / "mysite" / "urls.py", site / "static" / "site.css"
    with emulating(site) as running:
        first = running.get("/pid")[2]
        assert first.startswith("first ")
        replace(urls, "first", "second")
        running.wait_for(r"mysite/urls.py changed")
        assert until(lambda: running.get("/pid")[2].startswith("second "))

        urls.write_text(f"{URLS}\ndef (\n")
        assert until(lambda: running.get("/pid")[0] == 500)
        running.wait_for(r"urls.py.*line \d+|invalid syntax|SyntaxError")

        urls.write_text(URLS)
        assert until(lambda: running.get("/pid")[0] == 200)
        assert running.get("/pid")[2].startswith("first ")

        style.write_text("body { color: blue }")
        running.wait_for(r"static/site.css changed: syncing static files")
        assert until(lambda: "blue" in running.get("/static/site.css")[2])
        assert not alive(int(first.split()[1]))
        # The syntax error came with the traceback the function printed.
        running.lines[:] = [line.replace("Traceback", "") for line in running.lines]


def test_static_files_that_cannot_be_collected_do_not_stop_the_pages(site: Path) -> None:
    settings = site / "mysite" / "settings.py"
    original = settings.read_text()
    settings.write_text(f"{original}\nSTATICFILES_FINDERS = ['no.such.Finder']\n")
    try:
        with emulating(site, "--no-reload") as running:
            assert "Static files did not reach the bucket" in running.text
            assert "STATICFILES_FINDERS" in running.text
            assert running.get("/pid")[0] == 200
    finally:
        settings.write_text(original)


def test_uploads_live_in_the_bucket_where_the_storage_is_no_folder(site: Path) -> None:
    settings = site / "mysite" / "settings.py"
    original = settings.read_text()
    settings.write_text(
        f"{original}\nMEDIA_URL, MEDIA_ROOT = '/media/', BASE_DIR / 'media'\n"
        "STORAGES = {'default': {'BACKEND': 'django.core.files.storage.InMemoryStorage'},\n"
        "    'staticfiles': {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}}\n"
    )
    (site / "media").mkdir()
    (site / "media" / "ein Bild.txt").write_text("from the folder")

    def upload(running: Running) -> None:
        endpoint = f"http://127.0.0.1:{running.port('bucket')}"
        session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
        client = session.client("s3", endpoint_url=endpoint)
        client.put_object(Bucket="django-faas", Key="media/ein Bild.txt", Body=b"from the site")
        client.close()

    try:
        with emulating(site, "--no-reload") as running:
            assert running.get("/media/ein%20Bild.txt")[2] == "from the folder"
            upload(running)
        with emulating(site, "--no-reload") as running:
            # The folder has not changed since, so what the site has put there is newer.
            assert running.get("/media/ein%20Bild.txt")[2] == "from the site"
            assert running.get("/pid", "http_api")[0] == 200
    finally:
        settings.write_text(original)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it_quickly(site: Path, number: int) -> None:
    with emulating(site, "--no-reload") as running:
        children = descendants(running.process.pid)
        assert len(children) >= 3  # the function, the bucket, the reaper
        slow = threading.Thread(target=_ignore, args=[running])
        slow.start()
        time.sleep(0.2)
        started = time.monotonic()
        assert running.end(number) == 0
        assert time.monotonic() - started < 4
        slow.join()
        assert not {child for child in children if alive(child)}


def _ignore(running: Running) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        running.get("/slow")


@pytest.mark.parametrize("seconds", [0.2, 0.6, 1.0])
def test_a_signal_during_the_start_ends_it_too(site: Path, seconds: float) -> None:
    with emulating(site, "--no-reload", ready=False) as running:
        time.sleep(seconds)
        children = descendants(running.process.pid)
        code = running.end(signal.SIGTERM)
        assert code in (0, -signal.SIGTERM)  # before Python has got as far as its first line
        assert until(lambda: not {child for child in children if alive(child)}, 3)


def test_nothing_outlives_an_emulator_that_is_killed(site: Path) -> None:
    with emulating(site, "--no-reload") as running:
        threading.Thread(target=_ignore, args=[running]).start()
        running.get("/pid")
        children = descendants(running.process.pid)
        assert len(children) >= 3
        running.process.kill()
        running.process.wait()
        assert until(lambda: not {child for child in children if alive(child)}, 3)


def test_where_there_is_no_project(tmp_path: Path) -> None:
    code, words = refused(tmp_path)
    assert code == 1
    assert f"Error: There is no manage.py in {tmp_path.resolve()}." in words
    assert "django-admin startproject" in words
    assert list(tmp_path.iterdir()) == []


def test_settings_that_fail(site: Path) -> None:
    code, words = refused(site, DJANGO_SETTINGS_MODULE="mysite.nothing")
    assert code == 1
    assert "'mysite.nothing': there is no module 'mysite.nothing'" in words


def test_a_port_in_use(site: Path) -> None:
    for _ in range(5):  # whatever else runs here may hold the port before
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, words = refused(site, "--port", str(port - 1))
        if f"Port {port - 1}" not in words:
            break
    assert code == 1
    assert f"Port {port}, wanted for the front door http_api, is in use by" in words
    assert f"process {os.getpid()}" in words
    assert "--port" in words


def test_options_that_make_no_sense(site: Path) -> None:
    code, words = refused(site, "--front-door", "nginx")
    assert code == 2
    assert "'nginx' is none of: http_api, http_api_1, function_url, rest_api, alb, " in words
    code, words = refused(site, "--front-door", "alb", "--invoke-mode", "response_stream")
    assert code == 1
    assert "alb can't stream answers; choose --front-door function_url or --front-door rest_api" in words
    code, words = refused(site, "--stage", "no/slash")
    assert code == 1
    assert "no/slash" in words
    code, words = refused(site, "--parameter", "Stage=prod")
    assert code == 1
    assert "--parameter is for a template: name it with --template FILE." in words


def test_a_template_that_cannot_be_used(site: Path, tmp_path: Path) -> None:
    code, words = refused(site, "--template", "no-such.yaml")
    assert code == 1
    assert "no-such.yaml" in words
    template = tmp_path / "template.yaml"
    template.write_text("Resources:\n  Jobs: {Type: AWS::SQS::Queue}\n")
    code, words = refused(site, "--template", str(template))
    assert code == 1
    assert f"No function in {template} has a front door" in words


@pytest.mark.parametrize("missing", ["aiohttp", "httptools", "moto", "watchfiles", "click"])
def test_an_extra_that_is_not_installed_is_named(site: Path, missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from infra.cli import main; main()"
    code, words = refused(site, "emulate", "--port", "0", command=(sys.executable, "-c", program))
    assert code == 1
    assert missing in words
    assert "pip install 'django-faas[emulator]'" in words


def test_help_is_quick_and_loads_nothing_heavy(site: Path) -> None:
    program = (
        "import sys\nfrom infra.cli import main\nsys.argv = ['django-faas', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'aiohttp', 'moto', 'boto3', 'django', 'asyncio.base_events'} & set(sys.modules)))"
    )
    code, words = refused(site, command=(sys.executable, "-c", program))
    assert code == 0
    assert "emulate" in words
    assert words.rstrip().endswith("[]")


def test_as_a_management_command(site: Path) -> None:
    settings = site / "mysite" / "settings.py"
    original = settings.read_text()
    settings.write_text(f"{original}\nINSTALLED_APPS += ['emulator']\n")
    command = (sys.executable, "manage.py", "emulate")
    try:
        with emulating(site, "--port", "0", "--front-door", "alb", "--no-reload", command=command) as running:
            assert running.get("/pid", "alb")[0] == 200
            assert running.end(signal.SIGINT) == 0
        code, words = refused(site, "--front-door", "nginx", command=command)
        assert code == 2
        assert "CommandError: " in words
        assert "'nginx' is none of" in words
        assert "--front-door" in refused(site, "--help", command=command)[1]
    finally:
        settings.write_text(original)
